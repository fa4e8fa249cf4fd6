"""The peers by themselves: the fake primary is checked against Postfix by the same messages."""

from __future__ import annotations

import re
import smtplib

import dns.resolver
import pytest

from stratamail.mail import dkim
from tests.support import corpus, postfix
from tests.support.dns import Dns
from tests.support.postfix import Postfix
from tests.support.sink import DROP, Session, Sink
from tests.support.talk import Closed, Talk
from tests.support.waiting import until

pytestmark = pytest.mark.interop

DOMAIN = "acme.example"


def give(port: int, numbers: range, recipient: str = f"ben@{DOMAIN}") -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        for number in numbers:
            client.sendmail("anna@news.example", [recipient], corpus.sample(number).data, ["BODY=8BITMIME"])


def test_filter_prefers_the_primary_and_falls_back_message_by_message() -> None:
    """Configurations A and B without us: while Postfix is up the sink sees nothing, while it is down everything."""
    postfix.required()
    with Sink() as sink, Postfix.primary(DOMAIN) as primary, Postfix.filter(DOMAIN, primary.port, sink.port) as front:
        give(front.port, range(11))
        until(lambda: primary.count() == 11, "the primary has all")
        assert sink.messages == []
        primary.stop()
        give(front.port, range(11, 33))
        until(lambda: len(sink.messages) == 22, "all fail over")
        for message in sink.messages:
            number = int(re.search(rb"Message-ID: <sample\.(\d+)@", message.data)[1])
            sample = corpus.sample(number)
            assert message.data.endswith(sample.data), sample.name
            if sample.signed:
                assert dkim.verify(message.data, corpus.key_record)[0].passed, sample.name
        primary.start()
        give(front.port, range(33, 44))
        until(lambda: primary.count() == 22, "mail goes to the primary again")
        for delivered in primary.delivered():
            number = int(re.search(rb"Message-ID: <sample\.(\d+)@", delivered.data)[1])
            assert delivered.data.endswith(corpus.sample(number).data.replace(b"\r\n", b"\n"))
            assert delivered.recipient == f"ben@{DOMAIN}"
    assert len(sink.messages) == 22


def test_postfix_refuses_what_is_not_its_own() -> None:
    postfix.required()
    with Postfix.primary(DOMAIN) as primary, Talk(primary.port) as talk:
        talk.greet()
        talk.expect(b"MAIL FROM:<a@b.example>", b"250")
        talk.expect(b"RCPT TO:<x@elsewhere.example>", b"554")


def test_the_sink_keeps_every_octet_by_data_and_by_bdat() -> None:
    with Sink() as sink, Talk(sink.port) as talk:
        talk.greet()
        for name, data in corpus.hostile():
            assert talk.deliver("a@b.example", [f"ben@{DOMAIN}"], data).startswith(b"250"), name
            talk.expect(b"MAIL FROM:<>", b"250")
            talk.expect(b"RCPT TO:<x@y.example>", b"250")
            half = len(data) // 2
            talk.send(b"BDAT %d\r\n%s" % (half, data[:half]))
            assert talk.reply().startswith(b"250")
            talk.send(b"BDAT %d LAST\r\n%s" % (len(data) - half, data[half:]))
            assert talk.reply().startswith(b"250")
            assert [m.data for m in sink.messages[-2:]] == [data, data], name
        assert [m.how for m in sink.messages[:2]] == ["DATA", "BDAT"]


def test_the_sink_follows_its_script_and_can_be_down() -> None:
    def script(session: Session, step: str, line: bytes) -> object:
        if step == "rcpt" and b"nobody" in line:
            return b"550 5.1.1 Nobody\r\n"
        return DROP if step == "dot" and b"drop me" in session.body else None

    with Sink(script=script) as sink:
        with Talk(sink.port) as talk:
            talk.greet()
            talk.expect(b"MAIL FROM:<a@b.example>", b"250")
            talk.expect(b"RCPT TO:<nobody@acme.example>", b"550")
            talk.expect(b"DATA", b"503")
            assert talk.deliver("a@b.example", ["x@acme.example"], b"keep me\r\n").startswith(b"250")
            with pytest.raises(Closed):
                talk.deliver("a@b.example", ["x@acme.example"], b"drop me\r\n")
        assert [m.data for m in sink.messages] == [b"keep me\r\n"]
        with Talk(sink.port) as open_session:
            open_session.greet()
            sink.stop()
            with pytest.raises(Closed):
                open_session.ask(b"NOOP")
        with pytest.raises(ConnectionRefusedError):
            Talk(sink.port)
        sink.start()
        with Talk(sink.port) as again:
            again.greet()


def test_the_dns_server_answers_from_its_table() -> None:
    server = Dns({("world.example", "MX"): ["10 mx.world.example."], ("mx.world.example", "A"): ["127.0.0.1"]})
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = server.port
    assert resolver.resolve("world.example", "MX")[0].to_text() == "10 mx.world.example."
    with pytest.raises(dns.resolver.NXDOMAIN):
        resolver.resolve("nowhere.example", "A")
    server.stop()
    assert ("world.example", "MX") in server.asked
