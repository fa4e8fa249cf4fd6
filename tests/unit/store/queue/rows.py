"""A queue database with messages put in row by row, for tests of what is written there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from stratamail.mail.address import key
from stratamail.store import database
from stratamail.store.layout import Layout
from stratamail.store.model import PRIMARY
from stratamail.store.queue.schema import deliveries, messages


@contextmanager
def queue() -> Iterator[Connection]:
    state = tempfile.mkdtemp()
    engine = database.open_queue(Layout(state))
    try:
        database.migrate(engine, "queue")
        with database.writing(engine) as conn:
            yield conn
    finally:
        engine.dispose()
        shutil.rmtree(state)
        assert not os.path.exists(state)


def put(
    conn: Connection,
    *recipients: str,
    domain: str = "acme.test",
    destination: str = PRIMARY,
    lane: str = "acme.test",
    sender: str = "out@far.test",
    arrived: int = 1_000,
    notify: str = "",
) -> list[int]:
    """A message with a delivery for each recipient; gives their ids."""
    count = conn.execute(sa.select(sa.func.count()).select_from(messages)).scalar() or 0
    row = dict(
        id=f"m{count:015d}", arrived=arrived, kind="inbound", sender=sender, size=3, sha256="0" * 64, trace_size=1
    )
    seq = conn.execute(sa.insert(messages).values(**row)).inserted_primary_key[0]
    ids = []
    for one in recipients:
        values = dict(seq=seq, recipient=one, key=key(one), domain=domain, destination=destination, lane=lane)
        done = conn.execute(sa.insert(deliveries).values(**values, state="queued", notify=notify))
        ids.append(done.inserted_primary_key[0])
    return ids
