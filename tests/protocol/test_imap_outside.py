"""A Maildir changed by real tools (mv, cp, rm, mkdir, mutt) while sessions look: what they are told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stratamail.store.layout import Layout
from tests.protocol.imap_harness import ADDRESS, House
from tests.protocol.test_imap_clients import MESSAGES, PASSWORD, USER
from tests.support.talk import Talk

MUTT = shutil.which("mutt")


class Session(Talk):
    """A signed-in connection."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.line()
        self.ok(f"LOGIN {USER} {PASSWORD}")

    def ok(self, command: str) -> list[bytes]:
        lines = self.tagged(command.encode())
        assert lines[-1].startswith(b"t1 OK"), lines
        return [line.rstrip() for line in lines[:-1]]

    def idle(self) -> None:
        self.send(b"t1 IDLE\r\n")
        while not self.line().startswith(b"+"):
            pass

    def hears(self, pattern: bytes) -> None:
        """Reads until a line matches; how often a test waits is the tool's time and ours, the limit is Talk's."""
        while not re.match(pattern, self.line()):
            pass


class Place:
    """A served Maildir."""

    def __init__(self, port: int, root: str) -> None:
        self.port = port
        self.root = root

    def files(self, folder: str = "") -> list[str]:
        base = os.path.join(self.root, folder)
        return sorted(f"{sub}/{name}" for sub in ("new", "cur") for name in os.listdir(os.path.join(base, sub)))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    state = tmp_path / "state"
    names = []
    for number, data in enumerate(MESSAGES):
        names.append(str(tmp_path / f"message{number}"))
        Path(names[-1]).write_bytes(data)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.protocol.imap_live", str(state), *names],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Place(int(process.stdout.readline().split()[0]), Layout(str(state)).mailbox(ADDRESS))
    finally:
        process.stdin.close()
        assert process.wait(20) == 0
        process.stdout.close()


def run(*words: str, **more: str) -> None:
    subprocess.run(words, check=True, timeout=60, env={**os.environ, **more}, stdin=subprocess.DEVNULL)


def test_an_idle_session_hears_of_each_change(place: Place, tmp_path: Path) -> None:
    with Session(place.port) as session:
        session.ok("SELECT INBOX")
        session.idle()
        # an MDA delivers: tmp, then new
        mail = f"{place.root}/tmp/1.mda"
        Path(mail).write_bytes(MESSAGES[0])
        began = time.monotonic()
        run("mv", mail, f"{place.root}/new/1700000000.1_1.mda")
        session.hears(rb"\* 4 EXISTS")
        assert time.monotonic() - began < 5
        # a tool copies into cur, in place
        run("cp", str(tmp_path / "message1"), f"{place.root}/cur/1700000001.2_1.tool:2,F")
        session.hears(rb"\* 5 EXISTS")
        # another marks a message as seen, and moves it out of new
        first = next(name for name in place.files() if name.startswith("new/") and ",S=" in name)
        run("mv", f"{place.root}/{first}", f"{place.root}/cur/{first[4:]}:2,S")
        session.hears(rb"\* 1 FETCH .*\\Seen")
        run("rm", f"{place.root}/cur/{first[4:]}:2,S")
        session.hears(rb"\* 1 EXPUNGE")
        session.send(b"DONE\r\n")
        session.until_tag(b"t1")
        assert session.ok("UID SEARCH FLAGGED") == [b"* SEARCH 5"]
        assert session.ok("UID SEARCH ALL") == [b"* SEARCH 2 3 4 5"]
        [row] = session.ok("UID FETCH 5 (RFC822.SIZE BODY.PEEK[])")
        assert MESSAGES[1] in row


def test_noop_tells_at_once(place: Place) -> None:
    with Session(place.port) as session:
        session.ok("SELECT INBOX")
        [first, *_] = place.files()
        os.rename(f"{place.root}/{first}", f"{place.root}/cur/{first[4:]}:2,FS")
        assert any(b"1 FETCH" in line and b"\\Flagged" in line for line in session.ok("NOOP"))


def test_a_message_moved_between_open_folders(place: Place) -> None:
    with Session(place.port) as here, Session(place.port) as there:
        here.ok("SELECT INBOX")
        there.ok("SELECT Archive")
        here.idle()
        there.idle()
        second = [name for name in place.files() if name.startswith("new/")][1]
        run("mv", f"{place.root}/{second}", f"{place.root}/.Archive/cur/{second[4:]}:2,S")
        here.hears(rb"\* 2 EXPUNGE")
        there.hears(rb"\* 1 EXISTS")
        there.send(b"DONE\r\n")
        there.until_tag(b"t1")
        [row] = there.ok("FETCH 1 (FLAGS BODY.PEEK[])")
        assert MESSAGES[1] in row
        assert b"\\Seen" in row


def test_folders_come_and_go(place: Place) -> None:
    with Session(place.port) as session:
        session.ok("SELECT INBOX")
        run("mkdir", "-p", f"{place.root}/.Tool/cur", f"{place.root}/.Tool/new", f"{place.root}/.Tool/tmp")
        run("cp", "-p", f"{place.root}/{place.files()[0]}", f"{place.root}/.Tool/new/1.x")
        assert any(b"Tool" in line for line in session.ok('LIST "" *'))
        assert any(b"* 1 EXISTS" in line for line in session.ok("SELECT Tool"))
        session.ok("SELECT INBOX")
        run("rm", "-r", f"{place.root}/.Tool")
        assert not any(b"Tool" in line for line in session.ok('LIST "" *'))
        assert session.tagged(b"STATUS Tool (MESSAGES)")[-1].startswith(b"t1 NO [NONEXISTENT]")


def test_a_session_whose_folder_another_tool_removes(place: Place) -> None:
    with Session(place.port) as session:
        session.ok("CREATE Gone")
        session.ok("SELECT Gone")
        run("rm", "-r", f"{place.root}/.Gone")
        session.send(b"t1 NOOP\r\n")
        said = session.closed()
        assert b"BYE" in said


@pytest.mark.skipif(MUTT is None, reason="mutt is not installed")
def test_mutt_on_the_maildir(place: Place, tmp_path: Path) -> None:
    """mutt saves the second message to another folder, deletes it and flags the third, straight in the Maildir."""
    assert MUTT is not None
    (tmp_path / "Mail").mkdir()
    (tmp_path / "muttrc").write_text(
        "set mbox_type=Maildir\nset quit=yes\nset delete=yes\n"
        "set confirmappend=no\nset maildir_trash=no\n"
        "set mark_old=yes\nset wait_key=no\nset sort=mailbox-order\nset sleep_time=0\nset move=no\nset beep=no\n"
        f'push "<tag-pattern>~s 2<enter><tag-prefix><save-message><kill-line>{place.root}/.Archive<enter>'
        '<untag-pattern>.<enter><tag-pattern>~s 3<enter><tag-prefix><flag-message>$<exit>"\n'
    )
    with Session(place.port) as session, Session(place.port) as other:
        session.ok("SELECT INBOX")
        other.ok("SELECT Archive")
        other.idle()
        run(
            "script",
            "-qec",
            f"{MUTT} -F {tmp_path}/muttrc -f {place.root}",
            "/dev/null",
            TERM="xterm",
            HOME=str(tmp_path),
        )
        other.hears(rb"\* 1 EXISTS")
        session.ok("NOOP")
        assert session.ok("UID SEARCH ALL") == [b"* SEARCH 1 3"]
        assert session.ok("UID SEARCH FLAGGED") == [b"* SEARCH 3"]
        other.send(b"DONE\r\n")
        other.until_tag(b"t1")
        [row] = other.ok("FETCH 1 BODY.PEEK[]")
        assert b"Subject: number 2" in row


# without events: a look at each command that asks for news


def test_without_events_noop_status_and_select_look(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(MESSAGES[0])
    client = house.sign_in()
    client.ok("SELECT INBOX")
    root = house.layout.mailbox(ADDRESS)

    def put(name: str) -> None:
        Path(f"{root}/tmp/x").write_bytes(MESSAGES[1])
        os.utime(f"{root}/tmp/x", (1_600_000_000, 1_600_000_000))
        os.rename(f"{root}/tmp/x", f"{root}/{name}")

    put("new/1.x")
    assert b"* 2 EXISTS" in client.ok("NOOP")
    put("cur/2.x:2,S")
    assert b"* 3 EXISTS" in client.ok("CHECK")
    put("cur/3.x:2,S")
    assert b"(MESSAGES 4)" in client.ok("STATUS INBOX (MESSAGES)")
    put("cur/4.x:2,S")
    assert b"* 5 EXISTS" in client.ok("EXAMINE INBOX")
