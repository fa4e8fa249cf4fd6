"""Listings, counts and what a person may do to a delivery."""

from __future__ import annotations

from stratamail.store.model import PRIMARY, WORLD
from stratamail.store.queue import deliveries, lanes
from stratamail.store.queue.deliveries import Change, Counts
from stratamail.store.queue.lanes import ACCEPTED, REFUSED, WAIT, Result
from tests.unit.store.queue.rows import put, queue

FIELDS = {
    "id",
    "message",
    "domain",
    "sender",
    "recipient",
    "arrived",
    "state",
    "attempts",
    "next_attempt",
    "last_reply",
    "size",
    "sha256",
    "aside",
    "destination",
}


def test_listing_is_in_order_by_pages_and_by_domain() -> None:
    with queue() as conn:
        for i in range(7):
            put(conn, f"a{i}@acme.test", f"b{i}@acme.test")
        put(conn, "c@other.test", domain="other.test", lane="other.test")
        found = list(deliveries.listing(None, conn, page=3))
        assert [one.id for one in found] == list(range(1, 16))
        assert [one.id for one in deliveries.listing(None, conn, domains=["other.test"])] == [15]
        assert [one.id for one in deliveries.listing(None, conn, ids=[3, 4])] == [3, 4]


def test_a_scope_sees_its_own_domains_only() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        put(conn, "c@other.test", domain="other.test", lane="other.test")
        assert [one.id for one in deliveries.listing(["other.test"], conn)] == [2]
        assert deliveries.get(["other.test"], conn, 1) is None
        assert deliveries.of_message(["other.test"], conn, "m" + "0" * 15) == []
        assert list(deliveries.counts(["other.test"], conn)) == ["other.test"]
        assert deliveries.select_ids(["other.test"], conn, domains=["acme.test"], ids=[1]) == []
        assert list(deliveries.listing([], conn)) == []


def test_json() -> None:
    with queue() as conn:
        put(conn, "a@acme.test", arrived=1_700_000_000_000_001)
        found = deliveries.as_json(next(deliveries.listing(None, conn)))
        assert found.keys() >= FIELDS
        assert found["arrived"] == "2023-11-14T22:13:20.000001Z"
        assert found["state"] == "queued"
        assert found["aside"] is False


def test_counts() -> None:
    with queue() as conn:
        put(conn, "a@acme.test", arrived=5)
        put(conn, "b@acme.test", "c@acme.test", arrived=6)
        put(conn, "x@far.test", destination=WORLD, lane="far.test")
        lanes.mark(conn, [1, 2])
        lanes.record(conn, [Result(1, ACCEPTED, "250"), Result(2, REFUSED, "550")], 10)
        assert deliveries.counts(None, conn) == {"acme.test": Counts(queued=1, held=1, oldest=6, outbound=1)}
        assert deliveries.owes(conn, "acme.test") == 3
        assert deliveries.owes(conn, "other.test") == 0


def test_a_person_changes_what_is_owed() -> None:
    with queue() as conn:
        put(conn, "a@acme.test", "b@acme.test")
        assert deliveries.hold(conn, [1], 9) == [Change(1, "changed", "held")]
        assert deliveries.hold(conn, [1], 9) == [Change(1, "already", "held")]
        assert deliveries.release(conn, [1, 2]) == [Change(1, "changed", "queued"), Change(2, "already", "queued")]
        lanes.mark(conn, [2])
        assert deliveries.hold(conn, [2], 9) == [Change(2, "trying", "queued")]
        assert deliveries.retry(conn, [2]) == [Change(2, "already", "queued")]
        assert deliveries.return_(conn, [2], 9) == [Change(2, "trying", "queued")]
        assert deliveries.hold(conn, [2], 9, stopped=True) == [Change(2, "changed", "held")]
        lanes.mark(conn, [1])
        lanes.record(conn, [Result(1, WAIT, "450", 10**9)], 9)
        assert deliveries.retry(conn, [1, 2, 99]) == [
            Change(1, "changed", "queued"),
            Change(2, "changed", "queued"),
            Change(99, "unknown"),
        ]
        assert len(lanes.due(conn, PRIMARY, "acme.test", 10)) == 2


def test_return_owes_a_report_but_never_to_the_null_sender() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        put(conn, "a@acme.test", sender="")
        put(conn, "a@acme.test", notify="NEVER")
        done = deliveries.return_(conn, [1, 2, 3], 9)
        assert [one.outcome for one in done] == ["changed"] * 3
        assert [one.id for one in lanes.notices(conn)] == [1]
        assert deliveries.release(conn, [1]) == [Change(1, "already", "returned")]


def test_flush_makes_all_due() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        put(conn, "b@acme.test")
        lanes.mark(conn, [1])
        lanes.record(conn, [Result(1, WAIT, "450", 10**12)], 9)
        assert len(lanes.due(conn, PRIMARY, "acme.test", 10)) == 1
        assert deliveries.make_due(conn, "acme.test") == 2
        assert len(lanes.due(conn, PRIMARY, "acme.test", 10)) == 2


def test_partial_indexes_are_used() -> None:
    with queue() as conn:
        query = str(lanes._DUE.compile(conn, compile_kwargs={"literal_binds": False}))
        assert "state IN ('queued', 'deferred')" in query
        plan = conn.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT * FROM deliveries WHERE state IN ('queued', 'deferred') AND destination = ? "
            "AND lane = ? AND seq > ? ORDER BY seq",
            ("primary", "acme.test", 0),
        ).fetchall()
        assert "deliveries_owed" in str(plan)
