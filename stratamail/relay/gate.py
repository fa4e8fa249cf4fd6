"""How many lanes work with one host, or with one provider, at a time, over all domains; and the pause of a provider.

A host takes so many connections (its profile's lanes), fewer when it says that there are too many. A provider that
throttles our address is left alone by every domain there; after that one lane goes first, and the others follow as it
takes mail. Lanes that wait for room get it in turn, and each gives way after so many messages, so that no domain keeps
another waiting. In memory only: after a restart the first throttle teaches it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from stratamail.profiles.codes import CONNECTIONS, PROVIDER
from stratamail.relay.routes import Route

# messages that a lane sends before it gives way to one that waits
TURN = 50
# pauses of a provider double from the first that it asks for, up to so many seconds
LONGEST = 3600.0
# accepted messages, for each lane at work, before one more is let in
STEP = 10
# so many lanes at once prove that there is no limit to be found any more
WIDE = 20
# a smart host serves all the world
SMART = 20


@frozen
class Place:
    """Where lanes meet: a provider's name, or a host and port. ``limit``: lanes at a time, 0 = any number."""

    name: str
    limit: int
    provider: bool = False


def place(route: Route) -> Place:
    """Where ``route`` leads."""
    if route.profile.provider:
        return Place(route.profile.provider, 0, True)
    return Place(str(route.hosts[0]) if route.hosts else "", SMART if route.smart else route.profile.lanes)


@define
class _Door:
    """``ceiling``: learned limit, 0 = none. ``taken``: messages accepted since it was last raised."""

    inside: int = 0
    ceiling: int = 0
    taken: int = 0
    waiting: deque[Deferred[None]] = field(factory=deque)
    until: float = 0.0
    length: float = 0.0

    def room(self, limit: int) -> bool:
        limits = [one for one in (limit, self.ceiling) if one]
        return not limits or self.inside < min(limits)


class Gate:
    """``now`` gives seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._doors: dict[str, _Door] = {}

    def _door(self, where: Place) -> _Door:
        return self._doors.setdefault(where.name, _Door())

    def paused(self, where: Place) -> float:
        """How many seconds nothing may be sent there, 0 = go on."""
        door = self._doors.get(where.name)
        return max(0.0, door.until - self._now()) if door is not None else 0.0

    def pause(self, where: Place, seconds: float) -> float:
        """It throttles our address: all lanes there wait, longer each time until it has taken mail well again. Gives
        for how many seconds."""
        door = self._door(where)
        left = self.paused(where)
        if left:
            # what was on its way when the pause began
            return left
        door.length = min(LONGEST, max(seconds, 2 * door.length))
        door.until = self._now() + door.length
        door.ceiling, door.taken = 1, 0
        return door.length

    def crowded(self, where: Place) -> None:
        """It says that we hold too many connections: half as many from now on."""
        door = self._door(where)
        door.ceiling, door.taken = max(1, door.inside // 2), 0

    def accepted(self, where: Place) -> None:
        """It took a message: what was learned of its limits is tried again, step by step."""
        door = self._doors.get(where.name)
        if door is None or not door.ceiling:
            return
        door.taken += 1
        if door.taken < STEP * door.ceiling:
            return
        door.taken = 0
        door.ceiling += 1
        if door.ceiling > WIDE:
            door.ceiling, door.length = 0, 0.0
        self._admit(where, door)

    def enter(self, where: Place, first: bool = False) -> Deferred[None]:
        """Fires when there is room, in turn, or ``first`` when a person waits for it; it may be cancelled until then.
        :meth:`leave` must follow."""
        door = self._door(where)
        turn: Deferred[None] = Deferred(lambda one: door.waiting.remove(one))
        if first:
            door.waiting.appendleft(turn)
        else:
            door.waiting.append(turn)
        self._admit(where, door)
        return turn

    def leave(self, where: Place) -> None:
        door = self._door(where)
        door.inside -= 1
        self._admit(where, door)
        if not door.inside and not door.ceiling and not door.waiting:
            del self._doors[where.name]

    def gives_way(self, where: Place, sent: int) -> bool:
        """Whether a lane that has sent so many messages should let another in."""
        door = self._doors.get(where.name)
        return door is not None and bool(door.waiting) and sent >= TURN

    def _admit(self, where: Place, door: _Door) -> None:
        while door.waiting and door.room(where.limit):
            door.inside += 1
            door.waiting.popleft().callback(None)


class Visit:
    """One lane's stay at a place, from :meth:`enter` to :meth:`leave`."""

    def __init__(self, gate: Gate, where: Place) -> None:
        self._gate = gate
        self._where = where
        self._sent = 0

    def enter(self, first: bool = False) -> Deferred[None]:
        return self._gate.enter(self._where, first)

    def leave(self) -> None:
        self._gate.leave(self._where)

    def sent(self, accepted: bool) -> None:
        """A message went out; whether it was accepted."""
        self._sent += 1
        if accepted:
            self._gate.accepted(self._where)

    def told(self, scope: str, wait: float) -> None:
        """The peer's reply has this scope (``profiles.codes``) and asks for ``wait`` seconds."""
        if scope == PROVIDER and self._where.provider:
            self._gate.pause(self._where, wait)
        elif scope == CONNECTIONS:
            self._gate.crowded(self._where)

    @property
    def paused(self) -> float:
        """Seconds for which the provider wants nothing from us."""
        return self._gate.paused(self._where)

    @property
    def over(self) -> bool:
        """Whether others wait, and this lane has had its turn."""
        return self._gate.gives_way(self._where, self._sent)
