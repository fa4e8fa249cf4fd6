"""Commands about folders (RFC 3501 section 6.3, RFC 5258 LIST-EXTENDED, RFC 5819 LIST-STATUS, RFC 6154 SPECIAL-USE)."""

from __future__ import annotations

from stratamail.imap.commands import (
    Append,
    Command,
    Create,
    Delete,
    List,
    Lsub,
    Rename,
    Select,
    Status,
    Subscribe,
    Unsubscribe,
)  # fmt: skip
from stratamail.imap.dates import parse_time
from stratamail.imap.grammar.resync import select_parameters
from stratamail.imap.tokens import Cursor, ParseError, mailbox_name

STATUS_ITEMS = frozenset(
    (
        "MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "APPENDLIMIT", "HIGHESTMODSEQ", "SIZE", "MAILBOXID",
        "DELETED", "DELETED-STORAGE",
    )
)  # fmt: skip
SELECTIONS = frozenset(("SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"))
RETURNS = frozenset(("SUBSCRIBED", "CHILDREN", "SPECIAL-USE"))
MAX_PATTERNS = 100


def select(cursor: Cursor) -> Command:
    return _select(cursor, read_only=False)


def examine(cursor: Cursor) -> Command:
    return _select(cursor, read_only=True)


def _select(cursor: Cursor, read_only: bool) -> Command:
    cursor.space()
    name = cursor.mailbox()
    found = select_parameters(cursor)
    return Select(name, read_only, found.condstore, found.resync)


def create(cursor: Cursor) -> Command:
    cursor.space()
    # A trailing delimiter only declares that children will come (RFC 3501 6.3.3).
    name = mailbox_name(cursor.astring().removesuffix(b"/"))
    use = ""
    if cursor.peek() == b" ":
        cursor.space()
        cursor.expect(b"(")
        if cursor.word() != "USE":
            raise ParseError("Unknown CREATE parameter")
        cursor.space()
        use = " ".join(cursor.list(cursor.flag))
        cursor.expect(b")")
    return Create(name, use)


def delete(cursor: Cursor) -> Command:
    cursor.space()
    return Delete(cursor.mailbox())


def rename(cursor: Cursor) -> Command:
    cursor.space()
    old = cursor.mailbox()
    cursor.space()
    return Rename(old, mailbox_name(cursor.astring().removesuffix(b"/")))


def subscribe(cursor: Cursor) -> Command:
    cursor.space()
    return Subscribe(cursor.mailbox())


def unsubscribe(cursor: Cursor) -> Command:
    cursor.space()
    return Unsubscribe(cursor.mailbox())


def listing(cursor: Cursor) -> Command:
    cursor.space()
    chosen: frozenset[str] = frozenset()
    extended = False
    if cursor.peek() == b"(":
        extended = True
        chosen = frozenset(cursor.list(cursor.word))
        if not chosen <= SELECTIONS:
            raise ParseError("Unknown selection option")
        if "RECURSIVEMATCH" in chosen and not chosen & {"SUBSCRIBED", "SPECIAL-USE"}:
            raise ParseError("RECURSIVEMATCH needs another selection option")  # RFC 5258 3.1
        cursor.space()
    reference = cursor.pattern() if cursor.peek() != b" " else ""
    cursor.space()
    if cursor.peek() == b"(":
        extended = True
        patterns = tuple(cursor.list(cursor.pattern))
        if len(patterns) > MAX_PATTERNS:
            raise ParseError("Too many patterns")
    else:
        patterns = (cursor.pattern(),)
    options: set[str] = set()
    status: tuple[str, ...] = ()
    if cursor.peek() == b" ":
        cursor.space()
        extended = True
        if cursor.word() != "RETURN":
            raise ParseError("Expected RETURN")
        cursor.space()
        cursor.expect(b"(")
        while not cursor.accept(b")"):
            if options or status:
                cursor.space()
            word = cursor.word()
            if word == "STATUS":
                cursor.space()
                status = _status_items(cursor)
            elif word in RETURNS:
                options.add(word)
            else:
                raise ParseError("Unknown return option")
    return List(reference, patterns, chosen, frozenset(options), status, extended)


def lsub(cursor: Cursor) -> Command:
    cursor.space()
    reference = cursor.pattern()
    cursor.space()
    return Lsub(reference, cursor.pattern())


def status(cursor: Cursor) -> Command:
    cursor.space()
    name = cursor.mailbox()
    cursor.space()
    return Status(name, _status_items(cursor))


def append_head(cursor: Cursor, size: int) -> Append:
    """What stands between APPEND and its literal (RFC 3501 section 6.3.11)."""
    name = cursor.mailbox()
    cursor.space()
    return append_message(cursor, name, size)


def append_message(cursor: Cursor, name: str, size: int) -> Append:
    """Flags and date of one message of an APPEND, before its literal (RFC 3502 "append-message")."""
    flags: frozenset[str] = frozenset()
    date = None
    if cursor.peek() == b"(":
        flags = cursor.flags()
        cursor.space()
    if cursor.peek() == b'"':
        try:
            date = parse_time(cursor.string())
        except (ValueError, OverflowError):
            raise ParseError("Invalid date-time") from None
        cursor.space()
    if not cursor.at_end():
        raise ParseError("Expected a literal")
    return Append(name, flags, date, size)


def _status_items(cursor: Cursor) -> tuple[str, ...]:
    items = tuple(dict.fromkeys(cursor.list(cursor.word)))
    if not items or not STATUS_ITEMS.issuperset(items):
        raise ParseError("Unknown status item")
    return items
