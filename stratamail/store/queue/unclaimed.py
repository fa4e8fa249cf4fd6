"""Unclaimed mail of a domain that is no longer protected: whoever brings the domain back does not inherit it."""

from __future__ import annotations

from sqlalchemy import Connection, delete

from stratamail.store.queue.schema import unclaimed


def forget_domain(conn: Connection, domain: str) -> int:
    """Nobody can claim what came for ``domain`` before now; the messages themselves stay. How many were forgotten."""
    ours = unclaimed.c.key.endswith(f"@{domain}", autoescape=True)
    return conn.execute(delete(unclaimed).where(ours)).rowcount
