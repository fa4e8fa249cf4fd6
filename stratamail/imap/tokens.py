"""Reads the tokens of one complete command (RFC 3501 section 9), literals included. Touches no disk.

A command is lines with literals between them. :class:`Cursor` walks over both; every method either takes exactly one
token or raises :class:`ParseError`, whose text goes out with a tagged BAD.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from stratamail.imap.sets import LARGEST, SAVED, STAR, SequenceSet
from stratamail.mail import utf7

T = TypeVar("T")

_ATOM = re.compile(rb'[^\x00-\x20(){%*"\\\]\x7f-\xff]+')
_ASTRING = re.compile(rb'[^\x00-\x20(){%*"\\\x7f-\xff]+')
_PATTERN = re.compile(rb'[^\x00-\x20(){"\\\x7f-\xff]+')
_FLAG = re.compile(rb'\\?[^\x00-\x20(){%*"\\\]\x7f-\xff]+')
_QUOTED = re.compile(rb'"([^"\\\r\n\x00]*(?:\\[^\r\n\x00][^"\\\r\n\x00]*)*)"')
_ESCAPE = re.compile(rb"\\(.)")
_NUMBER = re.compile(rb"[0-9]{1,10}")
_RANGES_AT_ONCE = 16_384
_SET = re.compile(rb"[0-9*:,]+")


LONGEST_FLAG = 100
LONGEST_QUOTED = 16_384
"""Octets of a quoted string: longer ones come as literals."""
LONGEST_NAME = 4096
"""Octets of a mailbox name or a pattern."""
MOST_RANGES = 200_000
"""Of one sequence set: more than a client with a mailbox of 100,000 messages can mean."""
MOST_ITEMS = 500
"""Of a list in parentheses."""


class ParseError(Exception):
    """A command that is not in the grammar. ``code`` is a response code without brackets, ``no`` asks for NO, not
    BAD."""

    def __init__(self, text: str, code: str = "", no: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.no = no


class Cursor:
    """``texts`` are the pieces of lines (announcements of literals taken off), ``literals`` what lay between them."""

    def __init__(self, texts: list[bytes], literals: list[bytes]) -> None:
        self._texts = texts
        self._literals = literals
        self._index = 0
        self._pos = 0

    def peek(self) -> bytes:
        """The next byte of text, b"" at a literal or at the end."""
        return self._texts[self._index][self._pos : self._pos + 1]

    def at_literal(self) -> bool:
        return self._pos == len(self._texts[self._index]) and self._index < len(self._literals)

    def at_end(self) -> bool:
        return self._pos == len(self._texts[self._index]) and self._index == len(self._literals)

    def skip(self) -> None:
        """Whatever follows is passed over."""
        self._index = len(self._literals)
        self._pos = len(self._texts[self._index])

    def end(self) -> None:
        """Nothing may follow; trailing blanks are forgiven."""
        while self.peek() == b" ":
            self._pos += 1
        if not self.at_end():
            raise ParseError("Unexpected text after the command's arguments")

    def space(self) -> None:
        if self.peek() != b" ":
            raise ParseError("Missing argument" if self.at_end() else "Expected a space")
        while self.peek() == b" ":
            self._pos += 1

    def accept(self, token: bytes) -> bool:
        """Takes ``token`` when it comes next."""
        if self._texts[self._index].startswith(token, self._pos):
            self._pos += len(token)
            return True
        return False

    def accept_word(self, word: bytes) -> bool:
        """Takes ``word`` in any case when a blank follows it."""
        text = self._texts[self._index]
        stop = self._pos + len(word)
        if text[self._pos : stop].upper() == word and text[stop : stop + 1] == b" ":
            self._pos = stop
            return True
        return False

    def accept_match(self, pattern: re.Pattern[bytes]) -> bool:
        """Takes what ``pattern`` matches here, if anything."""
        match = pattern.match(self._texts[self._index], self._pos)
        self._pos = match.end() if match else self._pos
        return match is not None

    def expect(self, token: bytes) -> None:
        if not self.accept(token):
            raise ParseError(f"Expected {token.decode('ascii')!r}")

    def take(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        match = pattern.match(self._texts[self._index], self._pos)
        if match is None:
            raise ParseError(f"Missing or invalid {what}")
        self._pos = match.end()
        return match.group()

    def atom(self) -> bytes:
        return self.take(_ATOM, "atom")

    def word(self) -> str:
        """An atom in capitals: a keyword of the protocol."""
        return self.atom().decode("ascii").upper()

    def string(self) -> bytes:
        """A quoted string or a literal. 8-bit octets inside quotes are taken: clients send UTF-8 so."""
        if self.at_literal():
            value = self._literals[self._index]
            self._index += 1
            self._pos = 0
            return value
        match = _QUOTED.match(self._texts[self._index], self._pos, self._pos + LONGEST_QUOTED)
        if match is None:
            raise ParseError("Missing, invalid or too long string")
        self._pos = match.end()
        value = match.group(1)
        return _ESCAPE.sub(rb"\1", value) if b"\\" in value else value

    def astring(self) -> bytes:
        if self.at_literal() or self.peek() == b'"':
            return self.string()
        return self.take(_ASTRING, "argument")

    def nstring(self) -> bytes | None:
        if self.at_literal() or self.peek() == b'"':
            return self.string()
        if self.word() != "NIL":
            raise ParseError("Expected a string or NIL")
        return None

    def mailbox(self) -> str:
        """A mailbox name as text."""
        return mailbox_name(self.astring())

    def pattern(self) -> str:
        """A LIST pattern as text; one that is no modified UTF-7 matches only itself, byte for byte."""
        raw = self.string() if self.at_literal() or self.peek() == b'"' else self.take(_PATTERN, "pattern")
        if len(raw) > LONGEST_NAME:
            raise ParseError("Pattern too long", code="LIMIT", no=True)
        try:
            return utf7.decode(raw)
        except ValueError:
            return raw.decode("latin-1")

    def number(self) -> int:
        value = int(self.take(_NUMBER, "number"))
        if value > LARGEST:
            raise ParseError("Number too large")
        return value

    def sequence_set(self) -> SequenceSet:
        """A set, or ``$`` alone: the last saved search (RFC 5182 section 4)."""
        if self.accept(b"$"):
            return SAVED
        return parse_set(self.take(_SET, "sequence set"))

    def flag(self) -> str:
        flag = self.take(_FLAG, "flag").decode("ascii")
        if len(flag) > LONGEST_FLAG:
            raise ParseError("Flag too long", code="LIMIT", no=True)
        return flag

    def flags(self, bare: bool = False) -> frozenset[str]:
        """A list of flags in parentheses; ``bare`` also takes them without (STORE)."""
        if bare and self.peek() != b"(":
            found = [self.flag()]
            while self.peek() == b" ":
                self.space()
                if len(found) >= MOST_ITEMS:
                    raise ParseError("List too long")
                found.append(self.flag())
            return _flag_set(found)
        return _flag_set(self.list(self.flag))

    def list(self, item: Callable[[], T]) -> list[T]:
        """``(item item ...)``, possibly empty; no more than a few hundred are read."""
        self.expect(b"(")
        out: list[T] = []
        while not self.accept(b")"):
            if out:
                self.space()
                if self.accept(b")"):
                    break
                if len(out) >= MOST_ITEMS:
                    raise ParseError("List too long")
            out.append(item())
        return out


def _flag_set(found: list[str]) -> frozenset[str]:
    known = {"\\seen", "\\answered", "\\flagged", "\\deleted", "\\draft"}
    out: dict[str, str] = {}
    for flag in found:
        low = flag.lower()
        if low == "\\recent":
            continue  # RFC 3501 2.3.2: only the server sets it; clients that copy a FETCH reply send it back
        if flag.startswith("\\") and low not in known:
            raise ParseError("Unknown system flag", code="CANNOT", no=True)
        out.setdefault(low, flag if low not in known else "\\" + low[1:].capitalize())
    return frozenset(out.values())


def mailbox_name(raw: bytes) -> str:
    """Text of a name on the wire; INBOX in any case is "INBOX" (RFC 3501 section 5.1)."""
    if len(raw) > LONGEST_NAME:
        raise ParseError("Mailbox name too long", code="LIMIT", no=True)
    try:
        name = utf7.decode(raw)
    except ValueError:
        raise ParseError("Mailbox name is not valid modified UTF-7", code="CANNOT", no=True) from None
    head, slash, rest = name.partition("/")
    return "INBOX" + slash + rest if head.upper() == "INBOX" else name


def parse_set(raw: bytes) -> SequenceSet:
    """``1:3,7,9:*``; 0 is refused."""
    if raw.count(b",") >= MOST_RANGES:
        raise ParseError("Sequence set too long", code="LIMIT", no=True)
    ranges: list[tuple[int, int]] = []
    pos = 0
    while pos >= 0:
        # no call that keeps all other threads waiting takes more than this at once
        comma = raw.find(b",", pos + _RANGES_AT_ONCE)
        ranges += _ranges(raw[pos : comma if comma >= 0 else len(raw)])
        pos = comma + 1 or -1
    return SequenceSet(tuple(ranges))


def _ranges(raw: bytes) -> list[tuple[int, int]]:
    if b":" not in raw and b"*" not in raw:
        # as clients write what they have picked, by the thousand
        try:
            numbers = list(map(int, raw.split(b",")))
        except ValueError:
            raise ParseError("Invalid sequence set") from None
        if min(numbers) < 1 or max(numbers) > LARGEST:
            raise ParseError("Invalid sequence set")
        return list(zip(numbers, numbers, strict=True))
    out = []
    for piece in raw.split(b","):
        low, colon, high = piece.partition(b":")
        a = _set_number(low)
        out.append((a, _set_number(high) if colon else a))
    return out


def _set_number(raw: bytes) -> int:
    if raw == b"*":
        return STAR
    if not raw.isdigit() or len(raw) > 10 or not 1 <= int(raw) <= LARGEST:
        raise ParseError("Invalid sequence set")
    return int(raw)
