"""A mail client that does at random what clients do, and believes nothing that cannot be.

It keeps a :class:`~tests.protocol.imap_mind.Mind` for the folder it looks at, by its kind: 0 knows no mod-sequences, 1
CONDSTORE, 2 and 3 QRESYNC. What several clients know of messages together is :class:`Seen`.
"""

from __future__ import annotations

import contextlib
import random
import re
import select
import socket
import threading
import time
from collections.abc import Callable

from attrs import define, field

from tests.protocol.imap_mind import Mind

FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "\\Answered", "$work", "$later")
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")
_ROW = re.compile(rb"\* \d+ FETCH \(UID (\d+) BODY\[\] \{\d+\}\r\nSubject: (\S+)\r\n\r\n(\S+)\r\n")
_COPYUID = re.compile(rb"\[COPYUID (\d+) ([\d:,]+) ([\d:,]+)\]")
_APPENDUID = re.compile(rb"\[APPENDUID (\d+) (\d+)\]")


@define
class Seen:
    """The subject of every (UIDVALIDITY, UID) that any client has seen, and all that was wrong."""

    named: dict[tuple[int, int], str] = field(factory=dict)
    wrong: list[str] = field(factory=list)
    done: int = 0
    lock: threading.Lock = field(factory=threading.Lock)

    def name(self, uidvalidity: int, uid: int, subject: str) -> None:
        with self.lock:
            before = self.named.setdefault((uidvalidity, uid), subject)
            if before != subject:
                self.wrong.append(f"UID {uid} of {uidvalidity}: {before} and {subject}")


class Line:
    """A connection: commands out, whole answers in."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._buffer = b""
        self._count = 0
        self.response()
        self.do(f"LOGIN {user} {quoted(password)}")

    def do(self, command: str) -> tuple[bytes, bytes]:
        """(untagged, tagged line)."""
        self._count += 1
        tag = b"t%d " % self._count
        self.socket.sendall(tag + command.encode("utf-8") + b"\r\n")
        return self.until(tag)

    def until(self, tag: bytes) -> tuple[bytes, bytes]:
        untagged = []
        while True:
            response = self.response()
            if response.startswith(tag):
                return b"".join(untagged), response[len(tag) :]
            if response.startswith(b"* BYE"):
                raise ConnectionError(response)
            untagged.append(response)

    def response(self) -> bytes:
        """One response with its literals."""
        whole = self._line()
        match = _LITERAL.search(whole)
        while match is not None:
            whole += self._octets(int(match[1])) + self._line()
            match = _LITERAL.search(whole)
        return whole

    def waiting(self, seconds: float) -> bool:
        return b"\n" in self._buffer or bool(select.select([self.socket], [], [], seconds)[0])

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            self._receive()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line + b"\n"

    def _octets(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._receive()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _receive(self) -> None:
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("closed")
        self._buffer += data

    def close(self) -> None:
        self.socket.close()


class Worker(threading.Thread):
    """Works on one of ``folders`` at a time until ``stop`` is set or the connection breaks. ``connect`` gives a
    :class:`Line` that is signed in."""

    def __init__(self, number: int, seed: int, connect: Callable[[], Line], folders: list[str], seen: Seen) -> None:
        super().__init__(daemon=True)
        self.number = number
        self.kind = number % 4
        self.connect = connect
        self.folders = folders
        self.seen = seen
        self.random = random.Random(seed)
        self.prefix = f"s{seed}-w{number}-"
        self.count = 0
        self.stop = threading.Event()
        self.folder = self.random.choice(folders)
        self.minds: dict[str, Mind] = {}
        self.line: Line | None = None

    @property
    def mind(self) -> Mind:
        return self.minds.setdefault(self.folder, Mind())

    def run(self) -> None:
        try:
            self.open()
            while not self.stop.is_set():
                self.step()
                self.seen.done += 1
        except (ConnectionError, OSError):
            return
        except BaseException as error:
            self.seen.wrong.append(f"{self.prefix} in {self.folder}: {error!r}")

    # the connection

    def open(self) -> None:
        self.line = self.connect()
        if self.kind >= 2:
            self.line.do("ENABLE QRESYNC")
        for mind in self.minds.values():
            mind.closed()
            mind.forget_command()
        self.select()

    def select(self) -> None:
        """Open the folder; who can, asks only for what it missed."""
        mind = self.mind
        before = mind.uidvalidity
        if self.kind == 0 or not before:
            mind.flags.clear()
            self.do(f"SELECT {self.folder}" + (" (CONDSTORE)" if self.kind else ""))
        elif self.kind == 1:
            known = mind.highest
            self.do(f"SELECT {self.folder} (CONDSTORE)")
            # it knows what is so up to there when it has heard it, and a cut may come before
            told, mind.highest = mind.highest, known
            self.do(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {max(1, known)})")
            mind.highest = max(told, mind.highest)
            self.list()
        else:
            known = f" 1:{max(mind.flags)}" if self.kind == 3 and mind.flags else ""
            self.do(f"SELECT {self.folder} (QRESYNC ({before} {max(1, mind.highest)}{known}))")
            self.list()
        if before and mind.uidvalidity != before:
            raise AssertionError(f"UIDVALIDITY was {before} and is {mind.uidvalidity}")

    def list(self) -> None:
        """Ask for the UIDs. Of what is not among them a client that knows QRESYNC has been told."""
        assert self.line is not None
        untagged, tagged = self.line.do("UID SEARCH ALL")
        found = re.search(rb"\* SEARCH([ \d]*)", untagged)
        there = [int(uid) for uid in found[1].split()] if found else []
        mind = self.mind
        if len(there) != len(mind.numbers):
            raise AssertionError(f"{len(there)} messages were found and {len(mind.numbers)} told")
        mind.numbers = list(there)
        for uid in set(mind.flags) - set(there):
            if self.kind >= 2:
                raise AssertionError(f"nobody told that {uid} is gone")
            del mind.flags[uid]
        # what came since stands behind the answer
        self._hear(untagged)
        mind.tagged(tagged)

    def do(self, command: str, shifting: bool = True, note: Callable[[], None] | None = None) -> bytes:
        assert self.line is not None
        untagged, tagged = self.line.do(command)
        if not tagged.startswith((b"OK", b"NO [MODIFIED", b"NO [EXPUNGEISSUED", b"BAD No message has")):
            raise AssertionError(f"{command}: {tagged!r}")
        if note is not None and tagged.startswith(b"OK"):
            note()
        self._hear(untagged, shifting or command.startswith("UID "))
        self.mind.tagged(tagged)
        self._names(untagged + tagged)
        return untagged

    def _hear(self, untagged: bytes, shifting: bool = True) -> None:
        self.mind.hear(untagged, shifting)
        for uid, subject, body in _ROW.findall(untagged):
            if body != subject:
                self.seen.wrong.append(f"{subject!r} has the body {body!r}")
            self.seen.name(self.mind.uidvalidity, int(uid), subject.decode("ascii"))

    def _names(self, said: bytes) -> None:
        """A copy has the subject of its source."""
        for valid, sources, targets in _COPYUID.findall(said):
            pairs = zip(each(sources), each(targets), strict=True)
            for source, target in pairs:
                subject = self.seen.named.get((self.mind.uidvalidity, source))
                if subject is not None:
                    self.seen.name(int(valid), target, subject)

    # what it does

    def step(self) -> None:
        numbers = self.mind.numbers
        wanted = [self._append, self._noop, self._idle, self._expunge, self._search, self._switch]
        weights = [6 if len(numbers) < 60 else 1, 3, 2, 2, 1, 1]
        if numbers:
            wanted += [self._store, self._silent, self._condition, self._fetch, self._read, self._copy, self._move]
            weights += [6, 3, 3, 4, 4, 1 if len(numbers) < 60 else 0, 2]
        self.random.choices(wanted, weights)[0]()

    def _span(self) -> str:
        count = len(self.mind.numbers)
        first = self.random.randint(1, count)
        return f"{first}:{min(count, first + self.random.randint(0, 3))}"

    def _uid(self) -> int | None:
        known = [uid for uid in self.mind.numbers if uid is not None]
        return self.random.choice(known) if known else None

    def _append(self) -> None:
        self.count += 1
        subject = f"{self.prefix}{self.count}"
        data = f"Subject: {subject}\r\n\r\n{subject}\r\n"
        folder = self.random.choice(self.folders)
        assert self.line is not None
        untagged, tagged = self.line.do(f"APPEND {folder} ({self.random.choice(FLAGS)}) {{{len(data)}+}}\r\n{data}")
        found = _APPENDUID.search(tagged)
        assert found is not None, tagged
        self._hear(untagged)
        self.mind.tagged(tagged)
        self.seen.name(int(found[1]), int(found[2]), subject)

    def _noop(self) -> None:
        self.do("NOOP")

    def _idle(self) -> None:
        assert self.line is not None
        self.line.socket.sendall(b"idle IDLE\r\n")
        end = time.monotonic() + self.random.random() * 0.1
        said = b""
        while (left := end - time.monotonic()) > 0:
            if self.line.waiting(left):
                said += self.line.response()
        self.line.socket.sendall(b"DONE\r\n")
        untagged, tagged = self.line.until(b"idle ")
        self._hear(said + untagged)
        self.mind.tagged(tagged)

    def _expunge(self) -> None:
        uid = self._uid()
        self.do("EXPUNGE" if uid is None or self.random.random() < 0.5 else f"UID EXPUNGE {uid}:{uid + 5}")

    def _search(self) -> None:
        self.do(self.random.choice(["SEARCH UNSEEN", "UID SEARCH DELETED", "SEARCH 1:* FLAGGED"]), shifting=False)

    def _switch(self) -> None:
        end = self.random.choice(["CLOSE", "UNSELECT", ""])
        assert self.line is not None
        if end == "CLOSE" and self.kind >= 2:
            # what CLOSE takes, its client knows by the flags; of the rest it hears when it comes back
            self.do("NOOP")
        if end:
            untagged, tagged = self.line.do(end)
            assert untagged == b"" and tagged.startswith(b"OK"), (end, untagged, tagged)
            self.mind.tagged(tagged)
            if end == "CLOSE":
                flags = self.mind.flags
                for uid in [uid for uid in flags if "\\Deleted" in flags[uid]]:
                    del flags[uid]
        self.mind.closed()
        if self.kind == 0:
            self.mind.flags.clear()
        self.folder = self.random.choice(self.folders)
        self.select()

    def _store(self) -> None:
        sign = self.random.choice(["+", "-", ""])
        self.do(f"STORE {self._span()} {sign}FLAGS ({self.random.choice(FLAGS)})", shifting=False)

    def _silent(self) -> None:
        uid, flag = self._uid(), self.random.choice(FLAGS)

        def note() -> None:
            """A client computes for itself what a silent STORE did (RFC 3501 section 6.4.6)."""
            if uid in self.mind.flags:
                self.mind.flags[uid] |= {flag}

        if uid is not None:
            self.do(f"UID STORE {uid} +FLAGS.SILENT ({flag})", note=note)

    def _condition(self) -> None:
        if self.kind:
            modseq = max(1, self.mind.highest)
            self.do(f"STORE {self._span()} (UNCHANGEDSINCE {modseq}) +FLAGS (\\Flagged)", shifting=False)

    def _fetch(self) -> None:
        items = "(UID FLAGS MODSEQ)" if self.kind else "(UID FLAGS)"
        uid = self._uid()
        if uid is None or self.random.random() < 0.5:
            self.do(f"FETCH {self._span()} {items}", shifting=False)
        else:
            self.do(f"UID FETCH {uid}:* {items}")

    def _read(self) -> None:
        self.do(f"FETCH {self._span()} (UID BODY.PEEK[])", shifting=False)

    def _copy(self) -> None:
        self.do(f"COPY {self._span()} {self.random.choice(self.folders)}")

    def _move(self) -> None:
        uid = self._uid()
        if uid is not None:
            self.do(f"UID MOVE {uid} {self.random.choice(self.folders)}")

    # the end

    def settle(self) -> dict[int, frozenset[str]]:
        """Ask for what it was never told, and nothing else."""
        self.do("NOOP")
        mind = self.mind
        for i, uid in enumerate(mind.numbers):
            if uid is None or uid not in mind.flags:
                self.do(f"FETCH {i + 1} (UID FLAGS)", shifting=False)
        if sorted(mind.flags) != mind.numbers:
            raise AssertionError(f"{self.prefix}: {sorted(mind.flags)} are not {mind.numbers}")
        return mind.flags

    def close(self) -> None:
        if self.line is not None:
            with contextlib.suppress(OSError):
                self.line.close()


def look(line: Line, folder: str, seen: Seen) -> tuple[Mind, dict[int, str]]:
    """The folder as it is: what a new client sees, and the subject of each UID."""
    mind = Mind()
    mind.hear(line.do(f"EXAMINE {folder}")[0])
    mind.hear(line.do("FETCH 1:* (UID FLAGS)")[0])
    subjects = {}
    for uid, subject, body in _ROW.findall(line.do("FETCH 1:* (UID BODY.PEEK[])")[0]):
        assert body == subject
        subjects[int(uid)] = subject.decode("ascii")
        seen.name(mind.uidvalidity, int(uid), subjects[int(uid)])
    return mind, subjects


def quoted(text: str) -> str:
    return '"' + text + '"'


def each(numbers: bytes) -> list[int]:
    out: list[int] = []
    for piece in numbers.split(b","):
        low, _, high = piece.partition(b":")
        out += range(int(low), int(high or low) + 1)
    return out
