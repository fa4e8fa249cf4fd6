"""``mailbox restore``: what a person deleted comes back, as asked for in the queue's table of restores.

What they moved to a shared mailbox was not deleted, and stays there. Writes mailboxes (pool ``files``), and the rows
through the committer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.engine import Connection
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from stratamail.store import durable
from stratamail.store.layout import Layout
from stratamail.store.mailboxes import Mailboxes
from stratamail.store.model import Message
from stratamail.store.placing import arrival
from stratamail.store.pool import Pool
from stratamail.store.queue import alerts, restores
from stratamail.store.queue.restores import Restore
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Mailbox

# messages compared with a mailbox in one hop
PAGE = 5000
Access = Callable[[Callable[[Connection], Any]], Awaitable[Any]]


class Restoring:
    """``read`` and ``write`` run a function with a connection (a reader; the committer); ``now`` gives µs."""

    log = Logger()

    def __init__(
        self,
        layout: Layout,
        directory: Callable[[], Directory],
        mailboxes: Mailboxes,
        read: Access,
        write: Access,
        files: Pool,
        disk: Pool,
        now: Callable[[], int],
    ) -> None:
        self._layout = layout
        self._directory = directory
        self._mailboxes = mailboxes
        self._read = read
        self._write = write
        self._files = files
        self._disk = disk
        self._now = now

    async def work(self) -> None:
        """Do what was asked for and not done yet. One that fails is told, and done at the next start or the next time
        somebody asks; it keeps no other waiting."""
        pending: list[Restore] = await self._read(restores.pending)
        for one in pending:
            try:
                number = await self._restore(one)
                await self._done(one, number)
            except CancelledError:
                raise
            except Exception as error:
                self.log.failure("a mailbox could not be restored, again later")
                await self._tell(one, f"A mailbox could not be restored: {error}")

    async def _restore(self, asked: Restore) -> int:
        number = after = 0
        while True:
            mailbox = self._directory().mailbox_by_id(asked.mailbox)
            if mailbox is None:
                return number
            found = await self._page(asked, after)
            if not found:
                return number
            after = found[-1].seq
            number += await self._bring_back(mailbox, found)

    async def _page(self, asked: Restore, after: int) -> list[Message]:
        found: list[Message] = await self._read(lambda conn: restores.page(conn, asked, after, PAGE))
        return found

    async def _bring_back(self, mailbox: Mailbox, found: list[Message]) -> int:
        moved: set[str] = set()
        for other in self._directory().beside(mailbox):
            # what was given to both is no sign of a move
            ids = {message.id for message in found if other.id not in message.mailboxes}
            moved |= await self._files.run(self._mailboxes.which, other.address, ids)
        by_folder: dict[str, list[Message]] = {}
        for message in found:
            if message.id not in moved:
                by_folder.setdefault(message.folder, []).append(message)
        number = 0
        for folder, some in by_folder.items():
            arrivals = [arrival(message, self._layout.message(message.id)) for message in some]
            name = (folder,) if folder else ()
            count, folders = await self._files.run(self._mailboxes.restore, mailbox.address, arrivals, *name)
            if folders:
                await self._disk.run(durable.sync_many, self._layout.state, [], folders)
            number += count
        return number

    async def _done(self, asked: Restore, number: int) -> None:
        now = self._now()
        await self._write(lambda conn: restores.done(conn, asked.id, now, number))

    async def _tell(self, asked: Restore, text: str) -> None:
        now = self._now()
        await self._write(lambda conn: alerts.add(conn, now, "", "restore", f"restore/{asked.id}", text))
