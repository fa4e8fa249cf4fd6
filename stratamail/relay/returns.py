"""Now and then: what was held for an unknown user goes back to a proven sender, when its domain's time is over.

Writes through the committer; the reports themselves are ``relay.notices``'.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.engine import Connection
from twisted.internet.interfaces import IReactorTime

from stratamail.relay.records import Access
from stratamail.store.queue import returns
from stratamail.tenancy.directory import Directory

# seconds between two looks
_EVERY = 60.0


class Returns:
    def __init__(self, reactor: IReactorTime, directory: Callable[[], Directory], read: Access, write: Access) -> None:
        self._reactor = reactor
        self._directory = directory
        self._read = read
        self._write = write
        self._looked = -_EVERY

    async def work(self) -> None:
        """Look, when the last look is long enough ago."""
        seconds = self._reactor.seconds()
        if 0 <= seconds - self._looked < _EVERY:
            return
        self._looked = seconds
        now = round(seconds * 1_000_000)
        for domain in self._directory().domains():
            if domain.return_after:
                await self._domain(domain.name, now, now - domain.return_after * 1_000_000)

    async def _domain(self, name: str, now: int, before: int) -> None:
        last = 0
        while True:

            def look(conn: Connection, after: int = last) -> tuple[list[int], int]:
                return returns.due(conn, name, before, after)

            found: tuple[list[int], int] = await self._read(look)
            ids, last = found
            if ids:

                def change(conn: Connection, ids: list[int] = ids) -> int:
                    return returns.give_back(conn, name, ids, now)

                await self._write(change)
            if not last:
                return
