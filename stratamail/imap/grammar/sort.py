"""SORT and THREAD (RFC 5256; SORT=DISPLAY RFC 5957; ESORT RFC 5267 section 3; REFS draft-ietf-morg-inthread)."""

from __future__ import annotations

from stratamail.imap.commands import Command, Sort, Thread
from stratamail.imap.grammar.search import charset, program, returned
from stratamail.imap.search import All
from stratamail.imap.tokens import Cursor, ParseError

CRITERIA = frozenset(
    ("ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO")
)  # fmt: skip
ALGORITHMS = frozenset(("ORDEREDSUBJECT", "REFERENCES", "REFS"))


def sort(cursor: Cursor, uid: bool = False) -> Command:
    returns = returned(cursor)
    criteria = _criteria(cursor)
    cursor.space()
    try:
        codec = charset(cursor)
        cursor.space()
        return Sort(program(cursor, codec), uid, criteria, returns)
    except ParseError as error:
        if not (error.no and returns and "SAVE" in returns):
            raise
        cursor.skip()
        return Sort(All(), uid, criteria, returns, (error.text, error.code))


def _criteria(cursor: Cursor) -> tuple[tuple[str, bool], ...]:
    """What is asked for, and whether in reverse. A criterion that an earlier one decides already is left out."""
    found: dict[str, bool] = {}
    words = cursor.list(cursor.word)
    reverse = False
    for word in words:
        if word == "REVERSE" and not reverse:
            reverse = True
        elif word in CRITERIA:
            found.setdefault(word, reverse)
            reverse = False
        else:
            raise ParseError("Unknown sort criterion")
    if reverse or not found:
        raise ParseError("Missing sort criterion")
    return tuple(found.items())


def thread(cursor: Cursor, uid: bool = False) -> Command:
    cursor.space()
    algorithm = cursor.word()
    if algorithm not in ALGORITHMS:
        raise ParseError("Unknown threading algorithm")
    cursor.space()
    codec = charset(cursor)
    cursor.space()
    return Thread(program(cursor, codec), uid, algorithm)
