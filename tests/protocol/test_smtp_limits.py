"""Limits and ends of SMTP connections: counts, rates, errors, deadlines, PROXY headers, shutting down."""

from __future__ import annotations

import socket
from ipaddress import ip_network
from pathlib import Path

import pytest
from twisted.internet.protocol import connectionDone

from stratamail.config.settings import Limits, Listen
from tests.support.smtp_door import DoorFixture

BODY = b"Subject: hi\r\n\r\nHello\r\n"
TRUSTED = "192.0.2.9"


@pytest.fixture
def door(tmp_path: Path) -> DoorFixture:
    limits = Limits(connections=6, connections_per_peer=2, rate_per_peer=3, disk_reserve=1)
    return DoorFixture(tmp_path, limits, Listen(proxy_trust=(ip_network("10.0.0.0/8"),)))


def test_connections_of_one_peer(door: DoorFixture) -> None:
    first, second, third = (door.connect() for _ in range(3))
    assert second.heard().startswith(b"220")
    assert third.heard().startswith(b"421 4.7.0") and third.closed
    assert door.connect("198.51.100.8").heard().startswith(b"220")
    for talk in (first, third):
        talk.session.connectionLost(connectionDone)
    assert door.connect().heard().startswith(b"220")


def test_a_v6_peer_is_its_network(door: DoorFixture) -> None:
    replies = [door.connect(f"2001:db8::{i}").heard()[:3] for i in range(3)]
    assert replies == [b"220", b"220", b"421"]


def test_connections_in_all_bind_everybody(door: DoorFixture) -> None:
    replies = [door.connect(TRUSTED).heard()[:9] for _ in range(7)]
    assert [reply[:3] for reply in replies] == [b"220"] * 6 + [b"421"]
    assert replies[-1] == b"421 4.3.2"


def test_rate(door: DoorFixture) -> None:
    talk = door.talk()
    mail = b"MAIL FROM:<>\r\nRSET\r\n"
    assert [talk.say(mail)[:3] for _ in range(4)] == [b"250", b"250", b"250", b"451"]
    door.clock.advance(61)
    assert talk.say(mail).startswith(b"250")
    trusted = door.talk(TRUSTED)
    assert all(trusted.say(mail).startswith(b"250") for _ in range(10))


def test_twenty_errors_close(door: DoorFixture) -> None:
    talk = door.talk()
    replies = [talk.say(b"JUNK\r\n") for _ in range(20)]
    assert replies[18].startswith(b"500") and b"421" not in replies[18]
    assert replies[19].splitlines()[1].startswith(b"421 4.7.0") and talk.closed
    trusted = door.talk(TRUSTED)
    assert all(trusted.say(b"JUNK\r\n").startswith(b"500") for _ in range(50)) and not trusted.closed


def test_commands_that_do_nothing_are_not_free_for_ever(door: DoorFixture) -> None:
    talk = door.talk()
    count = 0
    while not talk.closed and count < 500:
        talk.say(b"NOOP\r\n")
        count += 1
    assert 100 <= count <= 130


def test_a_dribble_of_octets_does_not_move_the_deadline(door: DoorFixture) -> None:
    talk = door.talk()
    for _ in range(29):
        door.clock.advance(10)
        assert talk.say(b"N") == b""
    door.clock.advance(10)
    assert talk.heard().startswith(b"421 4.4.2") and talk.closed


def test_a_command_gives_the_next_one_its_time(door: DoorFixture) -> None:
    talk = door.talk()
    for _ in range(10):
        door.clock.advance(299)
        assert talk.say(b"NOOP\r\n").startswith(b"250")
    door.clock.advance(300)
    assert talk.heard().startswith(b"421")


def test_a_body_has_an_end_too(door: DoorFixture) -> None:
    talk = door.talk()
    talk.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@open.example>\r\nDATA\r\n")
    passed = 0
    while not talk.closed and passed < 10_000:
        talk.session.dataReceived(b"x")
        door.clock.advance(100)
        passed += 100
    assert passed == pytest.approx(600 + 150_000_000 / 64_000, abs=200)
    assert not door.kept


def test_silence_in_a_body(door: DoorFixture) -> None:
    talk = door.talk()
    talk.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@open.example>\r\nDATA\r\n")
    door.clock.advance(301)
    assert talk.heard().startswith(b"421 4.4.2")


def test_no_deadline_while_a_commit_runs(door: DoorFixture) -> None:
    door.committer.hold = True
    talk = door.talk()
    talk.send(b"<>", [b"<ben@open.example>"], BODY)
    door.clock.advance(1000)
    assert not talk.closed
    door.committer.release()
    assert talk.heard().startswith(b"250")
    door.clock.advance(299)
    assert not talk.closed
    door.clock.advance(2)
    assert talk.closed


def test_long_lines_close(door: DoorFixture) -> None:
    talk = door.talk()
    assert talk.say(b"x" * 5000).startswith(b"500 5.5.2") and talk.closed


def test_a_peer_that_reads_nothing_is_not_heard(door: DoorFixture) -> None:
    talk = door.talk(TRUSTED)
    talk.session.pauseProducing()
    assert talk.say(b"NOOP\r\n" * 20_000) == b""
    assert talk.transport.producerState == "paused"
    talk.session.resumeProducing()
    assert talk.heard().count(b"250") == 20_000
    assert talk.transport.producerState == "producing"


# PROXY


def v2(command: int, family: int, block: bytes) -> bytes:
    return b"\r\n\r\n\x00\r\nQUIT\n" + bytes([0x20 | command, family]) + len(block).to_bytes(2, "big") + block


V2_TCP4 = v2(1, 0x11, socket.inet_aton("192.0.2.77") + b"\xcb\x00\x71\x01" + b"\x00\x19\x10\x00" + b"TLV")


@pytest.mark.parametrize(
    ("header", "peer"),
    [
        (b"PROXY TCP4 192.0.2.77 203.0.113.1 4000 25\r\n", b"[192.0.2.77]"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 4000 25\r\n", b"[IPv6:2001:db8::7]"),
        (b"PROXY UNKNOWN\r\n", b"[10.0.0.1]"),
        (V2_TCP4, b"[192.0.2.77]"),
        (v2(0, 0, b""), b"[10.0.0.1]"),
    ],
)
def test_proxy_header_in_any_pieces(door: DoorFixture, header: bytes, peer: bytes) -> None:
    talk = door.connect("10.0.0.1")
    assert talk.heard() == b""
    for at in range(len(header)):
        assert talk.heard() == b""
        talk.session.dataReceived(header[at : at + 1])
    assert talk.heard().startswith(b"220")
    talk.say(b"EHLO x\r\n")
    talk.send(b"<>", [b"<ben@open.example>"], BODY)
    assert peer in door.kept[0].trace


@pytest.mark.parametrize(
    "header", [b"PROXY TCP4 nonsense\r\n", b"PROXY " + b"x" * 200, v2(1, 0x11, b"")[:12] + b"\xff" * 4]
)
def test_broken_proxy_headers_are_cut_off(door: DoorFixture, header: bytes) -> None:
    talk = door.connect("10.0.0.1")
    assert talk.say(header) == b""
    assert talk.transport.disconnected or talk.transport.disconnecting


def test_without_a_header_the_peer_speaks_for_itself(door: DoorFixture) -> None:
    talk = door.connect("10.0.0.1")
    door.clock.advance(5)
    assert talk.heard().startswith(b"220")


def test_nobody_else_is_believed(door: DoorFixture) -> None:
    talk = door.connect()
    talk.heard()
    assert talk.say(b"PROXY TCP4 192.0.2.77 203.0.113.1 4000 25\r\n").startswith(b"500")


# stopping


def test_shut_down_finishes_the_body_in_hand(door: DoorFixture) -> None:
    idle, busy = door.talk(), door.talk("198.51.100.8")
    busy.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@open.example>\r\nDATA\r\n")
    gone: list[None] = []
    door.factory.shut_down().addCallback(gone.append)
    assert idle.heard().startswith(b"421 4.3.2") and idle.closed
    assert busy.heard() == b"" and not busy.closed
    assert door.connect("198.51.100.9").heard().startswith(b"421")
    replies = busy.say(BODY + b".\r\nNOOP\r\n").splitlines()
    assert [line[:3] for line in replies] == [b"250", b"421"] and busy.closed
    assert len(door.kept) == 1
    for session in list(door.factory.sessions):
        session.connectionLost(connectionDone)
    assert gone == [None]


def test_a_peer_that_does_not_hang_up_is_cut_off(door: DoorFixture) -> None:
    talk, other = door.talk(), door.talk("198.51.100.8")
    talk.say(b"QUIT\r\n")
    door.clock.advance(4.9)
    assert talk.transport.disconnecting and not talk.transport.disconnected
    door.clock.advance(0.2)
    assert talk.transport.disconnected
    door.factory.shut_down()
    door.clock.advance(1.1)
    assert other.transport.disconnected


def test_shut_down_waits_thirty_seconds_at_most(door: DoorFixture) -> None:
    busy = door.talk()
    busy.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@open.example>\r\nDATA\r\n")
    door.factory.shut_down()
    door.clock.advance(29)
    assert not busy.closed
    door.clock.advance(1)
    assert busy.closed
