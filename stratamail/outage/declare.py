"""An outage as a person declares and ends it. Plain functions on a queue connection, used by the command line whether
the server runs or not. Writes a row of ``events``, in the caller's transaction.
"""

from __future__ import annotations

from sqlalchemy.engine import Connection

from stratamail.mail.reply import Failure, Reply
from stratamail.store.queue import events
from stratamail.store.queue.events import DECLARED, Event


class NothingToEnd(Failure):
    """No outage of this domain is open."""

    def __init__(self, domain: str) -> None:
        super().__init__(Reply(550, "", f"no outage of {domain} is open"), "no-outage")
        self.domain = domain

    def __str__(self) -> str:
        return f"no outage of {self.domain} is open"


def declare(conn: Connection, domain: str, reason: str = "", hold: bool = False, now: int = 0) -> Event:
    """Open a declared event, or take over the one that is open: only :func:`end` closes it. With ``hold`` nothing is
    given back until then, even when the primary answers. ``now`` in µs. Declaring twice changes reason and hold."""
    before = events.current(conn, domain)
    if before is None:
        return events.open_(conn, domain, DECLARED, now, reason, hold)
    events.declare(conn, before.id, reason or before.reason, hold)
    after = events.current(conn, domain)
    assert after is not None
    return after


def end(conn: Connection, domain: str, now: int, reason: str = "") -> Event:
    """The event flushes from now on, and closes when nothing is owed but what is held or has stepped aside. ``reason``
    replaces the one that it was declared with; "" keeps that. Raises ``NothingToEnd``."""
    before = events.current(conn, domain)
    if before is None:
        raise NothingToEnd(domain)
    events.end(conn, before.id, now, reason or before.reason)
    after = events.current(conn, domain)
    assert after is not None
    return after
