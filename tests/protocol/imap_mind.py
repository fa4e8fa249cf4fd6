"""What a mail client believes of its folder, from what it is told alone: numbers, UIDs, flags, mod-sequences.

A :class:`Mind` hears every untagged response of its connection and fails the test as soon as one makes no sense: a
number that is not there, a UID under another number, numbers that shift where they must not.
"""

from __future__ import annotations

import re

from stratamail.imap.sets import SequenceSet
from stratamail.imap.tokens import parse_set

_RESPONSE = re.compile(rb"\* (?:(\d+) (EXISTS|EXPUNGE|FETCH)\b(.*)|(VANISHED|OK) (.*))", re.DOTALL)
_LITERAL = re.compile(rb"\{(\d+)\}\r\n")
_UID = re.compile(rb"\bUID (\d+)")
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
_MODSEQ = re.compile(rb"\bMODSEQ \((\d+)\)")
_CODE = re.compile(rb"\[(HIGHESTMODSEQ|UIDVALIDITY|UIDNEXT|CLOSED)(?: (\d+))?\]")

Flags = frozenset[str]


class Nonsense(AssertionError):
    """The server told something that cannot be."""


class Mind:
    """``numbers[n - 1]`` is the UID of message n, None while the client has not asked; ``flags`` by UID, without
    \\Recent; ``highest`` the mod-sequence to come back with (RFC 7162 section 6)."""

    def __init__(self) -> None:
        self.numbers: list[int | None] = []
        self.flags: dict[int, Flags] = {}
        self.uidvalidity = 0
        self.uidnext = 1
        self.highest = 0
        self._told: int | None = None
        self._seen = 0

    # hearing

    def hear(self, untagged: bytes, shifting: bool = True) -> None:
        """Untagged responses. ``shifting``: numbers may shift."""
        for line in without_literals(untagged).split(b"\r\n"):
            match = _RESPONSE.fullmatch(line)
            if match is not None:
                self._one(match, shifting)

    def tagged(self, line: bytes) -> None:
        """The end of a command: now the mod-sequences it brought count."""
        self._codes(line)
        if self._told is not None:
            self.highest = self._told
        elif self._seen > self.highest:
            self.highest = self._seen
        self._told, self._seen = None, 0

    def forget_command(self) -> None:
        """The connection broke before a command's end: what it brought does not count."""
        self._told, self._seen = None, 0

    def closed(self) -> None:
        """The folder is not selected any more; what was known of it stays known."""
        self.numbers = []

    def _one(self, match: re.Match[bytes], shifting: bool) -> None:
        if match[4] == b"OK":
            self._codes(match[5])
        elif match[4] == b"VANISHED":
            self._vanished(match[5], shifting)
        elif match[2] == b"EXISTS":
            self._exists(int(match[1]))
        elif match[2] == b"EXPUNGE":
            self._expunge(int(match[1]), shifting)
        else:
            self._fetch(int(match[1]), match[3])

    def _codes(self, text: bytes) -> None:
        for name, value in _CODE.findall(text):
            if name == b"HIGHESTMODSEQ":
                self._told = int(value)
            elif name == b"UIDVALIDITY":
                if self.uidvalidity != int(value):
                    self.flags.clear()
                self.uidvalidity = int(value)
            elif name == b"UIDNEXT":
                self.uidnext = int(value)
            else:
                self.closed()

    def _exists(self, count: int) -> None:
        if count < len(self.numbers):
            raise Nonsense(f"{count} EXISTS after {len(self.numbers)}")
        self.numbers += [None] * (count - len(self.numbers))

    def _expunge(self, number: int, shifting: bool) -> None:
        if not shifting:
            raise Nonsense("numbers shift where they must not")
        self._known(number)
        uid = self.numbers.pop(number - 1)
        if uid is not None:
            self.flags.pop(uid, None)

    def _vanished(self, rest: bytes, shifting: bool) -> None:
        earlier = rest.startswith(b"(EARLIER) ")
        gone = parse_set(rest.removeprefix(b"(EARLIER) "))
        for uid in sorted(each_of(gone)):
            if earlier:
                if uid in self.numbers:
                    raise Nonsense(f"UID {uid} vanished earlier and is there")
            elif not shifting:
                raise Nonsense("numbers shift where they must not")
            else:
                del self.numbers[self._place(uid)]
            self.flags.pop(uid, None)

    def _place(self, uid: int) -> int:
        """The index of a UID; of one that the client never asked for, any unknown number between its neighbours."""
        if uid in self.numbers:
            return self.numbers.index(uid)
        found = None
        for i, known in enumerate(self.numbers):
            if known is None:
                found = i if found is None else found
            elif known < uid:
                found = None
            else:
                break
        if found is None:
            raise Nonsense(f"UID {uid} vanished and never was there: {self.numbers}")
        return found

    def _fetch(self, number: int, rest: bytes) -> None:
        self._known(number)
        uid, flags, modseq = _UID.search(rest), _FLAGS.search(rest), _MODSEQ.search(rest)
        if modseq is not None:
            self._seen = max(self._seen, int(modseq[1]))
        if uid is not None:
            self._identify(number, int(uid[1]))
        known = self.numbers[number - 1]
        if flags is not None and known is not None:
            self.flags[known] = frozenset(flags[1].decode("ascii").split()) - {"\\Recent"}

    def _identify(self, number: int, uid: int) -> None:
        if self.numbers[number - 1] not in (None, uid):
            raise Nonsense(f"message {number} is UID {uid} and was {self.numbers[number - 1]}")
        self.numbers[number - 1] = uid
        known = [n for n in self.numbers if n is not None]
        if known != sorted(set(known)):
            raise Nonsense(f"UIDs do not ascend: {self.numbers}")

    def _known(self, number: int) -> None:
        if not 1 <= number <= len(self.numbers):
            raise Nonsense(f"message {number} of {len(self.numbers)}")


def without_literals(said: bytes) -> bytes:
    match = _LITERAL.search(said)
    while match is not None:
        said = said[: match.start()] + said[match.end() + int(match[1]) :]
        match = _LITERAL.search(said)
    return said


def each_of(numbers: SequenceSet) -> list[int]:
    return [n for low, high in numbers.ranges for n in range(low, high + 1)]
