"""STARTTLS over real sockets: what was sent in clear after it never runs inside TLS, and what was said is forgotten."""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from stratamail.config.settings import Limits, Listen
from stratamail.net.certificate import ensure
from stratamail.net.tls import Certificates
from stratamail.tenancy.model import Mailbox
from tests.support.smtp_door import DoorFixture

from ipaddress import ip_network  # isort: skip


async def anybody(user: str, password: str, peer: str) -> Mailbox | None:
    return Mailbox(1, 2, 1, "ben@open.example") if password == "right" else None


def read_until(sock: socket.socket, *ends: bytes) -> bytes:
    got = b""
    while not any(end in got for end in ends):
        piece = sock.recv(4096)
        if not piece:
            break
        got += piece
    return got


def to_the_end(sock: socket.socket) -> bytes:
    got = b""
    try:
        while piece := sock.recv(4096):
            got += piece
    except OSError:
        pass
    return got


class TlsDoors(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.state = Path(tempfile.mkdtemp(dir=self.mktemp_folder()))
        certificates = self.state / "tls"
        certificates.mkdir()
        ensure(str(certificates), "mx.example.net", 1_700_000_000.0)
        self.tls = Certificates(str(certificates), "mx.example.net", reactor.seconds)  # type: ignore[attr-defined]

    def mktemp_folder(self) -> str:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        return str(folder)

    def open(self, **options: object) -> DoorFixture:
        door = DoorFixture(self.state, Limits(disk_reserve=1), tls=self.tls, **options)  # type: ignore[arg-type]
        self.port: IListeningPort = reactor.listenTCP(0, door.factory, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(self.port.stopListening)
        self.addCleanup(door.factory.shut_down)
        self.door = door
        return door

    def client(self, talk: Callable[[socket.socket], bytes]) -> Deferred[bytes]:
        """Run a blocking client in a thread."""

        def run() -> bytes:
            with socket.create_connection(("127.0.0.1", self.port.getHost().port), timeout=10) as sock:
                return talk(sock)

        return deferToThread(run)

    def wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(sock, server_hostname="mx.example.net")

    async def test_commands_after_starttls_in_clear_close(self) -> None:
        door = self.open()

        def talk(sock: socket.socket) -> bytes:
            read_until(sock, b"\r\n")
            sock.sendall(b"EHLO x\r\nSTARTTLS\r\nMAIL FROM:<evil@x.example>\r\n")
            return to_the_end(sock)

        said = await self.client(talk)
        lines = said.splitlines()
        assert lines[-1].startswith(b"421 4.7.0"), said
        assert b"220" not in said
        assert not door.kept

    async def test_state_is_forgotten(self) -> None:
        self.open()

        def talk(sock: socket.socket) -> bytes:
            read_until(sock, b"\r\n")
            sock.sendall(b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n")
            read_until(sock, b"2.1.0")
            sock.sendall(b"STARTTLS\r\n")
            read_until(sock, b"220")
            with self.wrap(sock) as tls:
                tls.sendall(b"RCPT TO:<ben@open.example>\r\nMAIL FROM:<>\r\nEHLO y\r\nSTARTTLS\r\nQUIT\r\n")
                return to_the_end(tls)

        said = await self.client(talk)
        lines = said.splitlines()
        assert [line[:3] for line in lines[:2]] == [b"503", b"503"], said
        assert lines[-2].startswith(b"502") or lines[-2].startswith(b"503")
        assert b"STARTTLS" not in said

    async def test_a_message_over_tls_says_so(self) -> None:
        door = self.open()

        def talk(sock: socket.socket) -> bytes:
            read_until(sock, b"\r\n")
            sock.sendall(b"EHLO x\r\nSTARTTLS\r\n")
            read_until(sock, b"220 2.0.0")
            with self.wrap(sock) as tls:
                tls.sendall(b"EHLO y\r\nMAIL FROM:<>\r\nRCPT TO:<ben@open.example>\r\nDATA\r\n")
                read_until(tls, b"354")
                tls.sendall(b"Subject: x\r\n\r\n" + b"y" * 100_000 + b"\r\n.\r\nQUIT\r\n")
                return to_the_end(tls)

        said = await self.client(talk)
        assert b"queued as" in said and b"221" in said, said
        (kept,) = door.kept
        assert b"\r\n\t(using TLSv1.3 with cipher " in kept.trace and b" with ESMTPS id " in kept.trace
        assert kept.source.tls.startswith("TLSv1.3") and kept.size == 100_016

    async def test_implicit_tls_behind_a_balancer(self) -> None:
        listen = Listen(proxy_trust=(ip_network("127.0.0.0/8"),))
        door = self.open(kind="submissions", signin=anybody, listen=listen)

        def talk(sock: socket.socket) -> bytes:
            sock.sendall(b"PROXY TCP4 198.51.100.77 203.0.113.1 4000 465\r\n")
            with self.wrap(sock) as tls:
                read_until(tls, b"220")
                tls.sendall(b"EHLO y\r\n")
                offered = read_until(tls, b"AUTH PLAIN LOGIN\r\n")
                tls.sendall(b"AUTH PLAIN AGEAcmlnaHQ=\r\nMAIL FROM:<ben@open.example>\r\n")
                tls.sendall(b"RCPT TO:<x@foreign.example>\r\nDATA\r\n")
                read_until(tls, b"354")
                tls.sendall(b"From: ben@open.example\r\n\r\nbody\r\n.\r\nQUIT\r\n")
                return offered + to_the_end(tls)

        said = await self.client(talk)
        assert b"STARTTLS" not in said and b"queued as" in said, said
        (kept,) = door.kept
        assert kept.source.peer == "198.51.100.77" and b" with ESMTPSA id " in kept.trace
        assert [owed.destination for owed in kept.deliveries] == ["world"]

    async def test_a_flooded_line_is_answered_before_the_end(self) -> None:
        self.open()

        def talk(sock: socket.socket) -> bytes:
            read_until(sock, b"\r\n")
            try:
                for _ in range(40):
                    sock.sendall(b"x" * 65_536)
            except OSError:
                pass
            return to_the_end(sock)

        said = await self.client(talk)
        assert said.startswith(b"500 5.5.2"), said
