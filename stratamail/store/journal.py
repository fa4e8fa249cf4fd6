"""The hot statements of capture: a batch of messages with bodies and deliveries into queue.sqlite, by the bare driver.

Every call into SQLite gives up the interpreter's lock and must win it back from a busy reactor, so rows go in by
multi-row statements of a few fixed widths (which the driver keeps prepared). The transaction is the committer's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

from stratamail.store.model import HELD, QUEUED, Message, NewMessage

_WIDTHS = (64, 16, 4, 1)


class _Insert:
    """Rows into one table, as few statements as possible."""

    def __init__(self, table: str, columns: str) -> None:
        one = "(" + ",".join("?" * len(columns.split(","))) + ")"
        self._by_width = [
            (width, f"INSERT INTO {table} ({columns}) VALUES " + ",".join([one] * width))  # noqa: S608
            for width in _WIDTHS
        ]

    def __call__(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> None:
        start, count = 0, len(rows)
        for width, statement in self._by_width:
            while count - start >= width:
                connection.execute(statement, tuple(chain.from_iterable(rows[start : start + width])))
                start += width


_messages = _Insert(
    "messages",
    "seq,id,arrived,kind,sender,size,sha256,trace_size,body,smtputf8,ret,envid,"
    'peer,helo,tls,"user",mailboxes,folder,flags,date,unfiled,dkim',
)
_journal = _Insert("journal", "seq,content")
_unclaimed = _Insert("unclaimed", "key,seq")
_deliveries = _Insert(
    "deliveries", "seq,recipient,key,domain,destination,lane,notify,orcpt,state,next_attempt,last_reply"
)


def last_seq(connection: sqlite3.Connection) -> int:
    """The highest seq ever given (AUTOINCREMENT keeps it, rows or not)."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
    return 0 if row is None else int(row[0])


def insert(
    connection: sqlite3.Connection, batch: Sequence[NewMessage], contents: Sequence[bytes | None]
) -> list[Message]:
    """Give each message the next seq and add its rows, inside the transaction at hand; the messages in order.

    ``contents`` are whole file contents, None for what already lies in the spool. Raises ``sqlite3.Error``.
    """
    seq = last_seq(connection)
    committed: list[Message] = []
    message_rows: list[Sequence[Any]] = []
    journal_rows: list[Sequence[Any]] = []
    unclaimed_rows: list[Sequence[Any]] = []
    delivery_rows: list[Sequence[Any]] = []
    for new, content in zip(batch, contents, strict=True):
        seq += 1
        e, s = new.envelope, new.source
        trace_size = len(new.trace)
        mailboxes = ",".join(map(str, new.mailboxes))
        flags = " ".join(new.flags)
        message_rows.append(
            (
                *(seq, new.id, new.arrived, new.kind, e.sender, new.size, new.sha256, trace_size),
                *(e.body, e.smtputf8, e.ret, e.envid, s.peer, s.helo, s.tls, s.user, mailboxes),
                *(new.folder, flags, new.date, 1, new.dkim),
            )
        )
        if content is not None:
            journal_rows.append((seq, content))
        for key in new.unclaimed:
            unclaimed_rows.append((key, seq))
        for d in new.deliveries:
            delivery_rows.append(
                (
                    *(seq, d.recipient, d.key, d.domain, d.destination, d.lane, d.notify, d.orcpt),
                    *(HELD if d.held else QUEUED, new.arrived, d.held),
                )
            )
        committed.append(
            Message(
                seq,
                new.id,
                new.arrived,
                new.kind,
                e.sender,
                new.size,
                new.sha256,
                trace_size,
                e.body,
                e.smtputf8,
                e.ret,
                e.envid,
                new.mailboxes,
                new.folder,
                new.flags,
                new.date,
            )
        )
    _messages(connection, message_rows)
    if journal_rows:
        _journal(connection, journal_rows)
    if unclaimed_rows:
        _unclaimed(connection, unclaimed_rows)
    if delivery_rows:
        _deliveries(connection, delivery_rows)
    return committed
