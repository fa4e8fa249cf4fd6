"""FETCH and its data items (RFC 3501 section 6.4.5; BINARY RFC 3516, OBJECTID RFC 8474, SAVEDATE RFC 8514, PREVIEW
RFC 8970)."""

from __future__ import annotations

import re

from stratamail.imap.commands import Command, Fetch, Section
from stratamail.imap.grammar.resync import fetch_modifiers
from stratamail.imap.render import quote
from stratamail.imap.tokens import Cursor, ParseError

MACROS = {
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}
LAZY = "PREVIEW (LAZY)"
"""The item PREVIEW when only a preview that is at hand is wanted."""
ATTRIBUTES = frozenset(
    (
        "UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "MODSEQ", "EMAILID",
        "THREADID", "SAVEDATE",
    )
)  # fmt: skip
LEGACY = {
    "RFC822": Section((), "", label="RFC822"),
    "RFC822.HEADER": Section((), "HEADER", peek=True, label="RFC822.HEADER"),
    "RFC822.TEXT": Section((), "TEXT", label="RFC822.TEXT"),
}
_ITEM = re.compile(rb"[A-Za-z0-9.]+")
_PARTS = re.compile(rb"[1-9][0-9]{0,5}(?:\.[1-9][0-9]{0,5}){0,199}")
_TEXT = re.compile(rb"[A-Za-z.]+")
_LAZY = re.compile(rb" \(LAZY(?: LAZY)*\)", re.IGNORECASE)
_PARTIAL = re.compile(rb"<([0-9]{1,10})\.([0-9]{1,10})>")
MAX_ITEMS = 500


def fetch(cursor: Cursor, uid: bool = False) -> Command:
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    if cursor.peek() == b"(":
        raw = cursor.list(lambda: _item(cursor))
        if not raw or len(raw) > MAX_ITEMS:
            raise ParseError("Expected data items")
    else:
        raw = [_item(cursor)]
    items: dict[str | Section, None] = {}
    for item in raw:
        items.update(dict.fromkeys(MACROS.get(item, (item,)) if isinstance(item, str) else (item,)))
    changed_since, vanished = fetch_modifiers(cursor, uid)
    if changed_since is not None:
        items["MODSEQ"] = None  # RFC 7162 section 3.1.4.1
    return Fetch(numbers, tuple(items), uid, changed_since, vanished)


def _item(cursor: Cursor) -> str | Section:
    word = cursor.take(_ITEM, "data item").decode("ascii").upper()
    if word in ("BODY", "BODY.PEEK") and cursor.accept(b"["):
        return _section(cursor, peek=word == "BODY.PEEK")
    if word in ("BINARY", "BINARY.PEEK", "BINARY.SIZE") and cursor.accept(b"["):
        return _binary(cursor, word)
    if word == "PREVIEW":
        return LAZY if cursor.accept_match(_LAZY) else word
    if word in LEGACY:
        return LEGACY[word]
    if word in ATTRIBUTES or word in MACROS:
        return word
    raise ParseError("Unknown data item")


def _section(cursor: Cursor, peek: bool) -> Section:
    part: tuple[int, ...] = ()
    text = ""
    names: tuple[str, ...] = ()
    label = ""
    if cursor.peek().isdigit():
        raw = cursor.take(_PARTS, "section").decode("ascii")
        part = tuple(map(int, raw.split(".")))
        label = raw
        if cursor.accept(b"."):
            label += "."
            text = cursor.take(_TEXT, "section").decode("ascii").upper()
    elif cursor.peek() != b"]":
        text = cursor.take(_TEXT, "section").decode("ascii").upper()
    if text not in ("", "HEADER", "TEXT", "MIME", "HEADER.FIELDS", "HEADER.FIELDS.NOT") or (
        text == "MIME" and not part
    ):
        raise ParseError("Unknown section")
    label += text
    if text.startswith("HEADER.FIELDS"):
        cursor.space()
        raw_names = cursor.list(cursor.astring)
        if not raw_names or len(raw_names) > MAX_ITEMS:
            raise ParseError("Expected header names")
        names = tuple(name.decode("utf-8", "surrogateescape") for name in raw_names)
        label += " (" + " ".join(quote(name, atom=True) for name in raw_names) + ")"
    cursor.expect(b"]")
    return Section(part, text, names, peek, _partial(cursor), f"BODY[{label}]")


def _binary(cursor: Cursor, word: str) -> Section:
    """A part's number or nothing; no partial range of a size (RFC 3516 section 7)."""
    label = "" if cursor.peek() == b"]" else cursor.take(_PARTS, "section").decode("ascii")
    part = tuple(map(int, label.split("."))) if label else ()
    cursor.expect(b"]")
    kind = word.removesuffix(".PEEK")
    partial = None if kind == "BINARY.SIZE" else _partial(cursor)
    return Section(part, "", peek=word != "BINARY", partial=partial, label=f"{kind}[{label}]", kind=kind)


def _partial(cursor: Cursor) -> tuple[int, int] | None:
    if cursor.peek() != b"<":
        return None
    match = _PARTIAL.fullmatch(cursor.take(_PARTIAL, "partial"))
    if match is None or not int(match.group(2)):
        raise ParseError("Invalid partial")
    return int(match.group(1)), int(match.group(2))
