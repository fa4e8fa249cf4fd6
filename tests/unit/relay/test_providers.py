"""Pacing on a real queue: one service behind many domains, kinds told by a banner, hosts that take few connections."""

from __future__ import annotations

from stratamail.relay.gate import Visit, place
from stratamail.relay.kinds import Kinds
from stratamail.relay.routes import to_primary
from stratamail.store.queue import alerts
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Domain, HostPort, Mailbox
from tests.support.sink import Script, Session, Sink
from tests.unit.relay.rig import RelayCase, state

UNUSUAL = b"421 4.7.28 Our system has detected an unusual rate of mail from your address\r\n"


def greets(banner: bytes) -> Script:
    return lambda session, step, line: b"220 " + banner + b"\r\n" if step == "connect" else None


class TwoDomains(RelayCase):
    """``acme.test`` and ``beta.test``, each on a host of its own."""

    profile = "google"

    def setUp(self) -> None:
        super().setUp()
        self.other = Sink()
        self.other.start()
        self.addCleanup(self.other.stop)

    def directory(self) -> Directory:
        ports = {"acme.test": self.sink.port, "beta.test": self.other.port}
        found = [
            Domain(number, 1, name, (HostPort("127.0.0.1", port),), tls=self.tls, profile=self.profile)
            for number, (name, port) in enumerate(ports.items(), 1)
        ]
        return Directory(found, [Mailbox(one.id, 1, one.id, f"ann@{one.name}") for one in found])


class Provider(TwoDomains):
    async def test_a_throttle_of_our_address_pauses_all_its_domains(self) -> None:
        self.sink.script = lambda session, step, line: UNUSUAL if step == "mail" else None
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(lambda rows: rows[0].attempts > 0 and not rows[0].trying)
        await self.put("ann@beta.test", domain="beta.test")
        self.relay.wake()
        await self.pause(1.0)
        rows = await self.rows()
        assert [(row.state, row.attempts) for row in rows] == [("queued", 1), ("queued", 0)]
        assert self.other.sessions == 0
        told = await self.read(lambda conn: alerts.listing(None, conn))
        assert [(one.kind, "unusual rate" in one.text) for one in told] == [("paused", True)]

    async def test_a_person_may_ask_all_the_same(self) -> None:
        self.sink.script = lambda session, step, line: UNUSUAL if step == "mail" else None
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(lambda rows: rows[0].attempts > 0 and not rows[0].trying)
        await self.put("ann@beta.test", domain="beta.test")
        self.relay.flush("beta.test")
        await self.until(lambda rows: rows[1].state == "delivered")


class Elsewhere(TwoDomains):
    profile = "generic"

    async def test_the_same_words_of_a_host_of_its_own_pause_that_alone(self) -> None:
        self.sink.script = lambda session, step, line: UNUSUAL if step == "mail" else None
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(lambda rows: rows[0].attempts > 0 and not rows[0].trying)
        await self.put("ann@beta.test", domain="beta.test")
        self.relay.wake()
        await self.until(lambda rows: rows[1].state == "delivered")


class Told(RelayCase):
    profile = "auto"

    async def test_a_banner_tells_the_rates(self) -> None:
        self.sink.script = greets(b"sink.example ESMTP x1-2002abc.1 - gsmtp")
        for _ in range(40):
            await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(lambda rows: sum(row.state == "delivered" for row in rows) >= 30)
        await self.pause(0.5)
        # the canary and its successor went out before the banner was known
        assert 30 <= len(self.sink.messages) <= 32


class Pair(RelayCase):
    profile = "m365"

    async def test_one_sender_waits_and_its_mailbox_with_it_in_order(self) -> None:
        for _ in range(16):
            await self.put("ann@acme.test", sender="robot@far.test")
        await self.put("ann@acme.test", sender="eve@far.test")
        await self.put("bob@acme.test", sender="robot@far.test")
        self.relay.startService()
        rows = await self.until(lambda rows: rows[14].state == rows[17].state == "delivered")
        assert [row.state for row in rows[14:]] == ["delivered", "queued", "queued", "delivered"]


class Queue(TwoDomains):
    """Both domains on one host that takes one connection."""

    profile = "generic"

    def directory(self) -> Directory:
        self.other.port = self.sink.port
        return super().directory()

    async def test_a_person_need_not_wait_for_a_turn(self) -> None:
        where = place(to_primary(self.directory().domains()[1], Kinds()))
        gate = self.relay._shared.gate
        taken = [Visit(gate, where) for _ in range(where.limit)]
        for one in taken:
            one.enter()
        behind = Visit(gate, where)
        turn = behind.enter()
        await self.put("ann@beta.test", domain="beta.test")
        self.relay.startService()
        await self.pause(0.5)
        assert self.sink.sessions == 0
        self.relay.flush("beta.test")
        await self.pause(0.2)
        taken[0].leave()
        await self.until(state("delivered"))
        taken[1].leave()
        assert turn.called
        await self.relay.stopService()


class Crowd(TwoDomains):
    """Both domains on one host."""

    profile = "exchange"

    def directory(self) -> Directory:
        self.other.port = self.sink.port
        return super().directory()

    async def test_too_many_connections_holds_nothing_and_all_arrives(self) -> None:
        refused: list[int] = []

        def script(session: Session, step: str, line: bytes) -> bytes | None:
            if step == "connect" and not refused:
                refused.append(session.number)
                return b"421 4.3.2 The maximum number of concurrent connections has exceeded a limit\r\n"
            return None

        self.sink.script = script
        for name in ("acme.test", "beta.test"):
            for _ in range(5):
                await self.put(f"ann@{name}", domain=name)
        self.relay.startService()
        rows = await self.until(state("delivered"))
        assert refused
        assert {row.deferrals for row in rows} == {0}
