"""What goes back to its sender by itself: held for a domain's time, an unknown user, a sender whose domain is proven.

Everything else that is held waits for a person: a report to a forged sender would be mail that nobody asked for.
Writes deliveries and alerts, in the transaction of the caller.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from stratamail.store.model import INBOUND, PRIMARY
from stratamail.store.queue import alerts, verdicts
from stratamail.store.queue.deliveries import is_held, return_
from stratamail.store.queue.held import kind_of
from stratamail.store.queue.schema import deliveries, messages

# the replies that say so (RFC 3463 section 3.2); Microsoft 365 says it as 5.4.1
_UNKNOWN_USER = re.compile(r"55\d 5\.1\.10?|550 5\.4\.1")
# looked at in one read
PAGE = 200
_DAY = 86_400_000_000


def unknown_user(reason: str) -> bool:
    """Whether a held delivery's reason is the primary's word that there is no such user."""
    return _UNKNOWN_USER.fullmatch(kind_of(reason)) is not None


def due(conn: Connection, domain: str, before: int, after: int = 0, limit: int = PAGE) -> tuple[list[int], int]:
    """Of ``domain``, held since before ``before`` (µs): the deliveries that go back, of a page above the delivery
    ``after``; and the last of that page, 0 when there is none. A replay never goes back: its first was delivered."""
    c = deliveries.c
    query = (
        # next_attempt of a held row is when it was held
        sa.select(c.id, c.last_reply, messages.c.sender, messages.c.dkim)
        .select_from(deliveries.join(messages, messages.c.seq == c.seq))
        .where(
            is_held(),
            c.domain == domain,
            c.destination == PRIMARY,
            c.next_attempt > 0,
            c.next_attempt <= before,
            c.replay_of.is_(None),
            c.id > after,
            messages.c.kind == INBOUND,
            messages.c.sender != "",
        )
        .order_by(c.id)
        .limit(limit)
    )
    rows = conn.execute(query).all()
    chosen = [row[0] for row in rows if unknown_user(row[1]) and verdicts.proven(row[3], row[2])]
    return chosen, rows[-1][0] if rows else 0


def give_back(conn: Connection, domain: str, ids: list[int], now: int) -> int:
    """Return those of ``ids`` that are still held; how many. Told once a day."""
    number = 0
    for one in ids:
        held = sa.select(deliveries.c.id).where(is_held(), deliveries.c.id == one)
        if conn.execute(held).first() is not None:
            number += sum(change.outcome == "changed" for change in return_(conn, [one], now))
    if number:
        text = f"{domain}: mail to unknown users, held for long, goes back to its senders"
        alerts.add(conn, now, domain, "returned", f"returned/{domain}/{now // _DAY}", text)
    return number
