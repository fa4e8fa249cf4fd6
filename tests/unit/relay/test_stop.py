"""What a person asks of the relay: to stop, without waiting for what need not be waited for; to go on now."""

from __future__ import annotations

import time

from twisted.internet.defer import Deferred

from stratamail.relay import lane
from stratamail.store.queue import deliveries
from tests.unit.relay.rig import RelayCase, state


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


class Resume(RelayCase):
    retry_every = 3600.0

    async def test_a_person_s_retry_ends_a_pause(self) -> None:
        self.sink.stop()
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(lambda rows: rows[0].attempts > 0 and not rows[0].trying)
        self.sink.start()
        await self.committer.write(lambda conn: deliveries.retry(conn, [1]))
        self.relay.resume()
        await self.until(state("delivered"))
