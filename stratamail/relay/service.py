"""The relay as a service: a lane for every destination that is owed something, woken by what is new.

Writes through the committer only. ``wake`` is cheap and may be called for every commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from stratamail.config import settings as config
from stratamail.net import tls
from stratamail.net.evidence import Evidence
from stratamail.net.resolver import Resolver
from stratamail.net.smtp import Reactor, Timeouts, TlsClient
from stratamail.relay.attempt import Line
from stratamail.relay.content import Bodies
from stratamail.relay.gate import Gate
from stratamail.relay.lane import Lane
from stratamail.relay.notices import Notices, SubmitReport
from stratamail.relay.records import Access
from stratamail.relay.returns import Returns
from stratamail.relay.shared import Shared
from stratamail.store.model import PRIMARY, WORLD
from stratamail.store.pool import Pool
from stratamail.store.queue import deliveries, lanes
from stratamail.tenancy.directory import Directory

# a burst of commits becomes one look at the queue
_LULL = 0.2
# how long a message in hand may take at the end, in seconds
_PATIENCE = 20.0
# a look at the queue without being told, in seconds: what failed, or was missed, is found again
_REGULARLY = 60.0
# lanes to the world that have nothing to do are forgotten beyond so many
_MANY = 200


class Relay(Service):
    """``read`` and ``write`` run a function with a connection (a reader; the committer). ``on_evidence(domain, what)``
    is told
    what the lanes see of a primary; ``submit_report(recipient, domain, content)`` captures a report to a sender."""

    log = Logger()
    name = "relay"

    def __init__(
        self,
        reactor: Reactor,
        settings: config.Relay,
        hostname: str,
        directory: Callable[[], Directory],
        read: Access,
        write: Access,
        bodies: Bodies,
        disk: Pool,
        resolver: Resolver,
        *,
        on_evidence: Callable[[str, Evidence], None],
        submit_report: SubmitReport,
        timeouts: Timeouts | None = None,
        tls_client: TlsClient = tls.client,
    ) -> None:
        self._reactor = reactor
        line = Line(reactor, hostname, resolver, bodies, disk, timeouts or Timeouts(), tls_client)
        self._shared = Shared(
            line,
            read,
            write,
            directory,
            settings.retry_every,
            settings.smart_host,
            on_evidence,
            self.wake,
            Gate(reactor.seconds),
            settings.window,
        )
        self._returns = Returns(reactor, directory, read, write)
        self._notices = Notices(reactor, hostname, read, write, bodies, disk, submit_report)
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._tasks: dict[tuple[str, str], Deferred[None]] = {}
        self._looking = False
        self._look_again = False
        self._looked = -1e9
        self._later: IDelayedCall | None = None
        self._regular = LoopingCall(self.wake)
        self._regular.clock = reactor

    async def prepare(self) -> None:
        """Before the first lane: marks that an earlier run has left are unknown outcomes."""
        now = round(self._reactor.seconds() * 1_000_000)
        left: int = await self._shared.write(lambda conn: lanes.recover(conn, now))
        if left:
            self.log.warn("{left} deliveries were on their way when we stopped: they are tried again", left=left)

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._regular.start(_REGULARLY)

    def stopService(self) -> Deferred[None]:
        """Finish the message in hand, at most 20 s; no new one."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._regular.running:
            self._regular.stop()
        if self._later is not None and self._later.active():
            self._later.cancel()
        for lane in list(self._lanes.values()):
            lane.stop()
        return Deferred.fromCoroutine(self._ended())

    async def _ended(self) -> None:
        tasks = list(self._tasks.values())
        timer = self._reactor.callLater(_PATIENCE, _cancel, tasks)
        try:
            # a task's own Deferred is the service's; here only its end matters
            await DeferredList([_end_of(task) for task in tasks])
        finally:
            if timer.active():
                timer.cancel()

    def wake(self) -> None:
        """Something new may be owed."""
        if not self.running or self._later is not None:
            return
        delay = max(0.0, self._looked + _LULL - self._reactor.seconds())
        self._later = self._reactor.callLater(delay, self._look)

    def recovered(self, domain: str) -> None:
        """The primary is up again: attempt at once, what waits for a later hour too."""
        lane = self._lanes.get((PRIMARY, domain))
        if lane is not None:
            # before anything else goes out
            lane.distrust()
        self._spawn(self._attempt_now(domain, False))

    def flush(self, domain: str) -> None:
        """A person wants it: the canary now, whatever the primary's state."""
        self._spawn(self._attempt_now(domain, True))

    def resume(self) -> None:
        """A person wants what is due attempted now: no lane that owes something stays paused. A hold stands."""
        self._spawn(self._resume())

    async def _resume(self) -> None:
        found: list[tuple[str, str]] = await self._shared.read(lanes.lanes)
        for destination, name in found if self.running else ():
            self._lane(destination, name).attempt_now()

    async def _attempt_now(self, domain: str, forced: bool) -> None:
        owed: int = await self._shared.write(lambda conn: deliveries.make_due(conn, domain))
        if self.running and (owed or (PRIMARY, domain) in self._lanes):
            # a lane that owes nothing may stand in a pause that is over now
            self._lane(PRIMARY, domain).attempt_now(forced)

    def _look(self) -> None:
        self._later = None
        self._looked = self._reactor.seconds()
        if self._looking:
            self._look_again = True
            return
        self._looking = True
        self._spawn(self._scan())

    async def _scan(self) -> None:
        try:
            found: list[tuple[str, str]] = await self._shared.read(lanes.lanes)
            if not self.running:
                # stopped meanwhile: who waits for the lanes' end would not know of a new one
                return
            for destination, name in found:
                self._lane(destination, name).poke()
            self._forget_idle(set(found))
            await self._returns.work()
            await self._notices.work()
        finally:
            self._looking = False
            if self._look_again:
                self._look_again = False
                self.wake()

    def _lane(self, destination: str, name: str) -> Lane:
        key = (destination, name)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(self._shared, destination, name)
            self._tasks[key] = self._spawn(self._run(key, lane))
        return lane

    async def _run(self, key: tuple[str, str], lane: Lane) -> None:
        try:
            await lane.run()
        finally:
            if self._lanes.get(key) is lane:
                del self._lanes[key]
                self._tasks.pop(key, None)

    def _forget_idle(self, owing: set[tuple[str, str]]) -> None:
        if len(self._lanes) > _MANY:
            for key, lane in list(self._lanes.items()):
                if key[0] == WORLD and key not in owing and lane.idle:
                    lane.stop()

    def _spawn(self, work: Awaitable[None]) -> Deferred[None]:
        async def run() -> None:
            try:
                await work
            except CancelledError:
                raise
            except Exception:
                self.log.failure("the relay failed")

        task = Deferred.fromCoroutine(run())
        task.addErrback(lambda failure: failure.trap(CancelledError) and None)
        return task


def _cancel(tasks: list[Deferred[None]]) -> None:
    for task in tasks:
        task.cancel()


def _end_of(task: Deferred[Any]) -> Deferred[None]:
    end: Deferred[None] = Deferred()

    def ended(result: Any) -> Any:
        end.callback(None)
        return result

    task.addBoth(ended)
    return end
