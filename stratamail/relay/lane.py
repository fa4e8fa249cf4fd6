"""One ordered stream of deliveries to one destination: canary, flush, steady, pause (the design's section 7, "Flush").

Mail to the world has no canary: nothing of it is held, a refusal is reported to its sender. Writes ``deliveries`` and
``alerts`` through the committer.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine import Connection
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from stratamail.net.smtp import Unreachable
from stratamail.profiles.codes import Meaning
from stratamail.relay.attempt import Attempt, Caller
from stratamail.relay.canary import Canary
from stratamail.relay.gate import Visit, place
from stratamail.relay.holds import on_hold, same_primary
from stratamail.relay.judging import LIFETIME
from stratamail.relay.pacing import Pace
from stratamail.relay.records import Records
from stratamail.relay.routes import Route, Undeliverable, to_primary, to_world
from stratamail.relay.shared import Shared
from stratamail.relay.stream import Stream
from stratamail.relay.window import Window
from stratamail.store.model import PRIMARY, Delivery
from stratamail.store.queue import lanes
from stratamail.store.queue.lanes import UNKNOWN, Result

# the longest pause between two attempts to reach a host of the world, in seconds
_LONGEST = 3600.0
# heads looked through for a good canary
_HEADS = 10_000


class Lane:
    """``destination`` primary|world; ``name`` the protected domain, or the recipients' domain in the world."""

    log = Logger()

    def __init__(self, shared: Shared, destination: str, name: str) -> None:
        self.shared = shared
        self.destination = destination
        self.name = name
        self._reactor = shared.line.reactor
        self.caller = Caller(shared.line, self.now)
        self.records = Records(shared.write, self._reactor, destination, name, shared.reports)
        self.canary = Canary()
        self._paused_until = 0.0
        self._failures = 0
        self._forced = False
        self._urgent = False
        # refusals of listed recipients in a row, over all streams: what they put on hold goes back at the third
        self.streak: list[int] = []
        self.window = Window()
        self._look_at_hold = False
        self._poked = True
        self._signal: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self.stopping = False
        # asking the DNS: nothing is on its way yet, a stop need not wait for an answer
        self._finding: Deferred[Route] | None = None
        # waiting for room at the host: nothing is on its way either
        self._entering: Deferred[None] | None = None
        self._pace = Pace()
        self._paced_until: float | None = None
        self.working = False

    def now(self) -> int:
        return round(self._reactor.seconds() * 1_000_000)

    # what others tell the lane

    def poke(self) -> None:
        """There may be something new. A paused lane stays paused."""
        self._poked = True
        self._look_at_hold = True
        signal, self._signal = self._signal, None
        if signal is not None and not signal.called:
            signal.callback(None)

    def attempt_now(self, forced: bool = False) -> None:
        """The primary is back, or a person wants it: no pause; ``forced`` goes beyond a declared hold, canary first."""
        # also when a pause begins meanwhile, with the end of what is on its way
        self._urgent = True
        self._failures = 0
        self.canary.resume()
        if forced:
            self.canary.lapse()
        self.distrust()
        self._forced = self._forced or forced
        if forced and self._entering is not None:
            # it need not wait for its turn any more
            self._entering.cancel()
        self.poke()

    def distrust(self) -> None:
        """After an outage nothing is believed that was true before it; a lane at work has its own proof."""
        if not self.working or self._entering is not None:
            self.canary.lapse()

    def stop(self) -> None:
        """No further message; the one in hand is finished by :meth:`run`."""
        self.stopping = True
        for waiting in (self._finding, self._entering):
            if waiting is not None:
                waiting.cancel()
        self.poke()

    @property
    def idle(self) -> bool:
        return not self.working and not self._poked

    async def run(self) -> None:
        try:
            while not self.stopping:
                await self._wait()
                self._poked = False
                if self.stopping:
                    return
                self.working = True
                try:
                    await self._work()
                    await self._set_timer()
                except CancelledError:
                    raise
                except Exception:
                    self.log.failure("lane {name} failed, it goes on later", name=self.name)
                    await self._stumbled()
                finally:
                    self.working = False
                    self.caller.close()
        finally:
            self.caller.abort()
            if self._timer is not None and self._timer.active():
                self._timer.cancel()

    async def _stumbled(self) -> None:
        """A fault of ours: what was on its way has an unknown outcome, the rest waits a moment."""
        self.caller.abort()
        self.canary.lapse()
        self._pause(min(30.0, self.shared.retry_every))
        self._wake_at(self._paused_until)
        again = self.again()
        text = "outcome unknown, the relay stumbled"
        await self.records.settle(
            [Result(one, UNKNOWN, text, again, may_hold=False) for one in self.records.marked], []
        )

    async def _wait(self) -> None:
        if not self._poked:
            self._signal = Deferred()
            await self._signal

    def _wake_at(self, seconds: float) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._reactor.callLater(max(0.0, seconds - self._reactor.seconds()), self.poke)

    async def _set_timer(self) -> None:
        """When to look again by ourselves."""
        if self._paused_until > self._reactor.seconds():
            self._wake_at(self._paused_until)
            return
        now = self.now()
        due = await self.shared.read(lambda conn: lanes.next_due(conn, self.destination, self.name, now))
        times = [due / 1_000_000] if due is not None else []
        times += [self._paced_until] if self._paced_until is not None else []
        if times:
            self._wake_at(min(times))

    def _pause(self, seconds: float) -> None:
        self._paused_until = self._reactor.seconds() + seconds
        self.canary.resume()

    def served(self) -> None:
        """A message had its answer, whatever that was."""
        self._failures = 0

    def again(self) -> int:
        return self.now() + round(self.shared.retry_every * 1_000_000)

    # the work

    async def _work(self) -> None:
        forced, self._forced = self._forced, False
        urgent, self._urgent = self._urgent, False
        self._paced_until = None
        if urgent:
            self._paused_until = 0.0
        if self._paused_until > self._reactor.seconds():
            return
        self._look_at_hold = False
        if not forced and await self._on_hold():
            return
        route = await self._route()
        if route is None:
            return
        visit = Visit(self.shared.gate, place(route))
        if not await self._enter(visit, forced):
            return
        try:
            while not self.stopping:
                if (
                    self.destination == PRIMARY
                    and not self.canary.proven
                    and not await self._seek(route, visit, forced)
                ):
                    return
                if await Stream(self, route, visit, forced).run():
                    return
        finally:
            visit.leave()

    async def _enter(self, visit: Visit, forced: bool) -> bool:
        """Wait for room at the host or provider; False: we stop, or it has asked all of us for a pause."""
        try:
            self._entering = visit.enter(forced)
            await self._entering
        except CancelledError:
            if not self.stopping and not self._forced:
                raise
            return False
        finally:
            self._entering = None
        if forced or not visit.paused:
            return True
        self._pause(visit.paused)
        visit.leave()
        return False

    def gives_way(self, visit: Visit, forced: bool) -> bool:
        """Between two messages: whether the provider has asked all of us for a pause, or others wait for their turn."""
        if visit.paused and not forced:
            self._pause(visit.paused)
            return True
        if visit.over:
            self._paced_until = self._reactor.seconds()
        return visit.over

    async def held_back(self, forced: bool) -> bool:
        """Whether a person has declared a hold since the work began; asked only when something has changed."""
        changed, self._look_at_hold = self._look_at_hold, False
        return changed and not forced and await self._on_hold()

    async def _on_hold(self) -> bool:
        if self.destination != PRIMARY:
            return False
        names = same_primary(self.shared.directory(), self.name)
        held: bool = await self.shared.read(lambda conn: on_hold(conn, names))
        return held

    async def _route(self) -> Route | None:
        if self.destination == PRIMARY:
            found = self.to_primary()
            if found is None and await self._heads():
                await self.records.alert("no-primary", "mail is owed, and the domain has no primary (any more)")
            return found
        try:
            self._finding = Deferred.fromCoroutine(
                to_world(self.name, self.shared.smart_host, self.shared.line.resolver)
            )
            return await self._finding
        except CancelledError:
            if not self.stopping:
                raise
        except Undeliverable as error:
            await self._give_up_all(f"550 {error.status} {error.text}")
        except Unreachable as error:
            await self._unreachable_world(f"{error.stage}: {error.text}")
        finally:
            self._finding = None
        return None

    def to_primary(self) -> Route | None:
        domain = self.shared.directory().domain(self.name)
        return to_primary(domain, self.shared.line.kinds) if domain is not None and domain.primaries else None

    async def _give_up_all(self, reply: str) -> None:
        now = self.now()
        await self._expire(now + 1, reply)

    async def _unreachable_world(self, text: str) -> None:
        self._failures += 1
        pause = self.shared.retry_every * 2 ** min(self._failures - 1, 5)
        self._pause(min(pause, max(_LONGEST, self.shared.retry_every)))
        now = self.now()
        await self._expire(now - LIFETIME, f"given up after 5 days: {text}")

    async def _expire(self, before: int, reply: str) -> None:
        now = self.now()
        if await self.records.commit(lambda conn: lanes.expire(conn, self.name, before, now, reply)):
            self.shared.reports()

    def listed(self, address: str) -> bool:
        return self.shared.directory().resolve(address).listed

    async def _seek(self, route: Route, visit: Visit, forced: bool) -> bool:
        """Find a canary that is accepted; whether one was. Otherwise the lane is paused, or owes nothing that is
        due."""
        while not self.stopping and not await self.held_back(forced):
            heads = await self._heads()
            worn = self.canary.exhausted(heads)
            if worn and not await self._anything_waits():
                await self._hold_worn(heads)
                continue
            chosen = self.canary.choose(heads, self.listed)
            if chosen is None:
                if heads:
                    self.canary.new_round()
                    self._pause(self.shared.retry_every)
                return False
            _, marked = await self.records.settle([], [chosen.id])
            if not marked:
                # a person was faster; if it is still the head, it will be seen again
                continue
            attempt = await self.caller.attempt(route, [chosen], self.again(), canary=True)
            await self.records.settle(attempt.results, [])
            self.tell(attempt)
            only = attempt.judged[0]
            if only.accepted:
                # it counts, and need not wait
                self._pace.free_at(chosen.key, chosen.message.sender, route.profile, self._reactor.seconds())
                self.canary.accepted()
                self.canary.forget([chosen.id])
                self.streak = []
                self._failures = 0
                return True
            if attempt.at_mail:
                self.canary.turned_away(chosen.message.seq)
            if await self.stops(attempt, visit):
                return False
            if only.meaning is Meaning.REFUSED and self.canary.refused(chosen.id):
                self._pause(self.shared.retry_every)
                await self.records.alert(
                    "canary", f"{only.result.reply}: refused three in a row, nothing is held, we try again"
                )
                return False
        return False

    async def _heads(self) -> list[Delivery]:
        """The heads that a canary is chosen from: as many pages as it takes to find a good one among them."""
        now = self.now()
        found: list[Delivery] = []
        after = (0, 0)
        while len(found) < _HEADS:

            def work(conn: Connection, after: tuple[int, int] = after) -> list[Delivery]:
                return lanes.heads(conn, self.destination, self.name, now, after=after)

            page: list[Delivery] = await self.shared.read(work)
            found += page
            if not page or any(self.canary.fresh(one) and self.listed(one.recipient) for one in page):
                break
            after = (page[-1].message.seq, page[-1].id)
        return found

    async def _anything_waits(self) -> bool:
        """Whether something is owed that was not refused, only deferred: it may be the proof yet."""
        now = self.now()
        return await self.shared.read(lambda conn: lanes.next_due(conn, self.destination, self.name, now)) is not None

    async def _hold_worn(self, heads: Sequence[Delivery]) -> None:
        """Refused in three rounds, each and all of what can be tried: now they are held."""
        now = self.now()

        def work(conn: Connection) -> None:
            for one in heads:
                lanes.hold(conn, [one.id], one.last_reply or "refused in three rounds", now)

        await self.records.commit(work)
        self.canary.forget([one.id for one in heads])

    def may_go(self, one: Delivery, waiting: set[str], route: Route) -> bool:
        """Whether nothing of its mailbox waits, and its rates allow it; otherwise its mailbox waits from now on."""
        if one.key in waiting:
            return False
        free = self._pace.free_at(one.key, one.message.sender, route.profile, self._reactor.seconds())
        if not free:
            return True
        waiting.add(one.key)
        self._paced_until = free if self._paced_until is None else min(self._paced_until, free)
        return False

    async def stops(self, attempt: Attempt, visit: Visit) -> bool:
        """Pause the lane when the attempt says that nothing more should be tried now; whether it does."""
        if not attempt.broken and not attempt.server:
            return False
        self.canary.lapse()
        if self.destination != PRIMARY:
            await self._unreachable_world(attempt.text)
        else:
            self._pause(max(self.shared.retry_every, attempt.wait))
        visit.told(attempt.scope, max(self.shared.retry_every, attempt.wait))
        if attempt.server and (attempt.cure or self.destination == PRIMARY):
            cure = f" Cure: {attempt.cure}." if attempt.cure else ""
            await self.records.alert("paused", f"{attempt.text}.{cure} Nothing is held, everything stays queued")
        return True

    def tell(self, attempt: Attempt) -> None:
        if self.destination == PRIMARY and attempt.evidence is not None:
            self.shared.evidence(self.name, attempt.evidence)
