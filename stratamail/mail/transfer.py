"""Content-transfer-encodings (RFC 2045 section 6), decoded a piece at a time. Never fails on bad input: what cannot be
decoded is passed over or taken as it stands. Touches no disk.

However the encoded octets are cut into pieces, the decoded ones are the same (blanks at the end of a line of more than
64 KiB aside).
"""

from __future__ import annotations

import re
from binascii import a2b_base64, a2b_qp

IDENTITY = frozenset((b"7BIT", b"8BIT", b"BINARY"))
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_FOREIGN = bytes(set(range(256)) - set(_ALPHABET) - set(b"="))
_LONE = re.compile(rb"=\r(?!\n)")
_LONG = 64 * 1024


class Decoder:
    """Feed it all of a body, then :meth:`end`; what both give is the content. This one changes nothing."""

    def feed(self, data: bytes) -> bytes:
        return data

    def end(self) -> bytes:
        return b""


class _Base64(Decoder):
    """Padding ends a group of four, wherever it stands; then reading goes on."""

    def __init__(self) -> None:
        self._carry = b""

    def feed(self, data: bytes) -> bytes:
        data = self._carry + data.translate(None, _FOREIGN)
        if b"=" not in data:
            whole = len(data) & ~3
            self._carry = data[whole:]
            return a2b_base64(data[:whole])
        *padded, last = data.split(b"=")
        out = [_group(piece) for piece in padded if piece]
        self._carry = b""
        out.append(self.feed(last))
        return b"".join(out)

    def end(self) -> bytes:
        rest, self._carry = self._carry, b""
        return _group(rest)


def _group(piece: bytes) -> bytes:
    """What is padded to whole groups; a single character over holds no octet."""
    if len(piece) & 3 == 1:
        piece = piece[:-1]
    return a2b_base64(piece + b"=" * (-len(piece) & 3))


class _QuotedPrintable(Decoder):
    """Whole lines are decoded; blanks at the end of a line are not of the content (RFC 2045 section 6.7 rule 3)."""

    def __init__(self) -> None:
        self._carry = b""

    def feed(self, data: bytes) -> bytes:
        data = self._carry + data
        cut = data.rfind(b"\n") + 1
        if len(data) - cut > _LONG:
            cut = _between(data)
        self._carry = data[cut:]
        return _lines(data[:cut])

    def end(self) -> bytes:
        rest, self._carry = self._carry, b""
        return _lines(rest.rstrip(b" \t"))


def _between(data: bytes) -> int:
    """Where a long line may be cut: before blanks at its end and before what may be half an encoded octet."""
    cut = len(data.rstrip(b" \t\r"))
    cut = cut if len(data) - cut <= _LONG else len(data)
    last = data.rfind(b"=", max(cut - 2, 0), cut)
    return cut if last < 0 else last


def _lines(text: bytes) -> bytes:
    if any(blank in text for blank in (b" \n", b"\t\n", b" \r\n", b"\t\r\n")):
        text = b"\n".join(map(_stripped, text.split(b"\n")))
    if b"=\r" in text:
        # the library would look for the end of the line behind it
        text = _LONE.sub(b"=3D\r", text)
    return a2b_qp(text)


def _stripped(line: bytes) -> bytes:
    return line[:-1].rstrip(b" \t") + b"\r" if line.endswith(b"\r") else line.rstrip(b" \t")


def decoder(encoding: bytes) -> Decoder | None:
    """For an encoding's name in capitals; None when it is none of RFC 2045's."""
    if encoding in IDENTITY:
        return Decoder()
    if encoding == b"BASE64":
        return _Base64()
    return _QuotedPrintable() if encoding == b"QUOTED-PRINTABLE" else None


def decode(data: bytes, encoding: bytes) -> bytes | None:
    """A whole body; None when the encoding is unknown."""
    found = decoder(encoding)
    return None if found is None else found.feed(data) + found.end()
