"""Named counters that never repeat or go back. Writes the table counters of queue.sqlite."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from sqlalchemy import select, text
from sqlalchemy.engine import Connection

from stratamail.store.queue.schema import counters

UIDVALIDITY = "uidvalidity"
_BLOCK = 256


def reserve(conn: Connection, name: str, count: int, floor: int = 0) -> int:
    """Take ``count`` numbers; the first of them, above everything taken before and at least ``floor``."""
    had = conn.execute(select(counters.c.value).where(counters.c.name == name)).scalar()
    first = max(1 if had is None else had + 1, floor)
    conn.execute(
        text(
            "INSERT INTO counters (name, value) VALUES (:name, :value) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        ),
        {"name": name, "value": first + count - 1},
    )
    return first


def add(conn: Connection, name: str, by: int = 1) -> None:
    """Count something worth keeping."""
    conn.execute(
        text(
            "INSERT INTO counters (name, value) VALUES (:name, :by) "
            "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
        ),
        {"name": name, "by": by},
    )


def value(conn: Connection, name: str) -> int:
    return int(conn.execute(select(counters.c.value).where(counters.c.name == name)).scalar() or 0)


class Writer(Protocol):
    """What a block is drawn through: the committer."""

    def write_from_thread(self, function: Callable[[Connection], int]) -> int: ...


class UidValidity:
    """Draws UIDVALIDITY values (RFC 3501 2.3.1.1: 32 bits, never given twice), durable before they are used.

    A block starts at the clock's second at least, so that a database restored from a backup cannot repeat one either.
    """

    def __init__(self, writer: Writer, seconds: Callable[[], float]) -> None:
        self._writer = writer
        self._seconds = seconds
        self._lock = threading.Lock()
        self._next = 0
        self._last = -1

    def draw(self) -> int:
        """The next value. Any thread but the reactor's and the committer's: a new block waits for a commit."""
        with self._lock:
            if self._next > self._last:
                floor = int(self._seconds())
                self._next = self._writer.write_from_thread(lambda conn: reserve(conn, UIDVALIDITY, _BLOCK, floor))
                self._last = self._next + _BLOCK - 1
            value = self._next
            self._next += 1
            return value
