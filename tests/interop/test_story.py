"""What administrators and users see over time: enrolment, declared outages, mail to the world, loops, certificates."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import corpus
from tests.support.dns import Dns
from tests.support.ports import free_port
from tests.support.server import PASSWORD, Refused, Server, without_trace
from tests.support.sink import Session, Sink
from tests.support.talk import Closed, Talk
from tests.support.waiting import until

LETTER = b"From: anna@news.example\r\nSubject: hello\r\nMessage-ID: <1@news.example>\r\n\r\nhello\r\n"


def own(sender: str) -> bytes:
    """The same written by one of our users."""
    return LETTER.replace(b"anna@news.example", sender.encode())


@pytest.fixture(scope="module")
def world() -> Iterator[Sink]:
    """The mail server of everybody else."""
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def names() -> Iterator[Dns]:
    server = Dns({("world.example", "MX"): ["10 mx.world.example."], ("mx.world.example", "A"): ["127.0.0.1"]})
    yield server
    server.stop()


@pytest.fixture(scope="module")
def server(world: Sink, names: Dns) -> Iterator[Server]:
    running = Server({"relay": {"retry-every": "1s", "resolver": names.address, "smart-host": world.address}})
    try:
        running.cli("init")
        running.start()
        yield running
    finally:
        running.close()


def test_what_the_command_line_adds_is_in_force_at_once(server: Server) -> None:
    with server.talk("smtp") as talk:
        talk.greet()
        talk.expect(b"MAIL FROM:<a@b.example>", b"250")
        assert talk.ask(b"RCPT TO:<x@new.example>").startswith(b"55")
        server.command("domain", "add", "new.example", "--primary", f"127.0.0.1:{free_port()}", "--unknown", "reject")
        talk.expect(b"RSET", b"250")
        talk.expect(b"MAIL FROM:<a@b.example>", b"250")
        assert talk.ask(b"RCPT TO:<x@new.example>").startswith(b"550 5.1.1")
        server.add_mailboxes("x@new.example")
        server.cli("address", "add", "y@new.example", "--alias-of", "x@new.example")
        talk.expect(b"RSET", b"250")
        talk.expect(b"MAIL FROM:<a@b.example>", b"250")
        talk.expect(b"RCPT TO:<x@new.example>", b"250")
        talk.expect(b"RCPT TO:<X+tag@NEW.example>", b"250")
        talk.expect(b"RCPT TO:<y@new.example>", b"250")
        talk.expect(b"DATA", b"354")
        talk.send(LETTER + b".\r\n")
        assert talk.reply().startswith(b"250")
    server.imap("Y@new.example").logout()
    # one copy for one mailbox, while the primary is owed each recipient as it came
    assert len(server.shown("x@new.example")) == 1
    assert [r["recipient"] for r in server.queue("new.example")] == [
        "x@new.example",
        "X+tag@NEW.example",
        "y@new.example",
    ]


def test_mail_for_an_unknown_user_is_theirs_when_they_are_enrolled(server: Server) -> None:
    server.add_domain("accept.example", f"127.0.0.1:{free_port()}")
    for number in range(5):
        assert server.deliver(corpus.sample(number).data, ["later@accept.example"]).startswith(b"250")
    server.add_mailboxes("later@accept.example")
    until(lambda: len(server.shown("later@accept.example")) == 5, "claimed")
    shown = [without_trace(message) for message in server.shown("later@accept.example")]
    assert shown == [corpus.sample(number).data for number in range(5)]


def test_a_group_shows_one_copy_to_each_member(server: Server) -> None:
    server.add_domain("group.example", f"127.0.0.1:{free_port()}")
    server.add_mailboxes("a@group.example", "b@group.example")
    server.cli("address", "add", "all@group.example", "--group", "a@group.example", "--group", "b@group.example")
    assert server.deliver(LETTER, ["all@group.example", "a@group.example"]).startswith(b"250")
    for user in ("a@group.example", "b@group.example"):
        until(lambda: server.shown(user), "the copy")  # noqa: B023
        assert len(server.shown(user)) == 1


def test_relay_only_keeps_no_shadow_copy_and_gives_back(server: Server) -> None:
    with Sink(up=False) as sink:
        sink.stop()
        server.add_domain("c.example", sink.address, "--mode", "relay-only")
        assert server.deliver(LETTER, ["ben@c.example"]).startswith(b"250")
        sink.start()
        server.wait_flushed("c.example")
        assert [without_trace(m.data) for m in sink.messages] == [LETTER]
    assert list(server.state.glob("mail/c.example/*")) == []


def test_an_outage_declared_by_a_person_holds_until_it_is_ended(server: Server) -> None:
    with Sink() as sink:
        server.add_domain("declared.example", sink.address)
        server.add_mailboxes("ben@declared.example")
        server.wait_state("declared.example", "up")
        server.cli("outage", "declare", "declared.example", "--reason", "sign-in fails", "--hold")
        assert server.status("declared.example")["event_state"] == "active"
        assert server.deliver(LETTER, ["ben@declared.example"]).startswith(b"250")
        assert len(server.shown("ben@declared.example")) == 1
        time.sleep(1.5)  # longer than retry-every: nothing goes out while it is held back
        assert sink.messages == []
        server.cli("outage", "end", "declared.example")
        server.wait_flushed("declared.example")
        assert len(sink.messages) == 1
        until(lambda: server.status("declared.example")["event_state"] == "none", "closed")
        (event,) = server.json("events", "declared.example")
        assert event["kind"] == "declared"
        assert event["closed"]
        assert (event["captured"], event["delivered"]) == (1, 1)


def test_the_machine_opens_and_closes_an_event(server: Server) -> None:
    with Sink() as sink:
        server.add_domain("event.example", sink.address)
        server.add_mailboxes("ben@event.example")
        server.wait_state("event.example", "up")
        sink.stop()
        server.wait_state("event.example", "down")
        until(lambda: server.status("event.example")["event_state"] == "active", "an event opens")
        assert server.deliver(LETTER, ["ben@event.example"]).startswith(b"250")
        client = server.imap("ben@event.example")
        client.select("INBOX")
        client.fetch("1", "(BODY[])")
        client.logout()
        sink.start()
        server.wait_state("event.example", "up")
        server.wait_flushed("event.example")
        until(lambda: server.status("event.example")["event_state"] == "none", "the event closes")
        (event,) = server.json("events", "event.example")
        assert event["kind"] == "machine"
        figures = {key: event[key] for key in ("captured", "read", "delivered", "held", "left_over")}
        assert figures == {"captured": 1, "read": 1, "delivered": 1, "held": 0, "left_over": 0}


def test_queue_hold_release_and_flush(server: Server) -> None:
    with Sink() as sink:
        sink.stop()
        server.add_domain("hold.example", sink.address)
        server.add_domain("other.example", f"127.0.0.1:{free_port()}")
        for local in ("a", "b"):
            assert server.deliver(LETTER, [f"{local}@hold.example"]).startswith(b"250")
        first, second = server.queue("hold.example")
        server.cli("queue", "hold", str(first["id"]))
        assert server.json("queue", "show", str(first["id"]))["state"] == "held"
        sink.start()
        server.cli("queue", "flush", "hold.example")
        until(lambda: sink.of("b@hold.example"), "the other is given back at once", 5)
        assert sink.of("a@hold.example") == []
        server.cli("queue", "release", str(first["id"]))
        until(lambda: sink.of("a@hold.example"), "the released one")
        until(lambda: server.queue("hold.example") == [], "nothing is owed")
        # what is past that point says so and is no error
        assert server.cli("queue", "hold", str(second["id"]))
        assert server.json("queue", "show", str(second["id"]))["state"] == "delivered"


def test_a_reply_goes_to_the_world_and_a_colleague_is_captured(server: Server, world: Sink) -> None:
    server.add_domain("write.example", f"127.0.0.1:{free_port()}")
    server.add_mailboxes("ben@write.example", "carla@write.example")
    with server.submission("ben@write.example") as client:
        client.sendmail("ben@write.example", ["anna@world.example", "carla@write.example"], own("ben@write.example"))
    until(lambda: world.of("anna@world.example"), "the world got it")
    (message,) = world.of("anna@world.example")
    assert message.recipients == ("anna@world.example",)
    assert message.sender == "ben@write.example"
    assert without_trace(message.data).endswith(b"\r\n\r\nhello\r\n")
    assert len(server.shown("carla@write.example")) == 1
    assert [r["recipient"] for r in server.queue("write.example")] == ["carla@write.example"]


def test_a_refusal_by_the_world_comes_back_as_a_report(server: Server, world: Sink) -> None:
    def script(session: Session, step: str, line: bytes) -> object:
        return b"550 5.1.1 No such user here\r\n" if step == "rcpt" and b"nobody@" in line else None

    server.add_domain("report.example", f"127.0.0.1:{free_port()}")
    server.add_mailboxes("ben@report.example")
    world.script = script
    try:
        with server.submission("ben@report.example") as client:
            client.sendmail("ben@report.example", ["nobody@world.example"], own("ben@report.example"))
        (report,) = until(lambda: server.shown("ben@report.example"), "the report")
    finally:
        world.script = None
    assert b"multipart/report" in report
    assert b"5.1.1" in report
    assert b"nobody@world.example" in report
    (owed,) = server.queue("report.example")
    assert (owed["sender"], owed["recipient"], owed["destination"]) == ("", "ben@report.example", "primary")


def test_our_own_mail_coming_back_is_taken_and_held(server: Server) -> None:
    """The loop rule: taken with 250, held, never sent round again."""
    server.add_domain("loop.example", f"127.0.0.1:{free_port()}")
    server.add_mailboxes("ben@loop.example")
    data = LETTER
    for turn in range(3):
        assert server.deliver(data, ["ben@loop.example"]).startswith(b"250")
        data = until(lambda: server.shown("ben@loop.example")[turn:], "the copy")[0]  # noqa: B023
    rows = server.queue("loop.example")
    assert [row["state"] for row in rows[:2]].count("held") == 0
    assert rows[2]["state"] == "held"
    assert "back" in rows[2]["last_reply"]
    hops = b"".join(b"Received: from a by b.example id %d; Tue, 24 Nov 2026 09:00:00 +0000\r\n" % n for n in range(50))
    assert server.deliver(hops + LETTER, ["ben@loop.example"]).startswith(b"250")
    assert server.queue("loop.example")[3]["state"] == "held"


def test_a_primary_that_is_ourselves_is_refused(server: Server) -> None:
    for door in ("smtp", "submission"):
        with pytest.raises(Refused) as refused:
            server.add_domain("ourselves.example", f"127.0.0.1:{server.ports[door]}")
        assert refused.value.status == 1
        assert refused.value.reason
    with pytest.raises(Refused):
        server.status("ourselves.example")


def test_certificates_are_chosen_by_name_and_read_again(server: Server, tmp_path: Path) -> None:
    def shown(name: str) -> bytes:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", server.ports["imaps"]), timeout=10) as raw:
            with context.wrap_socket(raw, server_hostname=name) as sock:
                found = sock.getpeercert(binary_form=True)
                assert found is not None
                return found

    own = next(server.certificates.glob("*.pem"))
    before = shown("mail.brand.example")
    other = Server()
    try:
        other.cli("init")
        shutil.copy(next(other.certificates.glob("*.pem")), server.certificates / "mail.brand.example.pem")
    finally:
        other.close()
    until(lambda: shown("mail.brand.example") != before, "the new certificate", 30, 0.5)
    assert shown("unknown.example") == before == shown(own.stem)


def test_a_stop_finishes_the_data_in_hand_and_says_goodbye_to_the_rest(server: Server) -> None:
    server.add_domain("stop.example", f"127.0.0.1:{free_port()}")
    server.add_mailboxes("ben@stop.example")
    idle, busy, mail = server.talk("smtp"), server.talk("smtp"), server.talk("imap")
    idle.greet()
    busy.greet()
    busy.expect(b"MAIL FROM:<a@b.example>", b"250")
    busy.expect(b"RCPT TO:<ben@stop.example>", b"250")
    busy.expect(b"DATA", b"354")
    busy.send(LETTER[:20])
    mail.line()
    mail.tagged(b'LOGIN "ben@stop.example" "%s"' % PASSWORD.encode())
    statuses: list[int] = []
    stopping = threading.Thread(target=lambda: statuses.append(server.stop()))
    stopping.start()
    assert idle.closed().startswith(b"421")
    assert b"* BYE" in mail.closed()
    with pytest.raises((ConnectionRefusedError, Closed)):
        Talk(server.ports["smtp"]).line()
    busy.send(LETTER[20:] + b".\r\n")
    assert busy.reply().startswith(b"250")
    stopping.join(20)
    assert statuses in ([0], [-signal.SIGTERM])  # Twisted ends by the signal that stopped it
    server.start()
    assert [without_trace(m) for m in server.shown("ben@stop.example")] == [LETTER]


def test_below_the_disk_reserve_mail_is_put_off(server: Server) -> None:
    full = Server({"limits": {"disk-reserve": "900000GB"}})
    try:
        full.cli("init")
        full.add_domain("full.example", f"127.0.0.1:{free_port()}")
        full.start(check="healthz")
        with full.talk("smtp") as talk:
            talk.greet()
            assert talk.ask(b"MAIL FROM:<a@b.example>").startswith(b"452 4.3.1")
    finally:
        full.close()


def test_mail_to_the_world_finds_its_mx(names: Dns) -> None:
    """Without a smart host: the MX and its address come from the configured resolver; port 25 is where it goes."""
    server = Server({"relay": {"resolver": names.address}})
    try:
        server.cli("init")
        server.add_domain("direct.example", f"127.0.0.1:{free_port()}")
        server.add_mailboxes("ben@direct.example")
        server.start()
        with server.submission("ben@direct.example") as client:
            client.sendmail("ben@direct.example", ["anna@world.example"], own("ben@direct.example"))
        until(lambda: {("world.example", "MX"), ("mx.world.example", "A")} <= set(names.asked), "it asked")
        with server.submission("ben@direct.example") as client:
            client.sendmail("ben@direct.example", ["anna@nowhere.example"], own("ben@direct.example"))
        (report,) = until(lambda: server.shown("ben@direct.example"), "a name that does not exist is reported")
        assert b"anna@nowhere.example" in report
    finally:
        server.close()
