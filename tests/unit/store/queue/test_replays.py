"""What a primary had accepted is owed once more: what is chosen, and what guards against doubles."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from stratamail.store.model import PRIMARY
from stratamail.store.queue import deliveries, events, lanes, replays
from stratamail.store.queue.events import Counts
from stratamail.store.queue.lanes import ACCEPTED, REFUSED, Result
from stratamail.store.queue.replays import Found, Wanted
from stratamail.store.queue.schema import deliveries as rows
from stratamail.store.queue.schema import messages
from tests.unit.store.queue.rows import put, queue

ACME = Wanted(domains=("acme.test",))


def give(conn: Connection, ids: list[int], outcome: str = ACCEPTED, at: int = 50) -> None:
    assert lanes.mark(conn, ids) == ids
    lanes.record(conn, [Result(one, outcome, "250 ok" if outcome == ACCEPTED else "550 no") for one in ids], at)


def fit(conn: Connection, wanted: Wanted, again: bool = False) -> list[int]:
    return [one.id for one in replays.find(None, conn, wanted, again=again, page=2) if not one.passed_over]


def test_chosen_by_user_time_domain_id_and_event() -> None:
    with queue() as conn:
        give(conn, put(conn, "a@acme.test", "b@acme.test", arrived=10))
        event = events.open_(conn, "acme.test", events.MACHINE, 60)
        give(conn, put(conn, "A@acme.test", arrived=20), at=70)
        give(conn, put(conn, "a@other.test", domain="other.test", lane="other.test", arrived=30))
        put(conn, "a@acme.test", arrived=40)
        give(conn, put(conn, "far@world.test", destination="world", lane="world.test", arrived=50))
        assert fit(conn, ACME) == [1, 2, 3]
        assert fit(conn, Wanted(keys=("a@acme.test",))) == [1, 3]
        assert fit(conn, Wanted(domains=("acme.test",), ids=(4,))) == [1, 2, 3, 4]
        assert fit(conn, Wanted(domains=("acme.test", "other.test"), since=20)) == [3, 4]
        assert fit(conn, Wanted(domains=("acme.test",), since=10, until=20)) == [1, 2]
        assert fit(conn, Wanted(event=event)) == [3]
        assert list(replays.find(["other.test"], conn, Wanted(since=0))) == [Found(4, 3, "other.test", "")]


def test_it_goes_out_as_any_other_and_the_first_proof_stays() -> None:
    with queue() as conn:
        give(conn, put(conn, "a@acme.test", notify="FAILURE"))
        put(conn, "a@acme.test")
        assert replays.replay(conn, [1]) == [3]
        assert [one.id for one in lanes.due(conn, PRIMARY, "acme.test", 100)] == [3, 2]
        new = deliveries.get(None, conn, 3)
        assert new is not None
        assert (new.state, new.attempts, new.notify, new.message.seq) == ("queued", 0, "FAILURE", 1)
        first = deliveries.get(None, conn, 1)
        assert first is not None
        assert (first.state, first.last_reply, first.finished) == ("delivered", "250 ok", 50)
        # the older goes first
        assert lanes.mark(conn, [2]) == []


def test_doubles_are_guarded_against() -> None:
    with queue() as conn:
        give(conn, put(conn, "a@acme.test"))
        assert replays.replay(conn, [1, 1]) == [2]
        assert replays.replay(conn, [1], again=True) == []
        assert [one.passed_over for one in replays.find(None, conn, ACME, again=True)] == [replays.COMING]
        give(conn, [2], REFUSED)
        assert replays.replay(conn, [1], again=True) == []
        deliveries.release(conn, [2])
        give(conn, [2])
        assert [one.passed_over for one in replays.find(None, conn, ACME)] == [replays.BEFORE]
        assert replays.replay(conn, [1]) == []
        # a replay is no original: it is not replayed for itself
        assert replays.replay(conn, [2], again=True) == []
        assert fit(conn, ACME, again=True) == [1]
        assert replays.replay(conn, [1], again=True) == [3]


def test_only_what_was_accepted_and_is_kept() -> None:
    with queue() as conn:
        give(conn, put(conn, "a@acme.test"))
        put(conn, "b@acme.test")
        conn.execute(sa.update(messages).where(messages.c.seq == 1).values(shed=True))
        assert [one.passed_over for one in replays.find(None, conn, ACME)] == [replays.GONE]
        assert replays.replay(conn, [1, 2, 99]) == []


def test_an_event_counts_what_was_captured_not_what_was_replayed() -> None:
    with queue() as conn:
        event = events.open_(conn, "acme.test", events.MACHINE, 10)
        give(conn, put(conn, "a@acme.test"))
        events.close(conn, event.id, 60)
        closed = events.get(None, conn, event.id)
        assert closed is not None
        assert events.get(["other.test"], conn, event.id) is None
        assert events.counts(conn, closed) == Counts(captured=1, delivered=1)
        replays.replay(conn, [1])
        assert events.counts(conn, closed) == Counts(captured=1, delivered=1)
        later = events.open_(conn, "acme.test", events.MACHINE, 100)
        assert (later.first_seq, events.counts(conn, later)) == (2, Counts())
        assert not events.drained(conn, "acme.test")
        assert conn.execute(sa.select(sa.func.count()).select_from(rows)).scalar() == 2
