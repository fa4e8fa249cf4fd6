"""The outbox of alerts: rows written in the transaction that causes them. Writes the table alerts of queue.sqlite."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection

_ADD = text(
    "INSERT INTO alerts (at, domain, kind, key, text) VALUES (:at, :domain, :kind, :key, :text) "
    "ON CONFLICT (key) DO NOTHING"
)


def add(conn: Connection, at: int, domain: str, kind: str, key: str, message: str) -> None:
    """One alert; ``key`` names its cause, and a cause is told once. ``at`` in µs; ``domain`` "" is the operator's."""
    conn.execute(_ADD, {"at": at, "domain": domain, "kind": kind, "key": key, "text": message})
