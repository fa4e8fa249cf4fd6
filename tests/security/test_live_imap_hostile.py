"""Clients that hold a password and mean harm: what they ask for costs them more than the server, and others nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.security.conftest import OPEN
from tests.support.server import PASSWORD, Server
from tests.support.talk import Closed, Talk

USER = f"ben@{OPEN}"
OTHER = f"carla@{OPEN}"
MEGABYTE = 1_000_000
LATE = 1.0
"""Seconds for a NOOP of somebody else: these machines are slow and shared."""


class Bystander:
    """Another person's session that asks NOOP all the time; ``worst`` is the longest that it waited, in seconds."""

    def __init__(self, server: Server) -> None:
        self.worst = 0.0
        self.failure: BaseException | None = None
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Bystander:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            with signed_in(self._server, OTHER) as talk:
                while not self._over.wait(0.01):
                    began = time.monotonic()
                    ask(talk, b"NOOP")
                    self.worst = max(self.worst, time.monotonic() - began)
        except BaseException as error:
            self.failure = error


def signed_in(server: Server, user: str = USER) -> Talk:
    talk = server.talk("imap")
    talk.line()
    assert b"OK" in ask(talk, f'LOGIN {user} "{PASSWORD}"'.encode())
    return talk


def ask(talk: Talk, command: bytes) -> bytes:
    """Sends, reads up to the tagged line, and gives that."""
    talk.send(b"t " + command + b"\r\n")
    return tagged(talk)


def tagged(talk: Talk) -> bytes:
    while not (line := talk.line()).startswith(b"t "):
        pass
    return line


@pytest.fixture(scope="module")
def filled(server: Server) -> Server:
    with signed_in(server) as talk:
        for text in (b"x" * 450_000, b"y" * 900_000, *[b"small"] * 200):
            data = b"Subject: s\r\nContent-Type: text/plain\r\n\r\n" + text
            talk.send(b"t APPEND INBOX {%d+}\r\n%b\r\n" % (len(data), data))
            assert b"OK" in tagged(talk)
        ask(talk, b"SELECT INBOX")
        ask(talk, b"FETCH 1:* (BODYSTRUCTURE PREVIEW)")
    return server


@pytest.fixture
def bounded(filled: Server) -> Iterator[Server]:
    """The server's memory grows little, nobody waits long, and its log holds no fault."""
    before = filled.memory()
    faults = filled.log.read_text(errors="replace").count("Traceback")
    with Bystander(filled) as bystander:
        yield filled
    assert filled.memory() - before < 40 * MEGABYTE
    assert bystander.worst < LATE
    assert filled.log.read_text(errors="replace").count("Traceback") == faults


@pytest.mark.parametrize(
    "command",
    [
        b"FETCH 1:* BODY.PEEK[]",
        b"FETCH 1:2 (" + b" ".join(b"BODY.PEEK[]<%d.450000>" % n for n in range(400)) + b")",
        b"FETCH 1:2 (" + b" ".join(b"BINARY.PEEK[1]<%d.450000>" % n for n in range(400)) + b")",
        b"UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)",
    ],
)
def test_an_answer_that_is_not_read(bounded: Server, command: bytes) -> None:
    with signed_in(bounded) as talk:
        talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ask(talk, b"SELECT INBOX")
        talk.sock.settimeout(0.5)
        try:
            for _ in range(2000):
                talk.send(b"t " + command + b"\r\n")
        except (TimeoutError, Closed):
            pass  # it takes no more of us either
        time.sleep(0.5)


def test_commands_sent_ahead_without_end(bounded: Server) -> None:
    with signed_in(bounded) as talk:
        ask(talk, b"SELECT INBOX")
        reader = threading.Thread(target=drain, args=(talk.sock,))
        reader.start()
        for _ in range(20):
            talk.send(b"t NOOP\r\n" * 2000)
        talk.send(b"t LOGOUT\r\n")
        reader.join(60)
        assert not reader.is_alive()


def drain(sock: socket.socket) -> None:
    try:
        while sock.recv(262_144):
            pass
    except OSError:
        pass


LONG = 1_900_000


@pytest.mark.parametrize(
    "command",
    [
        b"SEARCH " + b"(" * LONG,
        b"SEARCH " + b"NOT " * (LONG // 4) + b"ALL",
        b"SEARCH " + b"OR SEEN " * (LONG // 8) + b"ALL",
        b"UID FETCH " + b"1:4294967295," * (LONG // 13) + b"1 FLAGS",
        b"UID FETCH " + b",".join(b"%d" % n for n in range(1, 200_000, 2)) + b" FLAGS",
        b"UID STORE " + b",".join(b"%d" % n for n in range(1, 200_000, 2)) + b" +FLAGS.SILENT (\\Seen)",
        b"UID SEARCH UID " + b",".join(b"%d" % n for n in range(1, 200_000, 2)),
        b"UID SEARCH " + b" ".join([b"UID 1,3,5"] * 1900),
        b"UID FETCH 1," + b"9" * LONG + b" FLAGS",
        b"FETCH 1 (" + b"FLAGS " * (LONG // 6) + b")",
        b"FETCH 1 BODY[" + b"1." * (LONG // 2) + b"1]",
        b"FETCH 1 BODY[HEADER.FIELDS (" + b"A " * (LONG // 2) + b")]",
        b"STORE 1 FLAGS (" + b" ".join(b"k%d" % n for n in range(200_000)) + b")",
        b'LIST "" (' + b"a " * (LONG // 2) + b")",
        b'LIST "" "' + b"*%" * 2000 + b'"',
        b'LIST "" "' + b"*a" * 1000 + b'"',
        b'CREATE "' + b"a/" * (LONG // 2) + b'b"',
        b'CREATE "' + b"a/" * 2000 + b'b"',
        b'CREATE "' + b"&AOk-" * (LONG // 5) + b'"',
        b'SEARCH SUBJECT "' + b"\\\\" * (LONG // 2) + b'"',
        b'SEARCH BODY "' + b"\\\\" * 7000 + b'"',
        b"ID (" + b"NIL " * (LONG // 4) + b")",
        b"STATUS INBOX (" + b"MESSAGES " * (LONG // 9) + b")",
        b"ENABLE " + b"X " * (LONG // 2),
        b"X" * LONG,
        b"\xff\0" * (LONG // 2),
    ],
    ids=lambda command: command[:24].decode("latin-1").replace("\0", "0"),
)
def test_a_command_of_two_megabytes(bounded: Server, command: bytes) -> None:
    with signed_in(bounded) as talk:
        ask(talk, b"SELECT INBOX")
        said = ask(talk, command)
        assert said.startswith((b"t OK", b"t NO", b"t BAD"))
        assert b"SERVERBUG" not in said
        assert b"UNAVAILABLE" not in said
        assert ask(talk, b"NOOP").startswith(b"t OK")


def test_a_literal_of_two_megabytes_to_be_found(bounded: Server) -> None:
    text = b"z" * LONG
    with signed_in(bounded) as talk:
        ask(talk, b"SELECT INBOX")
        for key in (b"SUBJECT", b"BODY", b"TEXT"):
            assert ask(talk, b"SEARCH %b {%d+}\r\n%b" % (key, len(text), text)).startswith(b"t OK")


def test_many_small_literals(bounded: Server) -> None:
    with signed_in(bounded) as talk:
        ask(talk, b"SELECT INBOX")
        said = ask(talk, b"SEARCH" + b" TEXT {0+}\r\n" * 100_000 + b" ALL")
        assert b"[LIMIT]" in said


def test_more_than_two_megabytes_end_the_session(bounded: Server) -> None:
    with signed_in(bounded) as talk:
        try:
            talk.send(b"t SEARCH " + b"x" * 3 * MEGABYTE)
        except Closed:
            pass
        assert b"BYE" in talk.closed()


def test_a_literal_that_comes_slowly_holds_nobody(bounded: Server) -> None:
    with signed_in(bounded) as talk:
        talk.send(b"t APPEND INBOX {%d}\r\n" % (900_000))
        assert talk.line().startswith(b"+")
        for _ in range(20):
            talk.send(b"x")
            time.sleep(0.02)
    with signed_in(bounded) as talk:
        talk.send(b"t SEARCH TEXT {100000+}\r\n")
        for _ in range(20):
            talk.send(b"x")
            time.sleep(0.02)


def test_a_hundred_half_written_commands(bounded: Server) -> None:
    """What each may hold is bounded; what they hold is given back."""
    before = bounded.memory()
    talks = [bounded.talk("imap") for _ in range(100)]
    for talk in talks:
        talk.line()
        talk.send(b"t LOGIN " + b"x" * 16_000)
    assert bounded.memory() - before < 20 * MEGABYTE
    for talk in talks:
        talk.sock.close()


NESTED = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(15_000))
WRAPPED = b"Content-Type: message/rfc822\r\n\r\n" * 25_000
PARTS = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 100_000
DASHES = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--\r\n" * 200_000
PARAMS = b"Content-Type: text/plain" + b"; a=b" * 100_000 + b"\r\n\r\nx"
COMMENTS = b"From: " + b"(" * 400_000 + b"\r\nTo: " + b'"' * 400_000 + b"\r\n\r\nx"
PEOPLE = b"To: " + b"a@b, " * 100_000 + b"\r\nSubject: " + b"=?utf-8?q?x?= " * 25_000 + b"\r\n\r\nx"
FIELDS = b"A: b\r\n" * 100_000 + b"\r\nx"
REFERENCES = b"References: " + b"<a@b> " * 100_000 + b"\r\n\r\nx"


@pytest.mark.parametrize(
    "data",
    [NESTED, WRAPPED, PARTS, DASHES, PARAMS, COMMENTS, PEOPLE, FIELDS, REFERENCES],
    ids=["nested", "wrapped", "parts", "dashes", "params", "comments", "people", "fields", "references"],
)
def test_a_message_that_is_hard_to_read(bounded: Server, data: bytes) -> None:
    with signed_in(bounded) as talk:
        talk.sock.settimeout(60)
        ask(talk, b"CREATE hard")
        talk.send(b"t APPEND hard {%d+}\r\n%b\r\n" % (len(data), data))
        assert b"OK" in tagged(talk)
        ask(talk, b"SELECT hard")
        for command in (
            b"FETCH 1 (ENVELOPE BODYSTRUCTURE BODY PREVIEW)", b"FETCH 1 BODY.PEEK[1.1.1.1.1]",
            b"FETCH 1 BINARY.SIZE[1]", b"FETCH 1 BODY.PEEK[HEADER.FIELDS (A TO REFERENCES)]", b"SEARCH TEXT zzzz",
            b"SEARCH SUBJECT zz", b"SEARCH FROM zz", b"SEARCH HEADER REFERENCES zz",
        ):  # fmt: skip
            talk.send(b"t " + command + b"\r\n")
            assert read_answer(talk).startswith(b"t OK"), command
        ask(talk, b"CLOSE")
        ask(talk, b"DELETE hard")


def read_answer(talk: Talk) -> bytes:
    """The tagged line; a literal may hold anything."""
    rest = b""
    while True:
        rest = (rest + talk.sock.recv(262_144))[-2000:]
        last = rest[rest.rfind(b"\r\n", 0, -2) + 2 :] if rest.endswith(b"\r\n") else b""
        if last.startswith((b"t OK", b"t NO", b"t BAD")):
            return last


def test_all_that_again_takes_no_more_memory(filled: Server) -> None:
    """What it took once it has: nothing is kept of a command or a session that is over."""

    def once() -> int:
        for _ in range(3):
            with signed_in(filled) as talk:
                ask(talk, b"SELECT INBOX")
                for command in (
                    b"SEARCH TEXT {%d+}\r\n%b" % (LONG, b"z" * LONG),
                    b"UID FETCH " + b",".join(b"%d" % n for n in range(1, 200_000, 2)) + b" (FLAGS ENVELOPE)",
                    b"STORE 1 FLAGS (" + b" ".join(b"k%d" % n for n in range(200_000)) + b")",
                ):
                    assert ask(talk, command)
                talk.send(b"t FETCH 1:* (FLAGS BODY.PEEK[])\r\n")
                assert read_answer(talk).startswith(b"t OK")
        return filled.memory()

    assert -once() + once() < 10 * MEGABYTE
