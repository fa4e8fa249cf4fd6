"""The body on its way out: dot-stuffing that knows no seams, and the bodies that must not go by DATA.

RFC 5321 section 4.5.2: a line that begins with a dot gets another one. Only CRLF ends a line; everything else goes out
as it is. Writes nothing to disk.
"""

from __future__ import annotations

import re

END = b"\r\n.\r\n"

# a dot alone between line ends of which one is a bare CR or LF: a lenient peer could take it for the end of data
_LONE = re.compile(rb"(?<!\r)\n\.(?=[\r\n])|\r\.(?=[\r\n])|\r\n\.(?=\n|\r(?!\n))")


class Stuffer:
    """Stuffs a body that comes in chunks of any size. ``start_of_line`` is the state between two chunks."""

    def __init__(self) -> None:
        # the last octets of what went by, at most two; a body begins at the start of a line
        self._tail = b"\r\n"

    def chunk(self, data: bytes) -> bytes:
        if not data:
            return b""
        first = b"." if self._tail == b"\r\n" and data[0] == 0x2E else b""
        # a CRLF split between chunks, whose dot is in this one
        if self._tail[-1:] == b"\r" and data[:2] == b"\n.":
            out = b"\n.." + data[2:].replace(b"\r\n.", b"\r\n..")
        else:
            out = first + data.replace(b"\r\n.", b"\r\n..")
        self._tail = (self._tail + data)[-2:]
        return out

    def end(self) -> bytes:
        """The end of data; a last line that lacks its end gets one."""
        return b".\r\n" if self._tail == b"\r\n" else END


class LoneDots:
    """Looks for a lone dot between bare CR or LF in a body that comes in chunks."""

    # an octet to look behind, CR, LF, the dot, and a CR that may be half of a CRLF
    _KEEP = 6

    def __init__(self) -> None:
        # a body begins at the start of a line; the first octet of the tail is only looked behind at
        self._tail = b" \r\n"
        self.found = False

    def chunk(self, data: bytes) -> None:
        if self.found or not data:
            return
        window = self._tail + data
        self._tail = window[-self._KEEP :]
        # two searches for fixed strings are far cheaper than the expression, and mostly all there is to do
        if b"\n." in window or b"\r." in window:
            # what is decided by an octet still to come is looked at again with the next chunk
            last = max(0, len(window) - 2)
            self.found = any(match.end() <= last for match in _LONE.finditer(window, 1))

    def end(self) -> bool:
        """Whether the whole body, closed as DATA closes it, holds one."""
        if not self.found:
            closing = b"" if self._tail.endswith(b"\r\n") else b"\r\n"
            self.found = _LONE.search(self._tail + closing, 1) is not None
        return self.found
