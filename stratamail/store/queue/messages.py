"""Rows of messages: reading them, what is unfiled, what is unclaimed. Writes the tables messages, journal, unclaimed.

Synchronous functions on a Connection; those that write are called through the committer. New rows come in by
``store.journal`` only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Select, bindparam, delete, select, text, update
from sqlalchemy.engine import Connection

from stratamail.store.model import Message, Source
from stratamail.store.queue.schema import deliveries, journal, messages, unclaimed

_m = messages.c
# what a Message holds, in the order of its fields
MESSAGE_COLUMNS = (
    _m.seq,
    _m.id,
    _m.arrived,
    _m.kind,
    _m.sender,
    _m.size,
    _m.sha256,
    _m.trace_size,
    _m.body,
    _m.smtputf8,
    _m.ret,
    _m.envid,
    _m.mailboxes,
    _m.folder,
    _m.flags,
    _m.date,
)
_IN = "IN (SELECT value FROM json_each(:seqs))"


def from_row(row: Sequence[Any]) -> Message:
    """A Message from a row that begins with :data:`MESSAGE_COLUMNS`."""
    return Message(
        seq=row[0],
        id=row[1],
        arrived=row[2],
        kind=row[3],
        sender=row[4],
        size=row[5],
        sha256=row[6],
        trace_size=row[7],
        body=row[8],
        smtputf8=bool(row[9]),
        ret=row[10],
        envid=row[11],
        mailboxes=split_mailboxes(row[12]),
        folder=row[13],
        flags=tuple(row[14].split()),
        date=row[15],
    )


def split_mailboxes(stored: str) -> tuple[int, ...]:
    return tuple(int(part) for part in stored.split(",") if part)


def _select() -> Select[Any]:
    return select(*MESSAGE_COLUMNS)


def by_id(conn: Connection, id: str) -> Message | None:
    row = conn.execute(_select().where(_m.id == id)).first()
    return None if row is None else from_row(row)


def by_seqs(conn: Connection, seqs: Iterable[int]) -> list[Message]:
    """In order of seq; those that are gone are left out."""
    query = _select().where(text(f"messages.seq {_IN}")).order_by(_m.seq)
    return [from_row(row) for row in conn.execute(query, {"seqs": json.dumps(list(seqs))})]


def seqs_of(conn: Connection, ids: Iterable[str]) -> dict[str, int]:
    """id → seq of the messages that have a row."""
    query = select(_m.id, _m.seq).where(text("messages.id IN (SELECT value FROM json_each(:ids))"))
    return {row[0]: row[1] for row in conn.execute(query, {"ids": json.dumps(list(ids))})}


def source(conn: Connection, seq: int) -> Source | None:
    """Where the message came from (``trusted`` is not kept)."""
    row = conn.execute(select(_m.peer, _m.helo, _m.tls, _m.user).where(_m.seq == seq)).first()
    return None if row is None else Source(peer=row[0], helo=row[1], tls=row[2], user=row[3])


def unfiled(conn: Connection, after: int = 0, limit: int = 500) -> list[Message]:
    """The page of unfiled messages with a seq above ``after``, in order of seq."""
    query = _select().where(text("unfiled = 1"), _m.seq > after).order_by(_m.seq).limit(limit)
    return [from_row(row) for row in conn.execute(query)]


def content(conn: Connection, seq: int) -> bytes | None:
    """The whole file content (trace and body) while the journal has it."""
    found = conn.execute(select(journal.c.content).where(journal.c.seq == seq)).scalar()
    return None if found is None else bytes(found)


def mark_filed(conn: Connection, seqs: Iterable[int]) -> None:
    """Spool file, links and folders of these are durable: the mark and the body go."""
    given = {"seqs": json.dumps(list(seqs))}
    conn.execute(delete(journal).where(text(f"seq {_IN}")), given)
    conn.execute(update(messages).where(text(f"seq {_IN}")).values(unfiled=False), given)


def claim(conn: Connection, mailbox: int, keys: Iterable[str]) -> list[int]:
    """Give what is unclaimed under ``keys`` to ``mailbox`` (an id): marked unfiled again; the seqs in order."""
    wanted = list(dict.fromkeys(keys))
    seqs: set[int] = set()
    for start in range(0, len(wanted), 500):
        some = wanted[start : start + 500]
        query = select(unclaimed.c.seq).where(unclaimed.c.key.in_(some))
        seqs.update(conn.execute(query).scalars())
        conn.execute(delete(unclaimed).where(unclaimed.c.key.in_(some)))
    if not seqs:
        return []
    query = select(_m.seq, _m.mailboxes).where(text(f"messages.seq {_IN}"))
    claimed = []
    for seq, stored in conn.execute(query, {"seqs": json.dumps(sorted(seqs))}):
        had = split_mailboxes(stored)
        if mailbox not in had:
            now = ",".join(str(number) for number in (*had, mailbox))
            claimed.append({"b_seq": seq, "now": now})
    if claimed:
        change = update(messages).where(_m.seq == bindparam("b_seq")).values(mailboxes=bindparam("now"), unfiled=True)
        conn.execute(change, claimed)
    return sorted(int(str(row["b_seq"])) for row in claimed)


def ids_between(conn: Connection, first: str, last: str) -> set[str]:
    """Ids that have a row, from ``first`` to ``last`` inclusive."""
    return set(conn.execute(select(_m.id).where(_m.id >= first, _m.id <= last)).scalars())


def remove(conn: Connection, ids: Iterable[str]) -> list[int]:
    """Take rows out as if they had never come (a failed batch found after an I/O error); the seqs that were there."""
    seqs = list(seqs_of(conn, ids).values())
    for table in (journal, unclaimed, deliveries):
        conn.execute(delete(table).where(text(f"seq {_IN}")), {"seqs": json.dumps(seqs)})
    conn.execute(delete(messages).where(text(f"seq {_IN}")), {"seqs": json.dumps(seqs)})
    return seqs
