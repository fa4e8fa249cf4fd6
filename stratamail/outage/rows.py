"""The machine of ``step`` and its event in queue.sqlite: read, stepped and written with its effects in one
transaction."""

from __future__ import annotations

from attrs import evolve, frozen
from sqlalchemy.engine import Connection

from stratamail.outage.step import ACTIVE, DOWN, FLUSHING, UP, Effect, Event, Heard, Machine, Rules, Tick, step
from stratamail.store.queue import alerts, events, primaries


@frozen
class Outcome:
    """``event``: the domain's event after the step, None when it has none."""

    machine: Machine
    effects: tuple[Effect, ...]
    event: events.Event | None = None


def load(conn: Connection, domain: str) -> tuple[Machine, events.Event | None]:
    found = primaries.load(conn, domain)
    machine = Machine() if found is None else Machine.loads(found.state, found.machine)
    current = events.current(conn, domain)
    if current is None:
        return evolve(machine, closed=events.last_closed(conn, domain)), None
    state = FLUSHING if current.state == events.FLUSHING else ACTIVE
    return evolve(machine, event=state, by_person=current.by_person), current


def apply(conn: Connection, domain: str, heard: Event, now: int, rules: Rules, text: str = "") -> Outcome:
    """One step with its effects. CLOSE is only decided here: the caller takes what was read and answered from the
    mailboxes first, and then calls :func:`close`. ``text`` is what was seen, for the alert."""
    before, event = load(conn, domain)
    after, effects = step(before, heard, now, rules)
    if isinstance(heard, Heard):
        primaries.save(conn, domain, after.state, after.dumps(), now)
    for effect in effects:
        if effect is Effect.OPEN:
            event = events.open_(conn, domain, events.MACHINE, now, text)
            _tell(conn, event, "outage", f"{domain}: the mail server does not answer ({text or DOWN})", now)
        elif effect is Effect.REACTIVATE and event is not None:
            events.set_state(conn, event.id, events.ACTIVE, now)
        elif effect is Effect.FLUSH and event is not None:
            events.set_state(conn, event.id, events.FLUSHING, now)
            _tell(conn, event, "recovered", f"{domain}: the mail server is {UP} again, mail is given back", now)
    return Outcome(after, effects, events.current(conn, domain))


def tick(conn: Connection, domain: str) -> Tick:
    return Tick(events.drained(conn, domain))


def restless(conn: Connection, now: int, rules: Rules) -> list[str]:
    """The domains in which the passing of time would change something now."""
    names = set(events.open_events(conn))
    names |= {name for name, state in primaries.states(conn).items() if state == DOWN}
    found = []
    for name in sorted(names):
        machine, _ = load(conn, name)
        if step(machine, tick(conn, name), now, rules)[1]:
            found.append(name)
    return found


def close(conn: Connection, event: events.Event, now: int, read: int, answered: int, rules: Rules) -> bool:
    """Close ``event`` if time and rows still say so; whether it was."""
    machine, current = load(conn, event.domain)
    if current is None or current.id != event.id:
        return False
    if Effect.CLOSE not in step(machine, tick(conn, event.domain), now, rules)[1]:
        return False
    events.close(conn, event.id, now, read, answered)
    counts = events.counts(conn, event)
    said = f"{event.domain}: the outage is over, {counts.delivered} given back, {counts.left_over} left over"
    _tell(conn, event, "closed", said, now)
    return True


def _tell(conn: Connection, event: events.Event, kind: str, text: str, now: int) -> None:
    alerts.add(conn, now, event.domain, kind, f"{kind}/{event.domain}/{event.id}", text)
