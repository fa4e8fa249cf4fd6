"""The picture of the catalog that every room looks at, and what a change of it sets in motion.

Enrolment takes effect in the order that loses no mail: the new picture is in force, every capture that resolved its
recipients by the old one has committed or failed, and only then is unclaimed mail claimed. Writes queue.sqlite through
the committer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import select
from sqlalchemy.engine import Engine
from twisted.logger import Logger

from stratamail.store import database
from stratamail.store.catalog import directory as reader
from stratamail.store.catalog.mailboxes import password_hash
from stratamail.store.pool import Pool
from stratamail.store.queue.schema import unclaimed
from stratamail.tenancy.directory import Directory

Claim = Callable[[int, Sequence[str]], Awaitable[object]]


class Catalog:
    """``directory`` is today's; ``reload`` replaces it whole or not at all."""

    log = Logger()

    def __init__(self, catalog: Engine, queue: Engine, pool: Pool) -> None:
        self._catalog = catalog
        self._queue = queue
        self._pool = pool
        self._directory = Directory([], [], [])
        self._asked = 0
        self._shown = 0

    @property
    def directory(self) -> Directory:
        return self._directory

    def current(self) -> Directory:
        """``directory`` as a callable, for rooms that must not keep it."""
        return self._directory

    async def reload(self) -> set[int]:
        """Read the catalog anew; ids of the mailboxes that may no longer be signed in to."""
        self._asked += 1
        number = self._asked
        new = await self._pool.run(self._load)
        if number < self._shown:
            # a picture that was taken after this one is in force already
            return set()
        self._shown = number
        old, self._directory = self._directory, new
        return {box.id for box in old.mailboxes() if not _enabled(new, box.id)}

    def _load(self) -> Directory:
        with database.reading(self._catalog) as conn:
            return reader.load(conn)

    async def password_hash(self, mailbox: int) -> str | None:
        return await self._pool.run(self._password_hash, mailbox)

    def _password_hash(self, mailbox: int) -> str | None:
        with database.reading(self._catalog) as conn:
            return password_hash(conn, mailbox)

    async def claim(self, claim: Claim) -> None:
        """Give mail that nobody had claimed to the mailboxes that do now."""
        for mailbox, keys in sorted((await self._pool.run(self._claimable, self._directory)).items()):
            self.log.info("mail that came before its mailbox is claimed: {count} addresses", count=len(keys))
            await claim(mailbox, keys)

    def _claimable(self, directory: Directory) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        with database.reading(self._queue) as conn:
            for key in conn.execute(select(unclaimed.c.key).distinct()).scalars():
                mailbox = directory.mailbox_at(key)
                if mailbox is not None:
                    found.setdefault(mailbox.id, []).append(key)
        return found


def _enabled(directory: Directory, id: int) -> bool:
    mailbox = directory.mailbox_by_id(id)
    return mailbox is not None and mailbox.state == "enabled"
