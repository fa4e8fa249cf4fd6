"""What a lane writes down: marks before a message goes out, results after it, alerts. Until then the lane waits.

Writes ``deliveries`` and ``alerts`` through the committer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy.engine import Connection
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from stratamail.store.model import PRIMARY
from stratamail.store.queue import alerts, lanes
from stratamail.store.queue.lanes import Result

T = TypeVar("T")
Access = Callable[[Callable[[Connection], Any]], Awaitable[Any]]


class Records:
    """Of one lane. ``marked``: what is marked as being on its way; nobody else can take these marks off again.
    ``reports()`` is called when a result asks for a report to a sender."""

    log = Logger()

    def __init__(
        self, write: Access, reactor: IReactorTime, destination: str, name: str, reports: Callable[[], None]
    ) -> None:
        self.marked: list[int] = []
        self._write = write
        self._reactor = reactor
        self._destination = destination
        self._name = name
        self._reports = reports

    def _now(self) -> int:
        return round(self._reactor.seconds() * 1_000_000)

    async def alert(self, kind: str, text: str) -> None:
        """Told once a day for each kind of reply."""
        now = self._now()
        key = f"{kind}/{self._destination}/{self._name}/{' '.join(text.split()[:2])}/{now // 86_400_000_000}"
        domain = self._name if self._destination == PRIMARY else ""
        await self.commit(lambda conn: alerts.add(conn, now, domain, kind, key, f"{self._name}: {text}"))

    async def settle(
        self, results: Sequence[Result], ids: Sequence[int], back: Sequence[int] = ()
    ) -> tuple[list[lanes.Held], list[int]]:
        """In one commit: results, then ``back`` from held to queued, then marks on ``ids``. Gives what the results have
        put on hold, and what is marked."""
        if not results and not ids:
            return [], []
        now = self._now()
        tries = 0

        def work(conn: Connection) -> tuple[list[lanes.Held], list[int]]:
            nonlocal tries
            tries += 1
            if tries > 1:
                # a commit that failed may have been made all the same: a mark of that time is ours
                lanes.unmark(conn, ids)
            return lanes.settle(conn, results, now, ids, back)

        done: tuple[list[lanes.Held], list[int]] = await self.commit(work)
        settled = {result.id for result in results}
        self.marked = [one for one in self.marked if one not in settled] + done[1]
        if any(result.notice for result in results):
            self._reports()
        return done

    async def commit(self, work: Callable[[Connection], T]) -> T:
        """Until it is durable: a result that cannot be committed stays here, and the lane sends nothing meanwhile."""
        delay = 0.5
        while True:
            try:
                done: T = await self._write(work)
                return done
            except CancelledError:
                raise
            except Exception:
                self.log.failure(
                    "lane {name}: a result could not be committed, again in {delay} s", name=self._name, delay=delay
                )
            pause: Deferred[None] = Deferred()
            timer = self._reactor.callLater(delay, pause.callback, None)
            try:
                await pause
            finally:
                if timer.active():
                    timer.cancel()
            delay = min(30.0, delay * 2)
