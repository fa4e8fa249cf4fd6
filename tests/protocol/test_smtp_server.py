"""Conversations with the SMTP server engine and its door, in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.protocol import connectionDone

from stratamail.config.settings import Limits
from stratamail.mail.reply import Unavailable
from tests.support.smtp_door import DoorFixture

BODY = b"Subject: hi\r\n\r\nHello\r\n"


@pytest.fixture
def door(tmp_path: Path) -> DoorFixture:
    return DoorFixture(tmp_path)


def test_greeting_and_ehlo(door: DoorFixture) -> None:
    talk = door.connect()
    assert talk.heard() == b"220 mx.example.net ESMTP StrataMail\r\n"
    lines = talk.say(b"EHLO x\r\n").decode().splitlines()
    assert {line[4:] for line in lines} == {
        "mx.example.net",
        "PIPELINING",
        "SIZE 150000000",
        "8BITMIME",
        "SMTPUTF8",
        "CHUNKING",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "HELP",
    }
    assert lines[-1].startswith("250 ") and all(line.startswith("250-") for line in lines[:-1])


def test_a_message_is_kept_byte_for_byte(door: DoorFixture) -> None:
    body = b"Subject: x\r\n\r\n..dots\r\n.\x00\xff8bit\r\n\r\nlast\r\n"
    stuffed = body.replace(b"\r\n.", b"\r\n..")
    talk = door.talk()
    reply = talk.send(b"<a@b.example>", [b"<ben@open.example>"], stuffed)
    assert reply.startswith(b"250 2.0.0 Ok: queued as ")
    (kept,) = door.kept
    assert kept.body == body
    assert kept.size == len(body)
    assert kept.mailboxes == (1,)
    assert kept.trace.startswith(b"Received: from client.example ([198.51.100.7])\r\n")
    assert kept.id.encode() in kept.trace and b"for <ben@open.example>" in kept.trace
    assert [(d.recipient, d.destination, d.lane, d.held) for d in kept.deliveries] == [
        ("ben@open.example", "primary", "open.example", "")
    ]


def test_pipelined_transactions_in_one_write(door: DoorFixture) -> None:
    talk = door.talk()
    one = b"MAIL FROM:<>\r\nRCPT TO:<ben@open.example>\r\nRCPT TO:<x@foreign.example>\r\nDATA\r\n"
    replies = talk.say(one + BODY + b".\r\n" + one + BODY + b".\r\nQUIT\r\n").splitlines()
    assert [line[:3] for line in replies] == [b"250", b"250", b"550", b"354", b"250"] * 2 + [b"221"]
    assert len(door.kept) == 2
    assert talk.closed


def test_one_command_in_flight_while_a_commit_runs(door: DoorFixture) -> None:
    door.committer.hold = True
    talk = door.talk()
    talk.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@open.example>\r\nDATA\r\n")
    assert talk.say(BODY + b".\r\nNOOP\r\nQUIT\r\n") == b""
    door.committer.release()
    assert [line[:3] for line in talk.heard().splitlines()] == [b"250", b"250", b"221"]


@pytest.mark.parametrize(
    ("commands", "code"),
    [
        ([b"MAIL FROM:a@b.example"], b"501 5.1.7"),
        ([b"MAIL FROM:<a@b.example> SIZE=999999999999"], b"552 5.3.4"),
        ([b"MAIL FROM:<a@b.example> BODY=BINARYMIME"], b"501 5.5.4"),
        ([b"MAIL FROM:<a@b.example> FOO=1"], b"555 5.5.4"),
        ([b"MAIL FROM:<a@b.example> SIZE=1 SIZE=2"], b"501 5.5.4"),
        ([b"MAIL FROM:<a@b.example> RET=FULL ENVID=a+2Bb SMTPUTF8 BODY=8bitmime SIZE=5 AUTH=<>"], b"250 2.1.0"),
        ([b"MAIL FROM:<a@b.example>", b"MAIL FROM:<a@b.example>"], b"503 5.5.1"),
        ([b"RCPT TO:<ben@open.example>"], b"503 5.5.1"),
        ([b"DATA"], b"503 5.5.1"),
        ([b"MAIL FROM:<>", b"DATA"], b"554 5.5.1"),
        ([b"MAIL FROM:<>", b"RCPT TO:<>"], b"501 5.1.3"),
        ([b"MAIL FROM:<>", b"RCPT TO:<ben@open.example> NOTIFY=NEVER,DELAY"], b"501 5.5.4"),
        ([b"MAIL FROM:<>", b"RCPT TO:<ben@open.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@y"], b"250 2.1.5"),
        ([b"MAIL FROM:<>", b"RCPT TO:<@relay.example:ben@open.example>"], b"250 2.1.5"),
        ([b"MAIL FROM:<>", b"RCPT TO:<POSTMASTER>"], b"250 2.1.5"),
        ([b"MAIL FROM:<>", b"RCPT TO:<postmaster@strict.example>"], b"250 2.1.5"),
        ([b"MAIL FROM:<>", b"RCPT TO:<nobody@strict.example>"], b"550 5.1.1"),
        ([b"MAIL FROM:<>", b"RCPT TO:<ben+tag@strict.example>"], b"250 2.1.5"),
        ([b"MAIL FROM:<>", b"RCPT TO:<BEN@Strict.EXAMPLE>"], b"250 2.1.5"),
        ([b"MAIL FROM:<>", b"RCPT TO:<x@foreign.example>"], b"550 5.7.1"),
        ([b"MAIL FROM:<>", b"RCPT TO:<ben@[192.0.2.1]>"], b"550 5.7.1"),
        ([b"MAIL FROM:<>", b"RCPT TO:<ben@filtered.example>"], b"451 4.7.1"),
        ([b"MAIL FROM:<>", "RCPT TO:<jo@bücher.example>".encode()], b"553 5.6.7"),
        ([b"MAIL FROM:<> SMTPUTF8", "RCPT TO:<jo@bücher.example>".encode()], b"250 2.1.5"),
        ([b"VRFY ben"], b"252 2.5.0"),
        ([b"EXPN list"], b"502 5.5.1"),
        ([b"HELP"], b"214 2.0.0"),
        ([b"NOOP anything"], b"250 2.0.0"),
        ([b"RSET x"], b"501 5.5.4"),
        ([b"BOGUS"], b"500 5.5.2"),
        ([b""], b"500 5.5.2"),
        ([b"STARTTLS"], b"502 5.5.1"),
        ([b"AUTH PLAIN AGEAYg=="], b"502 5.5.1"),
        ([b"EHLO"], b"501 5.5.4"),
        ([b"QUIT now"], b"501 5.5.4"),
        ([b"noop \x00"], b"500 5.5.2"),
        ([b"BDAT 1x"], b"501 5.5.4"),
    ],
)
def test_replies(door: DoorFixture, commands: list[bytes], code: bytes) -> None:
    talk = door.talk()
    for command in commands:
        reply = talk.say(command + b"\r\n")
    assert reply.startswith(code), reply


def test_commands_need_a_greeting(door: DoorFixture) -> None:
    talk = door.connect()
    talk.heard()
    assert talk.say(b"MAIL FROM:<>\r\n").startswith(b"503")
    assert talk.say(b"HELO x\r\n") == b"250 mx.example.net\r\n"
    assert talk.send(b"<>", [b"<ben@open.example>"], BODY).startswith(b"250")
    assert b" with SMTP id " in door.kept[0].trace


def test_chunking_is_one_way_or_the_other(door: DoorFixture) -> None:
    talk = door.talk()
    talk.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@open.example>\r\n")
    assert talk.say(b"BDAT 5\r\nA: b\r") == b"250 2.0.0 Ok\r\n"
    assert talk.say(b"RCPT TO:<carla@open.example>\r\n").startswith(b"503")
    assert talk.say(b"DATA\r\n").startswith(b"503")
    assert talk.say(b"BDAT 7 LAST\r\n\n\r\n") == b""
    assert talk.say(b"hi\r\n").startswith(b"250 2.0.0 Ok: queued")
    assert door.kept[0].body == b"A: b\r\n\r\nhi\r\n"


def test_chunking_keeps_what_data_would_change(door: DoorFixture) -> None:
    body = b"A: b\r\n\r\n.\r\n..x\r\nno line end"
    talk = door.talk("192.0.2.5")
    talk.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@filtered.example>\r\n")
    half = len(body) // 2
    assert talk.say(b"BDAT %d\r\n" % half + body[:half]).startswith(b"250")
    assert talk.say(b"BDAT %d LAST\r\n" % (len(body) - half) + body[half:]).startswith(b"250 2.0.0 Ok: queued")
    assert door.kept[0].body == body
    assert talk.say(b"BDAT 4 LAST\r\nABCDNOOP\r\n").splitlines()[0].startswith(b"503")


def test_refused_chunks_are_read_past(door: DoorFixture) -> None:
    talk = door.talk()
    replies = talk.say(
        b"MAIL FROM:<>\r\nRCPT TO:<x@foreign.example>\r\nBDAT 10 LAST\r\nQUIT\r\nQU\r\nNOOP\r\n"
    ).splitlines()
    assert [line[:3] for line in replies] == [b"250", b"550", b"554", b"250"]


def test_oversize_is_refused_at_the_dot(tmp_path: Path) -> None:
    door = DoorFixture(tmp_path, Limits(message_size=100, disk_reserve=1))
    talk = door.talk()
    assert talk.send(b"<>", [b"<ben@open.example>"], b"x" * 99 + b"\r\n").startswith(b"552 5.3.4")
    assert talk.send(b"<>", [b"<ben@open.example>"], b"x" * 98 + b"\r\n").startswith(b"250")
    talk.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@open.example>\r\n")
    assert talk.say(b"BDAT 200 LAST\r\n" + b"x" * 200).startswith(b"552 5.3.4")
    assert len(door.kept) == 1


def test_recipients_limit(tmp_path: Path) -> None:
    door = DoorFixture(tmp_path, Limits(recipients=2, disk_reserve=1))
    talk = door.talk()
    recipients = b"".join(b"RCPT TO:<u%d@open.example>\r\n" % i for i in range(3))
    replies = talk.say(b"MAIL FROM:<>\r\n" + recipients).splitlines()
    assert [line[:9] for line in replies] == [b"250 2.1.0", b"250 2.1.5", b"250 2.1.5", b"452 4.5.3"]
    talk.say(b"DATA\r\n")
    talk.say(BODY + b".\r\n")
    assert len(door.kept[0].deliveries) == 2
    assert b"for <" not in door.kept[0].trace


def test_the_same_recipient_twice_is_owed_once(door: DoorFixture) -> None:
    talk = door.talk()
    talk.send(b"<>", [b"<ben@open.example>", b"<BEN@open.example>", b"<new@open.example>"], BODY)
    (kept,) = door.kept
    assert [d.recipient for d in kept.deliveries] == ["ben@open.example", "new@open.example"]
    assert kept.mailboxes == (1,) and kept.unclaimed == ("new@open.example",)


def test_relay_only_has_no_shadow(door: DoorFixture) -> None:
    door.talk().send(b"<>", [b"<x@quiet.example>"], BODY)
    (kept,) = door.kept
    assert kept.mailboxes == () and kept.unclaimed == () and len(kept.deliveries) == 1


def test_store_failures_are_temporary(door: DoorFixture) -> None:
    talk = door.talk()
    door.committer.fail = Unavailable()
    assert talk.send(b"<>", [b"<ben@open.example>"], BODY).startswith(b"451 4.3.0")
    door.committer.fail = None
    assert talk.send(b"<>", [b"<ben@open.example>"], BODY).startswith(b"250")


def test_disk_reserve(door: DoorFixture) -> None:
    talk = door.talk()
    door.reserve.reserve = 1 << 62
    assert talk.say(b"MAIL FROM:<>\r\n").startswith(b"452 4.3.1")
    door.reserve.reserve = 1
    talk.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@open.example>\r\n")
    door.reserve.reserve = 1 << 62
    assert talk.say(b"DATA\r\n").startswith(b"452 4.3.1")


def test_a_large_body_goes_to_its_file(door: DoorFixture) -> None:
    body = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 64 * 300 + b"\r\n"
    talk = door.talk()
    talk.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@open.example>\r\nDATA\r\n")
    for at in range(0, len(body), 30_000):
        talk.session.dataReceived(body[at : at + 30_000])
    assert talk.say(b".\r\n").startswith(b"250")
    (kept,) = door.kept
    assert kept.body is None and kept.size == len(body)
    assert Path(door.layout.message(kept.id)).read_bytes() == kept.trace + body


def test_a_peer_that_leaves_in_the_middle_leaves_nothing(door: DoorFixture) -> None:
    talk = door.talk()
    talk.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@open.example>\r\nDATA\r\n")
    talk.session.dataReceived(b"Subject: x\r\n\r\n" + b"y" * 1_000_000)
    talk.session.connectionLost(connectionDone)
    assert not door.kept and door.reserve.in_flight == 0
    assert not [path for path in Path(door.layout.spool).rglob("*") if path.is_file()]
