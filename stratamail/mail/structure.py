"""The MIME tree of a message by byte offsets (RFC 2045, 2046). Never fails, never copies a body, bounded in depth and
count.

What is broken is read as the nearest sound thing: a multipart without boundary or parts is text, a message that is
encoded is a file, a boundary of an outer part ends all inner ones. Touches no disk.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from attrs import define, field

from stratamail.mail import fieldvalue
from stratamail.mail.fieldvalue import Params
from stratamail.mail.headers import Field, fields, value

MAX_DEPTH = 100
"""Deeper levels are read as the body of the last one."""
MAX_PARTS = 10_000

_DASHES = re.compile(rb"^--", re.MULTILINE)


@define
class Part:
    """One part. Its header is ``data[header_start:body_start]`` (empty line included), its body
    ``data[body_start:body_end]``.

    ``children`` are a multipart's parts, or of message/rfc822 the one message inside. ``lines`` counts the body's line
    ends (text and message only). Strings are raw values; ``encoding`` is in capitals, "7BIT" when absent.
    """

    header_start: int
    body_start: int = 0
    body_end: int = 0
    type: bytes = b"text"
    subtype: bytes = b"plain"
    params: Params = ()
    id: bytes | None = None
    description: bytes | None = None
    encoding: bytes = b"7BIT"
    md5: bytes | None = None
    disposition: tuple[bytes, Params] | None = None
    language: tuple[bytes, ...] = ()
    location: bytes | None = None
    lines: int = 0
    children: list[Part] = field(factory=list)

    @property
    def multipart(self) -> bool:
        return bool(self.children) and self.type.lower() == b"multipart"

    @property
    def message(self) -> bool:
        return bool(self.children) and self.type.lower() == b"message"

    def walk(self) -> Iterator[Part]:
        """This part and all below, in order."""
        stack = [self]
        while stack:
            part = stack.pop()
            yield part
            stack.extend(reversed(part.children))


@define
class _Open:
    """A part being read: ``depth`` levels above it, its boundary when it is a multipart."""

    part: Part
    depth: int
    boundary: bytes | None = None
    shadowed: int | None = None


def scan(data: bytes) -> Part:
    """The tree of a whole message."""
    return _Scanner(data).run()


def find(root: Part, numbers: tuple[int, ...]) -> Part | None:
    """The part with that section number (RFC 3501 section 6.4.5); a message that is no multipart has one part, itself.
    ``()`` is the whole message."""
    part = root
    inside: Part | None = root
    for number in numbers:
        if inside is None:
            return None
        if inside.multipart:
            if not 1 <= number <= len(inside.children):
                return None
            part = inside.children[number - 1]
        elif number == 1:
            part = inside
        else:
            return None
        inside = part.children[0] if part.message else part if part.multipart else None
    return part


class _Scanner:
    """Reads forward once. ``_stack`` holds the open parts, outermost first; ``_bounds`` maps a boundary to its place
    there, ``_lengths`` are those of its keys, ascending."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._stack: list[_Open] = []
        self._bounds: dict[bytes, int] = {}
        self._lengths: list[int] = []
        self._count = 0
        self._counted: list[Part] = []

    def run(self) -> Part:
        root = Part(0)
        pos = self._begin(root, b"text", 0)
        data = self._data
        while self._bounds:
            match = _DASHES.search(data, pos)
            if match is None:
                break
            start = match.start()
            end = data.find(b"\n", start) + 1 or len(data)
            pos = end
            hit = self._boundary(start, end)
            if hit is None:
                continue
            place, last = hit
            self._finish(place + 1, self._before(start))
            opened = self._stack[place]
            if last:
                self._forget(place)
            elif self._count < MAX_PARTS:
                child = Part(end)
                opened.part.children.append(child)
                digest = opened.part.subtype.lower() == b"digest"
                pos = self._begin(child, b"message" if digest else b"text", opened.depth + 1)
        self._finish(0, len(data))
        self._count_lines()
        return root

    def _before(self, start: int) -> int:
        """Where the body before the boundary line at ``start`` ends: its line end belongs to the boundary (RFC 2046
        5.1.1)."""
        data = self._data
        if start and data[start - 1] == 0x0A:
            return start - 2 if start > 1 and data[start - 2] == 0x0D else start - 1
        return start

    def _boundary(self, start: int, end: int) -> tuple[int, bool] | None:
        """Whether the line is a boundary of an open part: its place, and whether it closes. The line need only begin
        with the boundary (RFC 2046 5.1.1); one that it is, with or without the closing dashes, goes before, and then
        the longest counts."""
        start += 2
        bounds, lengths = self._bounds, self._lengths
        if lengths and end - start <= lengths[-1] + 100:  # whatever blanks a gateway has added
            line = self._data[start:end].rstrip(b" \t\r\n")
            whole = bounds.get(line)
            closed = bounds.get(line[:-2]) if line.endswith(b"--") else None
            if whole is not None and (closed is None or whole > closed):
                return whole, False
            if closed is not None:
                return closed, True
        for i in range(bisect_right(lengths, end - start) - 1, -1, -1):
            stop = start + lengths[i]
            place = bounds.get(self._data[start:stop])
            if place is not None:
                return place, self._data.startswith(b"--", stop)
        return None

    def _bind(self, boundary: bytes, place: int | None) -> None:
        """From now on the boundary is that of the part at ``place``, or of none."""
        if place is None:
            self._bounds.pop(boundary, None)
        else:
            self._bounds[boundary] = place
        self._lengths = sorted({len(each) for each in self._bounds})

    def _header(self, start: int) -> tuple[bytes, int]:
        """The header block from ``start`` and where the body begins; a boundary of an open part ends a header too."""
        data, pos, size = self._data, start, len(self._data)
        while pos < size:
            end = data.find(b"\n", pos) + 1 or size
            if end - pos <= 2 and data[pos:end] in (b"\n", b"\r\n"):
                return data[start:pos], end
            if data.startswith(b"--", pos) and self._boundary(pos, end) is not None:
                return data[start:pos], pos
            pos = end
        return data[start:size], size

    def _begin(self, part: Part, default: bytes, depth: int) -> int:
        """Reads the part's header, opens it, and what it holds when it is a message; gives where reading goes on."""
        self._count += 1
        block, part.body_start = self._header(part.header_start)
        _describe(part, block, default)
        opened = _Open(part, depth)
        self._stack.append(opened)
        kind = part.type.lower()
        if kind == b"multipart":
            boundary = fieldvalue.param(part.params, b"boundary")
            if boundary is None or not boundary.strip(b" \t") or depth >= MAX_DEPTH:
                _as_text(part)
            else:
                opened.boundary = boundary
                opened.shadowed = self._bounds.get(boundary)
                self._bind(boundary, len(self._stack) - 1)
        elif kind == b"message" and part.subtype.lower() == b"rfc822":
            if part.encoding in (b"BASE64", b"QUOTED-PRINTABLE") or depth >= MAX_DEPTH or self._count >= MAX_PARTS:
                part.type, part.subtype = b"application", b"octet-stream"
            else:
                inner = Part(part.body_start)
                part.children = [inner]
                return self._begin(inner, b"text", depth + 1)
        return part.body_start

    def _forget(self, place: int) -> None:
        opened = self._stack[place]
        if opened.boundary is None:
            return
        self._bind(opened.boundary, opened.shadowed)
        opened.boundary = None

    def _finish(self, place: int, end: int) -> None:
        """Closes the parts from ``place`` up: their bodies end at ``end``."""
        while len(self._stack) > place:
            self._forget(len(self._stack) - 1)
            part = self._stack.pop().part
            # a line end before a boundary is the boundary's, even when it was that of a header
            part.header_start = min(part.header_start, end)
            part.body_start = min(part.body_start, end)
            part.body_end = end
            kind = part.type.lower()
            if kind == b"multipart" and not part.children:
                _as_text(part)
                kind = b"text"
            if kind in (b"text", b"message"):
                self._counted.append(part)

    def _count_lines(self) -> None:
        """Counts line ends once over the data, however deep messages lie in messages."""
        marks = sorted({mark for part in self._counted for mark in (part.body_start, part.body_end)})
        total, last, at = 0, 0, {}
        for mark in marks:
            total += self._data.count(b"\n", last, mark)
            at[mark] = total
            last = mark
        for part in self._counted:
            part.lines = at[part.body_end] - at[part.body_start]


def _as_text(part: Part) -> None:
    """A multipart that has no parts shows its body as it is."""
    part.type, part.subtype, part.params, part.encoding = b"text", b"plain", (), b"7BIT"


def _describe(part: Part, block: bytes, default: bytes) -> None:
    """Takes the first of each Content- field of ``block`` (of Content-Disposition the last); ``default`` is the type
    when there is none."""
    if default == b"message":
        part.type, part.subtype = b"message", b"rfc822"
    found: dict[bytes, Field] = {}
    for each in fields(block):
        if each.name == b"content-disposition":
            found[each.name] = each
        elif each.name.startswith(b"content-"):
            found.setdefault(each.name, each)
    raw = {name: value(block, each) for name, each in found.items()}
    typed = fieldvalue.content_type(raw.get(b"content-type", b""))
    if typed is not None:
        part.type, part.subtype, part.params = typed
    part.encoding = (fieldvalue.token(raw.get(b"content-transfer-encoding", b"")) or b"7BIT").upper()
    part.id = raw.get(b"content-id")
    part.description = raw.get(b"content-description")
    part.md5 = raw.get(b"content-md5")
    part.location = raw.get(b"content-location")
    part.language = fieldvalue.tokens(raw.get(b"content-language", b""))
    part.disposition = fieldvalue.disposition(raw.get(b"content-disposition", b""))
