"""What a lane sends next: pages of the queue, read ahead into a bounded queue. In memory only; the truth is in the
rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby

from twisted.internet.defer import CancelledError, Deferred, DeferredQueue

from stratamail.store.model import Delivery

# messages read ahead
AHEAD = 64
# recipients of one transaction (RFC 5321 section 4.5.3.1.8: every server takes as many)
RECIPIENTS = 100


def groups(page: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    """A page as transactions: the recipients of one message, at most a hundred at a time."""
    for _, rows in groupby(page, key=lambda one: one.message.seq):
        together = list(rows)
        for start in range(0, len(together), RECIPIENTS):
            yield together[start : start + RECIPIENTS]


class Feed:
    """``page(after)`` reads the rows above a seq; an empty one ends the feed."""

    def __init__(self, page: Callable[[int], Awaitable[list[Delivery]]]) -> None:
        self._page = page
        self._queue: DeferredQueue[list[Delivery] | Exception | None] = DeferredQueue(size=AHEAD + 2, backlog=1)
        self._room: Deferred[None] | None = None
        self._task = Deferred.fromCoroutine(self._fill())
        self._task.addErrback(lambda failure: failure.trap(CancelledError))

    async def get(self) -> list[Delivery] | None:
        """The next transaction; None at the end. Raises what reading the queue raised."""
        found = await self._queue.get()
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        self._task.cancel()

    async def _fill(self) -> None:
        after = 0
        try:
            while page := await self._page(after):
                for group in groups(page):
                    if len(self._queue.pending) >= AHEAD:
                        self._room = Deferred()
                        await self._room
                    self._queue.put(group)
                after = page[-1].message.seq
        except CancelledError:
            raise
        except Exception as error:
            self._queue.put(error)
            return
        self._queue.put(None)
