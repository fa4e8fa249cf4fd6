"""The look at what is held for long: by each domain's own time, and not at every wake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from twisted.internet.task import Clock

from stratamail.relay.returns import Returns
from stratamail.store.queue import lanes
from stratamail.store.queue.lanes import REFUSED, Result
from stratamail.store.queue.schema import deliveries, messages
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Domain
from tests.unit.store.queue.rows import put, queue


def states(conn: Connection) -> list[str]:
    return list(conn.execute(sa.select(deliveries.c.state).order_by(deliveries.c.id)).scalars())


def test_by_each_domains_time_and_once_a_minute() -> None:
    domains = [Domain(1, 1, "acme.test"), Domain(2, 1, "never.test", return_after=0)]
    clock = Clock()
    clock.advance(1_000.0)
    with queue() as conn:

        async def access(work: Callable[[Connection], Any]) -> Any:
            return work(conn)

        for domain in ("acme.test", "never.test"):
            (id,) = put(conn, f"a@{domain}", domain=domain, lane=domain)
            lanes.mark(conn, [id])
            lanes.record(conn, [Result(id, REFUSED, "550 5.1.1 no")], 1_000_000_000)
        conn.execute(sa.update(messages).values(dkim="pass far.test=s@0"))
        looking = Returns(clock, lambda: Directory(domains), access, access)
        asyncio.run(looking.work())
        assert states(conn) == ["held", "held"]
        clock.advance(3 * 86_400 - 30)
        asyncio.run(looking.work())
        assert states(conn) == ["held", "held"]
        clock.advance(30)
        asyncio.run(looking.work())
        assert states(conn) == ["held", "held"], "a minute has not passed since the last look"
        clock.advance(30)
        asyncio.run(looking.work())
        assert states(conn) == ["returned", "held"]
