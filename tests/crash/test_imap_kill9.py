"""kill -9 while clients append, store, copy, move and expunge: no UID ever names two messages, and what was answered OK
is so afterwards."""

from __future__ import annotations

import imaplib
import random
import re
import threading
import time
from collections.abc import Iterator

import pytest
from attrs import define, field

from tests.support.ports import free_port
from tests.support.server import PASSWORD, Server
from tests.support.sizes import sized

ADDRESS = "anna@kill.example"
FOLDERS = ("INBOX", "Archive", "Trash")
CLIENTS = 3


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.cli("init")
    made.add_domain("kill.example", f"127.0.0.1:{free_port()}")
    made.add_mailboxes(ADDRESS)
    try:
        yield made
    finally:
        made.close()


@define
class Known:
    """What was answered OK: the subject of every (folder, UIDVALIDITY, UID), and where each subject should be now."""

    named: dict[tuple[str, int, int], str] = field(factory=dict)
    there: set[str] = field(factory=set)
    gone: set[str] = field(factory=set)
    flagged: set[str] = field(factory=set)
    unsure: set[str] = field(factory=set)
    wrong: list[str] = field(factory=list)
    lock: threading.Lock = field(factory=threading.Lock)

    def name(self, folder: str, uidvalidity: int, uid: int, subject: str) -> None:
        with self.lock:
            before = self.named.setdefault((folder, uidvalidity, uid), subject)
            if before != subject:
                self.wrong.append(f"{folder} {uidvalidity} {uid}: {before} and {subject}")


class Worker(threading.Thread):
    """One client; it works on messages of its own until the connection breaks."""

    def __init__(self, server: Server, known: Known, number: int, turn: int) -> None:
        super().__init__(daemon=True)
        self.known = known
        self.random = random.Random(1000 * turn + number)
        self.prefix = f"m-{turn}-{number}-"
        self.count = 0
        self.imap = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
        self.imap.login(ADDRESS, PASSWORD)
        self.mine: dict[str, tuple[str, int]] = {}

    def run(self) -> None:
        try:
            while True:
                self._append()
                if len(self.mine) > 3:
                    self._change()
        except (imaplib.IMAP4.error, OSError, ValueError):
            return
        except BaseException as error:
            self.known.wrong.append(f"{self.prefix}: {error!r}")

    def _append(self) -> None:
        self.count += 1
        subject = f"{self.prefix}{self.count}"
        self.known.unsure.add(subject)
        data = f"Subject: {subject}\r\n\r\nbody of {subject}\r\n".encode("ascii")
        folder = self.random.choice(FOLDERS)
        state, said = self.imap.append(folder, "", "", data)  # type: ignore[arg-type]
        assert state == "OK", said
        found = re.search(rb"APPENDUID (\d+) (\d+)", said[0])
        assert found is not None
        self.known.name(folder, int(found[1]), int(found[2]), subject)
        self.mine[subject] = (folder, int(found[2]))
        self.known.there.add(subject)
        self.known.unsure.discard(subject)

    def _change(self) -> None:
        subject = self.random.choice(list(self.mine))
        folder, uid = self.mine[subject]
        self.imap.select(folder)
        what = self.random.random()
        self.known.unsure.add(subject)
        if what < 0.4:
            state, said = self.imap.uid("STORE", str(uid), "+FLAGS.SILENT", "(\\Flagged kw)")
            assert state == "OK", said
            self.known.flagged.add(subject)
        elif what < 0.7:
            target = self.random.choice([name for name in FOLDERS if name != folder])
            state, said = self.imap.uid("MOVE", str(uid), target)
            assert state == "OK", said
            copied = re.search(rb"(\d+) (\d+) (\d+)", b" ".join(self.imap.response("COPYUID")[1]))
            assert copied is not None
            self.known.name(target, int(copied[1]), int(copied[3]), subject)
            self.mine[subject] = (target, int(copied[3]))
        else:
            del self.mine[subject]
            self.imap.uid("STORE", str(uid), "+FLAGS.SILENT", "(\\Deleted)")
            state, said = self.imap.uid("EXPUNGE", str(uid))
            assert state == "OK", said
            self.known.there.discard(subject)
            self.known.gone.add(subject)
        self.known.unsure.discard(subject)


def look(server: Server, known: Known) -> tuple[list[str], set[str]]:
    """All subjects in all folders, and those of flagged messages; every UID seen is checked."""
    imap = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
    imap.login(ADDRESS, PASSWORD)
    subjects: list[str] = []
    flagged: set[str] = set()
    for folder in FOLDERS:
        imap.select(folder)
        uidvalidity = int(imap.response("UIDVALIDITY")[1][0] or 0)
        _, rows = imap.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")
        for row in rows:
            if isinstance(row, tuple):
                uid = re.search(rb"UID (\d+)", row[0])
                text = re.match(rb"Subject: (\S+)\r\n\r\nbody of (\S+)\r\n", row[1])
                assert uid is not None and text is not None and text[1] == text[2], row
                subject = text[1].decode("ascii")
                known.name(folder, uidvalidity, int(uid[1]), subject)
                subjects.append(subject)
                if b"\\Flagged kw" in row[0]:
                    flagged.add(subject)
    imap.logout()
    return subjects, flagged


def test_no_uid_names_two_messages_and_no_answer_is_taken_back(server: Server) -> None:
    known = Known()
    for turn in range(sized(5, 25)):
        server.start()
        workers = [Worker(server, known, number, turn) for number in range(CLIENTS)]
        for worker in workers:
            worker.start()
        time.sleep(0.5 + 0.3 * (turn % 5))  # a random moment of their work; there is nothing to wait for
        server.kill()
        for worker in workers:
            worker.join(20)
        server.start()
        subjects, flagged = look(server, known)
        assert known.wrong == []
        found = set(subjects)
        # nor does a MOVE that was cut leave a message in both folders (RFC 6851 section 3.3)
        assert len(subjects) == len(found)
        assert known.there - known.unsure <= found
        assert not (known.gone - known.unsure) & found
        assert (known.flagged & known.there) - known.unsure <= flagged
        server.stop()
    assert len(known.named) > 50
