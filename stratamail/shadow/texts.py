"""One text of each message of a folder as a column: all of them in one piece of memory, with offsets.

Touches no disk. Appending may go on in one thread while others read: they see what was there when they began.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, compress

WINDOW = 1 << 20
"""So many octets are looked through at one go: other threads wait that long."""


class Texts:
    """UTF-8 texts without NUL, by position."""

    __slots__ = ("data", "ends")

    def __init__(self) -> None:
        self.data = bytearray()
        # of each text, the offset behind the NUL that ends it
        self.ends = array("I")

    def extend(self, texts: Sequence[bytes]) -> None:
        if texts:
            before = len(self.data)
            self.data += b"\0".join(texts) + b"\0"
            ends = accumulate([len(text) + 1 for text in texts], initial=before)
            next(ends)
            self.ends.extend(ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, position: int) -> bytes:
        start = self.ends[position - 1] if position else 0
        return bytes(self.data[start : self.ends[position] - 1])

    def all(self) -> list[bytes]:
        size = len(self.ends)
        return bytes(self.data[: self.ends[-1] - 1]).split(b"\0") if size else []

    def find(self, needle: bytes) -> list[int]:
        """The positions of the texts that hold ``needle`` (not empty), ascending."""
        if b"\0" in needle or not self.ends:
            return []
        data, ends = self.data, self.ends
        find, overlap, size = data.find, len(needle) - 1, ends[-1]
        out: list[int] = []
        at = 0
        for start in range(0, size, WINDOW):
            stop = min(start + WINDOW + overlap, size)
            # behind the last text that was found
            at = find(needle, max(at, start), stop)
            while at >= 0:
                position = bisect_right(ends, at)
                out.append(position)
                at = find(needle, ends[position], stop)
            at = ends[out[-1]] if out else 0
        return out

    def only(self, kept: bytearray) -> Texts:
        """A copy with those whose octet in ``kept`` is not 0."""
        new = Texts()
        new.extend(list(compress(self.all(), kept)))
        return new
