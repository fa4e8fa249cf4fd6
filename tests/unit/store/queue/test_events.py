"""Outage events: declared, ended, counted from the rows."""

from __future__ import annotations

import pytest

from stratamail.outage.declare import NothingToEnd, declare, end
from stratamail.store.queue import deliveries, events, lanes, primaries
from stratamail.store.queue.events import Counts
from stratamail.store.queue.lanes import ACCEPTED, REFUSED, Result
from tests.unit.store.queue.rows import put, queue


def test_opening_adopts_what_is_owed_and_counts_come_from_rows() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        lanes.mark(conn, [1])
        lanes.record(conn, [Result(1, ACCEPTED, "250")], 50)
        put(conn, "a@acme.test")
        event = events.open_(conn, "acme.test", events.MACHINE, 100)
        put(conn, "b@acme.test", "c@acme.test")
        assert events.counts(conn, event) == Counts(captured=3, owed=3)
        lanes.mark(conn, [2, 3])
        lanes.record(conn, [Result(2, ACCEPTED, "250"), Result(3, REFUSED, "550")], 150)
        assert events.counts(conn, event) == Counts(captured=3, delivered=1, held=1, left_over=1, owed=1)
        assert not events.drained(conn, "acme.test")
        lanes.mark(conn, [4])
        lanes.record(conn, [Result(4, ACCEPTED, "250")], 160)
        assert events.drained(conn, "acme.test")
        events.close(conn, event.id, 200, 4, 2)
        put(conn, "a@acme.test")
        found = events.as_json(conn, events.listing(None, conn)[0])
        assert {name: found[name] for name in ("captured", "delivered", "held", "left_over", "read", "answered")} == {
            "captured": 3,
            "delivered": 2,
            "held": 1,
            "left_over": 1,
            "read": 4,
            "answered": 2,
        }
        assert found["closed"] == deliveries.rfc3339(200)
        assert events.state_of(conn, "acme.test") == "none"


def test_what_was_held_before_is_not_of_this_event() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        lanes.mark(conn, [1])
        lanes.record(conn, [Result(1, REFUSED, "550")], 50)
        event = events.open_(conn, "acme.test", events.MACHINE, 100)
        put(conn, "a@acme.test")
        assert events.counts(conn, event) == Counts(captured=1, owed=1)


def test_declare_and_end() -> None:
    with queue() as conn:
        first = declare(conn, "acme.test", "moving", True, 10)
        assert (first.kind, first.state, first.hold, first.by_person) == ("declared", "active", True, True)
        assert declare(conn, "acme.test", "", False, 20).id == first.id
        after = end(conn, "acme.test", 30)
        assert (after.state, after.hold, after.by_person) == ("flushing", False, False)
        events.set_state(conn, after.id, events.ACTIVE, 40)
        again = events.current(conn, "acme.test")
        assert again is not None
        assert not again.by_person
        events.close(conn, after.id, 50)
        with pytest.raises(NothingToEnd):
            end(conn, "acme.test", 60)
        assert events.last_closed(conn, "acme.test") == 50


def test_a_machines_event_becomes_a_persons() -> None:
    with queue() as conn:
        event = events.open_(conn, "acme.test", events.MACHINE, 10)
        taken = declare(conn, "acme.test", "known", False, 20)
        assert (taken.id, taken.kind, taken.by_person) == (event.id, "declared", True)
        assert events.listing(["other.test"], conn) == []
        assert len(events.listing(["acme.test"], conn)) == 1


def test_primaries() -> None:
    with queue() as conn:
        assert primaries.state(conn, "acme.test") == "unknown"
        primaries.save(conn, "acme.test", "up", "{}", 10)
        primaries.save(conn, "acme.test", "up", "{1}", 20)
        found = primaries.load(conn, "acme.test")
        assert found is not None
        assert (found.state, found.machine, found.changed) == ("up", "{1}", 10)
        primaries.save(conn, "acme.test", "down", "{}", 30)
        assert primaries.states(conn) == {"acme.test": "down"}
        primaries.remove(conn, "acme.test")
        assert primaries.states(conn) == {}
