"""Held mail in groups: like refusals of one outage together, one alert for each group."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from stratamail.store.queue import events, held, lanes
from stratamail.store.queue.lanes import REFUSED, Result
from stratamail.store.queue.schema import alerts
from tests.unit.store.queue.rows import put, queue


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("550 5.1.1 <a@x.test>: no such user", "550 5.1.1"),
        ("550-5.1.1 The account does not exist", "550 5.1.1"),
        ("554 no", "554"),
        ("550", "550"),
        ("550x", "550x"),
        ("held by hand", "held by hand"),
        (lanes.DOUBT_TEXT + " (lost)", "it may be there already"),
    ],
)
def test_kinds(reason: str, kind: str) -> None:
    assert held.kind_of(reason) == kind


def test_cures() -> None:
    assert held.cure_of("550 5.7.60 no (cure: allow (us) there)") == "allow (us) there"
    assert "make the mailbox" in held.cure_of("550 5.1.1 unknown")
    assert "whoever runs the primary" in held.cure_of("554 no")


def test_like_refusals_of_one_outage_are_one_group_and_one_alert() -> None:
    with queue() as conn:

        def refuse(reply: str, at: int, *recipients: str, domain: str = "acme.test") -> None:
            for number, one in enumerate(recipients):
                (id,) = put(conn, one, domain=domain, lane=domain, arrived=at + number)
                lanes.mark(conn, [id])
                lanes.record(conn, [Result(id, REFUSED, reply.format(one))], at)

        refuse("550 5.1.1 {} unknown", 50, "a@acme.test", "b@acme.test")
        first = events.open_(conn, "acme.test", events.MACHINE, 100)
        refuse("550 5.1.1 {} unknown", 110, "c@acme.test", "d@acme.test", "e@acme.test")
        refuse("554 5.7.1 spam (cure: let us in)", 120, "c@acme.test")
        # an outage of more than a day has one alert all the same
        refuse("550 5.1.1 {} unknown", 2 * 86_400_000_000, "f@acme.test")
        events.close(conn, first.id, 3 * 86_400_000_000)
        refuse("550 5.1.1 {} unknown", 130, "a@other.test", domain="other.test")
        found = held.groups(None, conn, page=2)
        assert [(one.domain, one.outage, one.kind, one.ids) for one in found] == [
            ("acme.test", None, "550 5.1.1", [1, 2]),
            ("acme.test", first.id, "550 5.1.1", [3, 4, 5, 7]),
            ("acme.test", first.id, "554 5.7.1", [6]),
            ("other.test", None, "550 5.1.1", [8]),
        ]
        assert [one.domain for one in held.groups(["other.test"], conn)] == ["other.test"]
        assert [one.domain for one in held.groups(None, conn, ["other.test"])] == ["other.test"]
        shown = held.as_json(found[2])
        assert (shown["words"], shown["cure"], shown["count"]) == ("554 5.7.1 spam", "let us in", 1)
        assert held.as_json(found[1])["words"] == "550 5.1.1 f@acme.test unknown"
        keys = conn.execute(sa.select(alerts.c.domain).where(alerts.c.kind == "held")).scalars().all()
        assert sorted(keys) == ["acme.test", "acme.test", "acme.test", "other.test"]
