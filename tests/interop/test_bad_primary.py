"""A primary that misbehaves: whatever it does, nothing is lost, and at most one duplicate comes of each cut."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.support.server import Server, without_trace
from tests.support.sink import DROP, Session, Sink
from tests.support.waiting import until

# each test has a domain of its own on one server, so that no outage disturbs the next test
Setup = Callable[..., tuple[str, Sink]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server({"relay": {"retry-every": "1s"}})
    try:
        running.cli("init")
        running.start()
        yield running
    finally:
        running.close()


@pytest.fixture
def domain(server: Server, request: pytest.FixtureRequest) -> Iterator[Setup]:
    sinks: list[Sink] = []

    def make(*options: str, up: bool = False, **more: object) -> tuple[str, Sink]:
        sink = Sink(up=up, **more)  # type: ignore[arg-type]
        sinks.append(sink)
        name = (
            request.node.name.replace("_", "-").replace("[", "-").replace("]", "").replace(" ", "")[:50].strip("-")
            + ".example"
        )
        server.add_domain(name, sink.address, *options)
        return name, sink

    yield make
    for sink in sinks:
        sink.stop()
        assert sink.errors == []


def letters(count: int) -> list[bytes]:
    return [b"Subject: letter %d\r\nMessage-ID: <%d@x.example>\r\n\r\n.line\r\nlast\r\n" % (i, i) for i in range(count)]


def give(server: Server, name: str, messages: list[bytes], local: str = "ben") -> None:
    with server.talk("smtp") as talk:
        talk.greet()
        for message in messages:
            assert talk.deliver("anna@news.example", [f"{local}@{name}"], message).startswith(b"250")


def firsts(sink: Sink) -> list[bytes]:
    """Messages in the order in which each first arrived."""
    return list(dict.fromkeys(without_trace(m.data) for m in sink.messages))


def test_drops_after_the_final_dot(server: Server, domain: Setup) -> None:
    """It had kept the message: the retry is a duplicate, one for each cut."""
    cuts = {"left": 3}
    sink: Sink

    def script(session: Session, step: str, line: bytes) -> object:
        if (step == "dot" and cuts["left"] and b"letter 3" in session.body) or (step == "dot" and cuts["left"] > 2):
            cuts["left"] -= 1
            sink._keep(session)
            return DROP
        return None

    name, sink = domain(script=script)
    messages = letters(8)
    give(server, name, messages)
    sink.start()
    server.wait_flushed(name, 40)
    assert firsts(sink) == messages
    assert len(sink.messages) - len(messages) <= 3
    assert Counter(row["state"] for row in server.queue(name, "--all")) == {"delivered": 8}


def test_drops_before_it_kept_anything(server: Server, domain: Setup) -> None:
    steps = iter(("connect", "ehlo", "mail", "rcpt", "data", "dot"))
    waiting = [next(steps)]

    def script(session: Session, step: str, line: bytes) -> object:
        if waiting and step == waiting[0]:
            waiting[:] = [s for s in [next(steps, None)] if s]
            return DROP
        return None

    name, sink = domain(script=script)
    messages = letters(5)
    give(server, name, messages)
    sink.start()
    server.wait_flushed(name, 60)
    assert waiting == []
    assert [without_trace(m.data) for m in sink.messages] == messages


@pytest.mark.parametrize("step", ["connect", "ehlo", "mail", "data", "dot"])
def test_answers_garbage(server: Server, domain: Setup, step: str) -> None:
    rest = {"bad": 2}

    def script(session: Session, at: str, line: bytes) -> object:
        if at == step and rest["bad"]:
            rest["bad"] -= 1
            return b"\xff\xfe what? \x00\r\n"
        return None

    name, sink = domain(script=script)
    messages = letters(3)
    give(server, name, messages)
    sink.start()
    server.wait_flushed(name, 60)
    assert firsts(sink) == messages


def test_a_temporary_refusal_makes_its_mailbox_wait_and_no_other(server: Server, domain: Setup) -> None:
    refuse = {"on": True}

    def script(session: Session, step: str, line: bytes) -> object:
        return b"450 4.2.0 Not now\r\n" if refuse["on"] and step == "rcpt" and b"slow@" in line else None

    name, sink = domain(script=script)
    give(server, name, letters(3), "slow")
    give(server, name, letters(3), "quick")
    sink.start()
    until(lambda: len(sink.of(f"quick@{name}")) == 3, "the other mailbox is served")
    assert sink.of(f"slow@{name}") == []
    states = {(row["recipient"].split("@")[0], row["state"]) for row in server.queue(name, "--all")}
    assert ("slow", "deferred") in states
    refuse["on"] = False
    server.wait_flushed(name, 30)
    assert [without_trace(m.data) for m in sink.of(f"slow@{name}")] == letters(3)


def test_a_permanent_refusal_is_held_and_can_be_retried(server: Server, domain: Setup) -> None:
    refuse = {"on": True}

    def script(session: Session, step: str, line: bytes) -> object:
        return b"550 5.1.1 No such user\r\n" if refuse["on"] and step == "rcpt" and b"gone@" in line else None

    name, sink = domain(script=script)
    give(server, name, letters(2), "ben")
    give(server, name, letters(1), "gone")
    sink.start()
    server.wait_flushed(name, 30)
    (held,) = [row for row in server.queue(name) if row["state"] == "held"]
    assert held["recipient"] == f"gone@{name}"
    assert "5.1.1" in held["last_reply"]
    assert server.status(name)["held"] == 1
    refuse["on"] = False
    server.cli("queue", "retry", str(held["id"]))
    until(lambda: sink.of(f"gone@{name}"), "the retried one arrives")
    until(lambda: server.queue(name) == [], "nothing is owed")


def test_a_half_started_server_that_refuses_everyone_loses_nothing(server: Server, domain: Setup) -> None:
    """The canary rule: 5xx to all, as from a fresh reinstall, holds nothing at once."""
    refuse = {"on": True}

    def script(session: Session, step: str, line: bytes) -> object:
        return b"550 5.1.1 Unknown user\r\n" if refuse["on"] and step == "rcpt" else None

    name, sink = domain(script=script)
    for local in ("a", "b", "c", "d"):
        give(server, name, letters(2), local)
    sink.start()
    until(lambda: any(row["attempts"] for row in server.queue(name)), "it was tried")
    assert [row["state"] for row in server.queue(name) if row["state"] == "held"] == []
    refuse["on"] = False
    server.wait_flushed(name, 40)
    assert len(sink.messages) == 8


@pytest.mark.parametrize("step", ["mail", "connect", "ehlo"])
def test_a_5xx_about_us_holds_nothing(server: Server, domain: Setup, step: str) -> None:
    refuse = {"on": True}

    def script(session: Session, at: str, line: bytes) -> object:
        return b"554 5.7.1 We do not know you\r\n" if refuse["on"] and at == step else None

    name, sink = domain(script=script)
    give(server, name, letters(2))
    sink.start()
    until(lambda: sink.sessions > 1, "it was tried")
    assert {row["state"] for row in server.queue(name)} <= {"queued", "deferred"}
    refuse["on"] = False
    server.wait_flushed(name, 40)
    assert [without_trace(m.data) for m in sink.messages] == letters(2)


def test_too_large_for_the_primary_is_held_with_that_reason(server: Server, domain: Setup) -> None:
    name, sink = domain(extensions=("PIPELINING", "SIZE 2000", "8BITMIME"))
    large = b"Subject: large\r\n\r\n" + b"x" * 70 * 100 + b"\r\n"
    give(server, name, [letters(1)[0], large, letters(2)[1]])
    sink.start()
    server.wait_flushed(name, 30)
    (held,) = server.queue(name)
    assert held["state"] == "held"
    assert "size" in held["last_reply"].lower() or "large" in held["last_reply"].lower()
    assert firsts(sink) == letters(2)


def test_an_address_that_needs_smtputf8_is_held_where_the_primary_lacks_it(server: Server, domain: Setup) -> None:
    name, sink = domain(extensions=("PIPELINING", "8BITMIME"))
    with server.talk("smtp") as talk:
        talk.greet()
        assert talk.deliver("jürgen@bücher.example", [f"ben@{name}"], letters(1)[0], b" SMTPUTF8").startswith(b"250")
        assert talk.deliver("anna@news.example", [f"ben@{name}"], letters(2)[1]).startswith(b"250")
    sink.start()
    server.wait_flushed(name, 30)
    (held,) = server.queue(name)
    assert (held["state"], held["sender"]) == ("held", "jürgen@bücher.example")
    assert "SMTPUTF8" in held["last_reply"]
    assert firsts(sink) == letters(2)[1:]


def test_envelope_parameters_are_passed_on(server: Server, domain: Setup) -> None:
    name, sink = domain(extensions=("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN"))
    with server.talk("smtp") as talk:
        talk.greet()
        talk.expect(b"MAIL FROM:<a@b.example> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ314159", b"250")
        talk.expect(f"RCPT TO:<BEN@{name}> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;ben@{name}".encode(), b"250")
        talk.expect(b"DATA", b"354")
        talk.send(b"Subject: x\r\n\r\n\xc3\xbc\r\n.\r\n")
        assert talk.reply().startswith(b"250")
    sink.start()
    server.wait_flushed(name, 30)
    (message,) = sink.messages
    for word in (b"BODY=8BITMIME", b"SMTPUTF8", b"RET=HDRS", b"ENVID=QQ314159"):
        assert word in message.mail
    assert f"<BEN@{name}>".encode() in message.rcpts[0]
    assert b"NOTIFY=SUCCESS,FAILURE" in message.rcpts[0]
    assert b"ORCPT=rfc822;ben@" in message.rcpts[0]


def test_a_peer_without_pipelining_gets_one_command_at_a_time(server: Server, domain: Setup) -> None:
    name, sink = domain(extensions=("8BITMIME",))
    early: list[bytes] = []

    def script(session: Session, step: str, line: bytes) -> object:
        if session.buffer and step in ("mail", "rcpt", "data"):
            early.append(line)
        return None

    sink.script = script
    give(server, name, letters(3))
    sink.start()
    server.wait_flushed(name, 30)
    assert early == []
    assert firsts(sink) == letters(3)


def test_chunking_is_used_when_offered(server: Server, domain: Setup) -> None:
    name, sink = domain(extensions=("PIPELINING", "8BITMIME", "CHUNKING"))
    give(server, name, letters(3))
    sink.start()
    server.wait_flushed(name, 30)
    assert firsts(sink) == letters(3)
    assert {m.how for m in sink.messages} == {"BDAT"}


def test_tls_where_offered_and_refused_where_demanded_and_absent(server: Server, domain: Setup) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(next(server.certificates.glob("*.pem")))
    name, sink = domain("--tls", "encrypt", tls=context)
    give(server, name, letters(1))
    sink.start()
    server.wait_flushed(name, 30)
    assert [m.tls for m in sink.messages] == [True]
    sink.stop()
    sink.tls = None
    give(server, name, letters(2)[1:])
    sink.start()
    until(lambda: any(row["attempts"] for row in server.queue(name)), "it was tried")
    assert len(sink.messages) == 1
    assert {row["state"] for row in server.queue(name)} <= {"queued", "deferred"}


def test_verify_refuses_a_certificate_that_nobody_vouches_for(server: Server, domain: Setup) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(next(server.certificates.glob("*.pem")))
    name, sink = domain("--tls", "verify", tls=context)
    give(server, name, letters(1))
    sink.start()
    until(lambda: any(row["attempts"] for row in server.queue(name)), "it was tried")
    assert sink.messages == []
    assert {row["state"] for row in server.queue(name)} <= {"queued", "deferred"}


def test_stray_mail_while_up_is_given_back_at_once_and_opens_no_event(server: Server, domain: Setup) -> None:
    name, sink = domain(up=True)
    server.wait_state(name, "up")
    give(server, name, letters(3))
    until(lambda: len(sink.messages) == 3, "it is passed on", 5)
    assert server.json("events", name) == []
    assert firsts(sink) == letters(3)
