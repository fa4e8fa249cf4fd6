"""An IMAP door in memory over a real store: real Mailboxes, Shadow and Spool, a clock that tests move, threads replaced
by calls."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from stratamail.config.settings import Limits, Listen, Server, Settings
from stratamail.servers.imap import ImapFactory
from stratamail.servers.imap_connection import ImapConnection
from stratamail.shadow.shadow import Shadow
from stratamail.store.layout import Layout
from stratamail.store.mailbox_values import Arrival
from stratamail.store.mailboxes import Mailboxes
from stratamail.store.model import Message, NewMessage
from stratamail.store.reserve import Reserve
from stratamail.store.spool import Spool
from stratamail.tenancy.model import Mailbox

ADDRESS = "anna@example.org"
ANNA = Mailbox(1, 1, 1, ADDRESS)


class Calls:
    """A pool that works at once."""

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
        return maybeDeferred(function, *args, **kwargs)


class Time(Clock):
    def callFromThread(self, function: Callable[..., object], *args: object) -> None:
        function(*args)


class Wire(StringTransport):
    """A transport whose reader may be slow, and that closes when it is told to."""

    protocol: ImapConnection

    def __init__(self, host: str = "192.0.2.9", listener: str = "127.0.0.1") -> None:
        super().__init__(hostAddress=IPv4Address("TCP", listener, 143), peerAddress=IPv4Address("TCP", host, 50_000))
        self.aborted = False
        self.tls: object = None

    def setTcpNoDelay(self, on: bool) -> None:
        pass

    def setTcpKeepAlive(self, on: bool) -> None:
        pass

    def startTLS(self, factory: object) -> None:
        self.tls = factory

    def abortConnection(self) -> None:
        self.aborted = True
        self.disconnected = True


class House:
    """A STATE directory with one mailbox, and doors to it. ``pools`` are the one that changes files, and the one that
    reads them."""

    def __init__(
        self,
        path: Path,
        limits: Limits | None = None,
        tls: Any = None,
        listen: Listen | None = None,
        pools: tuple[Any, Any] | None = None,
    ) -> None:
        self.layout = Layout(str(path))
        self.clock = Time()
        self.clock.advance(1_700_000_000)
        calls: Any = Calls()
        files, disk = pools or (calls, calls)
        count = itertools.count(1)
        self.mailboxes = Mailboxes(self.layout, lambda: next(count), now=self.clock.seconds)
        self.spool = Spool(self.layout, calls, Reserve(self.layout, 0, self.clock.seconds))
        self.committed: list[NewMessage] = []
        self.failure: Exception | None = None
        self.shadow = Shadow(self.mailboxes, files, disk, self.clock, self.spool, self._commit)
        self.passwords = {("anna@example.org", "secret"): ANNA}
        self.asked: list[str] = []
        # reader → the shared mailboxes that it reads, by name
        self.shared: dict[str, dict[str, str]] = {}
        settings = Settings(Server("mx.test"), listen=listen or Listen(), limits=limits or Limits())
        self.factory = ImapFactory("imap", self.shadow, settings, self.clock, tls, self.check, self.reads)

    async def _commit(self, new: NewMessage) -> Message:
        if self.failure is not None:
            raise self.failure
        self.committed.append(new)
        return Message(
            len(self.committed), new.id, new.arrived, new.kind, "", new.size, new.sha256, 0, "spool", False, "", ""
        )

    async def check(self, user: str, password: str, peer: str) -> Mailbox | None:
        self.asked.append(peer)
        return self.passwords.get((user.lower(), password))

    def reads(self, mailbox: Mailbox) -> dict[str, str]:
        return self.shared.get(mailbox.address, {})

    def deliver(self, *bodies: bytes, to: str = ADDRESS) -> None:
        """Messages arrive in INBOX."""
        arrivals = []
        for data in bodies:
            name = self.spool.new_id(int(self.clock.seconds() * 1e6))
            self.spool.make_shard(name)
            path = self.layout.message(name)
            Path(path).write_bytes(data)
            arrivals.append(Arrival(name, len(self.committed), path, len(data), int(self.clock.seconds() * 1e6)))
        self.mailboxes.deliver(to, arrivals)

    def connect(self, host: str = "192.0.2.9", listener: str = "127.0.0.1", greeting: bool = True) -> Client:
        client = Client(self, Wire(host, listener))
        if greeting:
            client.greeting = client.read()
        return client

    def sign_in(self, user: str = ADDRESS) -> Client:
        client = self.connect()
        client.ok(f"LOGIN {user} secret")
        return client


class Client:
    """Sends and reads as a mail client would."""

    def __init__(self, house: House, wire: Wire) -> None:
        self.house = house
        self.wire = wire
        self.greeting = b""
        self._tags = itertools.count(1)
        self.protocol = house.factory.buildProtocol(None)
        wire.protocol = self.protocol
        self.protocol.makeConnection(wire)

    def read(self) -> bytes:
        for _ in range(200):
            self.house.clock.advance(0)
        data = self.wire.value()
        self.wire.clear()
        return data

    def send(self, data: bytes) -> bytes:
        self.protocol.dataReceived(data)
        return self.read()

    def do(self, command: str | bytes) -> tuple[bytes, bytes]:
        """(untagged, tagged without the tag) of one command."""
        tag = b"t%d" % next(self._tags)
        raw = command.encode("utf-8") if isinstance(command, str) else command
        data = self.send(tag + b" " + raw + b"\r\n")
        start = data.rfind(b"\r\n" + tag + b" ") + 2 if not data.startswith(tag + b" ") else 0
        assert data[start:].startswith(tag + b" "), data
        return data[:start], data[start + len(tag) + 1 :]

    def ok(self, command: str | bytes) -> bytes:
        untagged, tagged = self.do(command)
        assert tagged.startswith(b"OK"), (untagged, tagged)
        return untagged

    def no(self, command: str | bytes) -> bytes:
        untagged, tagged = self.do(command)
        assert tagged.startswith(b"NO"), (untagged, tagged)
        return tagged

    def bad(self, command: str | bytes) -> bytes:
        untagged, tagged = self.do(command)
        assert tagged.startswith(b"BAD"), (untagged, tagged)
        return tagged

    def lose(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionLost()))
