"""The few statements that run for every message given back, on the bare driver: what ``lanes`` says, ten times cheaper.

SQLite only; ``lanes`` has the portable form of each, and a test holds the two together. Writes queue.sqlite, in the
transaction of the caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

_DELIVERED = (
    "UPDATE deliveries SET trying = 0, last_reply = ?, unknown_outcomes = 0, unknown_since = NULL, "
    "state = 'delivered', finished = ?, relayed_sha256 = ? "
    "WHERE id = ? AND trying = 1 AND state IN ('queued', 'deferred') RETURNING key, destination, seq"
)
_ASIDE = (
    "UPDATE deliveries SET aside = 1 WHERE key = ? AND state IN ('queued', 'deferred') AND destination = ? "
    "AND seq < ? AND aside = 0 AND deferrals >= ?"
)
_MARK = (
    "UPDATE deliveries SET trying = 1, attempts = attempts + 1 "
    "WHERE id = ? AND state IN ('queued', 'deferred') AND trying = 0 AND (aside = 1 OR NOT EXISTS ("
    "SELECT 1 FROM deliveries AS older WHERE older.key = deliveries.key AND older.state IN ('queued', 'deferred') "
    "AND older.destination = deliveries.destination AND older.seq < deliveries.seq AND older.aside = 0 "
    "AND older.deferrals < ?)) RETURNING id"
)


def delivered(raw: sqlite3.Connection, id: int, reply: str, sha256: str, now: int, patience: int) -> None:
    """One accepted delivery; what has waited ``patience`` deferrals before it in its mailbox steps aside."""
    row = raw.execute(_DELIVERED, (reply, now, sha256, id)).fetchone()
    if row is not None:
        raw.execute(_ASIDE, (row[0], row[1], row[2], patience))


def mark(raw: sqlite3.Connection, ids: Sequence[int], patience: int) -> list[int]:
    """Those of ``ids`` that are now marked as being tried, sorted."""
    marked: list[int] = []
    for one in ids:
        marked += [row[0] for row in raw.execute(_MARK, (one, patience)).fetchall()]
    return sorted(marked)
