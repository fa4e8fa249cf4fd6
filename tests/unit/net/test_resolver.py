"""Names through the configured DNS server."""

from __future__ import annotations

import random

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from stratamail.net.resolver import Exchanger, NoMail, NotResolved, Resolver
from stratamail.relay.routes import Undeliverable, to_world
from stratamail.tenancy.model import HostPort
from tests.support.dns import Dns


class ResolverCase(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.dns = Dns(
            {
                ("far.test", "MX"): ["20 b.far.test.", "10 a.far.test."],
                ("a.far.test", "A"): ["192.0.2.1", "192.0.2.2"],
                ("a.far.test", "AAAA"): ["2001:db8::1"],
                ("plain.test", "A"): ["192.0.2.3"],
                ("null.test", "MX"): ["0 ."],
                ("key.test", "TXT"): ['"v=DKIM1; " "p=abc"'],
            }
        )
        self.addCleanup(self.dns.stop)
        self.resolver = Resolver(reactor, self.dns.address, random.Random(1))

    async def fails(self, work: object) -> NotResolved:
        try:
            await work  # type: ignore[misc]
        except NotResolved as error:
            return error
        raise AssertionError("it resolved")

    async def test_addresses(self) -> None:
        found = await self.resolver.addresses("a.far.test")
        assert sorted(found) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
        assert await self.resolver.addresses("192.0.2.9") == ["192.0.2.9"]
        assert await self.resolver.addresses("[IPv6:2001:db8::2]") == ["2001:db8::2"]
        assert (await self.fails(self.resolver.addresses("no.such.test"))).permanent

    async def test_exchangers(self) -> None:
        assert await self.resolver.exchangers("far.test") == [Exchanger("a.far.test", 10), Exchanger("b.far.test", 20)]
        assert await self.resolver.exchangers("plain.test") == [Exchanger("plain.test", 0)]
        assert isinstance(await self.fails(self.resolver.exchangers("null.test")), NoMail)
        assert (await self.fails(self.resolver.exchangers("no.such.test"))).permanent

    async def test_texts(self) -> None:
        assert await self.resolver.texts("key.test") == [b"v=DKIM1; p=abc"]

    async def test_answers_are_kept(self) -> None:
        await self.resolver.addresses("plain.test")
        asked = len(self.dns.asked)
        await self.resolver.addresses("plain.test")
        # the address itself is not asked again; that it has no IPv6 one may be
        assert ("plain.test", "A") not in self.dns.asked[asked:]

    async def test_a_silent_server_is_no_permanent_answer(self) -> None:
        resolver = Resolver(reactor, "127.0.0.1:1")
        assert not (await self.fails(resolver.texts("far.test"))).permanent

    async def test_a_sick_server_is_no_permanent_answer(self) -> None:
        self.dns.sick = {"far.test", "a.far.test", "plain.test"}
        assert not (await self.fails(self.resolver.exchangers("far.test"))).permanent
        assert not (await self.fails(self.resolver.exchangers("plain.test"))).permanent
        assert not (await self.fails(self.resolver.addresses("a.far.test"))).permanent
        assert not (await self.fails(self.resolver.texts("far.test"))).permanent

    async def test_routes_to_the_world(self) -> None:
        route = await to_world("far.test", "", self.resolver)
        assert route.hosts == (HostPort("a.far.test"), HostPort("b.far.test"))
        assert (await to_world("far.test", "smart.test:2525", self.resolver)).hosts == (HostPort("smart.test", 2525),)
        assert (await to_world("[192.0.2.7]", "", self.resolver)).hosts == (HostPort("192.0.2.7"),)
        for name in ("null.test", "no.such.test"):
            found = None
            try:
                await to_world(name, "", self.resolver)
            except Undeliverable as error:
                found = error.status
            assert found == "5.1.2"
