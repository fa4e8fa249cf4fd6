"""IMAP sign-in, states, capabilities, limits and the end of a session."""

from __future__ import annotations

from base64 import b64encode
from ipaddress import ip_network
from pathlib import Path

import pytest

from stratamail.config.settings import Limits, Listen, Server, Settings
from stratamail.servers.imap import ImapFactory
from tests.protocol.imap_harness import House


def test_the_greeting_and_the_login_carry_the_same_capabilities(tmp_path: Path) -> None:
    client = House(tmp_path).connect()
    assert client.greeting.startswith(b"* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID ")
    offered = client.greeting.partition(b"[")[2].partition(b"]")[0]
    assert client.ok("CAPABILITY") == b"* " + offered + b"\r\n"
    _, tagged = client.do("LOGIN anna@example.org secret")
    assert tagged == b"OK [" + offered + b"] Signed in\r\n"
    assert b"AUTH=PLAIN AUTH=LOGIN" in offered
    assert b"CRAM" not in offered


def test_authenticate_in_all_ways(tmp_path: Path) -> None:
    house = House(tmp_path)
    plain = b64encode(b"\0Anna@Example.ORG\0secret")
    assert house.connect().do(b"AUTHENTICATE PLAIN " + plain)[1].startswith(b"OK [CAPABILITY ")
    client = house.connect()
    assert client.send(b"a AUTHENTICATE PLAIN\r\n") == b"+ \r\n"
    assert client.send(plain + b"\r\n").startswith(b"a OK")
    client = house.connect()
    assert client.send(b"a AUTHENTICATE LOGIN\r\n") == b"+ VXNlcm5hbWU6\r\n"
    assert client.send(b64encode(b"anna@example.org") + b"\r\n") == b"+ UGFzc3dvcmQ6\r\n"
    assert client.send(b64encode(b"secret") + b"\r\n").startswith(b"a OK")
    client = house.connect()
    assert client.send(b"a LOGIN {16}\r\n") == b"+ OK\r\n"
    assert client.send(b"anna@example.org {6+}\r\nsecret\r\n").startswith(b"a OK")


def test_authenticate_refused(tmp_path: Path) -> None:
    client = House(tmp_path).connect()
    assert b"[AUTHENTICATIONFAILED]" in client.no("LOGIN anna@example.org wrong")
    client.no("AUTHENTICATE CRAM-MD5")
    client.bad("AUTHENTICATE PLAIN !!!")
    client.bad(b"AUTHENTICATE PLAIN " + b64encode(b"abc"))
    assert b"[AUTHORIZATIONFAILED]" in client.no(b"AUTHENTICATE PLAIN " + b64encode(b"bob\0anna@example.org\0secret"))
    client.send(b"a AUTHENTICATE PLAIN\r\n")
    assert client.send(b"*\r\n").startswith(b"a BAD")
    client.ok(b"AUTHENTICATE PLAIN " + b64encode(b"anna@example.org\0anna@example.org\0secret"))


def test_no_password_in_clear_beyond_loopback(tmp_path: Path) -> None:
    client = House(tmp_path, tls=object()).connect(listener="192.0.2.1")
    assert b"LOGINDISABLED" in client.greeting
    assert b"STARTTLS" in client.greeting
    assert b"AUTH=" not in client.greeting
    assert b"[PRIVACYREQUIRED]" in client.no("LOGIN anna@example.org secret")
    client.no("AUTHENTICATE PLAIN")
    client.ok("STARTTLS")
    assert client.wire.tls is not None
    assert b"AUTH=PLAIN" in client.ok("CAPABILITY")
    assert b"STARTTLS" not in client.ok("CAPABILITY")
    client.bad("STARTTLS")
    client.ok("LOGIN anna@example.org secret")


def test_states(tmp_path: Path) -> None:
    client = House(tmp_path).connect()
    for command in ("SELECT INBOX", "FETCH 1 FLAGS", 'LIST "" *', "IDLE"):
        client.bad(command)
    client.bad(b"APPEND INBOX {3+}\r\nabc")
    client.ok("NOOP")
    client.ok("LOGIN anna@example.org secret")
    for command in ("LOGIN anna@example.org secret", "FETCH 1 FLAGS", "CLOSE", "UID SEARCH ALL", "STARTTLS"):
        client.bad(command)
    client.ok("SELECT INBOX")
    client.ok("CHECK")
    client.ok("UNSELECT")
    client.bad("CHECK")


def test_id_namespace_enable(tmp_path: Path) -> None:
    client = House(tmp_path).connect()
    assert client.ok('ID ("name" "x")') == b'* ID ("name" "StrataMail")\r\n'
    client.ok("ID NIL")
    client.ok("LOGIN anna@example.org secret")
    assert client.ok("NAMESPACE") == b'* NAMESPACE (("" "/")) NIL (("Shared/" "/"))\r\n'
    assert client.ok("ENABLE CONDSTORE X-NOPE") == b"* ENABLED CONDSTORE\r\n"


def test_webmail_alone_is_believed_about_the_client(tmp_path: Path) -> None:
    house = House(tmp_path, listen=Listen(proxy_trust=(ip_network("192.0.2.7/32"),)))
    other = house.connect(host="192.0.2.9")
    other.ok('ID ("x-originating-ip" "203.0.113.5")')
    other.no("LOGIN a b")
    webmail = house.connect(host="192.0.2.7", greeting=False)
    assert webmail.read() == b""
    assert webmail.send(b"PROXY UNKNOWN\r\n").startswith(b"* OK")
    webmail.ok('ID ("x-originating-ip" "203.0.113.5")')
    webmail.no("AUTHENTICATE PLAIN AGEAYg==") if b"AUTH=PLAIN" in webmail.ok("CAPABILITY") else webmail.no("LOGIN a b")
    assert house.asked[0] == "192.0.2.9"
    assert "192.0.2.9" not in house.asked[1:]


def test_proxy_header_names_the_peer(tmp_path: Path) -> None:
    house = House(tmp_path, tls=object(), listen=Listen(proxy_trust=(ip_network("192.0.2.7/32"),)))
    client = house.connect(host="192.0.2.7", greeting=False)
    client.send(b"PROXY TCP4 203.0.113.5 192.0.2.1 5")
    greeting = client.send(b"5 143\r\n")
    assert greeting.startswith(b"* OK")
    assert b"LOGINDISABLED" in greeting
    assert client.protocol.peer == "203.0.113.5"
    broken = house.connect(host="192.0.2.7", greeting=False)
    broken.send(b"PROXY nonsense\r\n")
    assert broken.wire.aborted


def test_doors_that_cannot_be(tmp_path: Path) -> None:
    house = House(tmp_path)
    for kind in ("imaps", "pop3"):
        with pytest.raises(ValueError, match=kind):
            ImapFactory(kind, house.shadow, Settings(Server("x")), house.clock, None, house.check)


def test_logout(tmp_path: Path) -> None:
    client = House(tmp_path).sign_in()
    assert client.send(b"z LOGOUT\r\nz2 NOOP\r\n") == b"* BYE Until later\r\nz OK Logged out\r\n"
    assert client.wire.disconnecting


def test_binary_junk_ends_after_twenty_errors(tmp_path: Path) -> None:
    client = House(tmp_path).connect()
    answer = client.send(b"\x00\xff\xfe\r\n" * 100)
    assert answer.count(b"* BAD") == 20
    assert answer.endswith(b"* BYE Too many errors\r\n")
    assert client.wire.disconnecting


def test_an_endless_line_is_cut(tmp_path: Path) -> None:
    client = House(tmp_path).connect()
    assert client.send(b"a" * 20_000).startswith(b"* BYE Command too long")
    assert client.wire.disconnecting


def test_a_silent_client_is_cut_after_its_time(tmp_path: Path) -> None:
    house = House(tmp_path)
    client = house.connect()
    house.clock.advance(100)
    client.ok("NOOP")
    house.clock.advance(100)
    assert client.read().startswith(b"* BYE")
    signed_in = house.sign_in()
    house.clock.advance(1800)
    signed_in.ok("NOOP")
    house.clock.advance(1900)
    assert signed_in.read().startswith(b"* BYE")


def test_too_many_connections(tmp_path: Path) -> None:
    house = House(tmp_path, Limits(connections=1))
    first = house.connect()
    assert house.connect().greeting == b"* BYE Too many connections\r\n"
    first.ok("NOOP")


def test_shut_down_lets_a_message_in_hand_finish(tmp_path: Path) -> None:
    house = House(tmp_path)
    idle, busy, waiting = house.sign_in(), house.sign_in(), house.connect()
    idle.send(b"i IDLE\r\n")
    busy.send(b"a APPEND Sent {9}\r\n")
    done = house.factory.shut_down()
    for client in (idle, waiting):
        assert client.read().startswith(b"* BYE Server is going down")
        client.lose()
    assert not busy.wire.disconnecting
    answer = busy.send(b"A: b\r\n\r\nc\r\n")
    assert answer.startswith(b"a OK [APPENDUID ")
    assert answer.endswith(b"* BYE Server is going down\r\n")
    assert not done.called
    busy.lose()
    assert done.called
    assert not house.clock.getDelayedCalls()


def test_shut_down_waits_no_longer_than_its_time(tmp_path: Path) -> None:
    house = House(tmp_path)
    busy = house.sign_in()
    busy.send(b"a APPEND Sent {9}\r\n")
    house.factory.shut_down()
    house.clock.advance(31)
    assert busy.wire.aborted


def test_drop_ends_the_sessions_of_a_mailbox(tmp_path: Path) -> None:
    house = House(tmp_path)
    client, other = house.sign_in(), house.connect()
    house.factory.drop({7})
    client.ok("NOOP")
    house.factory.drop({1})
    assert client.read().startswith(b"* BYE Sign-in was withdrawn")
    other.ok("NOOP")


def test_a_fault_of_ours_is_no_end(tmp_path: Path) -> None:
    house = House(tmp_path)
    client = house.sign_in()
    client.ok("SELECT INBOX")

    def broken(*args: object) -> object:
        raise RuntimeError("broken")

    house.mailboxes.status = broken  # type: ignore[method-assign, assignment]
    assert b"[SERVERBUG]" in client.no("STATUS Sent (MESSAGES)")
    client.ok("NOOP")


def test_a_client_that_reads_nothing_stops_us_from_reading(tmp_path: Path) -> None:
    house = House(tmp_path)
    client = house.sign_in()
    client.protocol.pauseProducing()
    client.send(b"a NOOP\r\n" + b"b NOOP\r\n" * 20_000)
    assert client.wire.producerState == "paused"
    client.protocol.resumeProducing()
    client.read()
    assert client.wire.producerState == "producing"
    house.clock.advance(1)


def test_commands_sent_ahead_leave_others_their_turn(tmp_path: Path) -> None:
    house = House(tmp_path)
    client = house.sign_in()
    client.protocol.dataReceived(b"a NOOP\r\n" * 120)
    done = client.wire.value().count(b"a OK")
    assert 0 < done < 120
    assert client.read().count(b"a OK") == 120


def test_idle_ends_at_done_however_it_is_split(tmp_path: Path) -> None:
    house = House(tmp_path)
    client = house.sign_in()
    assert client.send(b"a IDLE\r\n") == b"+ idling\r\n"
    assert [client.send(b"%c" % byte) for byte in b"DoNe\r"] == [b""] * 5
    assert client.send(b"\nb NOOP\r\nc IDLE\r\nDONE\r\nd NOOP\r\n") == (
        b"a OK Idle completed\r\nb OK Completed\r\n+ idling\r\nc OK Idle completed\r\nd OK Completed\r\n"
    )
    assert client.send(b"e IDLE\r\ne NOOP\r\nf NOOP\r\n") == b"+ idling\r\ne BAD Expected DONE\r\nf OK Completed\r\n"
