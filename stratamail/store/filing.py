"""Filing: from the commit to the mailbox at once, and out of the journal when that is durable.

A batch is placed in the thread of the pool ``files`` (``store.placing``); then files and folders of many batches are
synced at once in the pool ``disk``, and the committer takes bodies and marks out of queue.sqlite. Until then a crash
costs nothing: ``store.replay`` does it again.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from attrs import define, field
from sqlalchemy.engine import Connection
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure as TwistedFailure

from stratamail.store import durable
from stratamail.store.committer import Committer
from stratamail.store.layout import Layout
from stratamail.store.model import APPENDED, Message
from stratamail.store.placing import Placed, Placing
from stratamail.store.pool import Pool
from stratamail.store.queue import alerts, messages
from stratamail.store.reserve import Reserve

# messages placed in one hop: many are cheaper each, and keep a session's changes of its mailbox waiting longer
BATCH = 500
# hops begin that far apart, seconds: what comes in meanwhile shares the next one
_PACE = 0.002
# while mail keeps coming in, filing leaves the machine to those who wait for their 250 for as long as each hop took
_LEAVE, _LEAVE_MOST = 1.0, 0.03
# with so many waiting it comes in faster than it can be filed: then for longer, while the second figure is not reached
BEHIND, FAR_BEHIND = 500, 20_000
_LEAVE_BEHIND, _LEAVE_MOST_BEHIND = 2.0, 0.25
# a sync begins after so long, or with so many messages or octets
SYNC_AFTER = 0.5
SYNC_MESSAGES = 2000
SYNC_BYTES = 32 * 1000 * 1000
# waits before what failed is tried again, seconds
_DISK_AGAIN = 1.0
_MAILBOX_AGAIN = 10.0


@define
class _Unsynced:
    """What was placed since the last sync."""

    messages: list[Message] = field(factory=list)
    folders: set[str] = field(factory=set)
    octets: int = 0

    def add(self, placed: Placed) -> None:
        self.messages += placed.done
        self.folders |= placed.folders
        self.octets += sum(message.size for message in placed.done)


class Filing:
    """Files what the committer commits, from :meth:`start` on. All methods are the reactor's."""

    def __init__(
        self,
        layout: Layout,
        committer: Committer,
        placing: Placing,
        files: Pool,
        disk: Pool,
        reactor: Any,
        reserve: Reserve | None = None,
    ) -> None:
        self.placing = placing
        self._layout = layout
        self._committer = committer
        self._files = files
        self._disk = disk
        self._reactor = reactor
        self._reserve = reserve
        self._queue: deque[tuple[Message, bool]] = deque()
        self._appended: dict[int, Message] = {}
        self._placing = False
        self._paused = False
        # no hop begins before this time; the timer for it
        self._rest_until = 0.0
        self._rest_timer: Any = None
        # whether anything was committed since the last hop began
        self._taking = False
        self._unsynced = _Unsynced()
        self._syncing = False
        self._sync_timer: Any = None
        self._retry_timer: Any = None
        self._stopping = False
        self._settled: list[Deferred[None]] = []
        self._log = Logger()

    # -- life

    def start(self) -> None:
        self._committer.listeners.append(self._committed)
        if self._reserve is not None:
            self._reserve.on_low = self._low

    def stop(self) -> Deferred[None]:
        """File and sync what was committed; call it when nothing commits any more and before the pools stop."""
        self._stopping = True
        if self._retry_timer is not None:
            self._retry_timer.cancel()
            self._retry_timer = None
        return self.settled()

    def settled(self) -> Deferred[None]:
        """Fires when all that can be filed is filed and durable; syncs now instead of gathering more."""
        done: Deferred[None] = Deferred()
        self._settled.append(done)
        # the caller may hear of a commit a moment before we do
        self._reactor.callLater(0, self._look)
        return done

    def _look(self) -> None:
        self._sync()
        self._settle()

    def _busy(self) -> bool:
        gathering = bool(self._queue or self._placing) and not (self._paused and self._stopping)
        return gathering or self._syncing or bool(self._unsynced.messages)

    # -- what comes in

    def _committed(self, committed: Sequence[Message]) -> None:
        self._taking = True
        for message in committed:
            if message.kind == APPENDED:
                # whoever appended it gives it its UID and says so; else the next start files it
                self._appended[message.seq] = message
            else:
                self._queue.append((message, False))
        self._place()

    def appended(self, seqs: Iterable[int]) -> None:
        """Appended messages are linked into their folders."""
        for seq in seqs:
            message = self._appended.pop(seq, None)
            if message is not None:
                self._queue.append((message, True))
        self._place()

    async def claim(self, mailbox: int, keys: Sequence[str]) -> int:
        """Enrolment: what is unclaimed under ``keys`` goes to ``mailbox``, once every capture that was under way has
        committed or failed. The number of messages; they are filed soon after."""
        await self._committer.barrier()

        def work(conn: Connection) -> list[Message]:
            return messages.by_seqs(conn, messages.claim(conn, mailbox, keys))

        claimed = await self._committer.write(work)
        self._queue.extend((message, False) for message in claimed)
        self._place()
        return len(claimed)

    # -- placing

    def _place(self) -> None:
        if self._placing or self._paused or self._rest_timer is not None or not self._queue:
            return
        # the clock may have been set back
        rest = min(self._rest_until - self._reactor.seconds(), _LEAVE_MOST_BEHIND)
        if rest > 0 and not self._stopping:
            self._rest_timer = self._reactor.callLater(rest, self._rested)
            return
        self._taking = False
        linked = self._queue[0][1]
        batch: list[Message] = []
        while self._queue and len(batch) < BATCH and self._queue[0][1] == linked:
            batch.append(self._queue.popleft()[0])
        self._placing = True
        self._spawn(self._place_batch(batch, linked))

    def _rest(self, began: float) -> None:
        """Under load, let the doors go first for a moment; a batch costs little more than a message."""
        ended = self._reactor.seconds()
        self._rest_until = began + _PACE
        if not self._taking or len(self._queue) >= FAR_BEHIND:
            return
        behind = len(self._queue) >= BEHIND
        leave, most = (_LEAVE_BEHIND, _LEAVE_MOST_BEHIND) if behind else (_LEAVE, _LEAVE_MOST)
        self._rest_until = max(self._rest_until, ended + min((ended - began) * leave, most))

    def _rested(self) -> None:
        self._rest_timer = None
        self._place()

    async def _place_batch(self, batch: list[Message], linked: bool) -> None:
        began = self._reactor.seconds()
        try:
            placed = await self._files.run(self.placing.place, batch, False, linked)
        except Exception as error:
            self._queue.extendleft((message, linked) for message in reversed(batch))
            self._paused = True
            self._disk_failed(error)
            self._reactor.callLater(_DISK_AGAIN, self._resume)
        else:
            self.placed(placed)
            self._rest(began)
        finally:
            self._placing = False
        self._place()
        self._settle()

    def _resume(self) -> None:
        self._paused = False
        self._place()

    def _disk_failed(self, error: Exception) -> None:
        self._log.critical("the spool cannot be written: {error}", error=error)
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if full and self._reserve is not None:
            self._reserve.release_ballast()

    def placed(self, placed: Placed) -> None:
        """Take over what was placed (also by a replay): sync it soon, tell of what is stuck or missing."""
        self._unsynced.add(placed)
        if placed.waiting:
            self._committer.filed(message.seq for message in placed.waiting)
        for address, why in placed.stuck.items():
            self._alert("mailbox-unfiled", f"{address} {why}", f"Mail for {address} cannot be filed: {why}")
        for message in placed.missing:
            self._committer.filed([message.seq])
            text = f"The stored message {message.id} is missing from the spool"
            self._alert("message-missing", message.id, text)
        if placed.stuck or self.placing.stuck:
            self._retry_later()
        if self._unsynced.messages:
            enough = len(self._unsynced.messages) >= SYNC_MESSAGES or self._unsynced.octets >= SYNC_BYTES
            if enough or self._stopping or self._settled:
                self._sync()
            elif self._sync_timer is None:
                self._sync_timer = self._reactor.callLater(SYNC_AFTER, self._sync_due)

    def _retry_later(self) -> None:
        if self._retry_timer is None and not self._stopping:
            self._retry_timer = self._reactor.callLater(_MAILBOX_AGAIN, self._retry)

    def _retry(self) -> None:
        self._retry_timer = None
        self._spawn(self._retry_stuck())

    async def _retry_stuck(self) -> None:
        try:
            placed = await self._files.run(self.placing.retry)
        except Exception as error:
            self._disk_failed(error)
            self._retry_later()
        else:
            self.placed(placed)

    # -- syncing

    def _sync_due(self) -> None:
        self._sync_timer = None
        self._sync()

    def _sync(self) -> None:
        if self._syncing or not self._unsynced.messages:
            return
        if self._sync_timer is not None:
            self._sync_timer.cancel()
            self._sync_timer = None
        batch, self._unsynced = self._unsynced, _Unsynced()
        self._syncing = True
        self._spawn(self._sync_batch(batch))

    async def _sync_batch(self, batch: _Unsynced) -> None:
        try:
            while not await self._try_sync(batch):
                if self._stopping:
                    # the marks stay, and the next start files it again
                    return
                await self._pause(_DISK_AGAIN)
            await self._take_out([message.seq for message in batch.messages])
            self._renew_ballast()
        finally:
            self._syncing = False
        self._sync_more()
        self._settle()

    async def _try_sync(self, batch: _Unsynced) -> bool:
        """Sync once. A failed sync is never repeated on the same files: they are written anew, and until that has
        worked nothing new is accepted."""
        files = [self._layout.message(message.id) for message in batch.messages]
        try:
            await self._disk.run(durable.sync_many, self._layout.state, files, batch.folders)
        except Exception as error:
            self._committer.refuse("sync-failed")
            self._disk_failed(error)
            self._alert("sync-failed", "sync-failed", f"The disk fails to make mail durable: {error}")
            try:
                placed = await self._files.run(self.placing.write_anew, batch.messages)
            except Exception as again:
                self._disk_failed(again)
            else:
                batch.folders |= placed.folders
            return False
        self._committer.accept()
        return True

    async def _take_out(self, seqs: list[int]) -> None:
        """Bodies leave the journal; a commit that fails is made again: the marks only cost a replay meanwhile."""
        while True:
            try:
                await self._committer.write(lambda conn: messages.mark_filed(conn, seqs))
                break
            except Exception as error:
                self._log.error("what was filed could not be marked so: {error}", error=error)
                if self._stopping:
                    break
                await self._pause(_DISK_AGAIN)
        self._committer.filed(seqs)

    def _sync_more(self) -> None:
        enough = len(self._unsynced.messages) >= SYNC_MESSAGES or self._unsynced.octets >= SYNC_BYTES
        if enough or self._stopping or self._settled:
            self._sync()
        elif self._unsynced.messages and self._sync_timer is None:
            self._sync_timer = self._reactor.callLater(SYNC_AFTER, self._sync_due)

    def _settle(self) -> None:
        if self._settled and not self._busy():
            waiting, self._settled = self._settled, []
            for done in waiting:
                done.callback(None)

    # -- small things

    def _low(self) -> None:
        text = "The disk reserve is reached: new mail is answered 452 until there is room again"
        self._log.critical(text)
        self._alert("disk-reserve", "reached", text)

    def _renew_ballast(self) -> None:
        """What was given up when the disk was full is made again when there is room."""
        if self._reserve is not None and self._reserve.released:
            making = self._disk.run(self._reserve.make_ballast)
            making.addErrback(lambda failure: self._log.warn("no ballast: {error}", error=failure.value))

    def _pause(self, seconds: float) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self._reactor.callLater(seconds, done.callback, None)
        return done

    def _alert(self, kind: str, key: str, text: str) -> None:
        now = int(self._reactor.seconds() * 1_000_000)
        day = now // 86_400_000_000
        writing = self._committer.write(lambda conn: alerts.add(conn, now, "", kind, f"{kind}/{key}/{day}", text))
        writing.addErrback(lambda failure: self._log.error("alert not stored: {text}", text=text))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(work).addErrback(self._broken)

    def _broken(self, failure: TwistedFailure) -> None:
        self._log.failure("filing stumbled", failure=failure)
