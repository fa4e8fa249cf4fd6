"""The outbox of alerts: rows written in the transaction that causes them. Writes the table alerts of queue.sqlite."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from attrs import frozen
from sqlalchemy import Select, select, text
from sqlalchemy.engine import Connection

from stratamail.store.queue.schema import alerts

_ADD = text(
    "INSERT INTO alerts (at, domain, kind, key, text) VALUES (:at, :domain, :kind, :key, :text) "
    "ON CONFLICT (key) DO NOTHING"
)


def add(conn: Connection, at: int, domain: str, kind: str, key: str, message: str) -> None:
    """One alert; ``key`` names its cause, and a cause is told once. ``at`` in µs; ``domain`` "" is the operator's."""
    conn.execute(_ADD, {"at": at, "domain": domain, "kind": kind, "key": key, "text": message})


@frozen
class Alert:
    """``at`` in µs; ``domain`` "" is the operator's; ``kind`` a short stable code."""

    id: int
    at: int
    domain: str
    kind: str
    text: str


def listing(scope: Collection[str] | None, conn: Connection, limit: int = 100) -> list[Alert]:
    """The newest alerts of the domains in ``scope`` (None: the operator's view, everything), newest first."""
    query: Select[Any] = select(alerts.c.id, alerts.c.at, alerts.c.domain, alerts.c.kind, alerts.c.text)
    if scope is not None:
        query = query.where(alerts.c.domain.in_(list(scope)))
    return [Alert(*row) for row in conn.execute(query.order_by(alerts.c.id.desc()).limit(limit))]
