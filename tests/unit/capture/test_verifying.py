"""Signatures judged after capture: the verdict, a sick DNS, a stop between, and what lapses while it waits."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import text
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from stratamail.capture import lapses, verifying
from stratamail.capture.verifying import Verifier
from stratamail.mail import dkim
from stratamail.mail.envelope import Envelope, Recipient
from stratamail.net.resolver import Resolver
from stratamail.store import database
from stratamail.store.bodies import Bodies
from stratamail.store.committer import Committer
from stratamail.store.layout import Layout
from stratamail.store.model import INBOUND, PRIMARY, Message, NewDelivery, NewMessage, Source
from stratamail.store.pool import Pool
from stratamail.store.queue import alerts, verdicts
from stratamail.store.reserve import Reserve
from tests.support.corpus import key_record, signing_key
from tests.support.dns import Dns

TRACE = b"Received: by mx.example.net; now\r\n"
PLAIN = b"From: a@news.example\r\nSubject: x\r\n\r\nhello\r\n"
NAME = "s1._domainkey.news.example"


def signed(body: bytes = PLAIN, tags: bytes = b"") -> bytes:
    return dkim.sign(body, domain="news.example", selector="s1", key=signing_key()) + body


def record() -> str:
    whole = (key_record(NAME) or b"").decode()
    return " ".join(f'"{whole[start : start + 200]}"' for start in range(0, len(whole), 200))


class VerifyingCase(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.state = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.state)
        self.layout = Layout(self.state)
        os.makedirs(self.layout.spool)
        self.engine = database.open_queue(self.layout)
        database.migrate(self.engine, "queue")
        self.pool = Pool("any", 2, reactor)
        self.pool.start()
        self.committer = Committer(self.layout, reactor, Reserve(self.layout, 0, time.time))
        self.committer.start()
        self.dns = Dns({(NAME, "TXT"): [record()]})
        self.addCleanup(self.dns.stop)
        self.count = 0
        self.verifier = self.make()

    def make(self) -> Verifier:
        self.resolver = Resolver(reactor, self.dns.address)
        bodies = Bodies(self.layout, self.engine, self.committer.contents.get)
        return Verifier(reactor, self.read, self.committer.write, bodies, self.pool, self.pool, self.resolver)

    def tearDown(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.down())

    async def down(self) -> None:
        await self.verifier.stop()
        await self.committer.stop()
        self.pool.stop()
        self.engine.dispose()

    def read(self, work: Callable[[Any], Any]) -> Deferred[Any]:
        def job() -> Any:
            with database.reading(self.engine) as conn:
                return work(conn)

        return self.pool.run(job)

    async def put(self, body: bytes, owed: bool = True) -> Message:
        self.count += 1
        to = (NewDelivery("ann@acme.test", "ann@acme.test", "acme.test", PRIMARY, "acme.test"),) if owed else ()
        return await self.committer.commit(
            NewMessage(
                id=f"m{self.count:015d}",
                arrived=int(time.time() * 1_000_000),
                kind=INBOUND,
                envelope=Envelope("a@news.example", (Recipient("ann@acme.test"),)),
                source=Source(),
                size=len(body),
                sha256=hashlib.sha256(body).hexdigest(),
                trace=TRACE,
                body=body,
                deliveries=to,
                dkim="",
            )
        )

    async def judged(self, message: Message, wanted: str = "") -> str:
        """The verdict, once there is one (``wanted``: that one)."""
        while True:
            found: str = await self.read(lambda conn: verdicts.of(conn, message.seq))
            if found and wanted in ("", found):
                return found
            await deferLater(reactor, 0.02)


class Judging(VerifyingCase):
    async def test_verdicts_of_every_kind(self) -> None:
        self.verifier.start()
        good = await self.put(signed())
        bad = await self.put(signed().replace(b"hello", b"hallo"))
        large = await self.put(signed(PLAIN + b"line of text \r\n" * 100_000))
        none = await self.put(PLAIN)
        strange = await self.put(
            b"DKIM-Signature: v=1; d=gone.example; s=x; a=rsa-sha256; h=from; bh=AAAA; b=AAAA\r\n" + PLAIN
        )
        endless = await self.put(b"X: y\r\n" * 60_000)
        self.verifier.wake()
        assert await self.judged(good) == "pass news.example=s1@0"
        assert await self.judged(bad) == "fail news.example"
        assert await self.judged(large) == "pass news.example=s1@0"
        assert await self.judged(none) == "none"
        assert await self.judged(strange) == "fail gone.example"
        assert await self.judged(endless) == "unknown"

    async def test_what_a_stop_left_open_is_judged_at_the_start(self) -> None:
        message = await self.put(signed())
        assert await self.read(lambda conn: verdicts.of(conn, message.seq)) == ""
        self.verifier.start()
        assert await self.judged(message) == "pass news.example=s1@0"

    async def test_a_sick_dns_is_asked_again(self) -> None:
        self.dns.sick.add(NAME)
        message = await self.put(signed())
        self.verifier.start()
        assert await self.judged(message) == "temperror"
        await self.verifier.stop()
        # a wake does not ask again, a start and every hour do
        self.dns.sick.clear()
        self.verifier = self.make()
        self.verifier.start()
        assert await self.judged(message, "pass news.example=s1@0")

    async def test_a_stop_while_the_dns_is_silent(self) -> None:
        asked: Deferred[None] = Deferred()

        async def texts(name: str) -> list[bytes]:
            reactor.callLater(0, asked.callback, None)
            silence: Deferred[list[bytes]] = Deferred()
            return await silence

        self.patch(self.resolver, "texts", texts)
        message = await self.put(signed())
        self.verifier.start()
        await asked
        await self.verifier.stop()
        assert await self.read(lambda conn: verdicts.of(conn, message.seq)) == ""

    async def test_a_body_that_is_gone(self) -> None:
        message = await self.put(signed())
        self.committer.contents.clear()
        await self.committer.write(lambda conn: conn.execute(text("DELETE FROM journal")))
        self.verifier.start()
        assert await self.judged(message) == "unknown"
        assert verifying.REGULARLY == 3600


class Lapsing(VerifyingCase):
    async def told(self, now: float) -> list[str]:
        await lapses.check(now, self.read, self.committer.write, self.resolver)
        found = await self.read(lambda conn: alerts.listing(None, conn))
        assert all(one.kind == "dkim-lapsed" and one.domain == "acme.test" for one in found)
        return [one.text for one in found]

    async def store(self, message: Message, words: str) -> None:
        await self.committer.write(lambda conn: verdicts.store(conn, {message.seq: words}))

    async def test_nothing_is_told_while_all_is_well(self) -> None:
        await self.store(await self.put(PLAIN), "pass news.example=s1@0")
        assert await self.told(time.time()) == []

    async def test_expiry_is_told_once_for_all(self) -> None:
        now = time.time()
        for _ in range(3):
            await self.store(await self.put(PLAIN), f"pass news.example=s1@{int(now) - 5}")
        # what nobody is owed any more is no matter
        await self.store(await self.put(PLAIN, owed=False), f"pass old.example=s1@{int(now) - 5}")
        assert await self.told(now) == await self.told(now)
        (found,) = await self.told(now)
        assert found.startswith("3 waiting for the primary of acme.test") and "news.example (s1)" in found
        assert "expired on" in found

    async def test_a_withdrawn_key(self) -> None:
        await self.store(await self.put(PLAIN), "pass news.example=s1@0")
        self.dns.records[NAME, "TXT"] = ['"v=DKIM1; k=rsa; p="']
        (found,) = await self.told(time.time())
        assert "has lost its key in the DNS" in found

    async def test_a_name_that_is_gone_and_one_that_is_not_answered(self) -> None:
        await self.store(await self.put(PLAIN), "pass news.example=gone@0")
        await self.store(await self.put(PLAIN), "pass sick.example=s@0")
        self.dns.sick.add("s._domainkey.sick.example")
        (found,) = await self.told(time.time())
        assert "news.example (gone)" in found
