"""SEARCH and its program (RFC 3501 section 6.4.4, RFC 4731 ESEARCH)."""

from __future__ import annotations

import re
from collections.abc import Callable

from stratamail.imap.commands import Command, Search
from stratamail.imap.dates import parse_day
from stratamail.imap.grammar.resync import search_criterion
from stratamail.imap.search import (
    All,
    And,
    Body,
    HasFlag,
    Header,
    Internal,
    Key,
    Larger,
    ModSeq,
    Not,
    Numbers,
    Or,
    Sent,
    Smaller,
    Text,
    Uids,
)  # fmt: skip
from stratamail.imap.tokens import Cursor, ParseError

CHARSETS = ("US-ASCII", "UTF-8")
RETURNS = frozenset(("MIN", "MAX", "ALL", "COUNT"))
MAX_DEPTH = 100
MAX_KEYS = 2_000
_WORD = re.compile(rb"[A-Za-z0-9]+")

_FLAGS: dict[str, Key] = {
    "ANSWERED": HasFlag("\\Answered"), "UNANSWERED": HasFlag("\\Answered", False),
    "DELETED": HasFlag("\\Deleted"), "UNDELETED": HasFlag("\\Deleted", False),
    "DRAFT": HasFlag("\\Draft"), "UNDRAFT": HasFlag("\\Draft", False),
    "FLAGGED": HasFlag("\\Flagged"), "UNFLAGGED": HasFlag("\\Flagged", False),
    "SEEN": HasFlag("\\Seen"), "UNSEEN": HasFlag("\\Seen", False),
    "RECENT": HasFlag("\\Recent"), "OLD": HasFlag("\\Recent", False),
    "NEW": And((HasFlag("\\Recent"), HasFlag("\\Seen", False))),
    "ALL": All(),
}  # fmt: skip
_DAYS: dict[str, tuple[type[Internal] | type[Sent], str]] = {
    "BEFORE": (Internal, "before"), "ON": (Internal, "on"), "SINCE": (Internal, "since"),
    "SENTBEFORE": (Sent, "before"), "SENTON": (Sent, "on"), "SENTSINCE": (Sent, "since"),
}  # fmt: skip


def search(cursor: Cursor, uid: bool = False) -> Command:
    returns = None
    cursor.space()
    if cursor.accept_word(b"RETURN"):
        cursor.space()
        returns = frozenset(cursor.list(cursor.word))
        if not returns <= RETURNS:
            raise ParseError("Unknown return option")
        returns = returns or frozenset(("ALL",))
        cursor.space()
    charset = "UTF-8"
    if cursor.accept_word(b"CHARSET"):
        cursor.space()
        charset = cursor.astring().decode("latin-1").upper()
        if charset not in CHARSETS:
            raise ParseError("Unknown charset", code="BADCHARSET (US-ASCII UTF-8)", no=True)
        cursor.space()
    return Search(program(cursor), uid, returns)


def program(cursor: Cursor) -> Key:
    """One or more keys up to the end of the command."""
    return _Program(cursor).keys(lambda: cursor.peek() != b" ")


class _Program:
    """Recursive descent with a bound on depth and count, so that no client can exhaust the stack."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._depth = 0
        self._count = 0

    def keys(self, done: Callable[[], bool]) -> Key:
        found = [self._key()]
        while not done():
            self._cursor.space()
            if self._cursor.at_end():
                break
            found.append(self._key())
        return found[0] if len(found) == 1 else And(tuple(found))

    def _key(self) -> Key:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH or self._count > MAX_KEYS:
            raise ParseError("Search program too complex", code="LIMIT", no=True)
        try:
            return self._plain()
        finally:
            self._depth -= 1

    def _plain(self) -> Key:
        cursor = self._cursor
        if cursor.accept(b"("):
            inner = self.keys(lambda: cursor.peek() == b")")
            cursor.expect(b")")
            return inner
        if cursor.peek().isdigit() or cursor.peek() == b"*":
            return Numbers(cursor.sequence_set())
        name = cursor.take(_WORD, "search key").decode("ascii").upper()
        if name in _FLAGS:
            return _FLAGS[name]
        cursor.space()
        if name == "NOT":
            return Not(self._key())
        if name == "OR":
            left = self._key()
            cursor.space()
            return Or(left, self._key())
        if name in _DAYS:
            kind, when = _DAYS[name]
            try:
                return kind(when, parse_day(cursor.astring()))
            except ValueError:
                raise ParseError("Invalid date") from None
        return self._argument(name)

    def _argument(self, name: str) -> Key:
        cursor = self._cursor
        if name in ("KEYWORD", "UNKEYWORD"):
            return HasFlag(cursor.flag(), name == "KEYWORD")
        if name == "UID":
            return Uids(cursor.sequence_set())
        if name == "MODSEQ":
            return ModSeq(search_criterion(cursor))
        if name == "LARGER":
            return Larger(cursor.number())
        if name == "SMALLER":
            return Smaller(cursor.number())
        if name in ("BCC", "CC", "FROM", "SUBJECT", "TO"):
            return Header(name.lower(), self._text())
        if name == "HEADER":
            field = cursor.astring().decode("utf-8", "replace").lower()
            cursor.space()
            return Header(field, self._text())
        if name == "BODY":
            return Body(self._text())
        if name == "TEXT":
            return Text(self._text())
        raise ParseError("Unknown search key")

    def _text(self) -> str:
        raw = self._cursor.astring()
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise ParseError("Search text is not in its charset") from None
