"""Peers that never end: lines, commands, headers, silence, junk. The right reply, bounded memory, nothing stored."""

from __future__ import annotations

import os
import socket
import time

import pytest

from tests.security.conftest import OPEN
from tests.support.server import PASSWORD, Server
from tests.support.talk import Closed
from tests.support.waiting import until


def flood(server: Server, door: str, data: bytes, times: int) -> bytes:
    """Sends until the peer closes; what it said."""
    with server.talk(door) as talk:
        talk.line()
        try:
            for _ in range(times):
                talk.send(data)
        except OSError:
            pass
        return talk.closed()


@pytest.mark.parametrize("door", ["smtp", "submission", "imap"])
@pytest.mark.parametrize("data", [b"x" * 65_536, os.urandom(65_536).replace(b"\n", b"n"), b"\0" * 65_536])
def test_a_line_without_end(server: Server, door: str, data: bytes) -> None:
    before = server.memory()
    said = flood(server, door, data, 800)
    assert server.memory() - before < 20_000_000
    assert b"500 " in said or b"421 " in said or b"BYE" in said or b"BAD" in said or said == b"", said


def test_junk_is_answered_and_after_twenty_errors_it_is_over(server: Server) -> None:
    with server.talk("smtp") as talk:
        talk.greet()
        replies = []
        with pytest.raises(Closed):
            for number in range(30):
                replies.append(talk.ask(b"\x16\x03\x01 junk %d" % number))
        assert all(reply[:1] == b"5" for reply in replies[:-1])
        assert 19 <= len(replies) <= 22
        assert replies[-1].startswith(b"421")
    with server.talk("smtp") as talk:
        talk.greet()  # nothing carries over


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b"MAIL FROM:a@b.example", b"501"),
        (b"MAIL FROM:<a@b.example> NONSENSE=1", b"555"),
        (b"MAIL FROM:<a@b.example> SIZE=99999999", b"552"),
        (b"MAIL FROM:<a@b.example> BODY=9BIT", b"501"),
        (b"MAIL FROM:<\xff\xfe@b.example>", b"5"),
        (b"RCPT TO:<ben@open.example>", b"503"),
        (b"DATA", b"503"),
        (b"BDAT 0", b"503"),
        (b"AUTH PLAIN AGEAYg==", b"50"),
        (b"EXPN all", b"50"),
        (b"", b"500"),
        (b"EHLO", b"501"),
    ],
)
def test_a_malformed_command_gets_its_code(server: Server, command: bytes, code: bytes) -> None:
    with server.talk("smtp") as talk:
        talk.greet()
        assert talk.ask(command).startswith(code)
        talk.expect(b"NOOP", b"250")


def test_a_message_beyond_the_limit_gets_552_at_its_end(server: Server) -> None:
    count = len(server.queue("--all"))
    with server.talk("smtp") as talk:
        talk.greet()
        said = talk.deliver("a@b.example", [f"ben@{OPEN}"], b"Subject: big\r\n\r\n" + b"y" * 998 * 1100 + b"\r\n")
        assert said.startswith(b"552 5.3.4"), said
        talk.expect(b"NOOP", b"250")
    assert len(server.queue("--all")) == count
    assert list(server.state.glob("spool/*/*.part")) == []


def test_half_a_message_is_no_message(server: Server) -> None:
    count = len(server.queue("--all"))
    for cut in (b"Subject: half\r\n\r\nbody", b"Subject: half\r\n\r\n" + b"y" * 200_000, b"Subject: x\r\n\r\n.\r"):
        with server.talk("smtp") as talk:
            talk.greet()
            talk.expect(b"MAIL FROM:<a@b.example>", b"250")
            talk.expect(b"RCPT TO:<ben@%s>" % OPEN.encode(), b"250")
            talk.expect(b"DATA", b"354")
            talk.send(cut)
    until(lambda: list(server.state.glob("spool/*/*.part")) == [], "no part file stays")
    assert len(server.queue("--all")) == count


def test_many_silent_peers_leave_room_for_a_speaker(server: Server) -> None:
    before = server.memory()
    silent = [socket.create_connection(("127.0.0.1", server.ports["smtp"])) for _ in range(300)]
    try:
        with server.talk("smtp", timeout=5) as talk:
            talk.greet()
        assert server.memory() - before < 300 * 40_000
    finally:
        for sock in silent:
            sock.close()


def test_imap_literals_are_refused_before_they_are_read(server: Server) -> None:
    with server.talk("imap") as talk:
        talk.line()
        talk.send(b"a LOGIN {4000000000}\r\n")
        said = talk.line()
        assert not said.startswith(b"+"), said
    with server.talk("imap") as talk:
        talk.line()
        talk.tagged(b'LOGIN "ben@%s" "%s"' % (OPEN.encode(), PASSWORD.encode()))
        talk.send(b"a APPEND INBOX {4000000000}\r\n")
        said = talk.line()
        assert not said.startswith(b"+"), said
        before = time.monotonic()
        talk.tagged(b"SELECT INBOX", b"b")
        assert talk.tagged(b"UID FETCH 1:4294967295 FLAGS", b"c")[-1].startswith(b"c OK")
        assert time.monotonic() - before < 2
