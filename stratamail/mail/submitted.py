"""What our own users' mail gets before it is as any other: a missing Date and Message-ID, and no Bcc (RFC 6409 8).

Every other byte stays. Writes nothing.
"""

from __future__ import annotations

from email.utils import getaddresses

from stratamail.mail import headers

_HIDDEN = (b"bcc", b"resent-bcc")


def complete(block: bytes, date: str, message_id: str) -> bytes:
    """A header block (with its empty line when it has one) with what is missing, in front, and without Bcc fields."""
    fields = headers.fields(block)
    names = {field.name for field in fields}
    front = b""
    if b"date" not in names:
        front += f"Date: {date}\r\n".encode()
    if b"message-id" not in names:
        front += f"Message-ID: <{message_id}>\r\n".encode()
    if front and fields and not fields[0].name:
        # no header at all: what came is body, and must not become a field of ours
        return front + b"\r\n" + block
    if not names.intersection(_HIDDEN):
        return front + block
    out = [front]
    at = 0
    for field in fields:
        if field.name in _HIDDEN:
            out.append(block[at : field.start])
            at = field.end
    out.append(block[at:])
    return b"".join(out)


def authors(block: bytes) -> list[str] | None:
    """Every address under From and Sender, as they stand; None when they cannot be read or From is there twice
    (RFC 5322 3.6.2), so that a second From cannot hide from the check."""
    if headers.count(block, b"from") > 1 or headers.count(block, b"sender") > 1:
        return None
    found: list[str] = []
    for name in (b"from", b"sender"):
        raw = headers.first(block, name)
        if raw is None:
            continue
        try:
            addresses = [address for _, address in getaddresses([raw.decode("utf-8")])]
        except (UnicodeDecodeError, ValueError):
            return None
        if not addresses or not all("@" in address for address in addresses):
            return None
        found += addresses
    return found
