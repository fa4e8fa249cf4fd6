"""Things a person must be told, written in the transaction that causes them (table ``alerts`` of queue.sqlite).

``key`` makes an alert one: refusals of one kind in one event are one line, not a thousand.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from attrs import frozen
from sqlalchemy.engine import Connection

from stratamail.store.queue.schema import alerts


@frozen
class Alert:
    """``at`` in microseconds; ``domain`` "" concerns the whole installation; ``kind`` a short stable code."""

    id: int
    at: int
    domain: str
    kind: str
    text: str


def add(conn: Connection, at: int, domain: str, kind: str, key: str, text: str) -> bool:
    """Write an alert unless one with this ``key`` exists; whether it is new. Inside the caller's transaction."""
    if conn.execute(sa.select(alerts.c.id).where(alerts.c.key == key)).first() is not None:
        return False
    conn.execute(sa.insert(alerts).values(at=at, domain=domain, kind=kind, key=key, text=text))
    return True


def listing(scope: Collection[str] | None, conn: Connection, limit: int = 100) -> list[Alert]:
    """The newest alerts of the domains in ``scope`` (None: the operator's view, everything), newest first."""
    query: sa.Select[Any] = sa.select(alerts.c.id, alerts.c.at, alerts.c.domain, alerts.c.kind, alerts.c.text)
    if scope is not None:
        query = query.where(alerts.c.domain.in_(list(scope)))
    return [Alert(*row) for row in conn.execute(query.order_by(alerts.c.id.desc()).limit(limit))]
