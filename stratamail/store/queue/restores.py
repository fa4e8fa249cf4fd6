"""Mailboxes whose deleted messages are to come back: asked for by a person, done by the server, which notes how many.

Writes the table restores, in the transaction of the caller.
"""

from __future__ import annotations

import sqlalchemy as sa
from attrs import frozen
from sqlalchemy.engine import Connection

from stratamail.store.model import APPENDED, Message
from stratamail.store.queue.messages import MESSAGE_COLUMNS, from_row
from stratamail.store.queue.schema import messages, restores

_DRAFT = "\\draft"


@frozen
class Restore:
    """``mailbox`` is its id; messages that arrived from ``since`` to before ``until`` (µs). ``done`` µs, None while it
    has yet to be done; ``restored`` messages."""

    id: int
    mailbox: int
    since: int
    until: int
    done: int | None
    restored: int


_c = restores.c
_SELECT = sa.select(_c.id, _c.mailbox, _c.since, _c.until, _c.done, _c.restored)


def ask(conn: Connection, mailbox: int, since: int, until: int) -> int:
    """The number of the new row."""
    made = conn.execute(sa.insert(restores).values(mailbox=mailbox, since=since, until=until))
    key = made.inserted_primary_key
    assert key is not None
    return int(key[0])


def get(conn: Connection, id: int) -> Restore | None:
    row = conn.execute(_SELECT.where(_c.id == id)).first()
    return None if row is None else Restore(*row)


def pending(conn: Connection) -> list[Restore]:
    return [Restore(*row) for row in conn.execute(_SELECT.where(_c.done.is_(None)).order_by(_c.id))]


def done(conn: Connection, id: int, now: int, restored: int) -> None:
    conn.execute(sa.update(restores).where(_c.id == id).values(done=now, restored=restored))


def page(conn: Connection, restore: Restore, after: int, limit: int) -> list[Message]:
    """What the mailbox was given in that time, in order of seq above ``after``: mail and what was appended, but for
    drafts, whose every version was stored. What is not filed for good yet, or whose octets are gone, is left out."""
    listed = sa.literal(",").concat(messages.c.mailboxes).concat(",")
    query = (
        sa.select(*MESSAGE_COLUMNS)
        .where(
            messages.c.seq > after,
            listed.like(f"%,{restore.mailbox},%"),
            messages.c.arrived >= restore.since,
            messages.c.arrived < restore.until,
            messages.c.unfiled == sa.false(),
            messages.c.shed == sa.false(),
            sa.or_(messages.c.kind != APPENDED, sa.not_(sa.func.lower(messages.c.flags).contains(_DRAFT))),
        )
        .order_by(messages.c.seq)
        .limit(limit)
    )
    return [from_row(row) for row in conn.execute(query)]
