"""Opening a session: TLS policies, slow and broken peers, names."""

from __future__ import annotations

import ssl
import time
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from stratamail.mail.envelope import Envelope, Recipient
from stratamail.net import tls
from stratamail.net.resolver import NotResolved
from stratamail.net.smtp import Session, Timeouts, Unreachable, open_session
from stratamail.net.transaction import Answer, Sent, send
from stratamail.outage.probe import probe
from stratamail.tenancy.model import HostPort
from tests.support.sink import DROP, Sink
from tests.unit.net.peer import Trusting, pem, server_context


class Names:
    """A resolver that knows localhost and one name; everything else does not exist."""

    async def addresses(self, host: str) -> list[str]:
        if host in ("127.0.0.1", "primary.test", "localhost", "under_score.test"):
            return ["127.0.0.1"]
        if host == "two.test":
            return ["127.0.0.9", "127.0.0.1"]
        raise NotResolved(f"{host} does not exist", True)


class Bytes:
    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts)
        self.size = sum(map(len, parts))

    async def read(self) -> bytes:
        return self.parts.pop(0) if self.parts else b""


class SessionCase(TestCase):
    timeout = 20
    certificate: ssl.SSLContext | None = None

    def setUp(self) -> None:
        self.sink = Sink(tls=self.certificate)
        self.addCleanup(self.sink.stop)

    async def open(self, policy: str = "none", host: str = "127.0.0.1", seconds: float = 3.0, **more: Any) -> Session:
        session = await open_session(
            reactor,
            HostPort(host, self.sink.port),
            hostname="mx.example.net",
            policy=policy,
            resolver=Names(),
            timeouts=Timeouts.all(seconds),
            **more,
        )
        self.addCleanup(session.connection.give_up, "end of the test")
        return session

    async def refused(self, *args: Any, **more: Any) -> Unreachable:
        try:
            await self.open(*args, **more)
        except Unreachable as error:
            return error
        raise AssertionError("a session came about")


class InClear(SessionCase):
    async def test_offers(self) -> None:
        session = await self.open()
        assert session.offer.pipelining
        assert session.offer.size == 200000000
        assert not session.encrypted

    async def test_falls_back_to_helo(self) -> None:
        self.sink.script = lambda s, step, line: b"502 what?\r\n" if step == "ehlo" else None
        session = await self.open()
        assert not session.offer.keywords

    async def test_no_such_host(self) -> None:
        assert (await self.refused(host="nowhere.test")).stage == "resolve"

    async def test_the_next_address_is_tried(self) -> None:
        assert (await self.open(host="two.test")).address == "127.0.0.1"

    async def test_nobody_listens(self) -> None:
        self.sink.stop()
        assert (await self.refused()).stage == "connect"

    async def test_refused_at_the_greeting(self) -> None:
        self.sink.script = lambda s, step, line: b"554 5.3.2 not today\r\n" if step == "connect" else None
        error = await self.refused()
        assert error.stage == "greeting"
        assert error.reply is not None
        assert error.reply.code == 554

    async def test_a_silent_peer(self) -> None:
        self.sink.script = lambda s, step, line: 5.0 if step == "connect" else None
        begun = time.monotonic()
        error = await self.refused(seconds=0.3)
        assert "0.3 seconds" in error.text
        assert time.monotonic() - begun < 3

    async def test_encrypt_needs_an_offer(self) -> None:
        assert (await self.refused("encrypt")).stage == "STARTTLS"
        assert not (await self.open("may")).encrypted


PEM = pem("primary.test")


class WithTls(SessionCase):
    def setUp(self) -> None:
        self.certificate = server_context(PEM)
        super().setUp()

    async def test_encrypt_and_may(self) -> None:
        for policy in ("may", "encrypt"):
            session = await self.open(policy)
            assert session.encrypted
            assert session.connection.engine.tls
            assert session.offer.pipelining
        assert not (await self.open("none")).encrypted

    async def test_verify(self) -> None:
        trusting = Trusting(PEM)
        session = await self.open("verify", host="primary.test", tls_client=trusting)
        assert session.encrypted
        assert trusting.asked == [("primary.test", True)]

    async def test_verify_refuses_another_name(self) -> None:
        other = await self.refused("verify", host="two.test", tls_client=Trusting(PEM))
        assert other.stage == "STARTTLS"

    async def test_verify_refuses_an_unknown_authority(self) -> None:
        assert (await self.refused("verify", host="primary.test", tls_client=tls.client)).stage == "STARTTLS"

    async def test_a_name_that_no_certificate_can_bear(self) -> None:
        error = await self.refused("verify", host="under_score.test", tls_client=tls.client)
        assert error.stage == "STARTTLS"
        assert "under_score" in error.text
        session = await self.open("may", host="under_score.test", tls_client=lambda host, _: tls.client(host, True))
        assert not session.encrypted

    async def test_may_goes_on_in_clear_when_the_handshake_fails(self) -> None:
        session = await self.open("may", host="two.test", tls_client=Trusting(PEM))
        assert not session.encrypted

    async def test_a_message_over_tls(self) -> None:
        session = await self.open("encrypt")
        envelope = Envelope("a@b.test", ())
        sent = await send(session, envelope, [Recipient("c@d.test")], Bytes(b"x" * 300_000 + b"\r\n", b".\r\n"))
        assert sent.answers[0].accepted
        assert self.sink.messages[0].tls
        assert self.sink.messages[0].data == b"x" * 300_000 + b"\r\n.\r\n"


class Sending(SessionCase):
    async def send(self, *recipients: str, body: bytes = b"hello\r\n", seconds: float = 3.0) -> Sent:
        session = await self.open()
        given = [Recipient(one) for one in recipients]
        return await send(session, Envelope("a@b.test", ()), given, Bytes(body), Timeouts.all(seconds))

    async def test_each_recipient_has_its_answer(self) -> None:
        self.sink.script = lambda s, step, line: b"550 5.1.1 no\r\n" if step == "rcpt" and b"bad" in line else None
        sent = await self.send("good@d.test", "bad@d.test")
        assert [one.accepted for one in sent.answers] == [True, False]
        assert [one.stage for one in sent.answers] == ["dot", "RCPT"]

    async def test_all_refused_leaves_a_clean_session(self) -> None:
        self.sink.script = lambda s, step, line: b"550 5.1.1 no\r\n" if step == "rcpt" and b"bad" in line else None
        for pipelining in (True, False):
            if not pipelining:
                self.sink.extensions.remove("PIPELINING")
            session = await self.open()
            envelope = Envelope("a@b.test", ())
            sent = await send(session, envelope, [Recipient("bad@d.test")], Bytes(b"x\r\n"))
            assert [one.stage for one in sent.answers] == ["RCPT"]
            sent = await send(session, envelope, [Recipient("good@d.test")], Bytes(b"x\r\n"))
            assert sent.answers[0].accepted
        assert len(self.sink.messages) == 2

    async def test_refused_at_mail(self) -> None:
        self.sink.script = lambda s, step, line: b"550 5.7.1 not you\r\n" if step == "mail" else None
        sent = await self.send("c@d.test", "e@d.test")
        assert [one.stage for one in sent.answers] == ["MAIL", "MAIL"]
        assert not self.sink.messages

    async def test_refused_at_data(self) -> None:
        self.sink.script = lambda s, step, line: b"451 4.3.0 later\r\n" if step == "data" else None
        sent = await self.send("c@d.test")
        assert sent.answers[0].stage == "DATA"

    async def test_cut_after_the_dot_is_unknown(self) -> None:
        self.sink.script = lambda s, step, line: DROP if step == "dot" else None
        sent = await self.send("c@d.test")
        assert sent.answers[0].unknown

    async def test_cut_before_the_dot_is_not(self) -> None:
        for step in ("mail", "rcpt", "data"):
            self.sink.script = lambda s, at, line, step=step: DROP if at == step else None
            sent = await self.send("c@d.test")
            assert sent.answers[0].reply is None
            assert not sent.answers[0].unknown

    async def test_no_reply_to_the_dot_is_unknown(self) -> None:
        self.sink.script = lambda s, step, line: 3.0 if step == "dot" else None
        sent = await self.send("c@d.test", seconds=0.3)
        assert sent.answers[0].unknown
        assert "0.3 seconds" in sent.answers[0].text

    async def test_a_body_that_breaks_off_is_never_completed(self) -> None:
        class Broken(Bytes):
            async def read(self) -> bytes:
                if not self.parts:
                    raise ValueError("torn")
                return await super().read()

        session = await self.open()
        content = Broken(b"half\r\n")
        content.size = 100
        try:
            await send(session, Envelope("a@b.test", ()), [Recipient("c@d.test")], content)
        except ValueError:
            pass
        else:
            raise AssertionError("it went out")
        assert not session.usable
        assert not self.sink.messages

    async def test_early_refusal(self) -> None:
        self.sink.script = lambda s, step, line: b"354 go\r\n552 5.3.4 too big\r\n" if step == "data" else None
        sent = await self.send("c@d.test")
        answer: Answer = sent.answers[0]
        assert answer.reply is not None
        assert answer.reply.code == 552


class Probing(SessionCase):
    async def ask(self, policy: str = "may", timeout: float = 2.0) -> tuple[bool, str]:
        found = await probe(
            reactor,
            [HostPort("127.0.0.1", self.sink.port)],
            "ann@acme.test",
            hostname="mx.example.net",
            policy=policy,
            resolver=Names(),
            timeout=timeout,
        )
        return found.alive, found.stage

    async def test_alive(self) -> None:
        assert await self.ask() == (True, "RCPT")
        assert not self.sink.messages

    async def test_any_reply_to_rcpt_is_alive(self) -> None:
        self.sink.script = lambda s, step, line: b"550 5.1.1 who?\r\n" if step == "rcpt" else None
        assert await self.ask() == (True, "RCPT")

    async def test_signs_of_illness(self) -> None:
        for step, answer in (
            ("connect", b"421 4.3.2 not now\r\n"),
            ("connect", DROP),
            ("ehlo", DROP),
            ("mail", b"421 later\r\n"),
            ("rcpt", DROP),
        ):
            self.sink.script = lambda s, at, line, step=step, answer=answer: answer if at == step else None
            assert not (await self.ask())[0], (step, answer)

    async def test_a_peer_that_stalls(self) -> None:
        self.sink.script = lambda s, step, line: 3.0 if step == "rcpt" else None
        assert await self.ask(timeout=0.3) == (False, "RCPT")

    async def test_down(self) -> None:
        self.sink.stop()
        assert await self.ask() == (False, "connect")
