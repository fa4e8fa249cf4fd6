"""A relay on a real queue database and a real committer, towards a byte-exact sink; messages put in as capture
would."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from stratamail.config import settings as config
from stratamail.mail.address import key, split
from stratamail.mail.envelope import Envelope, Recipient
from stratamail.net.evidence import Evidence
from stratamail.net.resolver import Resolver
from stratamail.net.smtp import Timeouts
from stratamail.relay.service import Relay
from stratamail.store import database
from stratamail.store.bodies import Bodies
from stratamail.store.committer import Committer
from stratamail.store.layout import Layout
from stratamail.store.model import INBOUND, PRIMARY, WORLD, Delivery, Message, NewDelivery, NewMessage, Source
from stratamail.store.pool import Pool
from stratamail.store.queue import deliveries
from stratamail.store.reserve import Reserve
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Domain, HostPort, Mailbox
from tests.support.sink import Sink

TRACE = b"Received: by mx.example.net; now\r\n"


class RelayCase(TestCase):
    timeout = 60
    retry_every = 0.3
    timeouts = Timeouts.all(5.0)
    tls = "none"
    smart_host = ""
    profile = "generic"
    window = 64

    def setUp(self) -> None:
        self.state = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.state)
        self.layout = Layout(self.state)
        os.makedirs(self.layout.spool)
        self.engine = database.open_queue(self.layout)
        database.migrate(self.engine, "queue")
        self.pool = Pool("disk", 2, reactor)
        self.pool.start()
        self.committer = Committer(self.layout, reactor, Reserve(self.layout, 0, time.time))
        self.committer.start()
        self.sink = Sink()
        self.sink.start()
        self.addCleanup(self.sink.stop)
        self.evidence: list[Evidence] = []
        self.reports: list[tuple[str, str, bytes]] = []
        self.count = 0
        self.relay = self.make_relay()

    def tearDown(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.down())

    async def down(self) -> None:
        if self.relay.running:
            await self.relay.stopService()
        await self.committer.stop()
        self.pool.stop()
        self.engine.dispose()

    def directory(self) -> Directory:
        domain = Domain(1, 1, "acme.test", (HostPort("127.0.0.1", self.sink.port),), tls=self.tls, profile=self.profile)
        names = ("ann", "bob", "cid", "dan", "eve")
        return Directory([domain], [Mailbox(i, 1, 1, f"{name}@acme.test") for i, name in enumerate(names, 1)])

    def make_relay(self) -> Relay:
        async def report(recipient: str, domain: str, content: bytes) -> None:
            self.reports.append((recipient, domain, content))

        return Relay(
            reactor,
            config.Relay(self.retry_every, self.smart_host or f"127.0.0.1:{self.sink.port}", window=self.window),
            "mx.example.net",
            self.directory,
            self.read,
            self.committer.write,
            Bodies(self.layout, self.engine, self.committer.contents.get),
            self.pool,
            Resolver(reactor, "127.0.0.1:1"),
            on_evidence=lambda domain, evidence: self.evidence.append(evidence),
            submit_report=report,
            timeouts=self.timeouts,
        )

    def read(self, work: Callable[[Any], Any]) -> Deferred[Any]:
        def job() -> Any:
            with database.reading(self.engine) as conn:
                return work(conn)

        return self.pool.run(job)

    async def put(
        self,
        *recipients: str,
        body: bytes = b"Subject: x\r\n\r\nhello\r\n",
        sender: str = "out@far.test",
        world: bool = False,
        domain: str = "acme.test",
        arrived: int | None = None,
        **more: Any,
    ) -> Message:
        self.count += 1
        owed = tuple(
            NewDelivery(
                one,
                key(one),
                domain,
                WORLD if world else PRIMARY,
                split(key(one))[1] if world else domain,
            )
            for one in recipients
        )
        envelope = Envelope(sender, tuple(Recipient(one) for one in recipients), size=len(body), **more)
        new = NewMessage(
            id=f"m{self.count:015d}",
            arrived=arrived or int(time.time() * 1_000_000),
            kind=INBOUND,
            envelope=envelope,
            source=Source(),
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            trace=TRACE,
            body=body,
            deliveries=owed,
        )
        return await self.committer.commit(new)

    async def rows(self) -> list[Delivery]:
        return await self.read(lambda conn: list(deliveries.listing(None, conn, finished=True)))

    async def states(self) -> list[str]:
        return [row.state for row in await self.rows()]

    async def until(self, condition: Callable[[list[Delivery]], bool], seconds: float = 15.0) -> list[Delivery]:
        """Poll the rows until ``condition`` holds: what is awaited happens in other threads."""
        end = time.monotonic() + seconds
        while True:
            rows = await self.rows()
            if condition(rows):
                return rows
            assert time.monotonic() < end, [(r.id, r.recipient, r.state, r.last_reply, r.attempts) for r in rows]
            await self.pause(0.02)

    async def pause(self, seconds: float) -> None:
        waited: Deferred[None] = Deferred()
        reactor.callLater(seconds, waited.callback, None)
        await waited

    def bodies(self) -> list[bytes]:
        return [taken.data for taken in self.sink.messages]


def state(*names: str) -> Callable[[list[Delivery]], bool]:
    """All rows are in one of ``names``."""
    return lambda rows: bool(rows) and all(row.state in names for row in rows)
