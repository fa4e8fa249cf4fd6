"""What may go now, the mark before it goes, the result after: in order, without a jam, never twice at once."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from stratamail.store.model import DEFERRED, DELIVERED, HELD, OWED, PRIMARY, QUEUED, RETURNED, WORLD
from stratamail.store.queue import alerts, deliveries, lanes
from stratamail.store.queue.lanes import ACCEPTED, GIVEN_UP, MESSAGE, REFUSED, UNKNOWN, UNTRIED, WAIT, Result
from tests.unit.store.queue.rows import put, queue

NOW = 1_000_000
LATER = 2_000_000


def due(conn: Connection, now: int = NOW, after: int = 0, limit: int = 100) -> list[int]:
    return [one.id for one in lanes.due(conn, PRIMARY, "acme.test", now, after, limit)]


def heads(conn: Connection, now: int = NOW) -> list[int]:
    return [one.id for one in lanes.heads(conn, PRIMARY, "acme.test", now)]


def states(conn: Connection) -> list[str]:
    return [one.state for one in deliveries.listing(None, conn, finished=True)]


def row(conn: Connection, id: int) -> deliveries.Delivery:
    found = deliveries.get(None, conn, id)
    assert found is not None
    return found


def test_due_is_in_order_and_only_of_the_lane() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        put(conn, "b@other.test", lane="other.test", domain="other.test")
        put(conn, "b@acme.test", "a@acme.test")
        assert due(conn) == [1, 3, 4]
        assert heads(conn) == [1, 3]
        assert due(conn, after=1) == [3, 4]


def test_a_page_never_ends_inside_a_message() -> None:
    with queue() as conn:
        put(conn, *[f"u{i}@acme.test" for i in range(10)])
        put(conn, *[f"v{i}@acme.test" for i in range(10)])
        assert len(due(conn, limit=5)) == 10
        assert len(due(conn, limit=15)) == 20
        assert due(conn, after=1, limit=15) == list(range(11, 21))


def test_only_the_oldest_of_a_mailbox_is_marked() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        put(conn, "A@ACME.test", "b@acme.test")
        assert lanes.mark(conn, [1, 2, 3]) == [1, 3]
        assert lanes.mark(conn, [1, 2, 3]) == []
        assert due(conn) == [2]
        lanes.record(conn, [Result(1, ACCEPTED, "250 ok", sha256="f" * 64)], NOW)
        assert lanes.mark(conn, [2]) == [2]


def test_a_deferred_one_makes_its_mailbox_wait_and_no_other() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        put(conn, "a@acme.test")
        put(conn, "b@acme.test")
        lanes.mark(conn, [1])
        lanes.record(conn, [Result(1, WAIT, "450", LATER)], NOW)
        assert due(conn) == [3]
        assert heads(conn) == [3]
        assert lanes.next_due(conn, PRIMARY, "acme.test", NOW) == LATER
        assert due(conn, LATER) == [1, 2, 3]
        assert row(conn, 1).deferrals == 0


def test_it_steps_aside_only_after_the_next_was_accepted() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        put(conn, "a@acme.test")
        for i in range(3):
            assert due(conn, LATER * i + NOW)[0] == 1
            assert lanes.mark(conn, [1]) == [1]
            lanes.record(conn, [Result(1, MESSAGE, "451", LATER * (i + 1))], NOW)
        assert not row(conn, 1).aside
        assert due(conn) == [2]
        lanes.mark(conn, [2])
        lanes.record(conn, [Result(2, ACCEPTED, "250")], NOW)
        assert row(conn, 1).aside
        assert due(conn, LATER * 3) == [1]


def test_results_expect_the_mark() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        assert lanes.record(conn, [Result(1, ACCEPTED, "250")], NOW) == []
        assert states(conn) == [QUEUED]
        lanes.mark(conn, [1])
        lanes.record(conn, [Result(1, ACCEPTED, "250", sha256="ab")], NOW)
        lanes.record(conn, [Result(1, REFUSED, "550")], NOW)
        assert states(conn) == [DELIVERED]
        assert row(conn, 1).finished == NOW


def test_untried_keeps_the_row() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        lanes.mark(conn, [1])
        lanes.record(conn, [Result(1, UNTRIED, "connect: refused")], NOW)
        found = row(conn, 1)
        assert (found.state, found.attempts, found.last_reply, found.trying) == (QUEUED, 1, "connect: refused", False)


def test_a_refusal_is_held_with_one_alert_for_its_kind() -> None:
    with queue() as conn:
        put(conn, "a@acme.test", "b@acme.test")
        lanes.mark(conn, [1, 2])
        held = lanes.record(conn, [Result(1, REFUSED, "550 5.1.1 no a"), Result(2, REFUSED, "550 5.1.1 no b")], NOW)
        assert [one.id for one in held] == [1, 2]
        assert len(alerts.listing(None, conn)) == 1
        assert lanes.put_back(conn, [1]) == 1
        assert states(conn) == [QUEUED, HELD]


def test_the_third_unknown_outcome_holds_only_with_proof() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        put(conn, "b@acme.test")

        def cut(at: int, may_hold: bool = True) -> str:
            lanes.mark(conn, [1])
            lanes.record(conn, [Result(1, UNKNOWN, "cut", at, may_hold=may_hold)], at)
            return row(conn, 1).state

        assert [cut(10), cut(20), cut(30), cut(40)] == [DEFERRED] * 4
        lanes.mark(conn, [2])
        lanes.record(conn, [Result(2, ACCEPTED, "250")], 50)
        assert cut(60, may_hold=False) == DEFERRED
        assert cut(70) == HELD


def test_marks_found_at_the_start() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        lanes.mark(conn, [1])
        assert lanes.recover(conn, NOW) == 1
        found = row(conn, 1)
        assert (found.state, found.trying, found.unknown_outcomes) == (DEFERRED, False, 1)
        assert due(conn) == [1]


def test_lanes_are_listed_once_each() -> None:
    with queue() as conn:
        for _ in range(3):
            put(conn, "a@acme.test")
            put(conn, "x@far.test", destination=WORLD, lane="far.test")
        assert lanes.lanes(conn) == [(PRIMARY, "acme.test"), (WORLD, "far.test")]


def test_expiry_reports_to_those_who_may_hear_of_it() -> None:
    with queue() as conn:
        put(conn, "x@far.test", destination=WORLD, lane="far.test", arrived=1)
        put(conn, "x@far.test", destination=WORLD, lane="far.test", arrived=1, sender="")
        put(conn, "x@far.test", destination=WORLD, lane="far.test", arrived=1, notify="NEVER")
        put(conn, "x@far.test", destination=WORLD, lane="far.test", arrived=100)
        assert lanes.expire(conn, "far.test", 50, NOW, "too old") == 3
        assert states(conn) == [RETURNED] * 3 + [QUEUED]
        assert [one.id for one in lanes.notices(conn)] == [1]
        lanes.notice_done(conn, 1)
        assert lanes.notices(conn) == []


def test_the_portable_mark_says_the_same() -> None:
    with queue() as conn:
        put(conn, "a@acme.test")
        put(conn, "a@acme.test", "b@acme.test")
        deliveries.hold(conn, [3], NOW)
        put(conn, "b@acme.test")
        with conn.begin_nested() as nested:
            hot = lanes.mark(conn, [1, 2, 3, 4])
            nested.rollback()
        assert lanes.mark_portably(conn, [1, 2, 3, 4]) == hot == [1, 4]


outcomes = st.sampled_from([ACCEPTED, MESSAGE, WAIT, UNKNOWN, REFUSED, UNTRIED, GIVEN_UP])
people = st.sampled_from(["hold", "release", "retry", "return"])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_one_in_flight_the_oldest_first_and_nothing_is_lost(data: st.DataObject) -> None:
    with queue() as conn:
        for _ in range(data.draw(st.integers(1, 6))):
            put(
                conn,
                *data.draw(
                    st.lists(st.sampled_from(["a@acme.test", "b@acme.test"]), min_size=1, max_size=2, unique=True)
                ),
            )
        now = NOW
        flying: set[int] = set()
        for _ in range(25):
            now += data.draw(st.integers(0, 50))
            step = data.draw(st.sampled_from(["mark", "record", "person"]))
            rows = {one.id: one for one in deliveries.listing(None, conn, finished=True)}
            if step == "mark":
                wanted = [one.id for one in lanes.due(conn, PRIMARY, "acme.test", now)]
                # a lane has one message in flight
                wanted = (
                    [] if flying else [one for one in wanted if rows[one].message.seq == rows[wanted[0]].message.seq]
                )
                for one in lanes.mark(conn, wanted):
                    flying.add(one)
                    older = [
                        other
                        for other in rows.values()
                        if other.key == rows[one].key
                        and other.message.seq < rows[one].message.seq
                        and other.state in OWED
                        and not other.aside
                        and other.deferrals < lanes.PATIENCE
                    ]
                    assert rows[one].aside or not older
                    assert rows[one].next_attempt <= now
            elif step == "record" and flying:
                one = data.draw(st.sampled_from(sorted(flying)))
                flying.discard(one)
                lanes.record(conn, [Result(one, data.draw(outcomes), "said", now + 10)], now)
                assert not row(conn, one).trying
            elif step == "person":
                one = data.draw(st.sampled_from(sorted(rows)))
                how = data.draw(people)
                change = {
                    "hold": lambda one=one, now=now: deliveries.hold(conn, [one], now),
                    "release": lambda one=one: deliveries.release(conn, [one]),
                    "retry": lambda one=one: deliveries.retry(conn, [one]),
                    "return": lambda one=one, now=now: deliveries.return_(conn, [one], now),
                }[how]()[0]
                if one in flying:
                    assert change.outcome in ("trying", "already")
            after = {one.id: one for one in deliveries.listing(None, conn, finished=True)}
            assert after.keys() == rows.keys()
            for id, one in after.items():
                assert one.trying == (id in flying)
                if rows[id].state in (DELIVERED, RETURNED):
                    assert one.state == rows[id].state
                assert (one.finished is not None) == (one.state in (DELIVERED, RETURNED))
            per_key = [after[id].key for id in flying]
            assert len(per_key) == len(set(per_key))
