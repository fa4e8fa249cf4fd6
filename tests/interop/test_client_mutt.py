"""mutt in a terminal: reading, flags, deleting, moving, writing a draft, a search that the server makes, new mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.client_servers import Account, id_of, letters, needs
from tests.support.screen import Screen
from tests.support.waiting import until

pytestmark = pytest.mark.interop


def mutt(account: Account, base: Path, *words: str, tls: bool = False) -> Screen:
    needs("mutt")
    scheme, port = ("imaps", account.tls_port) if tls else ("imap", account.port)
    rc = base / "muttrc"
    rc.write_text(
        f'set folder="{scheme}://127.0.0.1:{port}/"\nset spoolfile="+INBOX"\nset imap_user="{account.user}"\n'
        f'set imap_pass="{account.password}"\nset ssl_starttls=no\nset ssl_force_tls=no\nset quit=yes\nset delete=yes\n'
        f'set header_cache="{base}/hc"\nset sort=mailbox-order\nset wait_key=no\nset mark_old=no\nset move=no\n'
        'set record="+Sent"\nset postponed="+Drafts"\nset confirmappend=no\n'
        'set editor="sh -c \'echo typed here >> $1\' x"\nset edit_headers=no\nset from="me@clients.example"\n'
        "set ssl_verify_host=no\nset imap_qresync=yes\nset timeout=2\nset mail_check=1\nset postpone=yes\n"
        'set index_format="%4C %Z %s"\nset sleep_time=0\nset beep=no\n'
    )
    return Screen("mutt", ["-F", str(rc), *words], base)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_it_reads_flags_deletes_and_moves(account: Account, tmp_path: Path, tls: bool) -> None:
    account.arrive(letters(6))
    with mutt(account, tmp_path, tls=tls) as screen:
        if tls:
            screen.shows("accept")
            screen.press("o")
        screen.shows("6 N .*Letter 5")
        screen.press("1\r\r").shows("^Line of letter 0")
        screen.press("i").shows("2 N .*Letter 1")
        screen.press("2\rF").shows("Flag:1")
        screen.press("3\rd").shows("Del:1")
        screen.press("4\rs=Archive\r").shows("Del:2")
        screen.press("5\rw!").shows("Flag:2")
        screen.press("6\rC=Filed\r").shows("Create Filed")
        screen.press("y").shows("Msgs:6")
        screen.press("$").shows("Msgs:4")
        screen.press("q").ends()
    assert account.marked() == {
        id_of(0): {"\\Seen"},
        id_of(1): {"\\Flagged"},
        id_of(4): {"\\Flagged"},
        id_of(5): set(),
    }
    assert set(account.marked("Archive")) == {id_of(3)}
    assert set(account.marked("Filed")) == {id_of(5)}


def test_it_opens_with_what_it_has_cached_and_sees_what_changed(account: Account, tmp_path: Path) -> None:
    """The header cache and QRESYNC (RFC 7162): a second start asks for what is new only."""
    account.arrive(letters(5))
    with mutt(account, tmp_path) as screen:
        screen.shows("Letter 4")
        screen.press("q").ends()
    client = account.client()
    client.select("INBOX")
    client.uid("STORE", "2", "+FLAGS", r"(\Deleted)")
    client.expunge()
    client.uid("STORE", "3", "+FLAGS", r"(\Flagged)")
    client.logout()
    account.arrive(letters(1, 40))
    with mutt(account, tmp_path) as screen:
        screen.shows("Letter 0")
        screen.shows("2 N ! *Letter 2")
        screen.shows("Letter 40")
        # it deletes the third row: a stale cache would have counted another message there
        screen.press("3\rd").shows("Del:1")
        screen.press("$").shows("Msgs:4 ")
        screen.press("q").ends()
    assert set(account.marked()) == {id_of(0), id_of(2), id_of(4), id_of(40)}


def test_it_writes_a_draft_and_hears_of_new_mail(account: Account, tmp_path: Path) -> None:
    account.arrive(letters(1))
    with mutt(account, tmp_path) as screen:
        screen.shows("Letter 0")
        screen.press("m").shows("To:")
        screen.press("ben@clients.example\r").shows("Subject:")
        screen.press("A draft\r").shows("Compose|y:Send")
        screen.press("P").shows("1 N .*Letter 0")
        until(lambda: account.count("Drafts") == 1, "the draft is there")
        account.arrive(letters(1, 30))
        screen.shows("2 N .*Letter 30")
        # a search that the server makes: words of the body
        screen.press("/=b 'letter 30'\r\r").shows("^Line of letter 30")
        screen.press("q").shows("Letter 0")
        screen.press("q").ends()
    draft = account.seen("Drafts")[0]
    assert b"Subject: A draft" in draft.data
    assert b"typed here" in draft.data
    assert "\\Draft" in draft.flags or "\\Seen" in draft.flags
