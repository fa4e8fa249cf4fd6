"""The health of one primary and its outage event, as a pure machine: ``step(machine, event, now, rules)``.

Primary: up → suspect → down → recovering → up (and unknown at first), N of M with hysteresis. Event: none → active →
flushing → none, and flushing → active when the primary falls again. Times are integer microseconds. Writes nothing;
``watch`` stores the machine and carries out the effects in one transaction.
"""

from __future__ import annotations

import json
from enum import Enum

from attrs import evolve, frozen

from stratamail.config.settings import Probe, Ratio

UNKNOWN, UP, SUSPECT, DOWN, RECOVERING = "unknown", "up", "suspect", "down", "recovering"
STATES = (UNKNOWN, UP, SUSPECT, DOWN, RECOVERING)
NONE, ACTIVE, FLUSHING = "none", "active", "flushing"


class Effect(Enum):
    OPEN = "open"  # a new event
    REACTIVATE = "reactivate"  # flushing → active
    FLUSH = "flush"  # active → flushing
    CLOSE = "close"  # nothing is owed any more
    RECOVERED = "recovered"  # tell the relay: attempt at once


@frozen
class Rules:
    open: Ratio
    close: Ratio
    quiet: int

    @classmethod
    def of(cls, settings: Probe) -> Rules:
        return cls(settings.open, settings.close, round(settings.quiet_period * 1_000_000))


@frozen
class Machine:
    """``results``: the latest, True is alive, newest last. ``since``: when ``state`` was entered. ``event``,
    ``by_person``
    (declared and not ended) and ``closed`` (when the last event was) are read from the events, not kept here."""

    state: str = UNKNOWN
    since: int = 0
    results: tuple[bool, ...] = ()
    event: str = NONE
    by_person: bool = False
    closed: int | None = None

    def dumps(self) -> str:
        return json.dumps({"since": self.since, "results": "".join("+" if one else "-" for one in self.results)})

    @classmethod
    def loads(cls, state: str, text: str) -> Machine:
        """A stored machine; one that cannot be read begins anew."""
        try:
            found = json.loads(text)
            results = tuple(one == "+" for one in str(found["results"]))
            return cls(state if state in STATES else UNKNOWN, int(found["since"]), results)
        except (ValueError, KeyError, TypeError):
            return cls()


@frozen
class Heard:
    """A probe or an attempt of the relay. ``proof``: it accepted a message."""

    alive: bool
    proof: bool = False


@frozen
class Tick:
    """Time passes. ``drained``: nothing is owed but what is held or has stepped aside."""

    drained: bool = False


Event = Heard | Tick


def satisfied(ratio: Ratio, results: tuple[bool, ...], value: bool) -> bool:
    """Whether ``value`` occurs ``ratio.count`` times among the last ``ratio.among`` results."""
    return sum(one is value for one in results[-ratio.among :]) >= ratio.count


def step(machine: Machine, event: Event, now: int, rules: Rules) -> tuple[Machine, tuple[Effect, ...]]:
    before = machine.state
    if isinstance(event, Heard):
        machine = _heard(machine, event, now, rules)
    effects: list[Effect] = []
    if machine.state == UP and before != UP:
        effects.append(Effect.RECOVERED)
    machine, more = _event(machine, event, now, rules)
    return machine, (*effects, *more)


def _heard(machine: Machine, heard: Heard, now: int, rules: Rules) -> Machine:
    longest = max(rules.open.among, rules.close.among)
    results = (*machine.results, heard.alive)[-longest:]
    state = machine.state
    if heard.proof:
        state = UP
        # failures of the time before are over with it: one more must not count as the last of many
        results = (True,)
    elif heard.alive:
        if satisfied(rules.close, results, True):
            state = UP
        elif state == DOWN:
            state = RECOVERING
    elif state in (DOWN, RECOVERING) or satisfied(rules.open, results, False):
        state = DOWN
    else:
        state = SUSPECT
    since = machine.since if state == machine.state else now
    return evolve(machine, state=state, since=since, results=results)


def _event(machine: Machine, event: Event, now: int, rules: Rules) -> tuple[Machine, list[Effect]]:
    stood = now - machine.since >= rules.quiet
    if machine.event == NONE:
        # opening again soon after a close waits until the state has stood; a first opening does not
        fresh = machine.closed is None or now - machine.closed >= rules.quiet
        if machine.state == DOWN and (fresh or stood):
            return evolve(machine, event=ACTIVE), [Effect.OPEN]
        return machine, []
    if machine.by_person:
        return machine, []
    if machine.event == ACTIVE:
        if machine.state == UP:
            return evolve(machine, event=FLUSHING), [Effect.FLUSH]
        return machine, []
    if machine.state == DOWN:
        return evolve(machine, event=ACTIVE), [Effect.REACTIVATE]
    if isinstance(event, Tick) and event.drained and machine.state == UP and stood:
        return evolve(machine, event=NONE, closed=now), [Effect.CLOSE]
    return machine, []
