"""The background work that fills the full-text indexes: mailboxes one after the other, gently.

Writes ``search.sqlite`` of each mailbox (:mod:`stratamail.shadow.filling`) in a pool of its own with one thread. Works
in steps of some milliseconds, with rests between them that are long while mail comes. What is done is in the file with
the documents themselves: a crash costs one step. Stops at the disk reserve, like all caches. Since it reads the
messages, it makes their digests too, which the mailboxes keep (``Mailboxes.keep_summaries``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from stratamail.mail.reply import DiskFull
from stratamail.shadow.filling import Digests, Work
from stratamail.store.fulltext import NAME, Unusable, remove_file
from stratamail.store.layout import Layout
from stratamail.store.mailbox_values import Added, Change, Flagged, MailboxError, Removed
from stratamail.store.pool import Pool, PoolStopped

STEP = 0.03
"""Seconds of work at a time."""
EASY, BUSY = 0.5, 40.0
"""How long it rests, in lengths of the step before, when nothing happens, and while much mail comes; in between it is
EASY and one length more for each message a second."""
LOOK = 1.0
PAUSE = 60.0
"""Seconds until the next look, when there is nothing to do, and when the disk is full or a file cannot be written."""
SWEEP_AFTER = 600.0
"""What was expunged leaves the index within so many seconds or, when nobody was there to notice, when there are more
documents than messages."""


class Clock(Protocol):
    def seconds(self) -> float: ...

    def callLater(self, delay: float, function: Callable[..., object], *args: Any) -> IDelayedCall: ...


class Indexing:
    """``note`` and ``told`` may be called from any thread; the rest from the reactor's. ``allows`` tells whether the
    disk has room; ``keep`` takes (address, folder, UIDVALIDITY, digests by UID)."""

    log = Logger()

    def __init__(
        self,
        layout: Layout,
        pool: Pool,
        clock: Clock,
        allows: Callable[[], bool] = lambda: True,
        keep: Callable[[str, str, int, Digests], Awaitable[object]] | None = None,
    ) -> None:
        self._layout = layout
        self._pool = pool
        self._clock = clock
        self._allows = allows
        self._keep = keep
        self._dirty: dict[str, None] = {}
        self._all: Iterator[str] = iter(())
        # those that were looked through once, and those that lost messages with the time until which they wait
        self._visited: set[str] = set()
        self._removed: dict[str, float] = {}
        self._heard = 0
        self._known = 0
        self._looked = 0.0
        self._work: Work | None = None
        self._timer: IDelayedCall | None = None
        self._step: Deferred[None] | None = None
        self._stopping = False

    def start(self, addresses: Iterable[str] = ()) -> None:
        """Begin; ``addresses`` are looked through when nothing else is to do."""
        self._stopping = False
        self._all = iter(addresses)
        self._timer = self._clock.callLater(LOOK, self._next)

    async def stop(self) -> None:
        """Ends after the step in hand."""
        self._stopping = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._step is not None:
            await self._step
        if self._work is not None:
            await self._pool.run(self._work.close)
            self._work = None

    def note(self, address: str) -> None:
        """There may be something new in a mailbox."""
        self._dirty[address] = None

    def told(self, address: str, folder: str, change: Change) -> None:
        """As a listener of the mailboxes."""
        if isinstance(change, Flagged):
            return
        if not isinstance(change, Added):
            self._removed.setdefault(address, self._clock.seconds() + SWEEP_AFTER)
        if not isinstance(change, Removed):
            self._heard += max(1, len(change.rows)) if isinstance(change, Added) else 1
            self._dirty[address] = None

    def _next(self) -> None:
        address = _first(self._dirty) or self._due() or next(self._all, None)
        if address is None or not self._allows():
            self._timer = self._clock.callLater(LOOK if address is None else PAUSE, self._next)
            return
        self._step = Deferred.fromCoroutine(self._do(address))

    def _due(self) -> str | None:
        address = _first(self._removed)
        return address if address is not None and self._removed[address] <= self._clock.seconds() else None

    async def _do(self, address: str) -> None:
        rest = LOOK
        due = self._removed.get(address)
        sweep = None if address not in self._visited else due is not None and due <= self._clock.seconds()
        try:
            # what comes from now on is for the next round
            self._dirty.pop(address, None)
            more, took, digests = await self._pool.run(self._advance, address, sweep)
            for (folder, uidvalidity), some in digests.items():
                await self._kept(address, folder, uidvalidity, some)
            if more:
                self._dirty[address] = None
            elif sweep is None:
                self._visited.add(address)
            elif sweep:
                self._removed.pop(address, None)
            rest = took * self._patience()
        except PoolStopped:
            return
        except Exception:
            self.log.failure("the full-text index of {address} cannot be filled now", Failure(), address=address)
            self._dirty[address] = None
            rest = PAUSE
        if not self._stopping:
            self._timer = self._clock.callLater(rest, self._next)

    def _patience(self) -> float:
        now, heard = self._clock.seconds(), self._heard
        rate = (heard - self._known) / max(now - self._looked, 0.01)
        self._known, self._looked = heard, now
        return min(EASY + rate, BUSY)

    async def _kept(self, address: str, folder: str, uidvalidity: int, digests: Digests) -> None:
        """It is a cache: when it cannot be written, the folder being gone or the disk full, it is not."""
        try:
            if self._keep is not None:
                await self._keep(address, folder, uidvalidity, digests)
        except (MailboxError, DiskFull):
            pass

    # in the pool's thread

    def _advance(self, address: str, sweep: bool | None) -> tuple[bool, float, dict[tuple[str, int], Digests]]:
        """(whether there is more to do, seconds it took, digests of messages by folder and UIDVALIDITY)."""
        begun = time.monotonic()
        root = self._layout.mailbox(address)
        work = self._work
        if work is not None and (work.root != root or not work.current):
            work.close()
            work = self._work = None
        if work is None:
            try:
                work = self._work = Work(root, self._layout.message)
            except FileNotFoundError:
                return False, time.monotonic() - begun, {}
        try:
            more = work.step(begun + STEP, sweep)
        except Unusable:
            work.close()
            self._work = None
            self.log.warn("the full-text index of {address} is broken and made again", address=address)
            remove_file(os.path.join(root, NAME))
            more = True
        digests, work.digests = work.digests, {}
        if not more:
            work.close()
            self._work = None
        return more, time.monotonic() - begun, digests


def _first(waiting: dict[str, Any]) -> str | None:
    """The oldest entry of what other threads add to."""
    try:
        return next(iter(waiting), None)
    except RuntimeError:
        return list(waiting)[0]
