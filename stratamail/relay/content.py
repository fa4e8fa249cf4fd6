"""A stored message on its way out: trace lines and body, its SHA-256 compared before the last octets leave.

Reads the spool (or the journal) in the ``disk`` pool; writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import BinaryIO, Protocol

from attrs import frozen

from stratamail.smtp.stuffing import LoneDots
from stratamail.store.bodies import MissingBody
from stratamail.store.model import Message
from stratamail.store.pool import Pool

PIECE = 256 * 1024


class Broken(Exception):
    """The stored octets are not those that were captured: nothing may go out in their name."""


class Bodies(Protocol):
    def open(self, message: Message) -> BinaryIO:
        """The file of a message, at its beginning. Raises ``store.bodies.MissingBody``."""


@frozen
class Whole:
    """A message in memory, its SHA-256 found to be that of its capture: ``data`` with the trace. ``lone_dot``: it may
    go by BDAT only."""

    data: bytes
    lone_dot: bool


# a larger message goes alone, read piece by piece
WHOLE = 64 * 1024


def load(bodies: Bodies, messages: Sequence[Message]) -> list[Whole | None]:
    """Read small messages. Blocks (disk pool). None: a larger one, or one that cannot be read now; who sends it will
    hear why."""
    return [_load(bodies, message) for message in messages]


def _load(bodies: Bodies, message: Message) -> Whole | None:
    size = message.trace_size + message.size
    if size > WHOLE:
        return None
    try:
        with bodies.open(message) as file:
            data = file.read(size + 1)
    except (MissingBody, OSError):
        return None
    if len(data) != size or hashlib.sha256(data[message.trace_size :]).hexdigest() != message.sha256:
        return None
    dots = LoneDots()
    dots.chunk(data)
    return Whole(data, dots.end())


class Stored:
    """``size`` octets to send, trace included. ``lone_dot``: it may go by BDAT only (known after :meth:`open`)."""

    def __init__(self, message: Message, bodies: Bodies, disk: Pool) -> None:
        self._message = message
        self._bodies = bodies
        self._disk = disk
        self._file: BinaryIO | None = None
        self._first: bytes | None = None
        self._read = 0
        self._hash = hashlib.sha256()
        self.size = message.trace_size + message.size
        self.lone_dot: bool | None = None

    @property
    def sha256(self) -> str:
        """Over the octets as they came, known when all have been read."""
        return self._hash.hexdigest()

    async def open(self, look: bool) -> None:
        """Open it; with ``look`` the whole is searched for a lone dot between bare line ends. Raises ``MissingBody``,
        OSError."""
        self._first, self.lone_dot = await self._disk.run(self._open, look)

    def _open(self, look: bool) -> tuple[bytes, bool | None]:
        self._file = self._bodies.open(self._message)
        found: bool | None = None
        if look:
            dots = LoneDots()
            while piece := self._file.read(PIECE):
                dots.chunk(piece)
            found = dots.end()
            self._file.seek(0)
        return self._take(), found

    def _take(self) -> bytes:
        """The next piece, hashed; the last one is refused when the whole is not what was captured."""
        assert self._file is not None
        piece = self._file.read(PIECE)
        skip = max(0, self._message.trace_size - self._read)
        self._read += len(piece)
        self._hash.update(piece[skip:])
        if self._read > self.size or (not piece and self._read < self.size):
            raise Broken(f"the stored message {self._message.id} has {self._read} octets, not {self.size}")
        if self._read == self.size and self._hash.hexdigest() != self._message.sha256:
            raise Broken(f"the stored message {self._message.id} is not what was captured (SHA-256 differs)")
        return piece

    async def read(self) -> bytes:
        first, self._first = self._first, None
        if first is not None:
            return first
        return await self._disk.run(self._take)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
