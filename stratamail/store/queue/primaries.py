"""What is known of each protected domain's primary: the state machine of ``outage.step`` (table ``primaries``).

The machine is JSON that only ``outage`` reads; ``state`` beside it is for listings.
"""

from __future__ import annotations

import sqlalchemy as sa
from attrs import frozen
from sqlalchemy.engine import Connection

from stratamail.store.queue.schema import primaries

UNKNOWN = "unknown"


@frozen
class Primary:
    """``state`` up|suspect|down|recovering|unknown; ``machine`` JSON; ``changed`` microseconds."""

    domain: str
    state: str
    machine: str
    changed: int


def load(conn: Connection, domain: str) -> Primary | None:
    row = conn.execute(
        sa.select(primaries.c.domain, primaries.c.state, primaries.c.machine, primaries.c.changed).where(
            primaries.c.domain == domain
        )
    ).first()
    return None if row is None else Primary(*row)


def states(conn: Connection) -> dict[str, str]:
    """The state of every primary that was ever asked; one that was not is "unknown"."""
    return {row[0]: row[1] for row in conn.execute(sa.select(primaries.c.domain, primaries.c.state))}


def state(conn: Connection, domain: str) -> str:
    found = load(conn, domain)
    return UNKNOWN if found is None else found.state


def save(conn: Connection, domain: str, state: str, machine: str, now: int) -> None:
    changed = conn.execute(
        sa.update(primaries)
        .where(primaries.c.domain == domain)
        .values(
            state=state,
            machine=machine,
            changed=sa.case((primaries.c.state == state, primaries.c.changed), else_=now),
        )
    )
    if changed.rowcount == 0:
        conn.execute(sa.insert(primaries).values(domain=domain, state=state, machine=machine, changed=now))


def remove(conn: Connection, domain: str) -> None:
    """Forget a domain that is no longer protected."""
    conn.execute(sa.delete(primaries).where(primaries.c.domain == domain))
