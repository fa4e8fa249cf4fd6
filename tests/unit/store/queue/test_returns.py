"""What goes back to its sender by itself, and all that never does."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from stratamail.store.queue import deliveries, lanes, returns
from stratamail.store.queue.lanes import REFUSED, Result
from stratamail.store.queue.schema import alerts, messages
from stratamail.store.queue.schema import deliveries as rows
from tests.unit.store.queue.rows import put, queue

GOOD = "pass far.test=s@0"
GONE = "550 5.1.1 no such user"


@pytest.mark.parametrize(
    ("reply", "dkim", "change", "goes"),
    [
        (GONE, GOOD, {}, True),
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound", GOOD, {}, True),
        ("550-5.1.1 The account does not exist", GOOD, {}, True),
        ("550 5.4.1 Recipient address rejected: Access denied", GOOD, {}, True),
        ("550 5.7.1 spam", GOOD, {}, False),
        ("550 no such user", GOOD, {}, False),
        ("550 5.1.100 what", GOOD, {}, False),
        ("554 5.4.1 what", GOOD, {}, False),
        (GONE, "pass other.test=s@0", {}, False),
        (GONE, "fail far.test", {}, False),
        (GONE, "none", {}, False),
        (GONE, "", {}, False),
        (GONE, "temperror", {}, False),
        (GONE, "unknown", {}, False),
        (GONE, GOOD, {"sender": ""}, False),
        (GONE, GOOD, {"kind": "submitted"}, False),
    ],
)
def test_only_unknown_users_and_proven_senders(reply: str, dkim: str, change: dict[str, str], goes: bool) -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        conn.execute(sa.update(messages).values(dkim=dkim, **change))
        lanes.mark(conn, [1])
        lanes.record(conn, [Result(1, REFUSED, reply)], 100)
        assert returns.due(conn, "acme.test", 99) == ([], 0)
        assert returns.due(conn, "other.test", 100) == ([], 0)
        assert returns.due(conn, "acme.test", 100)[0] == ([1] if goes else [])


def test_given_back_once_with_a_report_and_told() -> None:
    with queue() as conn:
        ids = put(conn, "a@acme.test", "b@acme.test", "c@acme.test", "d@acme.test")
        conn.execute(sa.update(messages).values(dkim=GOOD))
        conn.execute(sa.update(rows).where(rows.c.id == 2).values(notify="NEVER"))
        lanes.mark(conn, ids)
        lanes.record(conn, [Result(one, REFUSED, GONE) for one in ids], 100)
        conn.execute(sa.update(rows).where(rows.c.id == 4).values(replay_of=1))
        assert returns.due(conn, "acme.test", 100, limit=2) == ([1, 2], 2)
        assert returns.due(conn, "acme.test", 100, after=2, limit=2) == ([3], 3)
        assert returns.due(conn, "acme.test", 100, after=3) == ([], 0)
        deliveries.release(conn, [3])
        assert returns.give_back(conn, "acme.test", [1, 2, 3], 200) == 2
        assert returns.give_back(conn, "acme.test", [1, 2, 3], 200) == 0
        found = conn.execute(sa.select(rows.c.state, rows.c.notice).order_by(rows.c.id)).all()
        assert [tuple(row) for row in found] == [
            ("returned", True),
            ("returned", False),
            ("queued", False),
            ("held", False),
        ]
        assert [one.id for one in lanes.notices(conn)] == [1]
        kinds = conn.execute(sa.select(alerts.c.kind).order_by(alerts.c.id)).scalars().all()
        assert kinds == ["held", "returned"]
