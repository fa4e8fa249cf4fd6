"""Bodies as they come in: the end of DATA found across any split of the bytes (RFC 5321 4.5.2), and BDAT (RFC 3030).

Only CRLF.CRLF ends DATA. No work is done per line: one search, one replacement and three counts per piece.
"""

from __future__ import annotations

from stratamail.smtp.server_events import End
from stratamail.smtp.server_replies import BAD_ARGUMENT, Refusal

_END = b"\r\n.\r\n"


class DataReader:
    """Takes what follows 354 and gives the message without its dot-stuffing. ``bare``: a CR or LF stood alone."""

    __slots__ = ("_fresh", "_held", "bare")

    def __init__(self) -> None:
        # the line end of the DATA command itself: a dot on the first line ends (or stuffs) the body too
        self._held = b"\r\n"
        self._fresh = True
        self.bare = False

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """``(octets, rest)``: ``rest`` is None while the body goes on, else what came after the final dot."""
        data = self._held + data
        end = data.find(_END)
        rest: bytes | None = None
        if end >= 0:
            rest = data[end + 5 :]
            data = data[: end + 2]
        else:
            keep = _undecided(data)
            self._held = data[len(data) - keep :] if keep else b""
            if keep:
                data = data[:-keep]
        if b"\r\n." in data:
            data = data.replace(b"\r\n.", b"\r\n")
        if self._fresh and data:
            data = data[2:]
            self._fresh = False
        if not self.bare and data:
            lines = data.count(b"\r\n")
            self.bare = data.count(b"\n") != lines or data.count(b"\r") != lines
        return data, rest


def _undecided(data: bytes) -> int:
    """How many octets at the end may be the beginning of the end. So a CRLF is never split over two pieces."""
    last = data[-1:]
    if last == b"\r":
        return 4 if data.endswith(b"\r\n.\r") else 1
    if last == b"\n":
        return 2 if data.endswith(b"\r\n") else 0
    if last == b".":
        return 3 if data.endswith(b"\r\n.") else 0
    return 0


class ChunkCounter:
    """Finds bare CR and LF in a body that comes in chunks of any size."""

    __slots__ = ("_cr", "bare")

    def __init__(self) -> None:
        self._cr = False
        self.bare = False

    def feed(self, data: bytes) -> None:
        if self.bare or not data:
            return
        if self._cr:
            data = b"\r" + data
        self._cr = data.endswith(b"\r")
        lines = data.count(b"\r\n")
        if data.count(b"\n") != lines or data.count(b"\r") - self._cr != lines:
            self.bare = True

    def finish(self) -> None:
        """The body is over: a CR at its very end stood alone."""
        self.bare = self.bare or self._cr


class Incoming:
    """One body, by DATA or BDAT: what of it is within ``limit`` octets, and what the engine says of it at its end."""

    __slots__ = ("_chunks", "_limit", "_reader", "size")

    def __init__(self, limit: int, chunking: bool) -> None:
        self._limit = limit
        self._reader = None if chunking else DataReader()
        self._chunks = ChunkCounter() if chunking else None
        self.size = 0

    @property
    def oversize(self) -> bool:
        return self.size > self._limit

    def data(self, data: bytes) -> tuple[bytes, bytes | None]:
        """As :meth:`DataReader.feed`, cut at the limit."""
        if self._reader is None:
            raise RuntimeError("this body comes by BDAT")
        data, rest = self._reader.feed(data)
        return self._within(data), rest

    def chunk(self, data: bytes) -> bytes:
        if self._chunks is not None:
            self._chunks.feed(data)
        return self._within(data)

    def end(self) -> End:
        if self._chunks is not None:
            self._chunks.finish()
        bare = self._chunks.bare if self._chunks is not None else self._reader is not None and self._reader.bare
        return End(self.size, bare, self.oversize)

    def _within(self, data: bytes) -> bytes:
        self.size += len(data)
        over = self.size - self._limit
        return data if over <= 0 else data[: max(0, len(data) - over)]


def parse_bdat(argument: bytes) -> tuple[int, bool]:
    """``(octets, last)`` of a BDAT command."""
    words = argument.split()
    if not words or len(words) > 2 or not words[0].isdigit() or len(words[0]) > 18:
        raise Refusal(BAD_ARGUMENT)
    if len(words) == 2 and words[1].upper() != b"LAST":
        raise Refusal(BAD_ARGUMENT)
    return int(words[0]), len(words) == 2
