"""Queue, status, events and outage by the command line, on rows as the store writes them."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from stratamail.store.queue import events, primaries
from stratamail.store.queue.schema import deliveries, messages
from tests.unit.cli.conftest import Cli

IDS = ("0123456789abcdef", "0123456789abcdeg", "0123456789abcdeh")


@pytest.fixture
def owed(cli: Cli) -> Cli:
    """Three messages: one queued, one held, one delivered; and one to the world."""
    for conn in cli.queue():
        for seq, (id, state) in enumerate(zip(IDS, ("queued", "held", "delivered"), strict=True), 1):
            conn.execute(
                messages.insert().values(
                    id=id,
                    arrived=seq * 1_000_000,
                    kind="inbound",
                    sender="s@x.example",
                    size=10,
                    sha256="ab",
                    trace_size=5,
                )
            )
            add(conn, seq, state, "primary")
        add(conn, 1, "deferred", "world")
    return cli


def add(conn: Connection, seq: int, state: str, destination: str) -> None:
    conn.execute(
        deliveries.insert().values(
            seq=seq,
            recipient="Anna@acme.example",
            key="anna@acme.example",
            domain="acme.example",
            destination=destination,
            lane="acme.example",
            state=state,
            last_reply="550 5.1.1 no",
            finished=5 if state == "delivered" else None,
        )
    )


def test_list_has_exactly_what_is_promised(owed: Cli) -> None:
    rows = owed.json("queue", "list")
    assert [row["id"] for row in rows] == [1, 4, 2]
    first = rows[0]
    assert first["message"] == IDS[0]
    assert first["arrived"] == "1970-01-01T00:00:01.000000Z"
    assert {"id", "message", "domain", "sender", "recipient", "arrived", "state", "attempts", "next_attempt"} <= set(
        first
    )
    assert {"last_reply", "size", "sha256", "aside", "destination"} <= set(first)
    assert (first["recipient"], first["state"], first["aside"]) == ("Anna@acme.example", "queued", False)
    assert len(owed.json("queue", "list", "--all")) == 4
    assert [row["id"] for row in owed.json("queue", "list", "2")] == [2]
    assert [row["id"] for row in owed.json("queue", "list", IDS[0])] == [1, 4]
    assert [row["id"] for row in owed.json("queue", "list", "ACME.example")] == [1, 4, 2]
    assert "Anna@acme.example" in owed.ok("queue", "list")


def test_show(owed: Cli) -> None:
    assert owed.json("queue", "show", "3")["state"] == "delivered"
    assert "no delivery" in owed.refused("queue", "show", "99")
    assert "no message" in owed.refused("queue", "show", "0123456789abcdev")
    assert "no domain" in owed.refused("queue", "list", "foreign.example")


def test_held_in_groups(owed: Cli) -> None:
    (group,) = owed.json("queue", "held", "acme.example")
    assert {name: group[name] for name in ("domain", "outage", "reason", "count", "words", "deliveries")} == {
        "domain": "acme.example",
        "outage": None,
        "reason": "550 5.1.1",
        "count": 1,
        "words": "550 5.1.1 no",
        "deliveries": [2],
    }
    said = owed.ok("queue", "held")
    assert "550 5.1.1 no" in said and "cure: make the mailbox" in said and "deliveries: 2" in said
    owed.ok("queue", "release", "2")
    assert owed.json("queue", "held") == []
    assert "nothing is held" in owed.ok("queue", "held")
    assert "no domain" in owed.refused("queue", "held", "foreign.example")


def test_changes_say_what_became_of_each(owed: Cli) -> None:
    assert owed.json("queue", "hold", "1") == [{"id": 1, "outcome": "changed", "state": "held"}]
    assert owed.json("queue", "hold", "1")[0]["outcome"] == "already"
    assert [row["outcome"] for row in owed.json("queue", "release", "acme.example")] == ["changed", "changed"]
    assert owed.json("queue", "retry", "3") == [{"id": 3, "outcome": "already", "state": "delivered"}]
    assert owed.json("queue", "return", "2") == [{"id": 2, "outcome": "changed", "state": "returned"}]
    assert owed.json("queue", "return", "acme.example") == []
    assert "no such delivery" in owed.refused("queue", "retry", "99")


def test_flush_makes_everything_due(owed: Cli) -> None:
    for conn in owed.queue():
        conn.execute(deliveries.update().where(deliveries.c.id == 1).values(state="deferred", next_attempt=10**18))
    assert owed.json("queue", "flush", "acme.example") == {"domain": "acme.example", "owed": 1, "attempted_now": False}
    assert owed.json("queue", "show", "1")["state"] == "queued"


def test_status(owed: Cli) -> None:
    for conn in owed.queue():
        primaries.save(conn, "acme.example", "down", "{}", 1)
        events.open_(conn, "acme.example", "machine", 2)
    expected = {
        "domain": "acme.example",
        "mode": "both",
        "primary": "127.0.0.1:2526",
        "primary_state": "down",
        "event_state": "active",
        "queued": 1,
        "held": 1,
        "oldest": "1970-01-01T00:00:01.000000Z",
        "outbound": 1,
        "aside": 0,
    }
    assert owed.json("status", "acme.example") == expected
    assert owed.json("status") == [expected]


def test_a_domain_that_is_owed_mail_is_not_removed(owed: Cli) -> None:
    assert "owed" in owed.refused("domain", "remove", "acme.example")
    owed.ok("queue", "hold", "acme.example")
    owed.ok("queue", "return", "acme.example")
    owed.ok("domain", "remove", "acme.example")


def test_outage(cli: Cli) -> None:
    assert "no outage" in cli.refused("outage", "end", "acme.example")
    assert "no domain" in cli.refused("outage", "declare", "foreign.example")
    declared = cli.json("outage", "declare", "ACME.example", "--reason", "works", "--hold")
    assert (declared["domain"], declared["kind"], declared["closed"]) == ("acme.example", "declared", None)
    assert cli.json("status", "acme.example")["event_state"] == "active"
    found = cli.json("events", "acme.example")
    assert len(found) == 1
    assert {
        "id",
        "domain",
        "kind",
        "opened",
        "closed",
        "captured",
        "read",
        "answered",
        "delivered",
        "held",
        "left_over",
    } <= set(found[0])
    ended = cli.json("outage", "end", "acme.example", "--reason", "works are over")
    assert (ended["state"], ended["reason"], ended["hold"]) == ("flushing", "works are over", False)
    assert cli.json("status", "acme.example")["event_state"] == "flushing"
    cli.ok("outage", "end", "acme.example")
    assert cli.json("events")[0]["reason"] == "works are over"


def test_an_outage_ends_with_its_domain(cli: Cli) -> None:
    cli.ok("outage", "declare", "acme.example")
    cli.ok("domain", "remove", "acme.example")
    assert cli.json("events")[0]["closed"]
    cli.ok("domain", "add", "acme.example", "--primary", "127.0.0.1:2526")
    assert cli.json("status", "acme.example")["event_state"] == "none"
