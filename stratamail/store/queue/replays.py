"""Giving a primary again what it has accepted before (it lost a disk, or took an old backup): the new rows.

The finished delivery stays as it is, with its proof; a new one beside it names it (``replay_of``) and goes out as any
other, oldest first. Guarded against doubles: what is owed or held anyway is passed over, and so is what was replayed
before, unless that is asked for. Writes deliveries, in the transaction of the caller.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from attrs import frozen
from sqlalchemy.engine import Connection

from stratamail.store.model import DELIVERED, HELD, OWED, PRIMARY, QUEUED
from stratamail.store.queue.deliveries import PAGE
from stratamail.store.queue.events import Event, span
from stratamail.store.queue.schema import deliveries, messages

# why a delivery is passed over
COMING, BEFORE, GONE = "coming", "before", "gone"
_other = deliveries.alias("other")


@frozen
class Wanted:
    """What is to be replayed; all that is given must hold. ``keys`` are recipients in key form, ``since`` and ``until``
    arrivals in µs (from, to before), ``domains`` and ``ids`` of deliveries: either suffices when both are given."""

    keys: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()
    event: Event | None = None
    since: int | None = None
    until: int | None = None


@frozen
class Found:
    """A delivery that the primary had accepted; ``passed_over`` is "" when it may be replayed, else why not: it is
    :data:`COMING` anyway, was replayed :data:`BEFORE`, or its octets are :data:`GONE`."""

    id: int
    seq: int
    lane: str
    passed_over: str


def _is_coming() -> sa.ColumnElement[bool]:
    """The same message is owed to the same mailbox, or held for it."""
    return sa.exists(
        sa.select(sa.literal(1))
        .select_from(_other)
        .where(
            _other.c.seq == deliveries.c.seq,
            _other.c.key == deliveries.c.key,
            _other.c.destination == PRIMARY,
            _other.c.state.in_((*OWED, HELD)),
        )
    )


def _was_replayed() -> sa.ColumnElement[bool]:
    return sa.exists(
        sa.select(sa.literal(1))
        .select_from(_other)
        .where(_other.c.seq == deliveries.c.seq, _other.c.replay_of == deliveries.c.id)
    )


def _accepted() -> list[sa.ColumnElement[bool]]:
    return [
        deliveries.c.destination == PRIMARY,
        deliveries.c.state == DELIVERED,
        deliveries.c.replay_of.is_(None),
    ]


def find(
    scope: Collection[str] | None, conn: Connection, wanted: Wanted, *, again: bool = False, page: int = PAGE
) -> Iterator[Found]:
    """What the primary had accepted of ``wanted``, in order of arrival. ``again``: what was replayed before too. On a
    reading connection its transaction ends after every page."""
    why = sa.case((messages.c.shed, GONE), (_is_coming(), COMING), (_was_replayed(), BEFORE), else_="")
    query = (
        sa.select(deliveries.c.id, deliveries.c.seq, deliveries.c.lane, why)
        .select_from(deliveries.join(messages, messages.c.seq == deliveries.c.seq))
        .where(*_accepted(), *_chosen(wanted))
    )
    if scope is not None:
        query = query.where(deliveries.c.domain.in_(list(scope)))
    after = (0, 0)
    while True:
        above = sa.or_(deliveries.c.seq > after[0], sa.and_(deliveries.c.seq == after[0], deliveries.c.id > after[1]))
        rows = conn.execute(query.where(above).order_by(deliveries.c.seq, deliveries.c.id).limit(page)).all()
        if conn.in_transaction() and not conn.get_execution_options().get("immediate", False):
            conn.rollback()
        for id, seq, lane, passed_over in rows:
            yield Found(id, seq, lane, "" if again and passed_over == BEFORE else passed_over)
        if len(rows) < page:
            return
        after = (rows[-1][1], rows[-1][0])


def _chosen(wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.keys:
        yield deliveries.c.key.in_(list(wanted.keys))
    if wanted.domains or wanted.ids:
        yield sa.or_(deliveries.c.domain.in_(list(wanted.domains)), _listed(wanted.ids))
    if wanted.event is not None:
        yield from span(wanted.event)
    if wanted.since is not None:
        yield messages.c.arrived >= wanted.since
    if wanted.until is not None:
        yield messages.c.arrived < wanted.until


def _listed(ids: Sequence[int]) -> sa.ColumnElement[bool]:
    given = sa.func.json_each(json.dumps(list(ids))).table_valued("value")
    return deliveries.c.id.in_(sa.select(given.c.value))


_COPIED = ("seq", "recipient", "key", "domain", "destination", "lane", "notify", "orcpt")


def replay(conn: Connection, ids: Sequence[int], *, again: bool = False) -> list[int]:
    """Owe these once more; the ids of the new deliveries. The guards are asked in the same statement, so that two who
    ask at once cause one replay."""
    guards = [sa.not_(_is_coming()), *([] if again else [sa.not_(_was_replayed())])]
    columns: list[Any] = [deliveries.c[name] for name in _COPIED]
    made: list[int] = []
    for one in ids:
        kept = sa.exists(sa.select(messages.c.seq).where(messages.c.seq == deliveries.c.seq, sa.not_(messages.c.shed)))
        row = sa.select(*columns, sa.literal(QUEUED), deliveries.c.id).where(
            deliveries.c.id == one, *_accepted(), *guards, kept
        )
        done = conn.execute(sa.insert(deliveries).from_select([*_COPIED, "state", "replay_of"], row))
        if done.rowcount:
            number = sa.select(sa.func.max(deliveries.c.id)).where(deliveries.c.replay_of == one)
            seq = sa.select(deliveries.c.seq).where(deliveries.c.id == one).scalar_subquery()
            made.append(int(conn.execute(number.where(deliveries.c.seq == seq)).scalar() or 0))
    return made
