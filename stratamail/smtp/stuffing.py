"""The body on its way out: dot-stuffing that knows no seams, and the bodies that must not go by DATA.

RFC 5321 section 4.5.2: a line that begins with a dot gets another one. Only CRLF ends a line; everything else goes out
as it is. Writes nothing to disk.
"""

from __future__ import annotations

import re

END = b"\r\n.\r\n"

# a dot alone between line ends of which one is a bare CR or LF: a lenient peer could take it for the end of data
_LONE = re.compile(rb"(?:(?<!\r)\n|\r(?!\n))\.(?=[\r\n]|\Z)|\r\n\.(?:\n|\r(?!\n))|\A\.(?:\n|\r(?!\n))")


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

    # enough to hold CR, LF, the dot and what follows it
    _KEEP = 4

    def __init__(self) -> None:
        self._tail = b""
        self._begun = False
        self.found = False

    def chunk(self, data: bytes) -> None:
        if self.found or not data:
            return
        # a CRLF before the body: its beginning is the beginning of a line, and of nothing else that we join
        window = (self._tail if self._begun else b"\r\n") + data
        for match in _LONE.finditer(window):
            # a dot at the very end is judged with what follows it; so is a CR that may be half of a CRLF
            if match.end() < len(window) - 1:
                self.found = True
                return
        self._begun = True
        self._tail = window[-self._KEEP :]

    def end(self) -> bool:
        """Whether the whole body, closed as DATA closes it, holds one."""
        if not self.found:
            window = self._tail if self._begun else b"\r\n"
            closing = b"" if window.endswith(b"\r\n") else b"\r\n"
            self.found = _LONE.search(window + closing + b"x") is not None
        return self.found
