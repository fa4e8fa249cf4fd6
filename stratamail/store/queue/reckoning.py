"""The account of an outage: captured = delivered + held + queued + returned, and whether it holds. Reads only.

A sum of rows is always right; what can be wrong is told by other records: a row in no known state or without its
message, one that is called delivered without the SHA-256 of what was captured, or owed without its octets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import sqlalchemy as sa
from attrs import frozen
from sqlalchemy.engine import Connection

from stratamail.store.layout import Layout
from stratamail.store.model import DELIVERED, HELD, OWED, RETURNED
from stratamail.store.queue.deliveries import PAGE
from stratamail.store.queue.events import Event, span
from stratamail.store.queue.schema import deliveries, journal, messages


@frozen
class Reckoning:
    """Deliveries of one outage. ``queued`` are all that are still owed; ``unproven`` are delivered, but the SHA-256 of
    what went out is missing or another; ``astray`` are in no known state, or have no message."""

    captured: int = 0
    delivered: int = 0
    held: int = 0
    queued: int = 0
    returned: int = 0
    unproven: int = 0
    astray: int = 0

    @property
    def holds(self) -> bool:
        told = self.delivered + self.held + self.queued + self.returned
        return self.captured == told and not self.unproven and not self.astray


def of_event(conn: Connection, event: Event) -> Reckoning:
    """As the rows stand now."""
    astray = sa.or_(messages.c.seq.is_(None), deliveries.c.state.not_in((*OWED, HELD, DELIVERED, RETURNED)))
    unproven = sa.and_(
        deliveries.c.state == DELIVERED,
        sa.or_(deliveries.c.relayed_sha256 != messages.c.sha256, deliveries.c.finished.is_(None)),
    )
    query = (
        sa.select(
            deliveries.c.state,
            sa.func.count(),
            sa.func.sum(sa.case((unproven, 1), else_=0)),
            sa.func.sum(sa.case((astray, 1), else_=0)),
        )
        .select_from(deliveries.outerjoin(messages, messages.c.seq == deliveries.c.seq))
        .where(*span(event))
        .group_by(deliveries.c.state)
    )
    rows = conn.execute(query).all()
    of = {row[0]: int(row[1]) for row in rows}
    return Reckoning(
        captured=sum(of.values()),
        delivered=of.get(DELIVERED, 0),
        held=of.get(HELD, 0),
        queued=sum(of.get(state, 0) for state in OWED),
        returned=of.get(RETURNED, 0),
        unproven=sum(int(row[2]) for row in rows),
        astray=sum(int(row[3]) for row in rows),
    )


def without_octets(conn: Connection, layout: Layout, page: int = PAGE) -> Iterator[tuple[str, str]]:
    """``(domain, message id)`` of what is owed or held and has neither a spool file of the right length nor a body in
    the journal. On a reading connection its transaction ends after every page."""
    query = (
        sa.select(messages.c.seq, messages.c.id, messages.c.trace_size + messages.c.size, deliveries.c.domain)
        .select_from(deliveries.join(messages, messages.c.seq == deliveries.c.seq))
        .where(deliveries.c.state.in_((*OWED, HELD)))
        .where(sa.not_(sa.exists(sa.select(journal.c.seq).where(journal.c.seq == messages.c.seq))))
        .group_by(messages.c.seq, deliveries.c.domain)
        .order_by(messages.c.seq, deliveries.c.domain)
    )
    after = (0, "")
    while True:
        above = sa.or_(messages.c.seq > after[0], sa.and_(messages.c.seq == after[0], deliveries.c.domain > after[1]))
        rows = conn.execute(query.where(above).limit(page)).all()
        if conn.in_transaction() and not conn.get_execution_options().get("immediate", False):
            conn.rollback()
        for _, id, length, domain in rows:
            if _length(layout.message(id)) != length:
                yield domain, id
        if len(rows) < page:
            return
        after = (rows[-1][0], rows[-1][3])


def _length(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None
