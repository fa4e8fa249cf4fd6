"""Noticing, on a real queue and towards a sink that comes and goes."""

from __future__ import annotations

import time
from typing import Any

from twisted.internet import reactor

from stratamail.config.settings import Probe, Ratio
from stratamail.net.evidence import RELAY, Evidence
from stratamail.net.resolver import Resolver
from stratamail.outage.declare import declare, end
from stratamail.outage.watch import Watch
from stratamail.store.queue import alerts, events, primaries
from tests.support.ports import free_port
from tests.unit.relay.rig import RelayCase

EVERY = 0.1


class WatchCase(RelayCase):
    references: tuple[str, ...] = ()

    def setUp(self) -> None:
        super().setUp()
        self.recovered: list[str] = []
        self.watch = self.make_watch()

    def make_watch(self) -> Watch:
        async def figures(event: events.Event) -> tuple[int, int]:
            return 7, 3

        return Watch(
            reactor,
            Probe(EVERY, Ratio(3, 4), Ratio(3, 3), 0.3, self.references),
            "mx.example.net",
            self.directory,
            self.read,
            self.committer.write,
            Resolver(reactor, "127.0.0.1:1"),
            on_recovered=self.recovered.append,
            figures=figures,
        )

    async def down(self) -> None:
        if self.watch.running:
            await self.watch.stopService()
        await super().down()

    async def seen(self) -> tuple[str, str]:
        def work(conn: Any) -> tuple[str, str]:
            return primaries.state(conn, "acme.test"), events.state_of(conn, "acme.test")

        return await self.read(work)

    async def reaches(self, *expected: tuple[str, str], seconds: float = 10.0) -> None:
        stop = time.monotonic() + seconds
        while (found := await self.seen()) not in expected:
            assert time.monotonic() < stop, found
            await self.pause(0.02)


class Story(WatchCase):
    async def test_up_down_up(self) -> None:
        self.watch.startService()
        await self.reaches(("up", "none"))
        assert self.recovered == ["acme.test"]
        self.sink.stop()
        await self.reaches(("down", "active"))
        await self.put("ann@acme.test")
        self.sink.start()
        await self.reaches(("up", "flushing"))
        assert self.recovered == ["acme.test"] * 2
        await self.pause(0.6)
        assert (await self.seen()) == ("up", "flushing")
        self.relay.startService()
        await self.until(lambda rows: rows[0].state == "delivered")
        await self.reaches(("up", "none"))
        found = await self.read(lambda conn: [events.as_json(conn, one) for one in events.listing(None, conn)])
        assert len(found) == 1
        assert (found[0]["captured"], found[0]["delivered"], found[0]["read"], found[0]["answered"]) == (1, 1, 7, 3)
        told = await self.read(lambda conn: {one.kind for one in alerts.listing(None, conn)})
        assert told == {"outage", "recovered", "closed"}

    async def test_the_relay_is_heard(self) -> None:
        self.sink.stop()
        self.watch.startService()
        await self.reaches(("down", "active"))
        self.watch.evidence("acme.test", Evidence(True, "dot", "accepted", RELAY, proof=True))
        stop = time.monotonic() + 5
        while not self.recovered:
            assert time.monotonic() < stop
            await self.pause(0.01)
        assert self.recovered == ["acme.test"]

    async def test_declared_stays_until_its_end(self) -> None:
        self.watch.startService()
        await self.reaches(("up", "none"))
        now = int(time.time() * 1_000_000)
        await self.committer.write(lambda conn: declare(conn, "acme.test", "their login is down", False, now))
        await self.pause(0.8)
        assert (await self.seen()) == ("up", "active")
        await self.committer.write(lambda conn: end(conn, "acme.test", now + 1))
        self.watch.wake()
        await self.reaches(("up", "none"))

    async def test_a_new_domain_is_probed_within_a_second(self) -> None:
        empty = type(self.directory())()
        directory, self.directory = self.directory, lambda: empty  # type: ignore[method-assign]
        self.watch = self.make_watch()
        self.watch.startService()
        await self.pause(0.2)
        assert (await self.seen()) == ("unknown", "none")
        self.directory = directory  # type: ignore[method-assign]
        self.watch._directory = directory
        begun = time.monotonic()
        self.watch.wake()
        while not self.sink.sessions:
            assert time.monotonic() - begun < 1
            await self.pause(0.01)
        await self.reaches(("up", "none"))

    async def test_a_probe_under_way_says_nothing_of_a_domain_that_is_removed(self) -> None:
        self.sink.script = lambda session, step, line: 0.4 if step == "ehlo" else None
        self.watch.startService()
        stop = time.monotonic() + 5
        while not self.sink.sessions:
            assert time.monotonic() < stop
            await self.pause(0.01)
        empty = type(self.directory())()
        self.watch._directory = lambda: empty
        self.watch.wake()
        await self.pause(0.8)
        assert (await self.seen()) == ("unknown", "none")


class CutOff(WatchCase):
    references = (f"127.0.0.1:{free_port()}",)

    async def test_nobody_is_blamed_when_it_is_we(self) -> None:
        self.sink.stop()
        self.watch.startService()
        await self.pause(1.0)
        assert (await self.seen()) == ("unknown", "none")
        told = await self.read(lambda conn: [one.kind for one in alerts.listing(None, conn)])
        assert told == ["cut-off"]
