"""Who changed what in the catalog: one row a change, in the change's own transaction. Never a password."""

from __future__ import annotations

from attrs import frozen
from sqlalchemy import Connection, insert, select

from stratamail.store.catalog.schema import audit
from stratamail.store.catalog.scope import visible


@frozen
class Entry:
    """``at`` in microseconds; ``actor`` such as "cli:root"."""

    at: int
    actor: str
    action: str
    subject: str
    detail: str


class Audit:
    """One transaction's view. The first argument of each call is the id of the account concerned."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def record(self, account: int, at: int, actor: str, action: str, subject: str, detail: str = "") -> None:
        self._conn.execute(
            insert(audit).values(account=account, at=at, actor=actor, action=action, subject=subject, detail=detail)
        )

    def all(self, account: int, limit: int = 100) -> list[Entry]:
        """The newest first."""
        query = select(audit).where(audit.c.account.in_(visible(account))).order_by(audit.c.id.desc()).limit(limit)
        return [Entry(row.at, row.actor, row.action, row.subject, row.detail) for row in self._conn.execute(query)]
