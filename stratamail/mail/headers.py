"""Header fields of a message by byte offsets (RFC 5322 section 2.2). Never fails on bad input, changes no byte.

A line end is LF with or without CR before it. A line that is no field (no colon, "From " of an mbox, a fold with
nothing before it) is a :class:`Field` with the name b"". Nothing here touches the disk.
"""

from __future__ import annotations

import re
from functools import lru_cache

from attrs import frozen

_BLANK = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r?\n")
_WORD = re.compile(rb"[!-9;-~]+")
_NAME = re.compile(rb"[!-9;-~]+[ \t]*:")


@frozen
class Field:
    """``name`` in lower case without the colon; the field is ``block[start:end]``, folds and last line end included."""

    name: bytes
    start: int
    end: int


def header_end(data: bytes | memoryview) -> int:
    """The offset of the body: just behind the empty line, or the length when there is none."""
    head = bytes(data[:2])
    if head.startswith(b"\n"):
        return 1
    if head == b"\r\n":
        return 2
    found = _BLANK.search(data)
    return len(data) if found is None else found.end()


def fields(block: bytes) -> list[Field]:
    """Every field of a header block in order; stops at the empty line when the block holds one."""
    out: list[Field] = []
    pos, size = 0, len(block)
    while pos < size:
        first = block[pos]
        if first == 0x0A or (first == 0x0D and block[pos + 1 : pos + 2] == b"\n"):
            break
        start = pos
        pos = block.find(b"\n", pos) + 1 or size
        while pos < size and block[pos] in b" \t":
            pos = block.find(b"\n", pos) + 1 or size
        match = _NAME.match(block, start, pos)
        name = b"" if match is None else match.group()[:-1].rstrip().lower()
        out.append(Field(name, start, pos))
    return out


def value(block: bytes, field: Field) -> bytes:
    """The raw value of a field: what follows the colon, unfolded (line ends removed, RFC 5322 2.2.3) and stripped."""
    colon = block.find(b":", field.start, field.end) if field.name else field.start - 1
    return _FOLD.sub(b"", block[colon + 1 : field.end]).strip(b" \t\r\n")


def first(block: bytes, name: str | bytes) -> bytes | None:
    """The unfolded value of the first field called ``name`` (any case), None when there is none."""
    wanted = _key(name)
    for field in fields(block):
        if field.name == wanted:
            return value(block, field)
    return None


def every(block: bytes, name: str | bytes) -> list[bytes]:
    """The unfolded values of all fields called ``name``, in order: what :func:`fields` finds, much faster, since a
    search asks it of every message."""
    wanted = _key(name)
    if _WORD.fullmatch(wanted) is None:
        return [value(block, field) for field in fields(block) if field.name == wanted]
    found = _finder(wanted).findall(block, 0, header_end(block))
    return [_FOLD.sub(b"", raw).strip(b" \t\r\n") for raw in found]


def count(block: bytes, name: str | bytes) -> int:
    """How many fields are called ``name``."""
    wanted = _key(name)
    return sum(field.name == wanted for field in fields(block))


@lru_cache(maxsize=200)
def _finder(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"^" + re.escape(name) + rb"[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)


def _key(name: str | bytes) -> bytes:
    return (name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name).lower()
