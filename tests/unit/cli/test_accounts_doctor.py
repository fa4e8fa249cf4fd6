"""The doctor tells when the account of an outage does not hold, and when what is owed is not there any more."""

from __future__ import annotations

from stratamail.store.queue import events
from stratamail.store.queue.schema import deliveries, messages
from tests.unit.cli.conftest import Cli

ID = "0123456789abcdef"


def levels(cli: Cli) -> dict[str, str]:
    return {one["check"]: one["level"] for one in cli.json("doctor", "acme.example")}


def test_an_account_that_does_not_hold(cli: Cli) -> None:
    assert levels(cli)["account"] == "ok"
    for conn in cli.queue():
        events.open_(conn, "acme.example", events.MACHINE, 1)
        row = {"id": ID, "arrived": 2, "kind": "inbound", "sender": "", "size": 1, "sha256": "ab", "trace_size": 1}
        conn.execute(messages.insert().values(**row))
        to = {"recipient": "anna@acme.example", "key": "anna@acme.example", "domain": "acme.example", "seq": 1}
        to |= {"destination": "primary", "lane": "acme.example", "state": "queued"}
        conn.execute(deliveries.insert().values(**to))
    found = levels(cli)
    assert (found["account"], found["octets"]) == ("ok", "failure")
    for conn in cli.queue():
        conn.execute(deliveries.update().values(state="delivered", finished=5, relayed_sha256="cd"))
    found = levels(cli)
    assert found["account"] == "failure"
    assert "octets" not in found
    assert "without the SHA-256" in cli.ok("doctor", "acme.example")
