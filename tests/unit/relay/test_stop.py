"""A stop of the relay does not wait for what it need not wait for."""

from __future__ import annotations

import time

from twisted.internet.defer import Deferred

from stratamail.relay import lane
from tests.unit.relay.rig import RelayCase


class Stop(RelayCase):
    async def test_a_silent_dns_is_not_waited_for(self) -> None:
        asked: list[str] = []
        never: Deferred[None] = Deferred()

        async def silent(name: str, smart_host: str, resolver: object) -> None:
            asked.append(name)
            await never

        self.patch(lane, "to_world", silent)
        await self.put("far@else.test", world=True)
        self.relay.startService()
        stop = time.monotonic() + 5
        while not asked:
            assert time.monotonic() < stop
            await self.pause(0.01)
        begun = time.monotonic()
        await self.relay.stopService()
        assert time.monotonic() - begun < 2
        rows = await self.rows()
        assert [(row.state, row.attempts, row.trying) for row in rows] == [("queued", 0, False)]
