"""What a primary lost is given again, by the command line."""

from __future__ import annotations

import pytest

from stratamail.store.queue.schema import deliveries, messages
from tests.unit.cli.conftest import Cli


@pytest.fixture
def done(cli: Cli) -> Cli:
    """Three messages that the primary has accepted: for Anna, for her alias, for Bob, an hour apart."""
    cli.ok("address", "add", "ann@acme.example", "--alias-of", "anna@acme.example")
    for conn in cli.queue():
        for seq, user in enumerate(("anna", "ann", "bob"), 1):
            name = f"{user}@acme.example"
            row = {
                "id": f"0123456789abcde{seq}",
                "arrived": seq * 3_600_000_000,
                "kind": "inbound",
                "sender": "s@x.example",
            }
            conn.execute(messages.insert().values(**row, size=10, sha256="ab", trace_size=5))
            given = {"seq": seq, "recipient": name, "key": name, "domain": "acme.example", "lane": "acme.example"}
            given |= {"destination": "primary", "state": "delivered", "finished": 5, "last_reply": "250 ok"}
            conn.execute(deliveries.insert().values(**given))
    return cli


def test_by_user_time_and_id(done: Cli) -> None:
    assert done.json("replay", "--user", "Anna@ACME.example", "--dry-run")["fit"] == 2
    assert done.json("replay", "--user", "ann@acme.example", "--dry-run")["fit"] == 2
    assert done.json("replay", "acme.example", "--since", "1970-01-01T02:00Z", "--dry-run")["fit"] == 2
    assert done.json("replay", "acme.example", "--until", "1970-01-01T02:00:00", "--dry-run")["fit"] == 1
    assert done.json("replay", "0123456789abcde3", "--dry-run")["deliveries"] == []
    assert done.json("queue", "list") == []


def test_it_is_owed_once_more_and_only_once(done: Cli) -> None:
    assert done.json("replay", "3") == {
        "found": 1,
        "fit": 1,
        "passed_over": {"coming": 0, "before": 0, "gone": 0},
        "deliveries": [4],
    }
    assert [(row["id"], row["recipient"], row["state"]) for row in done.json("queue", "list")] == [
        (4, "bob@acme.example", "queued")
    ]
    assert "1 passed over: owed or held already" in done.ok("replay", "acme.example", "--dry-run", "--again")
    assert "2 are owed once more" in done.ok("replay", "acme.example")
    assert [one["replay_of"] for one in done.json("proof", "0123456789abcde3")["deliveries"]] == [None, 3]


def test_what_makes_no_sense_is_refused(done: Cli) -> None:
    done.misused("replay")
    done.misused("replay", "acme.example", "--since", "yesterday")
    assert "no outage" in done.refused("replay", "--event", "7")
    for conn in done.queue():
        conn.execute(deliveries.update().where(deliveries.c.id == 3).values(domain="gone.example", lane="gone.example"))
    assert "no primary here" in done.refused("replay", "3")
