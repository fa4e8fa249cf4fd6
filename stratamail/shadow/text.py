"""What a search reads of a message: decoded header values, decoded text parts, the day of its Date field.

Never fails: what cannot be decoded is read as it stands. Touches no disk.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from datetime import date
from quopri import decodestring

from stratamail.mail.dates import parse_date
from stratamail.mail.fieldvalue import decode_words, to_text
from stratamail.mail.headers import every, fields, header_end, value
from stratamail.mail.structure import Part

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")


def _base64(raw: bytes) -> bytes:
    """As much of it as can be decoded."""
    raw = _NOT_BASE64.sub(b"", raw)
    try:
        return binascii.a2b_base64(raw + b"=" * (-len(raw) % 4))
    except binascii.Error:
        return binascii.a2b_base64(raw[: len(raw) // 4 * 4])


def header_values(block: bytes, name: str) -> list[str]:
    """The decoded values of every field called ``name``."""
    return [decode_words(raw) for raw in every(block, name)]


def header_text(block: bytes) -> str:
    """The whole header, decoded, a line for each field."""
    lines = []
    for field in fields(block):
        name = field.name.decode("latin-1")
        raw = block[field.start : field.end]
        lines.append(f"{name}: {decode_words(value(block, field))}" if name else to_text(raw))
    return "\n".join(lines)


def part_headers(data: bytes, root: Part) -> Iterator[str]:
    """The headers of a message's parts, decoded: what TEXT finds beside the message's own header. Those of messages
    inside it are among :func:`body_texts`. ``root`` is ``scan(data)``."""
    for part in root.walk():
        if part.multipart:
            for child in part.children:
                yield header_text(data[child.header_start : child.body_start])


def body_texts(data: bytes, root: Part) -> Iterator[str]:
    """The text parts of a message, decoded, reports among them, and the headers of messages inside it. ``root`` is
    ``scan(data)``."""
    for part in root.walk():
        if part.message:
            inner = part.children[0]
            yield header_text(data[inner.header_start : inner.body_start])
        if part.children or part.type.lower() not in (b"text", b"message"):
            continue
        content = data[part.body_start : part.body_end]
        encoding = part.encoding.upper()
        if encoding == b"BASE64":
            content = _base64(content)
        elif encoding == b"QUOTED-PRINTABLE":
            content = decodestring(content)
        charset = next((raw for key, raw in part.params if key.lower() == b"charset"), b"utf-8")
        yield to_text(content, charset.decode("latin-1"))


def sent_day(block: bytes) -> date | None:
    """The day of the Date field as written, without time and zone (RFC 3501 section 6.4.4 SENTON); None without one."""
    for raw in every(block, "date"):
        sent = parse_date(to_text(raw))
        return None if sent is None else date.fromordinal(sent.day)
    return None


def split(data: bytes) -> tuple[bytes, bytes]:
    """Header block (empty line included) and body."""
    end = header_end(data)
    return data[:end], data[end:]
