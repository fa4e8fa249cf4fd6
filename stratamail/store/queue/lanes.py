"""The relay's own statements on the deliveries: what may go now, the mark before it goes, the result after.

The truth of promise "in order, without a jam": a mailbox has at most one message in flight, the oldest first; one that
waits does not stop the others; one that was deferred three times steps aside once the next has been accepted. Writes
queue.sqlite, in the caller's (the committer's) transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from attrs import frozen
from sqlalchemy.engine import Connection

from stratamail.store.database import driver
from stratamail.store.model import DEFERRED, DELIVERED, HELD, PRIMARY, QUEUED, RETURNED, WORLD, Delivery
from stratamail.store.queue import alerts, events, hot
from stratamail.store.queue.deliveries import JOINED, is_owed, read_row
from stratamail.store.queue.held import kind_of
from stratamail.store.queue.schema import deliveries, messages

# deferrals about the message after which the next of its mailbox is tried beside it
PATIENCE = 3
# unknown outcomes in a row that hold a delivery
DOUBTS = 3
DOUBT_TEXT = "it may be there already: three times the connection was lost after the message had been sent"
_STOPPED_TEXT = "outcome unknown: we stopped while it was on its way"

# outcomes of an attempt, as the relay judges them
ACCEPTED, MESSAGE, WAIT, UNKNOWN, REFUSED, UNTRIED, GIVEN_UP = (
    "accepted",  # delivered
    "message",  # 4xx about the message: counts towards stepping aside
    "wait",  # 4xx about the mailbox, a rate, the server: its mailbox waits, nothing is counted
    "unknown",  # no reply after the final dot
    "refused",  # held
    "untried",  # back to queued: no fault of this delivery
    "given-up",  # returned to the sender (mail to the world)
)


@frozen
class Result:
    """One delivery's outcome. ``again`` (µs) is when it may be tried again; ``sha256`` is over the bytes that went out;
    ``notice``: a report to the sender is owed; ``may_hold``: a third unknown outcome may hold it (never a canary)."""

    id: int
    outcome: str
    reply: str
    again: int = 0
    sha256: str = ""
    notice: bool = False
    may_hold: bool = True


@frozen
class Held:
    """A delivery that a result has put on hold."""

    id: int
    reason: str


_older = deliveries.alias("older")
_is_owed = is_owed()
_older_blocks = sa.and_(
    _older.c.key == deliveries.c.key,
    is_owed(_older),
    _older.c.destination == deliveries.c.destination,
    _older.c.seq < deliveries.c.seq,
    _older.c.aside == sa.false(),
    _older.c.deferrals < PATIENCE,
)


def _exists(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists(sa.select(sa.literal(1)).select_from(_older).where(condition))


# an older one that waits makes its mailbox wait; one that is due goes before us in the same page
_waits = _exists(sa.and_(_older_blocks, _older.c.next_attempt > sa.bindparam("now")))
_DUE = (
    JOINED.where(
        _is_owed,
        deliveries.c.destination == sa.bindparam("destination"),
        deliveries.c.lane == sa.bindparam("lane"),
        deliveries.c.seq > sa.bindparam("after"),
        deliveries.c.next_attempt <= sa.bindparam("now"),
        deliveries.c.trying == sa.false(),
        # an older one that waits makes its mailbox wait; one that is due goes before us in the same page
        sa.or_(
            deliveries.c.aside, sa.not_(_exists(sa.and_(_older_blocks, _older.c.next_attempt > sa.bindparam("now"))))
        ),
    )
    .order_by(deliveries.c.seq, deliveries.c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_REST = JOINED.where(
    _is_owed,
    deliveries.c.seq == sa.bindparam("seq"),
    deliveries.c.destination == sa.bindparam("destination"),
    deliveries.c.lane == sa.bindparam("lane"),
    deliveries.c.next_attempt <= sa.bindparam("now"),
    deliveries.c.trying == sa.false(),
    sa.or_(deliveries.c.aside, sa.not_(_waits)),
).order_by(deliveries.c.id)


def due(conn: Connection, destination: str, lane: str, now: int, after: int = 0, limit: int = 100) -> list[Delivery]:
    """What may go now, in order of seq, above ``after``: a page of about ``limit`` rows that never ends inside a
    message. Within a page the oldest of a mailbox comes first; :func:`mark` has the last word."""
    values = {"destination": destination, "lane": lane, "now": now}
    rows = conn.execute(_DUE, {**values, "after": after, "limit": limit}).all()
    if len(rows) == limit:
        last = rows[-1][1]
        rows = [row for row in rows if row[1] != last]
        rows += list(conn.execute(_REST, {**values, "seq": last}).all())
    return [read_row(row) for row in rows]


def heads(
    conn: Connection, destination: str, lane: str, now: int, limit: int = 200, after: tuple[int, int] = (0, 0)
) -> list[Delivery]:
    """The oldest due delivery of each mailbox, in order of seq, a page above ``after`` (seq and id): what a canary is
    chosen from."""
    query = JOINED.where(
        _is_owed,
        deliveries.c.destination == destination,
        deliveries.c.lane == lane,
        deliveries.c.next_attempt <= now,
        deliveries.c.trying == sa.false(),
        sa.or_(
            deliveries.c.seq > after[0],
            sa.and_(deliveries.c.seq == after[0], deliveries.c.id > after[1]),
        ),
        sa.not_(_exists(_older_blocks)),
    )
    rows = conn.execute(query.order_by(deliveries.c.seq, deliveries.c.id).limit(limit)).all()
    return [read_row(row) for row in rows]


def next_due(conn: Connection, destination: str, lane: str, now: int) -> int | None:
    """When the next delivery of a lane that waits is due (µs, after ``now``), None when none waits."""
    query = sa.select(sa.func.min(deliveries.c.next_attempt)).where(
        _is_owed,
        deliveries.c.destination == destination,
        deliveries.c.lane == lane,
        deliveries.c.next_attempt > now,
    )
    return conn.execute(query).scalar()


def lanes(conn: Connection) -> list[tuple[str, str]]:
    """``(destination, lane)`` of every lane that owes something; a few reads of an index for each, however much it
    owes."""
    found = []
    for destination in (PRIMARY, WORLD):
        last = ""
        while True:
            query = (
                sa.select(deliveries.c.lane)
                .where(_is_owed, deliveries.c.destination == destination, deliveries.c.lane > last)
                .order_by(deliveries.c.lane)
                .limit(1)
            )
            lane = conn.execute(query).scalar()
            if lane is None:
                break
            found.append((destination, lane))
            last = lane
    return found


def expire(conn: Connection, lane: str, before: int, now: int, reply: str) -> int:
    """Give up what has waited for the world since before ``before`` (µs): returned, with a report where one is owed."""
    old = sa.select(messages.c.seq).where(messages.c.seq == deliveries.c.seq, messages.c.arrived < before)
    sender = sa.select(messages.c.sender).where(messages.c.seq == deliveries.c.seq).scalar_subquery()
    wanted = sa.and_(sender != "", sa.func.upper(deliveries.c.notify) != "NEVER")
    statement = (
        sa.update(deliveries)
        .where(
            _is_owed,
            deliveries.c.destination == WORLD,
            deliveries.c.lane == lane,
            deliveries.c.trying == sa.false(),
            sa.exists(old),
        )
        .values(state=RETURNED, finished=now, last_reply=reply, notice=sa.case((wanted, True), else_=False))
    )
    return conn.execute(statement).rowcount


def mark(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Mark as *trying* those of ``ids`` that are still owed and the oldest of their mailbox; gives these. Only they
    may be written to a peer."""
    if not ids:
        return []
    if conn.dialect.name == "sqlite":
        return hot.mark(driver(conn), ids, PATIENCE)
    return mark_portably(conn, ids)


def mark_portably(conn: Connection, ids: Sequence[int]) -> list[int]:
    """:func:`mark` on any database."""
    marked: list[int] = []
    for start in range(0, len(ids), 500):
        statement = (
            sa.update(deliveries)
            .where(
                deliveries.c.id.in_(list(ids[start : start + 500])),
                _is_owed,
                deliveries.c.trying == sa.false(),
                sa.or_(deliveries.c.aside, sa.not_(_exists(_older_blocks))),
            )
            .values(trying=True, attempts=deliveries.c.attempts + 1)
            .returning(deliveries.c.id)
        )
        marked += conn.execute(statement).scalars().all()
    return sorted(marked)


def unmark(conn: Connection, ids: Sequence[int]) -> None:
    """Take off marks of a commit whose fate is unknown; only for who alone marks these, before anything was sent."""
    for one in ids:
        conn.execute(
            sa.update(deliveries)
            .where(deliveries.c.id == one, deliveries.c.trying, _is_owed)
            .values(trying=False, attempts=deliveries.c.attempts - 1)
        )


def _values(result: Result, row: Any, now: int, proved_since: bool) -> dict[str, Any]:
    """What a result changes. ``row``: deferrals, unknown_outcomes, unknown_since."""
    values: dict[str, Any] = {"trying": False, "last_reply": result.reply}
    if result.outcome == UNKNOWN:
        doubts = row.unknown_outcomes + 1
        values |= {
            "state": DEFERRED,
            "next_attempt": result.again,
            "unknown_outcomes": doubts,
            "unknown_since": row.unknown_since or now,
        }
        if doubts >= DOUBTS and result.may_hold and proved_since:
            values |= {"state": HELD, "next_attempt": now, "last_reply": f"{DOUBT_TEXT} ({result.reply})"}
        return values
    if result.outcome == UNTRIED:
        # the row stays as it was; a doubt about an earlier attempt remains
        return values | {"state": QUEUED, "next_attempt": result.again}
    values |= {"unknown_outcomes": 0, "unknown_since": None}
    if result.outcome == ACCEPTED:
        return values | {"state": DELIVERED, "finished": now, "relayed_sha256": result.sha256}
    if result.outcome == MESSAGE:
        return values | {"state": DEFERRED, "next_attempt": result.again, "deferrals": row.deferrals + 1}
    if result.outcome == WAIT:
        return values | {"state": DEFERRED, "next_attempt": result.again}
    if result.outcome == GIVEN_UP:
        return values | {"state": RETURNED, "finished": now, "notice": result.notice}
    return values | {"state": HELD, "next_attempt": now}


def record(conn: Connection, results: Sequence[Result], now: int) -> list[Held]:
    """Write the outcomes of deliveries that are marked; one that is not (a person was faster, a replay) is left alone.
    Gives those that are held by it; each has its alert, one for each kind of refusal and outage event."""
    held = []
    sqlite = conn.dialect.name == "sqlite"
    for result in results:
        if sqlite and result.outcome == ACCEPTED:
            hot.delivered(driver(conn), result.id, result.reply, result.sha256, now, PATIENCE)
            continue
        row = conn.execute(
            sa.select(
                deliveries.c.seq,
                deliveries.c.key,
                deliveries.c.domain,
                deliveries.c.destination,
                deliveries.c.lane,
                deliveries.c.deferrals,
                deliveries.c.unknown_outcomes,
                deliveries.c.unknown_since,
            ).where(deliveries.c.id == result.id, deliveries.c.trying, _is_owed)
        ).first()
        if row is None:
            continue
        proved = False
        if result.outcome == UNKNOWN and row.unknown_outcomes + 1 >= DOUBTS:
            proved = _accepted_since(conn, row.destination, row.lane, row.unknown_since or now)
        values = _values(result, row, now, proved)
        conn.execute(sa.update(deliveries).where(deliveries.c.id == result.id).values(**values))
        if result.outcome == ACCEPTED:
            _step_aside(conn, row.key, row.destination, row.seq)
        if values.get("state") == HELD:
            held.append(Held(result.id, values["last_reply"]))
            _tell_held(conn, row.domain, values["last_reply"], now)
    return held


def _accepted_since(conn: Connection, destination: str, lane: str, since: int) -> bool:
    query = sa.select(deliveries.c.id).where(
        deliveries.c.destination == destination,
        deliveries.c.lane == lane,
        deliveries.c.state == DELIVERED,
        deliveries.c.finished > since,
    )
    return conn.execute(query.limit(1)).first() is not None


def _step_aside(conn: Connection, key: str, destination: str, seq: int) -> None:
    conn.execute(
        sa.update(deliveries)
        .where(
            deliveries.c.key == key,
            _is_owed,
            deliveries.c.destination == destination,
            deliveries.c.seq < seq,
            deliveries.c.aside == sa.false(),
            deliveries.c.deferrals >= PATIENCE,
        )
        .values(aside=True)
    )


def _tell_held(conn: Connection, domain: str, reason: str, now: int) -> None:
    """One alert for each kind of refusal in an outage, or in a day without one."""
    outage = events.current(conn, domain)
    span = f"outage {outage.id}" if outage is not None else str(now // 86_400_000_000)
    text = f"{domain}: mail is held: {reason}"
    alerts.add(conn, now, domain, "held", f"held/{domain}/{kind_of(reason)}/{span}", text)


def settle(
    conn: Connection, results: Sequence[Result], now: int, ids: Sequence[int] = (), back: Sequence[int] = ()
) -> tuple[list[Held], list[int]]:
    """:func:`record`, :func:`put_back` and then :func:`mark` in one transaction: a result is durable before the next
    message goes out, and what goes back is not seen on hold."""
    held = record(conn, results, now)
    put_back(conn, back)
    return held, mark(conn, ids)


def hold(conn: Connection, ids: Sequence[int], reason: str, now: int) -> int:
    """Hold owed deliveries that are not on their way, with a reason of ours (too large, a missing file); how many."""
    number = 0
    for one in ids:
        row = conn.execute(sa.select(deliveries.c.domain).where(deliveries.c.id == one)).first()
        changed = conn.execute(
            sa.update(deliveries)
            .where(deliveries.c.id == one, _is_owed)
            .values(state=HELD, last_reply=reason, next_attempt=now, trying=False)
        ).rowcount
        if changed and row is not None:
            number += 1
            _tell_held(conn, row[0], reason, now)
    return number


def put_back(conn: Connection, ids: Sequence[int]) -> int:
    """Deliveries that were held by a primary that is not itself go back to queued; gives how many."""
    if not ids:
        return 0
    changed = conn.execute(
        sa.update(deliveries)
        .where(deliveries.c.id.in_(list(ids)), deliveries.c.state == HELD)
        .values(state=QUEUED, next_attempt=0)
    )
    return changed.rowcount


def recover(conn: Connection, now: int) -> int:
    """At start, before any lane runs: a mark that is found is an unknown outcome. Gives how many there were."""
    ids = list(conn.execute(sa.select(deliveries.c.id).where(_is_owed, deliveries.c.trying)).scalars())
    record(conn, [Result(one, UNKNOWN, _STOPPED_TEXT, now) for one in ids], now)
    # a mark on a row that is no longer owed means nothing
    conn.execute(sa.update(deliveries).where(deliveries.c.trying, sa.not_(_is_owed)).values(trying=False))
    return len(ids)


def notices(conn: Connection, limit: int = 50) -> list[Delivery]:
    """Deliveries whose sender is owed a report (RFC 3464), oldest first."""
    query = JOINED.where(deliveries.c.notice).order_by(deliveries.c.id).limit(limit)
    return [read_row(row) for row in conn.execute(query).all()]


def notice_done(conn: Connection, id: int) -> None:
    conn.execute(sa.update(deliveries).where(deliveries.c.id == id).values(notice=False))
