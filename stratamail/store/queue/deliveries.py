"""What is owed: the deliveries as people see and change them (listing, counts, retry, hold, release, return).

One row of ``deliveries`` per (message, recipient). The relay's own statements are in ``lanes``. Every change names the
state that it expects, so that a result and a person never overwrite each other. Writes queue.sqlite, in the caller's
transaction. Functions that tenants read by take a *scope* first: the domains of the account that asks; None is the
operator's view of everything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from attrs import evolve, frozen
from sqlalchemy.engine import Connection

from stratamail.store.model import DEFERRED, HELD, OWED, PRIMARY, QUEUED, RETURNED, Delivery, Message
from stratamail.store.queue.schema import deliveries, messages

# rows per page of a listing: no reader keeps a snapshot open longer (the WAL could not shrink)
PAGE = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# literals, not parameters: only so does SQLite see that the partial indexes apply
_OWED_LITERALS: list[sa.ColumnElement[Any]] = [sa.literal_column(f"'{state}'") for state in OWED]


def is_owed(table: sa.FromClause = deliveries) -> sa.ColumnElement[bool]:
    """Queued or deferred, in the form in which the partial indexes are used."""
    return table.c.state.in_(_OWED_LITERALS)


def is_held(table: sa.FromClause = deliveries) -> sa.ColumnElement[bool]:
    return table.c.state == sa.literal_column(f"'{HELD}'")


_COLUMNS = (
    deliveries.c.id,
    messages.c.seq,
    messages.c.id.label("message_id"),
    messages.c.arrived,
    messages.c.kind,
    messages.c.sender,
    messages.c.size,
    messages.c.sha256,
    messages.c.trace_size,
    messages.c.body,
    messages.c.smtputf8,
    messages.c.ret,
    messages.c.envid,
    messages.c.mailboxes,
    deliveries.c.recipient,
    deliveries.c.key,
    deliveries.c.domain,
    deliveries.c.destination,
    deliveries.c.lane,
    deliveries.c.notify,
    deliveries.c.orcpt,
    deliveries.c.state,
    deliveries.c.attempts,
    deliveries.c.next_attempt,
    deliveries.c.last_reply,
    deliveries.c.trying,
    deliveries.c.deferrals,
    deliveries.c.unknown_outcomes,
    deliveries.c.aside,
    deliveries.c.finished,
)
JOINED = sa.select(*_COLUMNS).select_from(deliveries.join(messages, messages.c.seq == deliveries.c.seq))


def read_row(row: Sequence[Any]) -> Delivery:
    """A ``Delivery`` from a row of :data:`JOINED`."""
    ids = tuple(int(one) for one in row[13].split(",") if one)
    plain: list[Any] = [*row[1:10], bool(row[10]), *row[11:13], ids]
    rest: list[Any] = [*row[14:25], bool(row[25]), *row[26:28], bool(row[28]), row[29]]
    return Delivery(row[0], Message(*plain), *rest)


@frozen
class Change:
    """What became of a request to change a delivery. ``outcome`` is "changed", "already" (it is past that point, or
    there already), "trying" (the message is on its way this moment: ask again when its outcome is known) or "unknown"
    (no such delivery). ``state`` is the state now."""

    id: int
    outcome: str
    state: str = ""

    @property
    def text(self) -> str:
        """One line for a person."""
        said = {
            "changed": f"{self.id}: now {self.state}",
            "already": f"{self.id}: is {self.state}, nothing to do",
            "trying": f"{self.id}: is on its way this moment, its outcome is awaited",
            "unknown": f"{self.id}: no such delivery",
        }
        return said[self.outcome]


@frozen
class Counts:
    """Of one domain: ``queued`` owed to the primary and not held, ``held``, ``oldest`` arrival of what is owed to the
    primary (µs) or None, ``outbound`` waiting for the world, ``aside`` among the queued."""

    queued: int = 0
    held: int = 0
    oldest: int | None = None
    outbound: int = 0
    aside: int = 0


def rfc3339(us: int | None) -> str | None:
    """A time as the JSON has it: RFC 3339, UTC, microseconds; None stays None."""
    if us is None:
        return None
    return (_EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def as_json(delivery: Delivery) -> dict[str, object]:
    """The object of ``queue list --json`` and ``queue show --json``."""
    owed = delivery.state in OWED
    return {
        "id": delivery.id,
        "message": delivery.message.id,
        "domain": delivery.domain,
        "sender": delivery.message.sender,
        "recipient": delivery.recipient,
        "arrived": rfc3339(delivery.message.arrived),
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt": rfc3339(max(delivery.next_attempt, delivery.message.arrived)) if owed else None,
        "last_reply": delivery.last_reply,
        "size": delivery.message.size,
        "sha256": delivery.message.sha256,
        "destination": delivery.destination,
        "aside": delivery.aside,
        "unknown_outcomes": delivery.unknown_outcomes,
        "finished": rfc3339(delivery.finished),
    }


def _scoped(scope: Collection[str] | None, query: sa.Select[Any]) -> sa.Select[Any]:
    return query if scope is None else query.where(deliveries.c.domain.in_(list(scope)))


def listing(
    scope: Collection[str] | None,
    conn: Connection,
    *,
    domains: Sequence[str] = (),
    ids: Sequence[int] = (),
    finished: bool = False,
    page: int = PAGE,
) -> Iterator[Delivery]:
    """Deliveries in order of seq: owed and held ones, with ``finished`` the delivered and returned too; of ``domains``
    and ``ids`` when any are named. On a reading connection its transaction ends after every page."""
    base = _scoped(scope, JOINED)
    if not finished:
        base = base.where(deliveries.c.state.in_((*OWED, HELD)))
    if domains:
        base = base.where(deliveries.c.domain.in_(list(domains)))
    if ids:
        base = base.where(deliveries.c.id.in_(list(ids)))
    after = (0, 0)
    while True:
        query = base.where(
            sa.or_(
                deliveries.c.seq > after[0],
                sa.and_(deliveries.c.seq == after[0], deliveries.c.id > after[1]),
            )
        )
        rows = conn.execute(query.order_by(deliveries.c.seq, deliveries.c.id).limit(page)).all()
        if conn.in_transaction() and not conn.get_execution_options().get("immediate", False):
            conn.rollback()
        for row in rows:
            yield read_row(row)
        if len(rows) < page:
            return
        after = (rows[-1][1], rows[-1][0])


def get(scope: Collection[str] | None, conn: Connection, id: int) -> Delivery | None:
    """One delivery, whatever its state; None when there is none that ``scope`` may see."""
    row = conn.execute(_scoped(scope, JOINED.where(deliveries.c.id == id))).first()
    return None if row is None else read_row(row)


def of_message(scope: Collection[str] | None, conn: Connection, message: str) -> list[Delivery]:
    """Every delivery of the message with this id."""
    query = _scoped(scope, JOINED.where(messages.c.id == message)).order_by(deliveries.c.id)
    return [read_row(row) for row in conn.execute(query)]


def counts(scope: Collection[str] | None, conn: Connection) -> dict[str, Counts]:
    """What each domain is owed; domains that are owed nothing are missing."""
    found: dict[str, Counts] = {}
    waiting = (
        sa.select(
            deliveries.c.domain,
            deliveries.c.destination,
            sa.func.count(),
            sa.func.min(deliveries.c.seq),
            sa.func.sum(sa.case((deliveries.c.aside, 1), else_=0)),
        )
        .where(is_owed())
        .group_by(deliveries.c.domain, deliveries.c.destination)
    )
    for domain, destination, number, first, aside in conn.execute(_scoped(scope, waiting)).all():
        before = found.get(domain, Counts())
        if destination == PRIMARY:
            oldest = conn.execute(sa.select(messages.c.arrived).where(messages.c.seq == first)).scalar()
            found[domain] = evolve(before, queued=number, oldest=oldest, aside=int(aside))
        else:
            found[domain] = evolve(before, outbound=number)
    kept = sa.select(deliveries.c.domain, sa.func.count()).where(is_held()).group_by(deliveries.c.domain)
    for domain, number in conn.execute(_scoped(scope, kept)).all():
        found[domain] = evolve(found.get(domain, Counts()), held=number)
    return found


def owes(conn: Connection, domain: str) -> int:
    """How many deliveries of a domain are still owed or held (to anybody): such a domain is not removed."""
    query = sa.select(sa.func.count()).where(deliveries.c.domain == domain, deliveries.c.state.in_((*OWED, HELD)))
    return int(conn.execute(query).scalar() or 0)


def select_ids(
    scope: Collection[str] | None,
    conn: Connection,
    *,
    domains: Sequence[str] = (),
    ids: Sequence[int] = (),
    states: Sequence[str] = (*OWED, HELD),
) -> list[int]:
    """The deliveries that ``DOMAIN|ID …`` names, of those in ``states``; ids given are kept whatever their state."""
    chosen: list[int] = []
    if domains:
        query = sa.select(deliveries.c.id).where(
            deliveries.c.domain.in_(list(domains)), deliveries.c.state.in_(list(states))
        )
        chosen = list(conn.execute(_scoped(scope, query).order_by(deliveries.c.seq, deliveries.c.id)).scalars())
    for one in ids:
        if get(scope, conn, one) is not None and one not in chosen:
            chosen.append(one)
    return chosen


def _change(
    conn: Connection, ids: Sequence[int], expected: Sequence[str], values: dict[str, Any], *, may_be_trying: bool
) -> list[Change]:
    """Set ``values`` on those of ``ids`` that are in one of the ``expected`` states, and say what became of each."""
    done = []
    for one in ids:
        where = [deliveries.c.id == one, deliveries.c.state.in_(list(expected))]
        if not may_be_trying:
            where.append(deliveries.c.trying == sa.false())
        changed = conn.execute(sa.update(deliveries).where(*where).values(**values)).rowcount
        row = conn.execute(sa.select(deliveries.c.state, deliveries.c.trying).where(deliveries.c.id == one)).first()
        if row is None:
            done.append(Change(one, "unknown"))
        elif changed:
            done.append(Change(one, "changed", row[0]))
        elif row[1] and row[0] in expected:
            done.append(Change(one, "trying", row[0]))
        else:
            done.append(Change(one, "already", row[0]))
    return done


_FRESH: dict[str, Any] = {
    "state": QUEUED,
    "next_attempt": 0,
    "deferrals": 0,
    "unknown_outcomes": 0,
    "unknown_since": None,
    "aside": False,
}


def retry(conn: Connection, ids: Sequence[int]) -> list[Change]:
    """Attempt these now: what waits is due at once, what is held is owed again. One that is being tried is left alone
    ("already")."""
    done = []
    for one in ids:
        held = _change(conn, [one], [HELD], _FRESH, may_be_trying=False)[0]
        if held.outcome == "already" and held.state in OWED:
            due = {"state": QUEUED, "next_attempt": 0}
            held = _change(conn, [one], OWED, due, may_be_trying=False)[0]
            if held.outcome == "trying":
                held = Change(one, "already", held.state)
        done.append(held)
    return done


def hold(
    conn: Connection, ids: Sequence[int], now: int, reason: str = "held by hand", *, stopped: bool = False
) -> list[Change]:
    """Keep these for a person. One that is being tried waits for its outcome ("trying"), unless the server is
    ``stopped``: then the mark is left over from its end."""
    values = {"state": HELD, "last_reply": reason, "next_attempt": now, "trying": False}
    return _change(conn, ids, OWED, values, may_be_trying=stopped)


def release(conn: Connection, ids: Sequence[int]) -> list[Change]:
    """Owe these again, as new: their refusals and deferrals are forgotten."""
    return _change(conn, ids, [HELD], _FRESH, may_be_trying=False)


def return_(conn: Connection, ids: Sequence[int], now: int, *, stopped: bool = False) -> list[Change]:
    """Give these back to their senders: returned, and a report is owed (never to the null sender, nor when the sender
    asked for none). The report itself is written by the server."""
    done = []
    for one in ids:
        sender = sa.select(messages.c.sender).where(messages.c.seq == deliveries.c.seq).scalar_subquery()
        wanted = sa.and_(sender != "", sa.func.upper(deliveries.c.notify) != "NEVER")
        values = {"state": RETURNED, "finished": now, "trying": False, "notice": sa.case((wanted, True), else_=False)}
        done += _change(conn, [one], [*OWED, HELD], values, may_be_trying=stopped)
    return done


def make_due(conn: Connection, domain: str) -> int:
    """``queue flush``: everything that a domain owes its primary is due now; gives how much that is."""
    conn.execute(
        sa.update(deliveries)
        .where(
            deliveries.c.destination == PRIMARY,
            deliveries.c.lane == domain,
            deliveries.c.state == DEFERRED,
            deliveries.c.trying == sa.false(),
        )
        .values(state=QUEUED, next_attempt=0)
    )
    query = sa.select(sa.func.count()).where(
        deliveries.c.destination == PRIMARY, deliveries.c.lane == domain, is_owed()
    )
    return int(conn.execute(query).scalar() or 0)
