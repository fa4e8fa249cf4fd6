"""Giving back what is due, in order, with a window of messages on their way over one connection.

In order: a mailbox has one message in the window, the oldest; the next of that mailbox leaves when the outcome of the
one before is committed, so that no refusal lets a later message pass an earlier one. The messages of other mailboxes
go on beside it. Results that have come in and marks for what goes out next are one commit; nothing goes out before it.
What must be watched step by step (a large message, one whose outcome is in doubt, the first on a connection) goes
alone.

Writes ``deliveries`` and ``alerts`` through the committer.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from attrs import evolve
from sqlalchemy.engine import Connection
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from stratamail.profiles.codes import Meaning
from stratamail.relay.attempt import Attempt
from stratamail.relay.canary import IN_A_ROW
from stratamail.relay.content import Whole, load
from stratamail.relay.feed import Candidate, Feed
from stratamail.relay.gate import Visit
from stratamail.relay.holds import on_hold, same_primary
from stratamail.relay.judging import Judged, keeps_waiting
from stratamail.relay.routes import Route
from stratamail.store.model import PRIMARY, Delivery, Message
from stratamail.store.queue import lanes
from stratamail.store.queue.lanes import MESSAGE, UNTRIED, Result

if TYPE_CHECKING:
    from stratamail.relay.lane import Lane

# candidates that wait for their mailbox while those behind them are looked at
_HELD_OVER = 1000
# rows read ahead of a flood for one mailbox
_HEADS = 200
# results that have come in wait for others, to be one commit with them, no longer than this (seconds)
_TOGETHER = 0.02


class Stream:
    """One pass over what is due to ``lane``'s destination."""

    def __init__(self, lane: Lane, route: Route, visit: Visit, forced: bool) -> None:
        self._lane = lane
        self._route = route
        self._visit = visit
        self._forced = forced
        self._primary = lane.destination == PRIMARY
        self._told = not self._primary
        self._feed = Feed(self._page, self._heads, self._load)
        self._ended = False
        # read and not yet sent, in order: their mailboxes are busy, or they are to go alone
        self._over: list[Candidate] = []
        # mailboxes with a message on its way, and those that wait for an older one: the mark would tell of both, at the
        # price of a commit
        self._busy: set[str] = set()
        self._waiting: set[str] = set()
        self._going = 0
        self._back: list[int] = []
        self._done: deque[Attempt] = deque()
        self._signal: Deferred[None] | None = None
        self._enough = 1
        self._results: list[Result] = []
        self._timer: IDelayedCall | None = None
        self._lapsed = False
        self._gives_way = False
        # nothing more goes out
        self._halted = False
        # the attempt that says that nothing more should be tried now
        self._stop: Attempt | None = None

    async def run(self) -> bool:
        """True: nothing more is due, or the lane is paused; False: a canary again."""
        try:
            while await self._turn():
                pass
        finally:
            self._feed.close()
            self._wake()
        if self._stop is not None and self._stop.broken:
            self._lane.caller.abort()
        if self._lapsed:
            self._lane.canary.lapse()
            return self._gives_way
        if self._stop is not None:
            await self._lane.stops(self._stop, self._visit)
        return True

    async def _turn(self) -> bool:
        """Take in what has come back, commit it with the marks for what is next, send that; whether to go on."""
        while self._done:
            self._take(self._done.popleft())
        lane = self._lane
        if (
            self._lapsed
            or self._gives_way
            or self._stop is not None
            or lane.stopping
            or await lane.held_back(self._forced)
        ):
            self._halted = True
        chosen = [] if self._halted else await self._choose()
        results, self._results = self._results, []
        back, self._back = self._back, []
        ids = [one.id for candidate in chosen for one in candidate.group]
        _, marked = await lane.records.settle(results, ids, back)
        known = set(marked)
        for candidate in chosen:
            group = [one for one in candidate.group if one.id in known]
            self._busy.difference_update(one.key for one in candidate.group if one.id not in known)
            if group and self._failed():
                # it is marked, and not a word of it was said
                self._results += [Result(one.id, UNTRIED, one.last_reply) for one in group]
            elif group:
                await self._send(group, candidate.whole)
        if self._going and not self._done:
            await self._wait()
        more = not self._halted and (self._over or not self._ended)
        return bool(self._going or self._done or self._results or more)

    def _failed(self) -> bool:
        """Whether what has come back forbids to send more, even of what is marked."""
        return any(attempt.broken or attempt.server for attempt in self._done)

    async def _wait(self) -> None:
        """Until so much has come back that a commit is worth it, or a moment after the first of it."""
        self._enough = max(1, min(self._lane.window.size // 4, self._going))
        self._signal = Deferred()
        await self._signal

    def _came(self, attempt: Attempt) -> None:
        self._going -= 1
        self._done.append(attempt)
        if self._signal is None:
            return
        if len(self._done) >= self._enough or not self._going:
            self._wake()
        elif self._timer is None:
            self._timer = self._lane.shared.line.reactor.callLater(_TOGETHER, self._wake)

    def _wake(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        signal, self._signal = self._signal, None
        if signal is not None and not signal.called:
            signal.callback(None)

    async def _send(self, group: list[Delivery], whole: Whole | None) -> None:
        lane = self._lane
        again = lane.again()
        if self._windowed(group, whole):
            assert whole is not None
            self._going += 1
            lane.caller.begin(group, whole, again).addCallback(self._came)
            return
        while self._going:
            await self._wait()
        self._done.append(await lane.caller.attempt(self._route, group, again, canary=False))

    def _windowed(self, group: list[Delivery], whole: Whole | None, ahead: int = 0) -> bool:
        if self._lane.window.size == 1 or any(one.unknown_outcomes for one in group):
            return False
        return whole is not None and self._lane.caller.suits(self._route, group, whole, ahead)

    async def _choose(self) -> list[Candidate]:
        """What goes next, in order, as far as the window allows; a message that must go alone waits until nothing else
        is on its way, and what is behind it waits too."""
        lane = self._lane
        if self._primary:
            # it may have been moved, or removed, since the last message
            route = lane.to_primary()
            if route is None:
                self._ended, self._over = True, []
                return []
            if route != self._route and self._going:
                return []
            self._route = route
        lane.window.limit(min(self._route.profile.window, lane.shared.window))
        room = lane.window.size - self._going
        before, self._over = self._over, []
        chosen: list[Candidate] = []
        at = 0
        while room > len(chosen):
            if at < len(before):
                candidate = before[at]
                at += 1
            else:
                found = await self._read()
                if found is None:
                    break
                candidate = found
            group = [one for one in candidate.group if one.key not in self._waiting]
            free = [one for one in group if one.key not in self._busy]
            if not free:
                if group:
                    self._over.append(evolve(candidate, group=group))
                continue
            alone = not self._windowed(free, candidate.whole, len(chosen))
            if alone and (chosen or self._going):
                self._over.append(evolve(candidate, group=group))
                break
            ready = [one for one in free if lane.may_go(one, self._waiting, self._route)]
            rest = [one for one in group if one not in free]
            if rest:
                self._over.append(evolve(candidate, group=rest))
            if ready:
                chosen.append(evolve(candidate, group=ready))
                self._busy.update(one.key for one in ready)
            if alone and ready:
                break
        self._over += before[at:]
        return chosen

    async def _read(self) -> Candidate | None:
        """The next of the feed; None at its end, and while so much is held over that no more is looked at."""
        if self._ended or len(self._over) >= _HELD_OVER:
            return None
        found = await self._feed.get()
        self._ended = found is None
        return found

    async def _load(self, messages: list[Message]) -> list[Whole | None]:
        line = self._lane.shared.line
        found: list[Whole | None] = await line.disk.run(load, line.bodies, messages)
        return found

    async def _page(self, after: int) -> list[Delivery]:
        lane = self._lane
        now = lane.now()
        names = same_primary(lane.shared.directory(), lane.name)

        def work(conn: Connection) -> list[Delivery]:
            if self._primary and not self._forced and on_hold(conn, names):
                return []
            return lanes.due(conn, lane.destination, lane.name, now, after)

        found: list[Delivery] = await lane.shared.read(work)
        return found

    async def _heads(self, after: tuple[int, int]) -> list[Delivery]:
        lane = self._lane
        now = lane.now()

        def work(conn: Connection) -> list[Delivery]:
            return lanes.heads(conn, lane.destination, lane.name, now, _HEADS, after)

        found: list[Delivery] = await lane.shared.read(work)
        # a message whose recipients may go on beyond the page comes with the next one
        return found if len(found) < _HEADS else [one for one in found if one.message.seq != found[-1].message.seq]

    def _take(self, attempt: Attempt) -> None:
        """What an attempt changes: who waits, the window, the row of refusals, whether to stop."""
        attempt = self._weighed(attempt)
        lane = self._lane
        for one in attempt.judged:
            self._busy.discard(one.delivery.key)
            if keeps_waiting(one):
                self._waiting.add(one.delivery.key)
        if all(one.accepted for one in attempt.judged):
            lane.window.accepted()
        else:
            lane.window.shrink()
        self._count(attempt)
        if not self._told or (attempt.broken and self._stop is None):
            lane.tell(attempt)
            self._told = True
        self._visit.sent(any(one.accepted for one in attempt.judged))
        self._gives_way = self._gives_way or lane.gives_way(self._visit, self._forced)
        self._results += attempt.results
        if attempt.broken or attempt.server:
            if self._stop is None or (attempt.server and not self._stop.server):
                self._stop = attempt
        else:
            lane.served()

    def _weighed(self, attempt: Attempt) -> Attempt:
        """A permanent refusal at MAIL is about us, and pauses; but of a message that was turned away so before, with
        others accepted since, it is about that message: it is deferred, and must not jam the lane."""
        if not self._primary or not attempt.at_mail:
            return attempt
        if not self._lane.canary.turned_away(attempt.judged[0].delivery.message.seq):
            return attempt
        again = self._lane.again()
        found = [
            Judged(one.delivery, evolve(one.result, outcome=MESSAGE, again=again), Meaning.MESSAGE)
            for one in attempt.judged
        ]
        return evolve(attempt, judged=tuple(found), server=False)

    def _count(self, attempt: Attempt) -> None:
        """Keep the row of refusals of listed recipients; three are no longer believed. One that was refused as a canary
        before is held without counting: it was asked a second time for that."""
        if not self._primary:
            return
        lane = self._lane
        for one in attempt.judged:
            if one.accepted:
                lane.streak = []
                lane.canary.forget([one.delivery.id])
            elif one.meaning is Meaning.REFUSED:
                if one.delivery.id in lane.canary.refusals:
                    lane.canary.forget([one.delivery.id])
                elif lane.listed(one.delivery.recipient):
                    lane.streak.append(one.delivery.id)
        if len(lane.streak) >= IN_A_ROW or (self._lapsed and lane.streak):
            # what the window brings after that is believed no more than they are
            self._lapsed = True
            self._back += lane.streak
            lane.streak = []
