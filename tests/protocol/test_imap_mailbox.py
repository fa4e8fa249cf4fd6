"""IMAP folders and messages against the real store."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stratamail.config.settings import Limits
from stratamail.mail.reply import Unavailable
from stratamail.shadow.view import View
from tests.protocol.imap_harness import ADDRESS, Client, House
from tests.unit.mail.test_structure import MIXED

PLAIN = b"From: a@x\r\nTo: b@y\r\nSubject: hello\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nbody one\r\n"
ODD = b"no header at all\x00\xff\n.\r\nx"


def opened(path: Path, *bodies: bytes) -> tuple[House, Client]:
    house = House(path)
    house.deliver(*bodies)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    return house, client


def test_select_and_examine(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(PLAIN, MIXED)
    client = house.sign_in()
    untagged, tagged = client.do("SELECT INBOX")
    assert tagged.startswith(b"OK [READ-WRITE]")
    for line in (b"* 2 EXISTS", b"* 2 RECENT", b"[UNSEEN 1]", b"[UIDNEXT 3]", b"[UIDVALIDITY ", b"\\*)]"):
        assert line in untagged
    untagged, tagged = client.do("EXAMINE INBOX")
    assert tagged.startswith(b"OK [READ-ONLY]")
    assert b"* 0 RECENT" in untagged
    client.no("STORE 1 FLAGS (\\Seen)")
    client.no("EXPUNGE")
    assert b"FLAGS" not in client.ok("FETCH 1 BODY[TEXT]")
    assert b"[NONEXISTENT]" in client.no("SELECT nope")
    client.bad("FETCH 1 FLAGS")


def test_folders(tmp_path: Path) -> None:
    client = House(tmp_path).sign_in()
    listed = client.ok('LIST "" "*"')
    for name in (b"Sent", b"Drafts", b"Trash", b"Junk", b"Archive"):
        assert b'* LIST (\\HasNoChildren \\%b) "/" %b\r\n' % (name, name) in listed
    assert listed.startswith(b'* LIST (\\HasNoChildren) "/" INBOX\r\n')
    client.ok("CREATE a/b/&AOk-")
    assert b'"/" a/b/&AOk-' in client.ok('LIST "a/" *')
    assert b"[ALREADYEXISTS]" in client.no("CREATE a/b/&AOk-")
    client.ok("SUBSCRIBE a/b")
    assert client.ok('LSUB "" a*') == b'* LSUB () "/" a/b\r\n'
    assert b"\\Subscribed" in client.ok('LIST (SUBSCRIBED) "" "a*"')
    client.ok("RENAME a c")
    assert b"c/b/&AOk-" in client.ok('LIST "" c*')
    client.ok("DELETE c/b/&AOk-")
    client.no("DELETE c/b/&AOk-")
    client.no("DELETE INBOX")
    assert client.ok('LIST (SPECIAL-USE) "" Sent RETURN (STATUS (MESSAGES))') == (
        b'* LIST (\\Sent) "/" Sent\r\n* STATUS Sent (MESSAGES 0)\r\n'
    )
    assert b"[USEATTR]" in client.no("CREATE x (USE (\\Sent))")


def test_an_empty_folder_and_subscriptions(tmp_path: Path) -> None:
    client = House(tmp_path).sign_in()
    client.ok("SELECT Trash")
    assert client.ok("FETCH 1:* (FLAGS)") == client.ok("UID FETCH 1:* (FLAGS)") == b""
    client.bad("FETCH 1 (FLAGS)")
    assert client.ok("SEARCH ALL") == b"* SEARCH\r\n"
    client.ok("UID COPY 1:* Sent")
    assert client.ok("EXPUNGE") == b""
    client.ok("SUBSCRIBE not-there")
    assert b"not-there" in client.ok('LSUB "" *')
    client.ok("UNSUBSCRIBE not-there")
    assert b"not-there" not in client.ok('LSUB "" *')
    assert client.ok('LIST "" ""') == b'* LIST (\\Noselect) "/" ""\r\n'


def test_status(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(PLAIN)
    client = house.sign_in()
    assert client.ok("STATUS inbox (MESSAGES UNSEEN UIDNEXT RECENT APPENDLIMIT)") == (
        b"* STATUS INBOX (MESSAGES 1 UNSEEN 1 UIDNEXT 2 RECENT 1 APPENDLIMIT 150000000)\r\n"
    )
    client.no("STATUS nope (MESSAGES)")


def test_fetch_columns(tmp_path: Path) -> None:
    _, client = opened(tmp_path, PLAIN, MIXED)
    got = client.ok("FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)")
    assert got == (
        b'* 1 FETCH (UID 1 FLAGS (\\Recent) RFC822.SIZE %d INTERNALDATE "14-Nov-2023 22:13:20 +0000")\r\n'
        b'* 2 FETCH (UID 2 FLAGS (\\Recent) RFC822.SIZE %d INTERNALDATE "14-Nov-2023 22:13:20 +0000")\r\n'
    ) % (len(PLAIN), len(MIXED))
    assert client.ok("UID FETCH 2:* FLAGS") == b"* 2 FETCH (UID 2 FLAGS (\\Recent))\r\n"
    assert client.ok("UID FETCH 99 FLAGS") == b""
    client.bad("FETCH 3 FLAGS")


def test_fetch_content(tmp_path: Path) -> None:
    _, client = opened(tmp_path, PLAIN, MIXED, ODD)
    assert client.ok("FETCH 3 BODY.PEEK[]") == b"* 3 FETCH (BODY[] {%d}\r\n%b)\r\n" % (len(ODD), ODD)
    assert client.ok("FETCH 1 RFC822.HEADER") == b"* 1 FETCH (RFC822.HEADER {%d}\r\n%b)\r\n" % (
        PLAIN.index(b"body"), PLAIN[: PLAIN.index(b"body")],
    )  # fmt: skip
    assert client.ok("FETCH 2 (BODY.PEEK[2.2] BODY.PEEK[9])") == b"* 2 FETCH (BODY[2.2] {4}\r\nPGI+ BODY[9] NIL)\r\n"
    got = client.ok("UID FETCH 1 (BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT]<0.4>)")
    subject = b"BODY[HEADER.FIELDS (SUBJECT)] {18}\r\nSubject: hello\r\n\r\n"
    assert got == b"* 1 FETCH (UID 1 %b BODY[TEXT]<0> {4}\r\nbody)\r\n" % subject
    assert client.ok("FETCH 1 BODY.PEEK[]<5.3>") == b"* 1 FETCH (BODY[]<5> {3}\r\n a@)\r\n"
    assert client.ok("FETCH 1 BODY.PEEK[]<5000.3>") == b"* 1 FETCH (BODY[]<5000> {0}\r\n)\r\n"


def test_fetch_sets_seen_once(tmp_path: Path) -> None:
    _, client = opened(tmp_path, PLAIN)
    assert client.ok("FETCH 1 BODY[TEXT]").endswith(b"body one\r\n FLAGS (\\Seen \\Recent))\r\n")
    assert b"FLAGS" not in client.ok("FETCH 1 BODY[TEXT]")
    assert client.ok("SEARCH SEEN") == b"* SEARCH 1\r\n"


def test_envelope_and_structure_are_kept_in_the_index(tmp_path: Path) -> None:
    house, client = opened(tmp_path, PLAIN, MIXED, ODD)
    got = client.ok("FETCH 1:3 (ENVELOPE BODYSTRUCTURE BODY)")
    assert b'"hello" ((NIL NIL "a" "x"))' in got
    assert len(house.mailboxes.cached(ADDRESS, "INBOX", "envelope", [1, 2, 3])) == 3
    assert len(house.mailboxes.cached(ADDRESS, "INBOX", "bodystructure", [1, 2, 3])) == 3
    assert client.ok("FETCH 1:3 (ENVELOPE BODYSTRUCTURE BODY)") == got
    assert client.ok("FETCH 2 FULL").startswith(b"* 2 FETCH (FLAGS (\\Recent) INTERNALDATE ")


def test_store(tmp_path: Path) -> None:
    house, client = opened(tmp_path, PLAIN, MIXED)
    other = house.sign_in()
    other.ok("SELECT INBOX")
    got = client.ok("STORE 1:2 +FLAGS (\\Flagged $Mine)")
    assert got.startswith(b"* FLAGS (")
    assert b"$Mine" in got.partition(b"\r\n")[0]
    assert got.endswith(b"* 2 FETCH (FLAGS (\\Flagged $Mine \\Recent))\r\n")
    news = other.ok("NOOP")
    assert b"* 1 FETCH (UID 1 FLAGS (\\Flagged $Mine))\r\n" in news
    assert client.ok("UID STORE 2 FLAGS.SILENT (\\Seen)") == b""
    assert client.ok("UID STORE 2 -FLAGS (\\Seen)") == b"* 2 FETCH (UID 2 FLAGS (\\Recent))\r\n"
    assert client.ok("SEARCH KEYWORD $mine") == b"* SEARCH 1\r\n"


def test_expunge_and_numbers(tmp_path: Path) -> None:
    house, client = opened(tmp_path, *[PLAIN] * 4)
    other = house.sign_in()
    other.ok("SELECT INBOX")
    client.ok("STORE 1,3,4 +FLAGS.SILENT \\Deleted")
    assert client.ok("UID EXPUNGE 4") == b"* 4 EXPUNGE\r\n"
    # numbers never shift under a command by number: the other session is told at its next NOOP
    assert b"EXPUNGE" not in other.ok("FETCH 1:4 (UID)")
    assert b"EXPUNGE" not in other.ok("SEARCH ALL")
    assert b"* 4 EXPUNGE" in other.ok("NOOP")
    expunged = client.ok("EXPUNGE")
    assert sorted(re.findall(rb"\d+", expunged)) == [b"1", b"3"]
    assert other.ok("FETCH 1 BODY.PEEK[TEXT]").startswith(b"* 1 FETCH (BODY[TEXT] {10}")
    assert client.ok("UID SEARCH ALL") == b"* SEARCH 2\r\n"
    client.ok("STORE 1 +FLAGS \\Deleted")
    assert client.ok("CLOSE") == b""
    assert b"* 0 EXISTS" in client.ok("SELECT INBOX")


def test_search_and_esearch(tmp_path: Path) -> None:
    _, client = opened(tmp_path, PLAIN, MIXED, PLAIN)
    assert client.ok("SEARCH SUBJECT HELLO") == b"* SEARCH 1 3\r\n"
    assert client.ok("UID SEARCH 3") == b"* SEARCH 3\r\n"
    assert client.ok("SEARCH BODY plain") == b"* SEARCH 2\r\n"
    assert client.ok("SEARCH FROM nobody") == b"* SEARCH\r\n"
    assert client.ok("UID SEARCH RETURN (MIN MAX COUNT ALL) NOT TEXT inner") == (
        b'* ESEARCH (TAG "t7") UID MIN 1 MAX 3 ALL 1,3 COUNT 2\r\n'
    )
    assert client.ok("SEARCH RETURN (COUNT) FROM nobody") == b'* ESEARCH (TAG "t8") COUNT 0\r\n'
    assert b"[BADCHARSET" in client.no("SEARCH CHARSET X TEXT a")


def test_copy_and_move(tmp_path: Path) -> None:
    _, client = opened(tmp_path, PLAIN, MIXED)
    untagged, tagged = client.do("COPY 1:2 Archive")
    assert untagged == b""
    assert re.fullmatch(rb"OK \[COPYUID \d+ 1:2 1:2\] Copied\r\n", tagged)
    assert b"[TRYCREATE]" in client.no("COPY 1 nope")
    assert b"[TRYCREATE]" in client.no("MOVE 1 nope")
    untagged, tagged = client.do("UID MOVE 1 Trash")
    assert re.fullmatch(rb"\* OK \[COPYUID \d+ 1 1\] Moved\r\n\* 1 EXPUNGE\r\n", untagged)
    client.ok("UID COPY 99 Trash")
    client.ok("SELECT Trash")
    assert b"Subject: hello" in client.ok("FETCH 1 BODY[HEADER]")


def test_append(tmp_path: Path) -> None:
    house, client = opened(tmp_path)
    assert client.send(b'a APPEND INBOX (\\Seen $K) "01-Jan-2020 00:00:00 +0100" {%d}\r\n' % len(PLAIN)) == b"+ OK\r\n"
    answer = client.send(PLAIN + b"\r\n")
    assert re.search(rb"\* 1 EXISTS\r\n\* 1 RECENT\r\na OK \[APPENDUID \d+ 1\] Appended\r\n", answer)
    got = client.ok("FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])")
    assert b'(FLAGS (\\Seen $K \\Recent) INTERNALDATE "31-Dec-2019 23:00:00 +0000"' in got
    assert PLAIN in got
    assert house.committed[0].size == len(PLAIN)
    assert b"[TRYCREATE]" in client.no(b"APPEND nope {3+}\r\nabc")
    assert client.send(b"b APPEND nope {3}\r\n").startswith(b"b NO [TRYCREATE]")
    client.ok("NOOP")
    client.no(b"APPEND INBOX {0+}\r\n")
    client.bad(b"APPEND INBOX {3+}\r\nabc junk")
    assert len(house.committed) == 1


def test_append_that_the_store_refuses(tmp_path: Path) -> None:
    house, client = opened(tmp_path)
    house.failure = Unavailable()
    assert b"[UNAVAILABLE]" in client.no(b"APPEND Sent {3+}\r\nabc")
    house.failure = None
    house.spool.reserve.reserve = 10**18
    assert b"[LIMIT]" in client.no(b"APPEND Sent {3+}\r\nabc")
    assert client.send(b"b APPEND Sent {3}\r\n").startswith(b"b NO [LIMIT]")
    house.spool.reserve.reserve = 0
    house.clock.advance(1)
    client.ok(b"APPEND Sent {3+}\r\nabc")
    assert b"(MESSAGES 1)" in client.ok("STATUS Sent (MESSAGES)")


def test_messages_whose_files_are_lost(tmp_path: Path) -> None:
    large = b"Subject: large\r\n\r\n" + b"x" * 600_000
    _, client = opened(tmp_path, MIXED, large, PLAIN)
    for path in [*(tmp_path / "mail").rglob("new/*"), *(tmp_path / "spool").rglob("*")]:
        if path.is_file() and path.read_bytes() != PLAIN:
            path.unlink()
    untagged, tagged = client.do("FETCH 1:3 (UID BODY.PEEK[])")
    assert tagged.startswith(b"NO [EXPUNGEISSUED]")
    assert untagged.startswith(b"* 3 FETCH (UID 3 BODY[] {")
    assert client.do("FETCH 1:3 (BODYSTRUCTURE)")[1].startswith(b"NO [EXPUNGEISSUED]")
    assert client.do("FETCH 1:2 (BODY.PEEK[HEADER])")[1].startswith(b"NO [EXPUNGEISSUED]")
    assert client.ok("FETCH 1:3 (UID)").count(b"FETCH") == 3
    client.ok("SEARCH TEXT body")


def test_append_too_large_is_refused_before_it_comes(tmp_path: Path) -> None:
    house = House(tmp_path, Limits(message_size=1000))
    client = house.sign_in()
    assert b"APPENDLIMIT=1000" in client.ok("CAPABILITY")
    assert client.send(b"a APPEND INBOX {1001}\r\n").startswith(b"a NO [TOOBIG]")
    assert b"[TOOBIG]" in client.no(b"APPEND INBOX {5000+}\r\n" + b"x" * 5000)
    client.ok(b"APPEND INBOX {1000+}\r\n" + b"x" * 1000)


def test_an_append_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    client = house.sign_in()
    client.send(b"a APPEND INBOX {500000}\r\n")
    client.send(b"x" * 400_000)
    client.lose()
    house.clock.advance(0)
    assert house.committed == []
    assert not [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]


def test_idle(tmp_path: Path) -> None:
    house, client = opened(tmp_path, PLAIN)
    assert client.send(b"a IDLE\r\n") == b"+ idling\r\n"
    house.deliver(MIXED)
    assert client.read() == b"* 2 EXISTS\r\n* 2 RECENT\r\n"
    other = house.sign_in()
    other.ok("SELECT INBOX")
    other.ok("STORE 1 +FLAGS (\\Seen \\Deleted)")
    assert client.read() == b"* 1 FETCH (UID 1 FLAGS (\\Seen \\Deleted \\Recent))\r\n"
    other.ok("EXPUNGE")
    assert client.read() == b"* 1 EXPUNGE\r\n"
    house.clock.advance(121)
    assert client.read() == b"* OK Still here\r\n"
    assert client.send(b"DONE\r\n") == b"a OK Idle completed\r\n"
    house.deliver(PLAIN)
    assert client.read() == b""
    assert client.ok("NOOP").startswith(b"* 2 EXISTS")
    client.send(b"b IDLE\r\n")
    assert client.send(b"what\r\n").startswith(b"b BAD")


def test_an_idling_client_that_reads_nothing_is_told_when_it_reads(tmp_path: Path) -> None:
    house, client = opened(tmp_path)
    client.send(b"a IDLE\r\n")
    client.protocol.pauseProducing()
    for _ in range(3):
        house.deliver(PLAIN)
    assert client.read() == b""
    client.protocol.resumeProducing()
    assert client.read() == b"* 3 EXISTS\r\n* 3 RECENT\r\n"
    assert client.send(b"DONE\r\n") == b"a OK Idle completed\r\n"


def test_a_folder_that_is_removed_under_a_session(tmp_path: Path) -> None:
    house = House(tmp_path)
    client, other = house.sign_in(), house.sign_in()
    client.ok("CREATE x")
    client.ok("SELECT x")
    other.ok("SELECT x")
    client.ok("DELETE x")
    client.bad("FETCH 1 FLAGS")
    assert b"* BYE" in other.send(b"a NOOP\r\n")


def test_a_large_message_is_served_in_pieces(tmp_path: Path) -> None:
    attachment = b"0123456789abcdef" * 400_000
    head = b"Subject: big\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    large = head + b"--b\r\n\r\ntext\r\n--b\r\nContent-Type: a/b\r\n\r\n" + attachment + b"\r\n--b--\r\n"
    house, client = opened(tmp_path, large, PLAIN)
    got = client.ok("FETCH 1:2 (BODY.PEEK[])")
    assert got == b"* 1 FETCH (BODY[] {%d}\r\n%b)\r\n* 2 FETCH (BODY[] {%d}\r\n%b)\r\n" % (
        len(large),
        large,
        len(PLAIN),
        PLAIN,
    )
    assert client.ok("UID FETCH 1 (BODY.PEEK[2]<6000000.16> BODY.PEEK[2.MIME] BODY.PEEK[3] BODY.PEEK[TEXT]<0.3>)") == (
        b"* 1 FETCH (UID 1 BODY[2]<6000000> {16}\r\n%b BODY[2.MIME] {21}\r\nContent-Type: a/b\r\n\r\n"
        b" BODY[3] NIL BODY[TEXT]<0> {3}\r\n--b)\r\n" % attachment[6_000_000:6_000_016]
    )
    assert client.ok("FETCH 1 (BODY.PEEK[1]<2.900> BODY.PEEK[HEADER.FIELDS (SUBJECT)]<0.7>)") == (
        b"* 1 FETCH (BODY[1]<2> {2}\r\nxt BODY[HEADER.FIELDS (SUBJECT)]<0> {7}\r\nSubject)\r\n"
    )
    first = client.ok("FETCH 1 (ENVELOPE BODYSTRUCTURE BODY[2]<6399990.99>)")
    assert b'"a" "b" NIL NIL NIL "7BIT" 6400000' in first
    assert first.endswith(b" FLAGS (\\Seen \\Recent))\r\n")
    assert len(house.mailboxes.cached(ADDRESS, "INBOX", "bodystructure", [1])) == 1


def test_a_slice_of_a_large_attachment_reads_no_more_than_that(tmp_path: Path) -> None:
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + b"z" * 3_000_000 + b"\r\n--b--\r\n"
    _, client = opened(tmp_path, data)
    client.ok("FETCH 1 BODY.PEEK[1]<0.10>")
    view = client.protocol.session.the_view()

    async def never(uids: object) -> dict[int, bytes]:
        raise AssertionError("the whole message was read again")

    view.contents = never  # type: ignore[method-assign, assignment]
    for start in range(0, 3_000_000, 500_000):
        got = client.ok(f"FETCH 1 BODY.PEEK[1]<{start}.500000>")
        assert got.count(b"z") == 500_000


def test_all_messages_at_once_whatever_the_set(tmp_path: Path) -> None:
    _, client = opened(tmp_path, *[PLAIN] * 250)
    got = client.ok("UID FETCH 1:4294967295 (FLAGS BODY.PEEK[TEXT])")
    assert got.count(b"body one") == 250
    assert client.ok("UID FETCH 1:* (UID)").count(b"FETCH") == 250


def test_large_batches_are_read_through_beside_the_reactor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house, client = opened(tmp_path, PLAIN, PLAIN)
    monkeypatch.setattr("stratamail.servers.imap_contents.OCTETS_IN_REACTOR", 10)
    beside: list[str] = []
    real = View.compute

    async def compute(view: View, function: Callable[..., Any], *arguments: Any) -> Any:
        beside.append(function.__name__)
        return await real(view, function, *arguments)

    monkeypatch.setattr(View, "compute", compute)
    first = client.ok("FETCH 1:2 (ENVELOPE BODYSTRUCTURE BODY.PEEK[1])")
    assert beside == ["_make"]
    monkeypatch.undo()
    assert client.ok("FETCH 1:2 (ENVELOPE BODYSTRUCTURE BODY.PEEK[1])") == first
