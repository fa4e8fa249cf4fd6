"""Commands about messages other than FETCH and SEARCH (RFC 3501 section 6.4, RFC 3691, RFC 4315, RFC 6851)."""

from __future__ import annotations

from stratamail.imap.commands import Check, Close, Command, Copy, Expunge, Move, Store, Unselect
from stratamail.imap.grammar.resync import store_modifiers
from stratamail.imap.tokens import Cursor, ParseError


def check(cursor: Cursor) -> Command:
    return Check()


def close(cursor: Cursor) -> Command:
    return Close()


def unselect(cursor: Cursor) -> Command:
    return Unselect()


def expunge(cursor: Cursor) -> Command:
    return Expunge()


def uid_expunge(cursor: Cursor) -> Command:
    cursor.space()
    return Expunge(cursor.sequence_set())


def store(cursor: Cursor, uid: bool = False) -> Command:
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    unchanged_since = store_modifiers(cursor)
    mode = "+" if cursor.accept(b"+") else "-" if cursor.accept(b"-") else "="
    item = cursor.word()
    if item not in ("FLAGS", "FLAGS.SILENT"):
        raise ParseError("Expected FLAGS or FLAGS.SILENT")
    cursor.space()
    return Store(numbers, mode, cursor.flags(bare=True), item.endswith("SILENT"), uid, unchanged_since)


def copy(cursor: Cursor, uid: bool = False) -> Command:
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    return Copy(numbers, cursor.mailbox(), uid)


def move(cursor: Cursor, uid: bool = False) -> Command:
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    return Move(numbers, cursor.mailbox(), uid)
