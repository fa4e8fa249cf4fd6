"""alpine in a terminal: reading, deleting, saving into another folder, selecting by words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.client_servers import Account, id_of, letters, needs
from tests.support.screen import Screen

pytestmark = pytest.mark.interop


def alpine(account: Account, base: Path, *, tls: bool) -> Screen:
    """At the index of INBOX, signed in."""
    needs("alpine")
    where = f"127.0.0.1:{account.tls_port}/ssl/novalidate-cert" if tls else f"127.0.0.1:{account.port}/notls"
    (base / "pinerc").write_text(
        "user-domain=clients.example\ndisable-these-authenticators=\n"
        "feature-list=enable-aggregate-command-set,enable-flag-cmd,expunge-without-confirm,"
        "expunge-without-confirm-everywhere,quit-without-confirm,enable-unix-pipe-cmd\n"
        f"folder-collections=Mail {{{where}/user={account.user}}}[]\nsort-key=Arrival\n"
    )
    # -i: straight to the index; -p: settings of our own
    screen = Screen(
        "alpine",
        ["-i", "-p", str(base / "pinerc"), f"-inbox-path={{{where}/user={account.user}}}INBOX"],
        base,
    )
    if screen.shows("(?i)password", "(?i)greeting") == 1:
        screen.press("E\r").shows("(?i)password")
    screen.press(account.password + "\r")
    if screen.shows("DISK", "Letter 0") == 0:  # it offers to keep the password
        screen.press("n").shows("Letter 0")
    return screen


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_it_reads_deletes_and_saves(account: Account, tmp_path: Path, tls: bool) -> None:
    account.arrive(letters(6))
    with alpine(account, tmp_path, tls=tls) as screen:
        screen.press("J1\r\r").shows("Line of letter 0")
        screen.press("<").shows("N +6 .*Letter 5")
        screen.press("J2\rD").shows("D +2 .*Letter 1")
        screen.press("J3\r*").shows("Flag New, Deleted")
        screen.press("\r").shows(r"\* N +3 .*Letter 2")
        screen.press("J4\rS").shows("SAVE Msg #4")
        screen.press("\x15Archive\r").shows("D +4 .*Letter 3")
        screen.press("X").shows("2 messages expunged")
        # what holds a word is found by the server: in all text of the message
        screen.press(";").shows("SELECT criteria")
        screen.press("t").shows("(?i)select based on|participants|subject")
        screen.press("a").shows("(?i)text|string")
        screen.press("of letter 5\r").shows("Select matched 1 message")
        screen.press("q").ends()
    inbox = account.marked()
    assert inbox == {id_of(0): {"\\Seen"}, id_of(2): {"\\Flagged"}, id_of(4): set(), id_of(5): set()}
    assert set(account.marked("Archive")) == {id_of(3)}
