"""An SMTP connection that we open: the client engine on a transport, with the absolute timeouts of RFC 5321 section
4.5.3.2 and STARTTLS by policy (RFC 3207, RFC 7435). Writes nothing to disk.

:func:`open_session` gives a :class:`Session` past EHLO; :mod:`stratamail.net.transaction` sends messages on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol as Shape
from typing import TypeVar

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IPushProducer,
    IReactorTCP,
    IReactorTime,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure as TwistedFailure
from zope.interface import implementer

from stratamail.mail.reply import Reply
from stratamail.net import tls
from stratamail.smtp import client
from stratamail.smtp.client import Answered, ClientEngine, Offer
from stratamail.tenancy.model import HostPort

T = TypeVar("T")
TlsClient = Callable[[str, bool], IOpenSSLClientConnectionCreator]


@frozen
class Timeouts:
    """Seconds to wait for each reply; each is absolute, a trickle of bytes does not extend it."""

    connect: float = 30.0
    greeting: float = 300.0
    command: float = 300.0
    data: float = 120.0
    block: float = 180.0
    dot: float = 600.0

    @classmethod
    def all(cls, seconds: float) -> Timeouts:
        return cls(seconds, seconds, seconds, seconds, seconds, seconds)


class Lost(Exception):
    """The connection is gone, or was given up: ``text`` says why, ``timed_out`` whether it was too slow."""

    def __init__(self, text: str, timed_out: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.timed_out = timed_out


class Unreachable(Exception):
    """No session: ``stage`` is how far we got ("resolve", "connect", "greeting", "EHLO", "STARTTLS"), ``reply`` what
    the peer said, None when it said nothing of use."""

    def __init__(self, stage: str, text: str, reply: Reply | None = None) -> None:
        super().__init__(f"{stage}: {text}")
        self.stage = stage
        self.text = text
        self.reply = reply


class Addresses(Shape):
    """What resolves host names (``net.resolver.Resolver``)."""

    def addresses(self, host: str) -> Awaitable[list[str]]:
        """IP addresses to try, in order. Raises ``net.resolver.NotResolved``."""


@implementer(IHandshakeListener, IPushProducer)
class SmtpConnection(Protocol):
    """The engine on a transport. ``ask`` hands bytes out and gives a Deferred for each reply that they call for."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self.engine = ClientEngine()
        # each fires with a reply, or with why there is none: an error that nobody awaits yet must not be reported as
        # lost
        self._waiting: deque[Deferred[Reply | Lost]] = deque()
        self._handshake: Deferred[Lost | None] | None = None
        self._lost: Lost | None = None
        self._cause = ""
        self._room: Deferred[Lost | None] | None = None
        self._full = False
        # what it said of itself in its greeting
        self.banner = ""
        # 421 that came unasked: the peer is about to close
        self.closing: Reply | None = None
        # a transaction may be half open: RSET comes before the next
        self.untidy = False
        # the reply to the final dot, awaited since the last 354
        self.dot: Deferred[Reply | Lost] = Deferred()
        self.greeting: Deferred[Reply | Lost] = self._expect()

    @property
    def connected_now(self) -> bool:
        return self._lost is None

    def _expect(self) -> Deferred[Reply | Lost]:
        reply: Deferred[Reply | Lost] = Deferred()
        self._waiting.append(reply)
        return reply

    def connectionMade(self) -> None:
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)

    def dataReceived(self, data: bytes) -> None:
        if self._lost is not None or self._cause:
            return
        for event in self.engine.receive(data):
            if isinstance(event, Answered):
                waiting = self._waiting.popleft()
                if event.verb == client.DATA and event.reply.code == 354:
                    # before the caller hears of 354: the peer may have answered the final dot already
                    self.dot = self._expect()
                waiting.callback(event.reply)
            else:
                self.closing = event.reply
            if self._cause:
                return
        if self.engine.garbled:
            self.give_up(self.engine.garbled)

    def ask(self, data: bytes, replies: int = 1) -> list[Deferred[Reply | Lost]]:
        """Write ``data``; a Deferred for each of the ``replies`` that it calls for, in order."""
        if self._lost is not None:
            raise self._lost
        expected = [self._expect() for _ in range(replies)]
        self.write(data)
        return expected

    def write(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    async def within(self, reply: Deferred[T | Lost], seconds: float, what: str) -> T:
        """Wait for ``reply``, at most ``seconds``. Raises :class:`Lost`."""
        timer: IDelayedCall = self._reactor.callLater(
            seconds, self.give_up, f"no {what} within {seconds:g} seconds", True
        )
        try:
            answer = await reply
        except CancelledError:
            self.give_up("cancelled")
            raise
        finally:
            if timer.active():
                timer.cancel()
        if isinstance(answer, Lost):
            raise answer
        return answer

    def give_up(self, text: str, timed_out: bool = False) -> None:
        """Close without another word; whoever waits hears ``text``."""
        if self._lost is None and not self._cause:
            self._cause = text
            if self.transport is not None:
                ITCPTransport(self.transport).abortConnection()
            self._fail(Lost(text, timed_out))

    def connectionLost(self, reason: TwistedFailure = connectionDone) -> None:
        self._fail(Lost(self._cause or f"connection closed: {reason.getErrorMessage()}"))

    def _fail(self, error: Lost) -> None:
        if self._lost is None:
            self._lost = error
        waiting, self._waiting = self._waiting, deque()
        for reply in waiting:
            reply.callback(error)
        for one in (self._handshake, self._room):
            if one is not None and not one.called:
                one.callback(error)

    # flow control of large bodies: a push producer whose only word is "wait"
    def pauseProducing(self) -> None:
        self._full = True

    def resumeProducing(self) -> None:
        self._full = False
        room, self._room = self._room, None
        if room is not None and not room.called:
            room.callback(None)

    def stopProducing(self) -> None:
        self.resumeProducing()

    async def room(self, seconds: float) -> None:
        """Wait until the transport takes more. Raises :class:`Lost`."""
        if self._lost is not None:
            raise self._lost
        if self._full:
            self._room = Deferred()
            await self.within(self._room, seconds, "progress of the body")

    def starttls(self, context: IOpenSSLClientConnectionCreator) -> Deferred[Lost | None]:
        """Begin the handshake; fires when it is done (with a verified name, when the context asks for it)."""
        self._handshake = Deferred()
        assert ITLSTransport.providedBy(self.transport)
        self.transport.startTLS(context)
        return self._handshake

    def handshakeCompleted(self) -> None:
        if self._handshake is not None and not self._handshake.called:
            self._handshake.callback(None)

    def close(self) -> None:
        """QUIT, and close without waiting for the answer."""
        if self._lost is None and not self._cause and self.transport is not None:
            self.ask(self.engine.quit())
            self.transport.loseConnection()


@frozen
class Session:
    """A connection past EHLO (and past STARTTLS when the policy says so)."""

    connection: SmtpConnection
    where: HostPort
    address: str
    encrypted: bool

    @property
    def offer(self) -> Offer:
        return self.connection.engine.offer

    @property
    def usable(self) -> bool:
        return self.connection.connected_now and self.connection.closing is None

    def close(self) -> None:
        self.connection.close()


class Reactor(IReactorTCP, IReactorTime):
    """What is needed of a reactor here."""


async def open_session(
    reactor: Reactor,
    where: HostPort,
    *,
    hostname: str,
    policy: str,
    resolver: Addresses,
    timeouts: Timeouts = Timeouts(),
    tls_client: TlsClient = tls.client,
) -> Session:
    """Connect to ``where``, any of its addresses, say EHLO as ``hostname`` and start TLS as ``policy`` says: "none",
    "may" (in clear when that fails), "encrypt", "verify" (the certificate must bear the host's name). Raises
    :class:`Unreachable`."""
    try:
        found = await resolver.addresses(where.host)
    except CancelledError:
        raise
    except Exception as error:
        raise Unreachable("resolve", f"{where.host}: {error}") from error
    failure = Unreachable("resolve", f"{where.host} has no address")
    for address in found:
        try:
            return await _open(reactor, where, address, hostname, policy, timeouts, tls_client)
        except Unreachable as error:
            failure = error
            # what it says at one address it would say at the next; only silence is worth another try
            if error.reply is not None:
                break
    raise failure


async def _open(
    reactor: Reactor,
    where: HostPort,
    address: str,
    hostname: str,
    policy: str,
    timeouts: Timeouts,
    tls_client: TlsClient,
) -> Session:
    connection = await _connect(reactor, where, address, timeouts.connect)
    try:
        await _greet(connection, hostname, timeouts)
        if policy == "none":
            return Session(connection, where, address, False)
        if not connection.engine.offer.starttls:
            if policy == "may":
                return Session(connection, where, address, False)
            raise Unreachable("STARTTLS", f"{where} does not offer STARTTLS, and its TLS policy is {policy}")
        try:
            await _secure(connection, where, hostname, policy == "verify", timeouts, tls_client)
        except Unreachable:
            if policy != "may":
                raise
            # RFC 7435: unprotected rather than not at all
            connection.give_up("TLS failed")
            return await _open(reactor, where, address, hostname, "none", timeouts, tls_client)
        return Session(connection, where, address, True)
    except BaseException as error:
        if isinstance(error, Unreachable) and error.reply is not None:
            connection.close()
        connection.give_up("given up")
        raise


async def _connect(reactor: Reactor, where: HostPort, address: str, timeout: float) -> SmtpConnection:
    kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
    endpoint = kind(reactor, address, where.port, timeout=timeout)
    factory = Factory.forProtocol(lambda: SmtpConnection(reactor))
    # a line in the log for each probe tells nobody anything
    factory.noisy = False
    try:
        protocol = await endpoint.connect(factory)
    except CancelledError:
        raise
    except Exception as error:
        raise Unreachable("connect", str(error) if address == where.host else f"{address}: {error}") from error
    assert isinstance(protocol, SmtpConnection)
    return protocol


async def _greet(connection: SmtpConnection, hostname: str, timeouts: Timeouts) -> None:
    """Greeting, EHLO, and HELO for servers of another age (RFC 5321 section 3.2)."""
    stage = client.GREETING
    try:
        reply = await connection.within(connection.greeting, timeouts.greeting, "greeting")
        if reply.code != 220:
            raise Unreachable(stage, spoken(reply), reply)
        connection.banner = reply.text
        stage = client.EHLO
        reply = await connection.within(
            connection.ask(connection.engine.ehlo(hostname))[0], timeouts.command, "reply to EHLO"
        )
        if reply.code in (500, 501, 502, 504, 550):
            asked = connection.ask(connection.engine.helo(hostname))[0]
            reply = await connection.within(asked, timeouts.command, "reply to HELO")
        if reply.code != 250:
            raise Unreachable(stage, spoken(reply), reply)
    except Lost as error:
        raise Unreachable(stage, error.text) from error


async def _secure(
    connection: SmtpConnection,
    where: HostPort,
    hostname: str,
    verify: bool,
    timeouts: Timeouts,
    tls_client: TlsClient,
) -> None:
    try:
        asked = connection.ask(connection.engine.starttls())[0]
        reply = await connection.within(asked, timeouts.command, "reply to STARTTLS")
        if reply.code != 220:
            raise Unreachable(client.STARTTLS, spoken(reply), reply)
        try:
            handshake = connection.starttls(tls_client(where.host, verify))
        except Exception as error:
            # such as a name that no certificate can bear
            raise Unreachable(client.STARTTLS, f"{where.host}: {error!r}") from error
        await connection.within(handshake, timeouts.command, "TLS handshake")
        # RFC 3207 section 4.2: what was offered in clear is forgotten
        asked = connection.ask(connection.engine.ehlo(hostname))[0]
        reply = await connection.within(asked, timeouts.command, "reply to EHLO")
        if reply.code != 250:
            raise Unreachable(client.EHLO, spoken(reply), reply)
    except Lost as error:
        raise Unreachable(client.STARTTLS, error.text) from error


def spoken(reply: Reply) -> str:
    """A reply on one line, as listings show it (at most 500 characters)."""
    status = f"{reply.status} " if reply.status else ""
    return " ".join(f"{reply.code} {status}{reply.text}".split())[:500]
