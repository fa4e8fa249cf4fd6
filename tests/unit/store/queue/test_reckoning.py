"""The account of an outage, and what makes it one that cannot be believed."""

from __future__ import annotations

import os
from pathlib import Path

import sqlalchemy as sa

from stratamail.doctor import reckoning as doctor
from stratamail.doctor.finding import FAILURE, OK
from stratamail.store.layout import Layout
from stratamail.store.queue import deliveries, events, lanes, reckoning
from stratamail.store.queue.lanes import ACCEPTED, REFUSED, Result
from stratamail.store.queue.reckoning import Reckoning
from stratamail.store.queue.schema import deliveries as rows
from stratamail.store.queue.schema import journal, messages
from tests.unit.store.queue.rows import put, queue

SHA = "0" * 64


def test_everything_captured_is_in_one_place() -> None:
    with queue() as conn:
        event = events.open_(conn, "acme.test", events.MACHINE, 10)
        put(conn, "a@acme.test", "b@acme.test", "c@acme.test", "d@acme.test")
        lanes.mark(conn, [1, 2, 3])
        results = [Result(1, ACCEPTED, "250", sha256=SHA), Result(2, REFUSED, "550"), Result(3, REFUSED, "550")]
        lanes.record(conn, results, 50)
        deliveries.return_(conn, [3], 60)
        found = reckoning.of_event(conn, event)
        assert found == Reckoning(captured=4, delivered=1, held=1, queued=1, returned=1)
        assert found.holds
        assert reckoning.of_event(conn, events.open_(conn, "other.test", events.MACHINE, 10)).holds
        (one,) = doctor.check("acme.test", [(event, found)], [])
        assert (one.level, "1 outages" in one.text) == (OK, True)


def test_what_cannot_be_believed() -> None:
    with queue() as conn:
        event = events.open_(conn, "acme.test", events.MACHINE, 10)
        put(conn, "a@acme.test", "b@acme.test", "c@acme.test")
        put(conn, "a@acme.test")
        lanes.mark(conn, [1, 2])
        lanes.record(conn, [Result(1, ACCEPTED, "250", sha256="1" * 64), Result(2, ACCEPTED, "250")], 50)
        found = reckoning.of_event(conn, event)
        assert (found.delivered, found.unproven, found.astray, found.holds) == (2, 2, 0, False)
        conn.execute(sa.update(rows).where(rows.c.id == 3).values(state="lost"))
        conn.execute(sa.delete(messages).where(messages.c.seq == 2))
        found = reckoning.of_event(conn, event)
        assert (found.captured, found.queued, found.astray, found.holds) == (4, 1, 2, False)
        (one,) = doctor.check("acme.test", [(event, found)], [])
        assert (one.level, bool(one.cure)) == (FAILURE, True)
        assert "captured 4 = delivered 2 + held 0 + queued 1 + returned 0" in one.text


def test_what_is_owed_must_be_there(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    with queue() as conn:
        for _ in range(4):
            put(conn, "a@acme.test", "b@acme.test")
        put(conn, "a@other.test", domain="other.test", lane="other.test")
        ids = conn.execute(sa.select(messages.c.id).order_by(messages.c.seq)).scalars().all()
        for number, content in ((0, b"four"), (1, b"less"[:2])):
            os.makedirs(layout.shard(ids[number]), exist_ok=True)
            Path(layout.message(ids[number])).write_bytes(content)
        conn.execute(sa.insert(journal).values(seq=3, content=b"four"))
        conn.execute(sa.update(rows).where(rows.c.seq == 4).values(state="delivered"))
        found = list(reckoning.without_octets(conn, layout, page=1))
        assert found == [("acme.test", ids[1]), ("other.test", ids[4])]
        account, lost = doctor.check("acme.test", [], [ids[1]])
        assert (account.level, lost.level, ids[1] in lost.text) == (OK, FAILURE, True)
