"""IMAPClient (Python): a day of reading, filing and writing, with what it makes of the answers."""

from __future__ import annotations

import ssl
import threading
from datetime import UTC, datetime

import pytest
from imapclient import DELETED, FLAGGED, SEEN, IMAPClient

from tests.support.client_servers import Account, id_of, letters

pytestmark = pytest.mark.interop


def signed_in(account: Account) -> IMAPClient:
    client = IMAPClient("127.0.0.1", account.port, ssl=False, timeout=30)
    client.login(account.user, account.password)
    return client


def test_reading_and_filing(account: Account) -> None:
    account.arrive(letters(10))
    with signed_in(account) as client:
        assert client.has_capability("MOVE")
        assert client.namespace().personal == (("", "/"),)
        chosen = client.select_folder("INBOX")
        assert chosen[b"EXISTS"] == 10
        assert b"\\*" in chosen[b"PERMANENTFLAGS"]
        uids = client.search("ALL")
        assert uids == list(range(1, 11))
        assert client.search(["SUBJECT", "Letter 3"]) == [4]
        assert client.search(["SINCE", datetime(2026, 1, 1), "NOT", "SEEN"]) == uids
        row = client.fetch([4], ["ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE", "INTERNALDATE", "FLAGS"])[4]
        assert row[b"ENVELOPE"].subject == b"Letter 3"
        assert row[b"ENVELOPE"].message_id == f"<{id_of(3)}>".encode()
        assert row[b"ENVELOPE"].date.replace(tzinfo=UTC).year == 2026
        assert row[b"BODYSTRUCTURE"][:2] == (b"text", b"plain")
        text = client.fetch([4], ["BODY.PEEK[TEXT]<5.2>"])[4][b"BODY[TEXT]<5>"]
        assert text == b"of"
        assert {SEEN, b"$Work"} <= set(client.add_flags([1, 2], [SEEN, b"$Work"])[1])
        assert set(client.get_flags([2])[2]) >= {SEEN, b"$Work"}
        client.remove_flags([2], [b"$Work"])
        client.set_flags([3], [FLAGGED])
        client.create_folder("Projekte/Köln & Bonn")
        assert client.folder_exists("Projekte/Köln & Bonn")
        client.subscribe_folder("Projekte/Köln & Bonn")
        assert "Projekte/Köln & Bonn" in {name for _, _, name in client.list_sub_folders()}
        client.copy([1], "Projekte/Köln & Bonn")
        client.move([2, 5], "Projekte/Köln & Bonn")
        client.delete_messages([6])
        assert DELETED in client.get_flags([6])[6]
        client.uid_expunge([6])
        assert client.search("ALL") == [1, 3, 4, 7, 8, 9, 10]
        status = client.folder_status("Projekte/Köln & Bonn", ["MESSAGES", "UNSEEN", "UIDNEXT"])
        assert status == {b"MESSAGES": 3, b"UNSEEN": 1, b"UIDNEXT": 4}
        client.rename_folder("Projekte/Köln & Bonn", "Archive/Köln")
        client.select_folder("Archive/Köln", readonly=True)
        assert client.search("KEYWORD $Work") == [1]
        client.unselect_folder()
        client.delete_folder("Archive/Köln")
        assert not client.folder_exists("Archive/Köln")
    assert account.marked() == {
        **{id_of(n): set() for n in (3, 6, 7, 8, 9)},
        id_of(0): {"\\Seen", "$Work"},
        id_of(2): {"\\Flagged"},
    }


def test_special_folders_and_drafts(account: Account) -> None:
    draft = letters(1, 77)[0]
    when = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
    with signed_in(account) as client:
        assert client.find_special_folder(b"\\Drafts") == "Drafts"
        assert client.find_special_folder(b"\\Sent") == "Sent"
        assert client.find_special_folder(b"\\Trash") == "Trash"
        said = client.append("Drafts", draft, [b"\\Draft", SEEN], when)
        assert b"APPENDUID" in said
        client.select_folder("Drafts")
        row = client.fetch([1], ["INTERNALDATE", "RFC822"])[1]
        assert row[b"RFC822"] == draft
        assert row[b"INTERNALDATE"].astimezone().timestamp() == when.timestamp()
    assert account.marked("Drafts") == {id_of(77): {"\\Draft", "\\Seen"}}


def test_over_starttls_with_a_checked_certificate(account: Account) -> None:
    trusted = ssl.get_server_certificate(("127.0.0.1", account.tls_port))
    with IMAPClient("localhost", account.port, ssl=False, timeout=30) as client:
        client.starttls(ssl.create_default_context(cadata=trusted))
        client.login(account.user, account.password)
        assert client.select_folder("INBOX")[b"EXISTS"] == 0


def test_several_messages_in_one_append(account: Account) -> None:
    """RFC 3502."""
    with signed_in(account) as client:
        client.multiappend("Archive", [{"msg": data, "flags": [SEEN]} for data in letters(5)])
    assert account.marked("Archive") == {id_of(n): {"\\Seen"} for n in range(5)}


def test_sort_and_thread(account: Account) -> None:
    """RFC 5256; replies come before what they answer."""
    reply = letters(1, 50)[0].replace(b"Letter 50", b"Re: Letter 1")
    reply = reply.replace(b"MIME-", f"References: <{id_of(1)}>\r\nIn-Reply-To: <{id_of(1)}>\r\nMIME-".encode(), 1)
    account.arrive([reply, *letters(3)])
    with signed_in(account) as client:
        client.select_folder("INBOX", readonly=True)
        assert client.sort(["REVERSE DATE"]) == [1, 4, 3, 2]
        assert client.sort(["SUBJECT", "DATE"]) == [2, 3, 1, 4]
        assert client.sort(["ARRIVAL"], "UNDELETED") == [1, 2, 3, 4]
        assert sorted(client.thread("REFERENCES"), key=str) == sorted(((2,), (3, 1), (4,)), key=str)


def test_idle_tells_of_new_mail(account: Account) -> None:
    with signed_in(account) as client:
        client.select_folder("INBOX")
        client.idle()
        sender = threading.Timer(0.2, account.arrive, [letters(1)])
        sender.start()
        said: list[object] = []
        while (1, b"EXISTS") not in said:
            more = client.idle_check(timeout=10)
            assert more, said
            said += more
        sender.join()
        client.idle_done()
        assert client.search("ALL") == [1]


def test_only_what_has_changed(account: Account) -> None:
    """CONDSTORE, RFC 7162 section 3.1.4: a client that remembers a MODSEQ."""
    account.arrive(letters(4))
    with signed_in(account) as client:
        client.enable("CONDSTORE")
        known = client.select_folder("INBOX")[b"HIGHESTMODSEQ"]
        assert client.fetch([1, 2, 3, 4], ["FLAGS"], [f"CHANGEDSINCE {known}"]) == {}
        client.add_flags([3], [FLAGGED])
        changed = client.fetch([1, 2, 3, 4], ["FLAGS"], [f"CHANGEDSINCE {known}"])
        assert set(changed) == {3}
        assert FLAGGED in changed[3][b"FLAGS"]
