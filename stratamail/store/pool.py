"""Named thread pools: where blocking work goes (the design's "never the reactor's default pool"). Writes nothing.

The app makes four of them: ``disk`` (fsync, large bodies), ``catalog`` (SQL), ``cpu`` (argon2, DKIM) and ``files``,
which has exactly one thread: every change of a mailbox happens there, in the order in which it was asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure as TwistedFailure

P = ParamSpec("P")
T = TypeVar("T")
_Job = Callable[[], None]


class PoolStopped(Exception):
    """The pool takes no work: it was not started, or it was stopped."""


class Pool:
    """``size`` threads that take jobs first in first out: with one thread the order of ``run`` is the order of work."""

    def __init__(self, name: str, size: int, reactor: IReactorFromThreads) -> None:
        self.name = name
        self.size = size
        self._reactor = reactor
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._stopping = False

    def start(self) -> None:
        if self._threads:
            return
        self._stopping = False
        for i in range(self.size):
            thread = threading.Thread(target=self._work, name=f"{self.name}-{i}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Finish what was asked for, then end the threads. Blocks until they have ended. Idempotent."""
        if self._stopping or not self._threads:
            return
        self._stopping = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Call ``function`` in a thread of this pool; the Deferred fires in the reactor's thread."""
        if self._stopping or not self._threads:
            return fail(PoolStopped(self.name))
        result: Deferred[T] = Deferred()

        def job() -> None:
            try:
                value = function(*args, **kwargs)
            except BaseException:
                self._reactor.callFromThread(result.errback, TwistedFailure())
            else:
                self._reactor.callFromThread(result.callback, value)

        self._jobs.put(job)
        return result

    @property
    def waiting(self) -> int:
        """Jobs that no thread has taken yet."""
        return self._jobs.qsize()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            job()
            # what it was given must not stay in memory until the next one comes
            job = None
