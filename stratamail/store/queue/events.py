"""Outage events: opened, active, flushing, closed; their counts are computed from the rows, never kept beside them.

An event spans the deliveries from ``first_seq`` (the oldest that was owed when it opened) to ``last_seq``; a row within
the span counts unless it was finished or held before the event opened. Writes queue.sqlite, in the transaction of the
caller.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from attrs import frozen
from sqlalchemy.engine import Connection

from stratamail.store.model import DELIVERED, HELD, OWED, PRIMARY
from stratamail.store.queue.deliveries import is_owed, rfc3339
from stratamail.store.queue.schema import deliveries, events, messages

MACHINE, DECLARED, DRILL = "machine", "declared", "drill"
ACTIVE, FLUSHING, CLOSED = "active", "flushing", "closed"
NONE = "none"


@frozen
class Event:
    """A row. ``flushing`` is when it last began to flush or a person ended it; times in µs. ``hold``: nothing is given
    back until it is ended."""

    id: int
    domain: str
    kind: str
    state: str
    reason: str
    hold: bool
    opened: int
    flushing: int | None
    closed: int | None
    first_seq: int
    last_seq: int | None
    read: int = 0
    answered: int = 0

    @property
    def by_person(self) -> bool:
        """Declared and not ended: a primary that is up does not close it."""
        return self.kind == DECLARED and self.state == ACTIVE and self.flushing is None


@frozen
class Counts:
    """Deliveries of an event: all that was owed in it, and what became of it. ``left_over``: held or stepped aside."""

    captured: int = 0
    delivered: int = 0
    held: int = 0
    left_over: int = 0
    owed: int = 0


_COLUMNS = (
    events.c.id,
    events.c.domain,
    events.c.kind,
    events.c.state,
    events.c.reason,
    events.c.hold,
    events.c.opened,
    events.c.flushing,
    events.c.closed,
    events.c.first_seq,
    events.c.last_seq,
    events.c.read,
    events.c.answered,
)


def _read(row: Any) -> Event:
    values: list[Any] = [*row[:5], bool(row[5]), *row[6:]]
    return Event(*values)


def current(conn: Connection, domain: str) -> Event | None:
    """The event of a domain that is not closed."""
    query = sa.select(*_COLUMNS).where(events.c.domain == domain, events.c.closed.is_(None))
    row = conn.execute(query.order_by(events.c.id.desc()).limit(1)).first()
    return None if row is None else _read(row)


def open_events(conn: Connection) -> dict[str, Event]:
    """The event of every domain that has one."""
    query = sa.select(*_COLUMNS).where(events.c.closed.is_(None)).order_by(events.c.id)
    return {row[1]: _read(row) for row in conn.execute(query)}


def last_closed(conn: Connection, domain: str) -> int | None:
    """When the latest event of a domain was closed, in µs."""
    return conn.execute(sa.select(sa.func.max(events.c.closed)).where(events.c.domain == domain)).scalar()


def open_(conn: Connection, domain: str, kind: str, now: int, reason: str = "", hold: bool = False) -> Event:
    """Open an event; it adopts what is already owed. When one is open already, that one is given back unchanged."""
    before = current(conn, domain)
    if before is not None:
        return before
    oldest = conn.execute(
        sa.select(sa.func.min(deliveries.c.seq)).where(
            deliveries.c.destination == PRIMARY,
            deliveries.c.lane == domain,
            is_owed(),
            deliveries.c.aside == sa.false(),
            deliveries.c.replay_of.is_(None),
        )
    ).scalar()
    if oldest is None:
        oldest = (conn.execute(sa.select(sa.func.max(messages.c.seq))).scalar() or 0) + 1
    conn.execute(
        sa.insert(events).values(
            domain=domain, kind=kind, state=ACTIVE, reason=reason, hold=hold, opened=now, first_seq=oldest
        )
    )
    opened = current(conn, domain)
    assert opened is not None
    return opened


def set_state(conn: Connection, id: int, state: str, now: int) -> None:
    """``active`` or ``flushing`` of an open event."""
    values: dict[str, Any] = {"state": state}
    if state == FLUSHING:
        values["flushing"] = now
    conn.execute(sa.update(events).where(events.c.id == id, events.c.closed.is_(None)).values(**values))


def declare(conn: Connection, id: int, reason: str, hold: bool) -> None:
    """An open event is a person's from now on: only a person ends it."""
    conn.execute(
        sa.update(events)
        .where(events.c.id == id, events.c.closed.is_(None))
        .values(kind=DECLARED, state=ACTIVE, flushing=None, reason=reason, hold=hold)
    )


def end(conn: Connection, id: int, now: int, reason: str) -> None:
    """A person ends it: it flushes, and closes when nothing is owed."""
    conn.execute(
        sa.update(events)
        .where(events.c.id == id, events.c.closed.is_(None))
        .values(state=FLUSHING, flushing=now, hold=False, reason=reason)
    )


def close(conn: Connection, id: int, now: int, read: int = 0, answered: int = 0) -> None:
    """``read`` and ``answered`` are taken from the mailboxes by the caller."""
    last = conn.execute(sa.select(sa.func.max(messages.c.seq))).scalar() or 0
    conn.execute(
        sa.update(events)
        .where(events.c.id == id, events.c.closed.is_(None))
        .values(state=CLOSED, closed=now, last_seq=last, read=read, answered=answered)
    )


def span(event: Event) -> list[sa.ColumnElement[bool]]:
    """Which deliveries are an event's; what a person had replayed is of none."""
    found = [
        deliveries.c.domain == event.domain,
        deliveries.c.destination == PRIMARY,
        deliveries.c.seq >= event.first_seq,
        deliveries.c.replay_of.is_(None),
        sa.or_(deliveries.c.finished.is_(None), deliveries.c.finished >= event.opened),
        # next_attempt of a held row is when it was held
        sa.or_(
            deliveries.c.state != HELD,
            deliveries.c.next_attempt >= event.opened,
            deliveries.c.next_attempt == 0,
        ),
    ]
    if event.last_seq is not None:
        found.append(deliveries.c.seq <= event.last_seq)
    return found


def counts(conn: Connection, event: Event) -> Counts:
    """Computed from the rows as they stand now."""
    query = (
        sa.select(deliveries.c.state, deliveries.c.aside, sa.func.count())
        .where(*span(event))
        .group_by(deliveries.c.state, deliveries.c.aside)
    )
    captured = delivered = held = left_over = owed = 0
    for state, aside, number in conn.execute(query):
        captured += number
        if state == DELIVERED:
            delivered += number
        elif state == HELD:
            held += number
            left_over += number
        elif state in OWED and aside:
            left_over += number
        elif state in OWED:
            owed += number
    return Counts(captured, delivered, held, left_over, owed)


def drained(conn: Connection, domain: str) -> bool:
    """Whether a domain owes its primary nothing but what is held or has stepped aside."""
    query = (
        sa.select(deliveries.c.id)
        .where(
            deliveries.c.destination == PRIMARY,
            deliveries.c.lane == domain,
            is_owed(),
            deliveries.c.aside == sa.false(),
        )
        .limit(1)
    )
    return conn.execute(query).first() is None


def message_ids(conn: Connection, event: Event) -> list[tuple[str, str]]:
    """``(message id, mailbox ids)`` of an event's messages, for counting what was read and answered there."""
    query = (
        sa.select(messages.c.id, messages.c.mailboxes)
        .where(
            messages.c.seq.in_(
                sa.select(deliveries.c.seq).where(
                    deliveries.c.domain == event.domain,
                    deliveries.c.destination == PRIMARY,
                    deliveries.c.seq >= event.first_seq,
                )
            )
        )
        .order_by(messages.c.seq)
    )
    return [(row[0], row[1]) for row in conn.execute(query)]


def get(scope: Collection[str] | None, conn: Connection, id: int) -> Event | None:
    """The event with this number, None when there is none that ``scope`` may see."""
    query = sa.select(*_COLUMNS).where(events.c.id == id)
    if scope is not None:
        query = query.where(events.c.domain.in_(list(scope)))
    row = conn.execute(query).first()
    return None if row is None else _read(row)


def listing(scope: Collection[str] | None, conn: Connection, domain: str = "") -> list[Event]:
    """The events of the domains in ``scope`` (None: the operator's view), oldest first; of ``domain`` when named."""
    query = sa.select(*_COLUMNS).order_by(events.c.id)
    if scope is not None:
        query = query.where(events.c.domain.in_(list(scope)))
    if domain:
        query = query.where(events.c.domain == domain)
    return [_read(row) for row in conn.execute(query)]


def as_json(conn: Connection, event: Event) -> dict[str, object]:
    """The object of ``events --json``."""
    found = counts(conn, event)
    return {
        "id": event.id,
        "domain": event.domain,
        "kind": event.kind,
        "opened": rfc3339(event.opened),
        "closed": rfc3339(event.closed),
        "captured": found.captured,
        "read": event.read,
        "answered": event.answered,
        "delivered": found.delivered,
        "held": found.held,
        "left_over": found.left_over,
        "state": event.state,
        "reason": event.reason,
        "hold": event.hold,
    }


def state_of(conn: Connection, domain: str) -> str:
    """``event_state`` of ``status``: none, active or flushing."""
    found = current(conn, domain)
    return NONE if found is None else found.state
