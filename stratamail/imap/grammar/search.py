"""SEARCH and its program (RFC 3501 section 6.4.4; ESEARCH RFC 4731, SEARCHRES RFC 5182, WITHIN RFC 5032)."""

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
    EmailId,
    HasFlag,
    Header,
    Internal,
    Key,
    Larger,
    ModSeq,
    Not,
    Numbers,
    Or,
    Saved,
    Sent,
    Smaller,
    Text,
    ThreadId,
    Uids,
    Within,
)  # fmt: skip
from stratamail.imap.tokens import Cursor, ParseError

CHARSETS = {
    "US-ASCII": "ascii", "UTF-8": "utf-8", "ISO-8859-1": "latin-1", "ISO-8859-2": "iso8859-2",
    "ISO-8859-15": "iso8859-15", "WINDOWS-1250": "cp1250", "WINDOWS-1251": "cp1251", "WINDOWS-1252": "cp1252",
    "KOI8-R": "koi8-r", "ISO-2022-JP": "iso2022-jp", "SHIFT_JIS": "shift-jis", "GB2312": "gb2312", "BIG5": "big5",
    "EUC-KR": "euc-kr",
}  # fmt: skip
"""What a client may write its words in, by the codec that reads it."""
RETURNS = frozenset(("MIN", "MAX", "ALL", "COUNT", "SAVE"))
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
    "SAVEDATESUPPORTED": All(),
}  # fmt: skip
_OBJECT = re.compile(rb"[A-Za-z0-9_-]{1,255}")
_DAYS: dict[str, tuple[type[Internal] | type[Sent] | type[Saved], str]] = {
    "BEFORE": (Internal, "before"), "ON": (Internal, "on"), "SINCE": (Internal, "since"),
    "SENTBEFORE": (Sent, "before"), "SENTON": (Sent, "on"), "SENTSINCE": (Sent, "since"),
    "SAVEDBEFORE": (Saved, "before"), "SAVEDON": (Saved, "on"), "SAVEDSINCE": (Saved, "since"),
}  # fmt: skip


def returned(cursor: Cursor) -> frozenset[str] | None:
    """The options behind RETURN in capitals, up to what follows them (RFC 4731 section 3.1); None without RETURN."""
    cursor.space()
    if not cursor.accept_word(b"RETURN"):
        return None
    cursor.space()
    returns = frozenset(cursor.list(cursor.word))
    if not returns <= RETURNS:
        raise ParseError("Unknown return option")
    cursor.space()
    return returns or frozenset(("ALL",))


def search(cursor: Cursor, uid: bool = False) -> Command:
    returns = returned(cursor)
    try:
        codec = "utf-8"
        if cursor.accept_word(b"CHARSET"):
            cursor.space()
            codec = charset(cursor)
            cursor.space()
        return Search(program(cursor, codec), uid, returns)
    except ParseError as error:
        if not (error.no and returns and "SAVE" in returns):
            raise
        cursor.skip()
        return Search(All(), uid, returns, (error.text, error.code))


def charset(cursor: Cursor) -> str:
    """The codec for a charset's name; NO [BADCHARSET ...] for others (RFC 3501 section 6.4.4)."""
    codec = CHARSETS.get(cursor.astring().decode("latin-1").upper())
    if codec is None:
        raise ParseError("Unknown charset", code=f"BADCHARSET ({' '.join(CHARSETS)})", no=True)
    # words that are not ASCII though the client said so: it means UTF-8
    return "utf-8" if codec == "ascii" else codec


def program(cursor: Cursor, codec: str = "utf-8") -> Key:
    """One or more keys up to the end of the command, their words written in ``codec``."""
    return _Program(cursor, codec).keys(lambda: cursor.peek() != b" ")


class _Program:
    """Recursive descent with a bound on depth and count, so that no client can exhaust the stack."""

    def __init__(self, cursor: Cursor, codec: str) -> None:
        self._cursor = cursor
        self._codec = codec
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
        if cursor.peek().isdigit() or cursor.peek() in (b"*", b"$"):
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
        if name in ("OLDER", "YOUNGER"):
            seconds = cursor.number()
            if not seconds:
                raise ParseError("The interval must not be zero")
            return Within(seconds, name == "OLDER")
        if name in ("EMAILID", "THREADID"):
            found = cursor.take(_OBJECT, "object identifier").decode("ascii")
            return EmailId(found) if name == "EMAILID" else ThreadId(found)
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
            return raw.decode(self._codec)
        except UnicodeError:
            raise ParseError("Search text is not in its charset") from None
