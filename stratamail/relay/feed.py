"""What a lane sends next: pages of the queue, read ahead into a bounded queue, small bodies too. In memory only; the
truth is in the rows.

In order of arrival, but for one thing: where a page is full of a few mailboxes' mail, the oldest of each of the others
come in between, so that a flood for one keeps nobody else waiting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby, zip_longest

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, DeferredQueue

from stratamail.relay.content import Whole
from stratamail.store.model import Delivery, Message

# messages read ahead
AHEAD = 64
# rows of a page that tell something of who else waits
FULL = 50
# recipients of one transaction (RFC 5321 section 4.5.3.1.8: every server takes as many)
RECIPIENTS = 100


@frozen
class Candidate:
    """A transaction to be: deliveries of one message, and the message, when it is small enough to be at hand."""

    group: list[Delivery]
    whole: Whole | None = None


def groups(page: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    """A page as transactions: the recipients of one message, at most a hundred at a time."""
    for _, rows in groupby(page, key=lambda one: one.message.seq):
        together = list(rows)
        for start in range(0, len(together), RECIPIENTS):
            yield together[start : start + RECIPIENTS]


def flooded(page: Sequence[Delivery]) -> bool:
    """Whether a page is full of the mail of a few: more than two messages for each of its mailboxes."""
    return len(page) >= FULL and 2 * len({one.key for one in page}) < len(page)


def woven(first: Sequence[list[Delivery]], second: Sequence[list[Delivery]]) -> list[list[Delivery]]:
    """One of each in turn."""
    return [one for pair in zip_longest(first, second) for one in pair if one is not None]


class Feed:
    """``page(after)`` reads the rows above a seq; an empty one ends the feed. ``heads(after)`` reads the oldest of each
    mailbox that has nothing up to that seq and id. ``load(messages)`` gives the small ones in full."""

    def __init__(
        self,
        page: Callable[[int], Awaitable[list[Delivery]]],
        heads: Callable[[tuple[int, int]], Awaitable[list[Delivery]]],
        load: Callable[[list[Message]], Awaitable[list[Whole | None]]],
    ) -> None:
        self._page = page
        self._heads = heads
        # ids of rows above the page that have been given already
        self._given: set[int] = set()
        self._load = load
        self._queue: DeferredQueue[Candidate | Exception | None] = DeferredQueue(size=AHEAD + 2, backlog=1)
        self._room: Deferred[None] | None = None
        self._task = Deferred.fromCoroutine(self._fill())
        self._task.addErrback(lambda failure: failure.trap(CancelledError))

    async def get(self) -> Candidate | None:
        """The next transaction; None at the end. Raises what reading the queue raised."""
        found = await self._queue.get()
        room, self._room = self._room, None
        if room is not None and len(self._queue.pending) <= AHEAD // 2:
            room.callback(None)
        else:
            self._room = room
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        self._task.cancel()

    async def _fair(self, page: Sequence[Delivery]) -> list[list[Delivery]]:
        """A page as transactions, with those of mailboxes that it would keep waiting."""
        last = page[-1].message.seq
        rest = [one for one in page if one.id not in self._given]
        self._given.difference_update(one.id for one in page)
        if not flooded(page):
            return list(groups(rest))
        ahead = await self._heads((last, max(one.id for one in page if one.message.seq == last)))
        others = [one for one in ahead if one.id not in self._given]
        self._given.update(one.id for one in others)
        return woven(list(groups(rest)), list(groups(others)))

    async def _fill(self) -> None:
        after = 0
        try:
            while page := await self._page(after):
                found = await self._fair(page)
                for start in range(0, len(found), AHEAD // 2):
                    some = found[start : start + AHEAD // 2]
                    if len(self._queue.pending) > AHEAD // 2:
                        self._room = Deferred()
                        await self._room
                    wholes = await self._load([group[0].message for group in some])
                    for group, whole in zip(some, wholes, strict=True):
                        self._queue.put(Candidate(group, whole))
                after = page[-1].message.seq
        except CancelledError:
            raise
        except Exception as error:
            self._queue.put(error)
            return
        self._queue.put(None)
