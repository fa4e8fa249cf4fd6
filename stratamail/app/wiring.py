"""What capabilities need of each other and may not know: the queue by a connection, the figures of an outage."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.engine import Connection, Engine
from twisted.internet.defer import Deferred

from stratamail.store import database
from stratamail.store.mailboxes import Mailboxes
from stratamail.store.maildir import ANSWERED, SEEN
from stratamail.store.pool import Pool
from stratamail.store.queue import events
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Mailbox

T = TypeVar("T")


class Reader:
    """Calls a function with a reading connection, in a thread of ``pool``."""

    def __init__(self, engine: Engine, pool: Pool) -> None:
        self._engine = engine
        self._pool = pool

    def __call__(self, function: Callable[[Connection], T]) -> Deferred[T]:
        return self._pool.run(self._read, function)

    def _read(self, function: Callable[[Connection], T]) -> T:
        with database.reading(self._engine) as conn:
            return function(conn)


class Figures:
    """Messages read and answered in an outage, from the mailboxes of its domain."""

    def __init__(
        self,
        directory: Callable[[], Directory],
        mailboxes: Mailboxes,
        read: Reader,
        files: Pool,
    ) -> None:
        self._directory = directory
        self._mailboxes = mailboxes
        self._read = read
        self._files = files

    async def __call__(self, event: events.Event) -> tuple[int, int]:
        concerned = await self._read(lambda conn: _mailboxes(conn, event))
        read = answered = 0
        for id, ids in sorted(concerned.items()):
            mailbox = self._directory().mailbox_by_id(id)
            if mailbox is None:
                continue
            flags = await self._flags(mailbox, ids)
            for other in self._directory().beside(mailbox):
                # what was moved there, and not what was given to both
                flags |= await self._flags(other, ids - flags.keys() - concerned.get(other.id, set()))
            read += sum(1 for bits in flags.values() if bits & SEEN)
            answered += sum(1 for bits in flags.values() if bits & ANSWERED)
        return read, answered

    def _flags(self, mailbox: Mailbox, ids: set[str]) -> Deferred[dict[str, int]]:
        """One mailbox a hop: arrivals are filed in between."""
        return self._files.run(self._mailboxes.tally, mailbox.address, ids)


def _mailboxes(conn: Connection, event: events.Event) -> dict[int, set[str]]:
    """Mailbox id → the messages of the event that it was given."""
    found: dict[int, set[str]] = {}
    for message, ids in events.message_ids(conn, event):
        for id in ids.split(","):
            if id:
                found.setdefault(int(id), set()).add(message)
    return found
