"""The committer: one thread, one connection, and the running commit is the batching window of the next.

Writes queue.sqlite (``store.session``). A message that was committed is told to ``listeners``; until ``filed`` is
called for it, it counts against the bound of what may be accepted and not yet filed. All methods are the reactor's,
unless they say otherwise.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from stratamail.mail.reply import Unavailable
from stratamail.store import database
from stratamail.store.layout import Layout
from stratamail.store.model import Message, NewMessage
from stratamail.store.reserve import Reserve
from stratamail.store.session import Request, Session

T = TypeVar("T")
MAX_UNFILED = 50_000
MAX_UNFILED_BYTES = 256 * 1000 * 1000
WAIT_SECONDS = 60.0
_BATCH = 1000
_BATCH_BYTES = 16 * 1000 * 1000


Listener = Callable[[list[Message]], None]


class Committer:
    """Group commit into queue.sqlite. ``reserve`` gives up its ballast when a commit finds no space."""

    def __init__(
        self,
        layout: Layout,
        reactor: Any,
        reserve: Reserve | None = None,
        connect: Callable[[str], sqlite3.Connection] = database.connect,
    ) -> None:
        self.listeners: list[Listener] = []
        # whole file contents of small messages that are committed and not yet filed, by seq
        self.contents: dict[int, bytes] = {}
        self.unfiled = 0
        self.unfiled_bytes = 0
        self._reactor = reactor
        release = reserve.release_ballast if reserve is not None else _nothing_to_release
        self._session = Session(layout, release, connect)
        self._requests: SimpleQueue[list[Request] | None] = SimpleQueue()
        self._gathered: list[Request] = []
        self._waiting: deque[tuple[float, Request, int]] = deque()
        self._timer: IDelayedCall | None = None
        self._counted: dict[int, int] = {}
        self._thread: threading.Thread | None = None
        self._stopped: Deferred[None] | None = None
        self._ended_in_thread = False
        self._refusal = ""
        self._epoch = 0
        self._open: dict[int, int] = {0: 0}
        self._barriers: list[tuple[int, Deferred[None]]] = []
        self._log = Logger()

    # -- life

    def start(self) -> None:
        """Open the database (raises what that raises) and start the thread."""
        try:
            self._session.open()
        except (sqlite3.Error, SQLAlchemyError):
            if not self._session.release_ballast():
                raise
            self._session.open()
        self._thread = threading.Thread(target=self._work, name="committer", daemon=True)
        self._thread.start()

    def stop(self) -> Deferred[None]:
        """Commit what was asked for, close the database; fires when the thread has ended."""
        if self._stopped is None:
            self._stopped = Deferred()
            for _, request, _ in self._waiting:
                self._turn_away(request, "stopping")
            self._waiting.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._hand_over()
            if self._thread is None:
                self._stopped.callback(None)
            else:
                self._requests.put(None)
        done: Deferred[None] = Deferred()
        self._stopped.chainDeferred(done) if not self._stopped.called else done.callback(None)
        return done

    # -- what others ask for

    def commit(self, new: NewMessage) -> Deferred[Message]:
        """Make ``new`` durable with its deliveries. Fails with ``mail.reply.Failure``; then nothing was kept."""
        content = None if new.body is None else new.trace + new.body
        weight = 0 if content is None else len(content)
        result: Deferred[Message] = Deferred()
        request = Request(new=new, content=content, tag=(result, self._enter()))
        if self._refusal or self._stopped is not None or self._thread is None:
            self._turn_away(request, self._refusal or "stopping")
        elif self._waiting or not self._room(weight):
            self._waiting.append((self._reactor.seconds() + WAIT_SECONDS, request, weight))
            self._set_timer()
        else:
            self._admit(request, weight)
        return result

    def write(self, function: Callable[[Connection], T]) -> Deferred[T]:
        """Call ``function`` in the committer's thread inside the next commit, in a savepoint of its own; its value
        after the commit. It must not end the transaction, and may be called again when its batch failed for a reason
        of another's. Fails with its error (then it alone was rolled back) or with ``mail.reply.Failure``."""
        if self._stopped is not None or self._thread is None:
            return fail(Unavailable(reason="stopping"))
        result: Deferred[T] = Deferred()
        self._gather(Request(function=function, tag=(result, self._enter())))
        return result

    def write_from_thread(self, function: Callable[[Connection], T]) -> T:
        """:meth:`write` for other threads: waits for the commit. Never from the reactor's or the committer's thread."""
        if self._stopped is not None or self._thread is None:
            raise Unavailable(reason="stopping")
        future: Future[T] = Future()
        self._requests.put([Request(function=function, tag=future)])
        if self._ended_in_thread:
            self._fail_late()
        return future.result()

    def barrier(self) -> Deferred[None]:
        """Fires when everything that was asked for so far has committed or failed."""
        if not any(self._open.values()):
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._barriers.append((self._epoch, done))
        self._epoch += 1
        self._open[self._epoch] = 0
        return done

    def refuse(self, reason: str) -> None:
        """Answer every new message 451 (``reason`` is for the log) until :meth:`accept`."""
        self._refusal = reason

    def accept(self) -> None:
        self._refusal = ""

    def filed(self, seqs: Iterable[int]) -> None:
        """These no longer count against the bound: they are filed, or their mailbox cannot be filed at present."""
        for seq in seqs:
            self.contents.pop(seq, None)
            weight = self._counted.pop(seq, None)
            if weight is not None:
                self.unfiled -= 1
                self.unfiled_bytes -= weight
        while self._waiting and self._room(self._waiting[0][2]):
            _, request, weight = self._waiting.popleft()
            self._admit(request, weight)

    # -- bounds

    def _room(self, weight: int) -> bool:
        return self.unfiled < MAX_UNFILED and (
            self.unfiled_bytes + weight <= MAX_UNFILED_BYTES or not self.unfiled_bytes
        )

    def _admit(self, request: Request, weight: int) -> None:
        self.unfiled += 1
        self.unfiled_bytes += weight
        self._gather(request)

    def _set_timer(self) -> None:
        if self._timer is None and self._waiting:
            delay = max(0.0, self._waiting[0][0] - self._reactor.seconds())
            self._timer = self._reactor.callLater(delay, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        while self._waiting and self._waiting[0][0] <= now:
            _, request, _ = self._waiting.popleft()
            self._turn_away(request, "filing-behind")
        self._set_timer()

    def _turn_away(self, request: Request, reason: str) -> None:
        """Refuse what was never tried: nothing of it stays."""
        if request.new is not None and request.new.body is None:
            self._session.remove_spool_files([request.new.id])
        request.error = Unavailable(reason=reason)
        self._answer(request)

    # -- between the threads

    def _enter(self) -> int:
        self._open[self._epoch] += 1
        return self._epoch

    def _leave(self, epoch: int) -> None:
        self._open[epoch] -= 1
        if self._open[epoch] or not self._barriers:
            return
        while self._barriers and not any(n for e, n in self._open.items() if e <= self._barriers[0][0]):
            passed, done = self._barriers.pop(0)
            for old in [e for e in self._open if e <= passed]:
                del self._open[old]
            done.callback(None)

    def _gather(self, request: Request) -> None:
        # handed over at the end of this turn of the reactor, so that what came in together is committed together
        if not self._gathered:
            self._reactor.callLater(0, self._hand_over)
        self._gathered.append(request)

    def _hand_over(self) -> None:
        if self._gathered:
            gathered, self._gathered = self._gathered, []
            self._requests.put(gathered)

    def _work(self) -> None:
        while True:
            batch = self._requests.get()
            if batch is None:
                break
            last = self._fill(batch)
            self._session.apply(batch)
            for request in batch:
                if isinstance(request.tag, Future):
                    _resolve(request)
            self._reactor.callFromThread(self._done, batch)
            self._session.tidy()
            if last:
                break
        self._session.close()
        self._ended_in_thread = True
        self._fail_late()
        self._reactor.callFromThread(self._ended)

    def _fail_late(self) -> None:
        """What other threads asked for while we ended is refused, so that they do not wait for ever."""
        while True:
            try:
                late = self._requests.get_nowait()
            except Empty:
                return
            for request in late or ():
                request.error = Unavailable(reason="stopping")
                if isinstance(request.tag, Future):
                    _resolve(request)

    def _fill(self, batch: list[Request]) -> bool:
        """Add what waits already, up to a batch's bounds; True when the end was among it."""
        weight = sum(len(r.content) for r in batch if r.content is not None)
        while len(batch) < _BATCH and weight < _BATCH_BYTES:
            try:
                more = self._requests.get_nowait()
            except Empty:
                return False
            if more is None:
                return True
            batch += more
            weight += sum(len(r.content) for r in more if r.content is not None)
        return False

    def _done(self, batch: list[Request]) -> None:
        committed: list[Message] = []
        for request in batch:
            if request.new is not None:
                weight = 0 if request.content is None else len(request.content)
                if request.error is None:
                    message = cast(Message, request.value)
                    self._counted[message.seq] = weight
                    if request.content is not None:
                        self.contents[message.seq] = request.content
                    committed.append(message)
                else:
                    self.unfiled -= 1
                    self.unfiled_bytes -= weight
            if not isinstance(request.tag, Future):
                self._answer(request)
        if committed:
            for listener in self.listeners:
                try:
                    listener(committed)
                except Exception:
                    self._log.failure("a listener of the committer failed")

    def _answer(self, request: Request) -> None:
        result, epoch = request.tag
        if request.error is None:
            result.callback(request.value)
        else:
            result.errback(request.error)
        self._leave(epoch)

    def _ended(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        assert self._stopped is not None
        self._stopped.callback(None)


def _resolve(request: Request) -> None:
    future = request.tag
    if request.error is None:
        future.set_result(request.value)
    else:
        future.set_exception(request.error)


def _nothing_to_release() -> bool:
    return False
