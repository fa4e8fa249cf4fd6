"""Three clients that send ahead, while every step of the server's work (its threads, its turns, mail that arrives) may
come between any two others: what each is told stays sound, and is the truth in the end.

The model of a client's knowledge is :class:`Mind` and what is here; it knows nothing of the server but its words.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from tests.protocol.imap_harness import ADDRESS, Client, House
from tests.protocol.imap_mind import Mind, without_literals
from tests.support.sizes import sized

MAIL = b"Subject: x\r\n\r\nbody\r\n"
FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "$work")
NO_SHIFT = re.compile(r"(FETCH|STORE|SEARCH|SORT|THREAD) ")
"""During these no message number shifts (RFC 3501 section 7.4.1), SORT and THREAD being kinds of SEARCH."""
COMMANDS = (
    "NOOP", "CHECK", "FETCH {a}:{b} (UID FLAGS)", "FETCH {a} (UID BODY[])", "FETCH {a}:* UID",
    "UID FETCH {a}:* (FLAGS)",
    "STORE {a}:{b} +FLAGS ({f})", "STORE {a} -FLAGS ({f})", "STORE {a}:* FLAGS ({f})", "UID STORE {a}:{b} +FLAGS ({f})",
    "STORE {a}:{b} +FLAGS (\\Deleted)", "STORE {a}:{b} (UNCHANGEDSINCE {m}) -FLAGS ({f})",
    "EXPUNGE", "EXPUNGE", "STORE 1:* +FLAGS (\\Deleted)", "MOVE {a}:{b} Trash", "UID EXPUNGE {a}:*",
    "COPY {a} INBOX", "MOVE {a} INBOX", "UID MOVE {a}:{b} Trash", "COPY {a}:{b} Trash",
    "SEARCH ALL", "UID SEARCH ALL", "SEARCH RETURN (COUNT) ALL", "SEARCH RETURN (SAVE) {a}:{b}", "FETCH $ UID",
    "UID STORE $ +FLAGS ({f})", "SORT (ARRIVAL) UTF-8 ALL", "UID FETCH 1:* (FLAGS) (CHANGEDSINCE {m})", "IDLE\r\nDONE",
    "STATUS INBOX (MESSAGES)",
)  # fmt: skip

ACTIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("send"), st.integers(0, 2), st.lists(st.integers(0, len(COMMANDS) * 64 - 1), min_size=1, max_size=4)
        ),
        st.tuples(st.just("files"), st.just(0), st.just([])),
        st.tuples(st.just("files"), st.just(0), st.just([])),
        st.tuples(st.just("disk"), st.integers(0, 3), st.just([])),
        st.tuples(st.just("turn"), st.just(0), st.just([])),
        st.tuples(st.just("deliver"), st.just(0), st.just([])),
    ),
    min_size=10,
    max_size=60,
)


class Stepped:
    """A pool whose jobs run when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Deferred[Any], Callable[[], Any]]] = []

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.jobs.append((done, lambda: function(*args, **kwargs)))
        return done

    def step(self, which: int = 0) -> bool:
        if not self.jobs:
            return False
        done, job = self.jobs.pop(which % len(self.jobs))
        try:
            found = job()
        except Exception:
            done.errback()
        else:
            done.callback(found)
        return True


class Hurried:
    """A client that sends ahead. Of kind 1 it knows mod-sequences, of kind 2 it asked for VANISHED."""

    def __init__(self, client: Client, kind: int) -> None:
        self.client = client
        self.mind = Mind()
        self.kind = kind
        self._waiting: list[tuple[bytes, str]] = []
        self._count = 0
        self._heard = b""
        self._saved: list[int | None] = []
        self._answer: list[bytes] = []
        self._there = 0  # messages when the command began

    def send(self, command: str) -> None:
        self._count += 1
        tag = b"%c%d" % (b"abc"[self.kind], self._count)
        self._waiting.append((tag, command))
        self.client.protocol.dataReceived(tag + b" " + command.encode("ascii") + b"\r\n")

    @property
    def done(self) -> bool:
        return not self._waiting

    def listen(self) -> None:
        said = self.client.wire.value()
        self.client.wire.clear()
        assert not (said and self.done), said
        self._heard += said
        while b"\r\n" in (whole := without_literals(self._heard)):
            line = whole.partition(b"\r\n")[0]
            self._heard = whole.partition(b"\r\n")[2]
            self._line(line)

    def _line(self, line: bytes) -> None:
        tag, command = self._waiting[0]
        if line.startswith(b"* "):
            self._answer.append(line)
            self.mind.hear(line, NO_SHIFT.match(command) is None)
        elif not line.startswith(b"+"):
            assert line.startswith(tag + b" "), (self._waiting, line)
            self._ended(command, line)
            self.mind.tagged(line)
            del self._waiting[0]
            self._answer.clear()
            self._there = len(self.mind.numbers)

    def _ended(self, command: str, line: bytes) -> None:
        """Numbers mean what this client believes they mean: what is refused, found and counted shows it."""
        known = self.mind.numbers
        ok = b" OK " in line
        assert ok or b" NO [EXPUNGEISSUED]" in line or b" NO [MODIFIED" in line or b" BAD No message" in line, line
        named = re.match(r"(?:FETCH|STORE|COPY|MOVE) (\d+)(?::(\d+|\*))?", command)
        if named is not None and not command.startswith(("COPY", "MOVE")):
            # what is new is told at the end of a command only
            last = max(int(named[1]), int(named[2] or 0) if named[2] != "*" else 0)
            beyond = last > self._there and not (named[2] == "*" and not self._there)
            assert (b" BAD " in line) == beyond, (command, line, known)
        if not ok:
            return
        if command in ("SEARCH ALL", "SORT (ARRIVAL) UTF-8 ALL"):
            found = [int(n) for n in self._one(rb"\* (?:SEARCH|SORT)([ \d]*)").split()]
            assert sorted(found) == list(range(1, self._there + 1)), (found, known)
        elif command == "SEARCH RETURN (COUNT) ALL":
            assert int(self._one(rb"\* ESEARCH .* COUNT (\d+)")) == self._there
        elif command.startswith("SEARCH RETURN (SAVE)"):
            low, high = sorted(map(int, command.split()[-1].split(":")))
            self._saved = list(known[low - 1 : min(high, self._there)])
        elif command == "FETCH $ UID" and None not in self._saved:
            told = [int(match[1]) for match in map(re.compile(rb".*\(UID (\d+)\)").fullmatch, self._answer) if match]
            assert told == [uid for uid in known if uid in self._saved], (told, self._saved, known)

    def _one(self, pattern: bytes) -> bytes:
        found = [match[1] for match in (re.fullmatch(pattern, line) for line in self._answer) if match]
        assert len(found) == 1, (pattern, self._answer)
        return found[0]


class Table:
    """A house whose work is done step by step."""

    def __init__(self, path: Path) -> None:
        self.files, self.disk = Stepped(), Stepped()
        self.house = House(path, pools=(self.files, self.disk))
        self.house.deliver(*[MAIL] * 6)
        self.house.mailboxes.set_flags(ADDRESS, "INBOX", [2, 4, 5], "+", ["\\Deleted"])
        self.clients = [Hurried(self._sign_in(), kind) for kind in range(3)]
        for client in self.clients:
            if client.kind == 2:
                client.send("ENABLE QRESYNC")
            client.send("SELECT INBOX" + (" (CONDSTORE)" if client.kind else ""))
            self.settle()

    def _sign_in(self) -> Client:
        client = self.house.connect()
        client.ok("LOGIN anna@example.org secret")
        return client

    def listen(self) -> None:
        for client in self.clients:
            client.listen()

    def settle(self) -> None:
        """All that was asked for is done."""
        for _ in range(2000):
            self.house.clock.advance(0)
            worked = self.files.step() or self.disk.step()
            self.listen()
            if not worked and all(client.done for client in self.clients):
                return
        raise AssertionError("it never ends")

    def act(self, what: str, who: int, picks: list[int]) -> None:
        if what == "send":
            client = self.clients[who]
            for pick in picks:
                pattern, number = COMMANDS[pick % len(COMMANDS)], pick // len(COMMANDS)
                if client.kind == 0 and "{m}" in pattern:
                    continue
                low = number % 4 + 1
                values = {"a": low, "b": low + number // 16 % 4, "f": FLAGS[number // 4 % 4], "m": number % 8 + 1}
                client.send(pattern.format(**values))
        elif what == "files":
            self.files.step()
        elif what == "disk":
            self.disk.step(who)
        elif what == "turn":
            self.house.clock.advance(0)
        else:
            self.house.deliver(MAIL)
        self.listen()


@settings(max_examples=sized(120, 1500), deadline=None)
@given(ACTIONS)
def test_what_each_client_is_told_stays_sound(actions: list[tuple[str, int, list[int]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = Table(Path(folder))
        for what, who, picks in actions:
            table.act(what, who, picks)
        table.settle()
        for client in table.clients:
            client.send("NOOP")
            table.settle()
            mind = client.mind
            for number, uid in enumerate(mind.numbers, 1):
                if uid is None or uid not in mind.flags:
                    client.send(f"FETCH {number} (UID FLAGS)")
            table.settle()
        fresh = Hurried(table._sign_in(), 0)
        table.clients.append(fresh)
        for command in ("EXAMINE INBOX", "FETCH 1:* (UID FLAGS)"):
            if command.startswith("EXAMINE") or fresh.mind.numbers:
                fresh.send(command)
                table.settle()
        for client in table.clients:
            assert client.mind.numbers == fresh.mind.numbers
            assert client.mind.flags == fresh.mind.flags, client.kind
        table.house.mailboxes.close()
