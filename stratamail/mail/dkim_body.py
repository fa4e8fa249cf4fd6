"""The hash of a body for DKIM (RFC 6376 section 3.4), while it streams by: memory does not grow with the body, and no
body makes it slow. Writes nothing.

A lone LF counts as a line end, since every hop on the way may make it one.
"""

from __future__ import annotations

import hashlib
import re

_BLANKS = re.compile(rb"[ \t]+")
_ENDS = re.compile(rb"\r?\n")
_RELAXED_ENDS = re.compile(rb" ?\r?\n")
# a CR that is text: no LF follows, and one may not follow in the next piece either
_TEXT_CR = re.compile(rb"\r(?=[^\n])")
# line ends that are hashed at once
_MANY = 10_000


class BodyHash:
    """SHA-256 over the canonical body. ``relaxed`` or simple; ``limit``: so many octets of it only (``l=``)."""

    def __init__(self, relaxed: bool = True, limit: int | None = None) -> None:
        self._relaxed = relaxed
        self._left = limit
        self._hash = hashlib.sha256()
        # what the end of the body would drop: empty lines, and a blank or a CR whose line is not over
        self._ends = 0
        self._held = b""
        self._any = False

    def feed(self, data: bytes) -> None:
        """More of the body, any number of octets."""
        data = self._held + data
        text = data.rstrip(b" \t\r\n" if self._relaxed else b"\r\n")
        tail = data[len(text) :]
        cut = 0
        for found in _TEXT_CR.finditer(tail):
            cut = found.end()
        if cut:
            text, tail = data[: len(text) + cut], tail[cut:]
        if text:
            self._flush()
            self._update(self._canonical(text))
        tail = self._canonical(tail)
        self._ends += tail.count(b"\n")
        self._held = tail[tail.rfind(b"\n") + 1 :]

    def digest(self) -> bytes:
        """32 octets, once all was fed."""
        if b"\r" in self._held or (self._held and not self._relaxed):
            held, self._held = self._held, b""
            self._flush()
            self._update(held)
        if self._any or not self._relaxed:
            self._update(b"\r\n")
        return self._hash.digest()

    def _canonical(self, data: bytes) -> bytes:
        if self._relaxed:
            return _RELAXED_ENDS.sub(b"\r\n", _BLANKS.sub(b" ", data))
        return _ENDS.sub(b"\r\n", data)

    def _flush(self) -> None:
        ends, self._ends = self._ends, 0
        while ends > 0:
            self._update(b"\r\n" * min(ends, _MANY))
            ends -= _MANY

    def _update(self, data: bytes) -> None:
        self._any = True
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        self._hash.update(data)
