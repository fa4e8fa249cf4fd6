"""Noticing: every primary is probed, what the relay sees is counted too, and outages open and close by it.

Promises: the first probe within a second of a domain's coming; N of M before anybody is blamed; a look at the
references first (is it we who are cut off?). Writes ``primaries``, ``events`` and ``alerts`` through the committer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.engine import Connection
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from stratamail.config.settings import Probe as Settings
from stratamail.net import tls
from stratamail.net.evidence import Evidence
from stratamail.net.reach import any_answers
from stratamail.net.smtp import Addresses, Reactor, TlsClient
from stratamail.outage import rows
from stratamail.outage.probe import probe
from stratamail.outage.step import UP, Effect, Event, Heard, Machine, Rules
from stratamail.profiles import primaries as profiles
from stratamail.store.queue import alerts, events, primaries
from stratamail.tenancy import hostport
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Domain

T = TypeVar("T")
Access = Callable[[Callable[[Connection], T]], Awaitable[T]]
Figures = Callable[[events.Event], Awaitable[tuple[int, int]]]

# probes under way at once
_AT_ONCE = 50
# domains that come at start are spread, so that a thousand do not go out in one moment
_SPREAD = 0.02


async def no_figures(event: events.Event) -> tuple[int, int]:
    """``figures`` of an installation without mailboxes."""
    return 0, 0


class _Watched:
    """A domain under watch: its timer, and its machine as it was last stored."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.timer: IDelayedCall | None = None
        self.machine: Machine | None = None
        self.probing = False


class Watch(Service):
    """``read`` and ``write`` run a function with a connection (a reader; the committer). ``on_recovered(domain)`` is
    called when a primary is up again; ``figures`` gives what was read and answered in an event, at its closing."""

    log = Logger()
    name = "outage"

    def __init__(
        self,
        reactor: Reactor,
        settings: Settings,
        hostname: str,
        directory: Callable[[], Directory],
        read: Access,  # type: ignore[type-arg]
        write: Access,  # type: ignore[type-arg]
        resolver: Addresses,
        *,
        on_recovered: Callable[[str], None],
        figures: Figures = no_figures,
        tls_client: TlsClient = tls.client,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._rules = Rules.of(settings)
        self._hostname = hostname
        self._directory = directory
        self._read = read
        self._write = write
        self._resolver = resolver
        self._on_recovered = on_recovered
        self._figures = figures
        self._tls_client = tls_client
        self._references = tuple(hostport.parse(one) for one in settings.references)
        self._watched: dict[str, _Watched] = {}
        self._slots = DeferredSemaphore(_AT_ONCE)
        self._tasks: set[Deferred[None]] = set()
        self._ticking = False
        self._ticker = LoopingCall(self._tick)
        self._ticker.clock = reactor
        self._cut_off_told = -1e9
        # a rung of the ladder: long enough for a slow server, short enough to notice a silent one in time
        self._timeout = min(20.0, max(3.0, 2 * settings.every))

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._compare(spread=True)
        self._ticker.start(min(1.0, max(0.1, self._settings.every / 2)), now=False)

    async def _stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        if self._ticker.running:
            self._ticker.stop()
        for watched in self._watched.values():
            if watched.timer is not None and watched.timer.active():
                watched.timer.cancel()
        self._watched = {}
        return Deferred.fromCoroutine(self._stop())

    def wake(self) -> None:
        """The directory or the events have changed: new domains are probed at once."""
        if self.running:
            self._compare(spread=False)
            self._tick()

    def evidence(self, domain: str, found: Evidence) -> None:
        """What the relay has seen of a primary."""
        watched = self._watched.get(domain)
        if watched is not None and self.running:
            self._spawn(self._count(watched, found))

    def _spawn(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            try:
                await work
            except CancelledError:
                raise
            except Exception:
                self.log.failure("watching a primary failed")

        task = Deferred.fromCoroutine(run())
        self._tasks.add(task)

        def done(result: object) -> None:
            self._tasks.discard(task)

        # a cancelled task ends with CancelledError, at shutdown: nothing to report
        task.addErrback(lambda failure: failure.trap(CancelledError)).addBoth(done)

    def _compare(self, spread: bool) -> None:
        domains = {domain.name: domain for domain in self._directory().domains() if domain.primaries}
        for name in self._watched.keys() - domains.keys():
            gone = self._watched.pop(name)
            if gone.timer is not None and gone.timer.active():
                gone.timer.cancel()
        step = min(_SPREAD, self._settings.every / max(1, len(domains)))
        for i, (name, domain) in enumerate(domains.items()):
            known = self._watched.get(name)
            if known is None:
                known = self._watched[name] = _Watched(domain)
                known.timer = self._reactor.callLater(i * step if spread else 0, self._begin, known)
            elif known.domain != domain:
                moved = known.domain.primaries != domain.primaries
                known.domain = domain
                if moved and known.timer is not None and known.timer.active():
                    known.timer.reset(0)

    def _begin(self, watched: _Watched) -> None:
        if not self.running or self._watched.get(watched.domain.name) is not watched:
            return
        watched.timer = self._reactor.callLater(self._settings.every, self._begin, watched)
        if not watched.probing:
            watched.probing = True
            self._spawn(self._probe(watched))

    async def _probe(self, watched: _Watched) -> None:
        try:
            await self._slots.acquire()
            try:
                found = await self._climb(watched.domain)
            finally:
                self._slots.release()
            await self._count(watched, found)
        finally:
            watched.probing = False

    async def _climb(self, domain: Domain) -> Evidence:
        boxes = self._directory().mailboxes(domain.name)
        # an address that is listed: asking for unknown ones gets the asker blocked at some servers
        known = boxes[0].address if boxes else f"postmaster@{domain.name}"
        return await probe(
            self._reactor,
            domain.primaries,
            known,
            hostname=self._hostname,
            policy=domain.tls or profiles.of(domain.profile, [one.host for one in domain.primaries]).tls,
            resolver=self._resolver,
            timeout=self._timeout,
            tls_client=self._tls_client,
        )

    async def _count(self, watched: _Watched, found: Evidence) -> None:
        domain = watched.domain.name
        if not found.alive and await self._cut_off():
            return
        if self._nothing_new(watched, found):
            return
        if self._watched.get(domain) is not watched:
            # removed meanwhile: what is no longer protected has no health
            return
        heard = Heard(found.alive, found.proof)
        now = round(self._reactor.seconds() * 1_000_000)

        def work(conn: Connection) -> rows.Outcome:
            return rows.apply(conn, domain, heard, now, self._rules, found.text)

        await self._took(watched, await self._write(work))

    def _nothing_new(self, watched: _Watched, found: Evidence) -> bool:
        """A healthy primary that answered once more: no need to write that down."""
        machine = watched.machine
        return found.alive and machine is not None and machine.state == UP and all(machine.results)

    async def _took(self, watched: _Watched | None, outcome: rows.Outcome) -> None:
        if watched is not None:
            old = watched.machine.state if watched.machine is not None else ""
            watched.machine = outcome.machine
            if old != outcome.machine.state:
                self.log.info("primary of {domain}: {state}", domain=watched.domain.name, state=outcome.machine.state)
        event = outcome.event
        for effect in outcome.effects:
            if effect is Effect.RECOVERED and watched is not None:
                self._on_recovered(watched.domain.name)
            elif effect is Effect.CLOSE and event is not None:
                await self._close(event)
            elif effect is Effect.OPEN and event is not None:
                self.log.warn("outage of {domain} opened", domain=event.domain)

    async def _close(self, event: events.Event) -> None:
        read, answered = 0, 0
        try:
            read, answered = await self._figures(event)
        except CancelledError:
            raise
        except Exception:
            self.log.failure("the figures of an outage could not be taken")
        now = round(self._reactor.seconds() * 1_000_000)
        if await self._write(lambda conn: rows.close(conn, event, now, read, answered, self._rules)):
            self.log.info("outage of {domain} closed", domain=event.domain)

    def _tick(self) -> None:
        if self.running and not self._ticking:
            self._ticking = True
            self._spawn(self._pass_time())

    async def _pass_time(self) -> None:
        try:
            now = round(self._reactor.seconds() * 1_000_000)
            for domain in await self._read(lambda conn: rows.restless(conn, now, self._rules)):

                def work(conn: Connection, domain: str = domain) -> rows.Outcome:
                    event: Event = rows.tick(conn, domain)
                    return rows.apply(conn, domain, event, now, self._rules)

                await self._took(self._watched.get(domain), await self._write(work))
        finally:
            self._ticking = False

    async def _cut_off(self) -> bool:
        """Whether it is we who reach nobody. Without references nobody knows, and the primary is blamed."""
        if not self._references or await any_answers(self._reactor, self._references, self._resolver, 5.0):
            return False
        now = self._reactor.seconds()
        if now - self._cut_off_told > 3600:
            self._cut_off_told = now
            at = round(now * 1_000_000)
            text = "none of the reference hosts answers: this machine seems to be cut off, no primary is blamed"
            self.log.error("{text}", text=text)
            await self._write(lambda conn: alerts.add(conn, at, "", "cut-off", f"cut-off/{at // 3_600_000_000}", text))
        return True

    def forget(self, domain: str) -> Awaitable[None]:
        """A domain that is no longer protected."""
        return self._write(lambda conn: primaries.remove(conn, domain))
