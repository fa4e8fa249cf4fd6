"""Loops: the same recipient for the third time under our own ids, or fifty hops, is taken and held."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert

from stratamail.store.queue.schema import deliveries, messages
from tests.support.smtp_door import DoorFixture

FILTERED = "192.0.2.5"


@pytest.fixture
def door(tmp_path: Path) -> DoorFixture:
    return DoorFixture(tmp_path)


def again(door: DoorFixture, recipients: list[bytes]) -> None:
    """What was kept last comes back, its trace grown; the rows are there as the store would have them."""
    kept = door.kept[-1]
    with door.committer.engine.begin() as conn:
        row = {"id": kept.id, "arrived": kept.arrived, "kind": kept.kind, "sender": "", "size": 1, "sha256": ""}
        seq = conn.execute(insert(messages).values(**row, trace_size=0)).inserted_primary_key[0]  # type: ignore[index]
        for owed in kept.deliveries:
            values = {"recipient": owed.recipient, "key": owed.key, "domain": owed.domain, "lane": owed.lane}
            conn.execute(insert(deliveries).values(seq=seq, destination="primary", state="queued", **values))
    assert kept.body is not None
    reply = door.talk().send(b"<>", recipients, b"Received: by primary\r\n" + kept.trace + kept.body)
    assert reply.startswith(b"250"), reply


def test_third_time_is_held(door: DoorFixture) -> None:
    to = [b"<ben@open.example>"]
    door.talk().send(b"<>", to, b"Subject: x\r\n\r\nbody\r\n")
    again(door, to)
    again(door, [b"<BEN@open.example>", b"<carla@open.example>"])
    assert [[d.held for d in kept.deliveries] for kept in door.kept[:2]] == [[""], [""]]
    ben, carla = door.kept[2].deliveries
    assert ben.held.startswith("loop: your primary sends its mail back to us")
    assert carla.held == ""


def test_passing_us_for_others_is_no_loop(door: DoorFixture) -> None:
    door.talk().send(b"<>", [b"<list@open.example>"], b"Subject: x\r\n\r\nbody\r\n")
    again(door, [b"<list2@open.example>"])
    again(door, [b"<ben@open.example>"])
    again(door, [b"<carla@open.example>"])
    assert all(owed.held == "" for kept in door.kept for owed in kept.deliveries)


def test_ids_that_are_not_ours_count_for_nothing(door: DoorFixture) -> None:
    lines = b"".join(
        b"Received: by x (StrataMail) with ESMTP id %016d for <ben@open.example>\r\n" % i for i in range(9)
    )
    door.talk().send(b"<>", [b"<ben@open.example>"], lines + b"\r\nbody\r\n")
    assert door.kept[0].deliveries[0].held == ""


@pytest.mark.parametrize(("hops", "held"), [(49, False), (50, True)])
def test_fifty_hops(door: DoorFixture, hops: int, held: bool) -> None:
    header = b"Received: from a\r\n\tby b; date\r\n" * hops
    reply = door.talk().send(b"<>", [b"<ben@open.example>"], header + b"\r\nReceived: not a header\r\n")
    assert reply.startswith(b"250")
    assert bool(door.kept[0].deliveries[0].held) is held
    assert door.kept[0].mailboxes == (1,)
