"""The client engine: any split of the bytes gives the same events, and garbage is called by its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.envelope import Envelope, Recipient
from stratamail.mail.reply import Reply
from stratamail.smtp.client import Answered, CannotSend, ClientEngine, Closing, Event, as_ascii, fitted

EHLO = b"250-mx.example.org hello\r\n250-SIZE 1000\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n"
TALK = (
    b"220 mx.example.org\r\n"
    + EHLO
    + b"250 2.1.0 Ok\r\n"
    + b"250-2.1.5 yes\r\n250 2.1.5 really\r\n"
    + b"550 5.1.1 no\r\n354 go\r\n250 kept\r\n421 4.3.2 bye\r\n"
)


def engine() -> ClientEngine:
    one = ClientEngine()
    one.ehlo("a")
    one.transaction(Envelope("a@b", ()), [Recipient("c@d"), Recipient("e@f")], 5, True)
    return one


def talk(parts: list[bytes]) -> list[Event]:
    one = engine()
    return [event for part in parts for event in one.receive(part)]


@given(st.lists(st.integers(1, 40), max_size=30))
def test_any_split_gives_the_same_events(sizes: list[int]) -> None:
    rest, parts = TALK, []
    for size in sizes:
        parts.append(rest[:size])
        rest = rest[size:]
    assert talk([*parts, rest]) == talk([TALK])


def test_events() -> None:
    events = talk([TALK])
    assert [event.verb for event in events if isinstance(event, Answered)] == [
        "greeting",
        "EHLO",
        "MAIL",
        "RCPT",
        "RCPT",
        "DATA",
        "dot",
    ]
    assert events[3] == Answered("RCPT", Reply(250, "2.1.5", "yes\nreally"))
    assert events[-1] == Closing(Reply(421, "4.3.2", "bye"))


def test_offer_and_parameters() -> None:
    one = ClientEngine()
    one.ehlo("a")
    one.receive(b"220 x\r\n" + EHLO)
    assert one.offer.size == 1000
    assert one.offer.pipelining
    assert not one.offer.chunking
    envelope = Envelope("a@b", (), "8BITMIME", True, "FULL", "e")
    assert one.mail(envelope, 9) == b"MAIL FROM:<a@b> SIZE=9 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=e\r\n"
    assert one.rcpt(Recipient("c@d", "NEVER", "rfc822;c@d")) == b"RCPT TO:<c@d> NOTIFY=NEVER ORCPT=rfc822;c@d\r\n"


def test_nothing_is_passed_that_is_not_offered() -> None:
    one = ClientEngine()
    one.helo("a")
    one.receive(b"220 x\r\n250 x\r\n")
    assert one.mail(Envelope("a@b", (), "8BITMIME", True, "FULL", "e"), 9) == b"MAIL FROM:<a@b>\r\n"
    assert one.rcpt(Recipient("c@d", "NEVER", "rfc822;c@d")) == b"RCPT TO:<c@d>\r\n"


def test_bytes_behind_starttls_are_an_injection() -> None:
    one = ClientEngine()
    one.ehlo("a")
    one.starttls()
    events = one.receive(b"220 x\r\n250 STARTTLS\r\n220 go\r\n250 injected\r\n")
    assert len(events) == 2
    assert "in clear" in one.garbled
    assert not one.tls


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n",
        b"2200 x\r\n",
        b"220-x\r\n250 y\r\n",
        b"x" * 5000,
        b"220-y\r\n" * 300,
        b"220 a\r\n250 nobody asked\r\n",
        b"\xff\xfe\r\n",
        b"199 too low\r\n",
    ],
)
def test_garbage(data: bytes) -> None:
    one = ClientEngine()
    events = one.receive(data)
    assert one.garbled
    assert one.receive(b"220 again\r\n") == []
    assert len(events) <= 1


@given(st.binary(max_size=200))
def test_any_bytes_are_a_reply_or_garbage(data: bytes) -> None:
    one = engine()
    events = one.receive(data)
    assert all(200 <= event.reply.code < 600 for event in events)
    by_octets = engine()
    assert [event for i in range(len(data)) for event in by_octets.receive(data[i : i + 1])] == events
    assert by_octets.garbled == one.garbled


def test_fitted() -> None:
    one = ClientEngine()
    one.ehlo("a")
    one.receive(b"220 x\r\n250-x\r\n250 SIZE 10\r\n")
    with pytest.raises(CannotSend):
        fitted(one.offer, Envelope("a@b", ()), [], 11)
    with pytest.raises(CannotSend):
        fitted(one.offer, Envelope("é@b", ()), [], 1)
    envelope, recipients = fitted(one.offer, Envelope("a@bücher.test", ()), [Recipient("b@bücher.test")], 1)
    assert envelope.sender == "a@xn--bcher-kva.test"
    assert recipients[0].address == "b@xn--bcher-kva.test"
    assert as_ascii("é@bücher.test") == "é@bücher.test"
