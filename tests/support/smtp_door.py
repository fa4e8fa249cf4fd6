"""An SMTP door in memory: real engine, capture, spool; a committer that keeps what it is given; a clock that stands."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import Connection
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from stratamail.capture.capture import Capture
from stratamail.config.settings import Limits, Listen, Server, Settings
from stratamail.servers.smtp import SmtpFactory
from stratamail.servers.smtp_session import SmtpSession
from stratamail.store.layout import Layout
from stratamail.store.model import Message, NewMessage
from stratamail.store.queue.schema import metadata
from stratamail.store.reserve import Reserve
from stratamail.store.spool import Spool
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Domain, HostPort, Mailbox

NOW = 1_700_000_000.0


class InlinePool:
    """A pool whose jobs run at once, in the caller's thread."""

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
        return maybeDeferred(function, *args, **kwargs)


class KeptCommitter:
    """Keeps messages instead of committing them. ``hold`` leaves commits in ``waiting``; ``fail`` refuses them."""

    def __init__(self) -> None:
        self.kept: list[NewMessage] = []
        self.hold = False
        self.fail: Exception | None = None
        self.waiting: list[tuple[NewMessage, Deferred[Message]]] = []
        self.engine = create_engine("sqlite://")
        metadata.create_all(self.engine)

    def commit(self, new: NewMessage) -> Deferred[Message]:
        done: Deferred[Message] = Deferred()
        self.waiting.append((new, done))
        if not self.hold:
            self.release()
        return done

    def release(self) -> None:
        waiting, self.waiting = self.waiting, []
        for new, done in waiting:
            if self.fail is not None:
                done.errback(self.fail)
                continue
            self.kept.append(new)
            envelope = new.envelope
            done.callback(
                Message(
                    seq=len(self.kept),
                    id=new.id,
                    arrived=new.arrived,
                    kind=new.kind,
                    sender=envelope.sender,
                    size=new.size,
                    sha256=new.sha256,
                    trace_size=len(new.trace),
                    body=envelope.body,
                    smtputf8=envelope.smtputf8,
                    ret=envelope.ret,
                    envid=envelope.envid,
                    mailboxes=new.mailboxes,
                )
            )

    def write(self, function: Callable[[Connection], Any]) -> Deferred[Any]:
        with self.engine.begin() as conn:
            return succeed(function(conn))


class Talk:
    """One connection to the door. ``say`` gives what came back."""

    def __init__(self, session: SmtpSession, transport: StringTransport) -> None:
        self.session = session
        self.transport = transport

    def say(self, data: bytes) -> bytes:
        self.transport.clear()
        self.session.dataReceived(data)
        return self.heard()

    def heard(self) -> bytes:
        data = self.transport.value()
        self.transport.clear()
        return data

    def send(self, sender: bytes, recipients: list[bytes], body: bytes) -> bytes:
        """A whole message; the reply to the dot, or the first refusal."""
        for command in [b"MAIL FROM:" + sender, *[b"RCPT TO:" + one for one in recipients], b"DATA"]:
            reply = self.say(command + b"\r\n")
            if reply[:1] not in (b"2", b"3"):
                return reply
        return self.say(body + b".\r\n")

    @property
    def closed(self) -> bool:
        return self.transport.disconnecting or self.transport.disconnected


class DoorFixture:
    """``talk()`` connects. The domains: open.example (anybody), filtered.example (trusts 192.0.2.0/24), strict.example
    (unknown: reject), sub-account other.example, quiet.example (relay-only)."""

    def __init__(self, state: Path, limits: Limits | None = None, listen: Listen | None = None, **factory: Any) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.layout = Layout(str(state))
        (state / "spool").mkdir(parents=True, exist_ok=True)
        limits = limits or Limits(disk_reserve=1)
        self.settings = Settings(Server("mx.example.net", str(state)), listen=listen or Listen(), limits=limits)
        self.reserve = Reserve(self.layout, limits.disk_reserve, self.clock.seconds)
        self.spool = Spool(self.layout, InlinePool(), self.reserve)  # type: ignore[arg-type]
        self.committer = KeptCommitter()
        self.directory = example_directory()
        self.capture = Capture(lambda: self.directory, self.committer, self.spool, self.settings, self.clock)
        kind = factory.pop("kind", "smtp")
        self.factory = SmtpFactory(kind, self.capture, self.settings, self.clock, **factory)

    @property
    def kept(self) -> list[NewMessage]:
        return self.committer.kept

    def connect(self, peer: str = "198.51.100.7", host: str = "203.0.113.1") -> Talk:
        session = self.factory.buildProtocol(None)
        transport = StringTransport(IPv4Address("TCP", host, 25), IPv4Address("TCP", peer, 4000))
        session.makeConnection(transport)
        return Talk(session, transport)

    def talk(self, peer: str = "198.51.100.7", host: str = "203.0.113.1") -> Talk:
        """Connected and greeted."""
        talk = self.connect(peer, host)
        talk.say(b"EHLO client.example\r\n")
        return talk


def example_directory() -> Directory:
    primary = (HostPort("192.0.2.99"),)
    trust = Domain(2, 2, "filtered.example", primary, trust=(ip_network("192.0.2.0/24"),))
    return Directory(
        [
            Domain(1, 2, "open.example", primary),
            trust,
            Domain(3, 2, "strict.example", primary, unknown="reject"),
            Domain(4, 3, "other.example", primary),
            Domain(5, 2, "quiet.example", primary, mode="relay-only"),
            Domain(6, 2, "xn--bcher-kva.example", primary),
        ],
        [
            Mailbox(1, 2, 1, "ben@open.example"),
            Mailbox(2, 2, 1, "carla@open.example"),
            Mailbox(3, 2, 3, "ben@strict.example"),
            Mailbox(4, 3, 4, "eve@other.example"),
            Mailbox(5, 2, 6, "jo@xn--bcher-kva.example"),
        ],
    )
