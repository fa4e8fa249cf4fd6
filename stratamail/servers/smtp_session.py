"""One SMTP connection: the engine, a loop over its events, and a transport. Decisions are made by ``capture``.

Writes nothing itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure as TwistedFailure
from zope.interface import implementer

from stratamail.capture.capture import Capture
from stratamail.capture.peers import IPAddress, Networks, parse_ip
from stratamail.capture.policy import Peer
from stratamail.capture.transaction import Transaction
from stratamail.mail.envelope import Envelope
from stratamail.mail.reply import LOCAL_ERROR, Reply
from stratamail.servers.deadline import Deadline
from stratamail.servers.proxy import Proxied, ProxyError, ProxyReader
from stratamail.servers.wire import Wire
from stratamail.smtp import server_replies as replies
from stratamail.smtp.server import ServerEngine
from stratamail.smtp.server_events import Chunk, Credentials, Data, End, Hello, Mail, Offer, Rcpt, Reset, StartTls
from stratamail.tenancy.model import Mailbox

SignIn = Callable[[str, str, str], Awaitable[Mailbox | None]]

# seconds for a whole command, and between two pieces of a body (RFC 5321 4.5.3.2.7)
COMMAND_TIME = 300.0
# seconds for a whole body: this, and the time that the size limit takes at a slow line's pace (octets a second)
BODY_TIME = 600.0
BODY_PACE = 64_000
# seconds that a balancer has for its header, and a refused peer for reading why
PROXY_TIME = 5.0
LINGER_TIME = 5.0
STOP_LINGER_TIME = 1.0
# octets unread in the engine above which the peer must wait
HIGH_WATER = 64 * 1024
ERRORS = 20

TIMED_OUT = Reply(421, "4.4.2", "Timed out; closing")
STOPPING = Reply(421, "4.3.2", "Shutting down; closing")
DISABLED = Reply(421, "4.7.0", "This mailbox was disabled; closing")


@define(eq=False)
class Door:
    """What the connections of one listener share. ``implicit_tls``: TLS before the greeting."""

    kind: str
    capture: Capture
    reactor: IReactorTime
    offer: Offer
    tls: IOpenSSLServerConnectionCreator | None = None
    implicit_tls: bool = False
    signin: SignIn | None = None
    proxies: Networks = field(factory=lambda: Networks(()))
    sessions: set[SmtpSession] = field(factory=set)
    stopping: bool = False
    empty: Deferred[None] | None = None

    @property
    def submission(self) -> bool:
        return self.kind != "smtp"


@implementer(IPushProducer)
class SmtpSession(Protocol):
    """The protocol of one connection."""

    _log = Logger()
    # the reactor's transports and TLS's; zope's interfaces do not say all that both can
    transport: Any
    _wire: Wire

    def __init__(self, door: Door) -> None:
        self._door = door
        self._ip: IPAddress | None = None
        self._address = ""
        self._engine: ServerEngine | None = None
        self._proxy: ProxyReader | None = None
        self._peer: Peer | None = None
        self._mailbox: Mailbox | None = None
        self._transaction: Transaction | None = None
        self._deadline = Deadline(door.reactor, self._expired)
        self._body_end = 0.0
        self._counted = False
        self._busy = False
        self._looping = False
        self._paused = False
        self._choked = False
        self._closing = False
        self._last_word: Reply | None = None

    @property
    def mailbox(self) -> Mailbox | None:
        """Who signed in."""
        return self._mailbox

    # the transport

    def connectionMade(self) -> None:
        self._wire = Wire(self.transport)
        self._door.sessions.add(self)
        self._address = self._wire.peer
        self._ip = parse_ip(self._address)
        if self._ip in self._door.proxies:
            self._proxy = ProxyReader()
            self._deadline.at(self._door.reactor.seconds() + PROXY_TIME)
        else:
            self._begin(proxied=False)

    def _begin(self, proxied: bool) -> None:
        """The peer is known: count it, and greet."""
        door = self._door
        if door.implicit_tls and door.tls is not None:
            self._wire.start_tls(door.tls)
        trusted = door.capture.trusted(self._ip)
        bound = not door.submission and not trusted
        refusal = door.capture.peers.connected(self._ip, bound)
        self._counted = True
        offer = door.offer
        if offer.auth and not proxied and self._wire.on_loopback:
            offer = evolve(offer, auth="clear")
        engine = ServerEngine(offer, tls=door.implicit_tls, error_limit=ERRORS if bound else 0)
        self._engine = engine
        if door.stopping:
            refusal = STOPPING
        if refusal is not None:
            engine.refuse_connection(refusal)
        else:
            engine.greet()
        self.transport.registerProducer(self, True)
        self._deadline.at(door.reactor.seconds() + COMMAND_TIME)
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        engine = self._engine
        if engine is None:
            self._read_proxy(data)
            return
        if self._closing:
            return
        engine.receive(data)
        if not self._busy and not self._choked:
            self._run()
        if engine.buffered > HIGH_WATER:
            self._pause()

    def connectionLost(self, reason: TwistedFailure = connectionDone) -> None:
        self._closing = True
        self._deadline.cancel()
        if self._counted:
            self._door.capture.peers.gone(self._ip)
        self._abandon()
        door = self._door
        door.sessions.discard(self)
        if door.empty is not None and not door.sessions:
            empty, door.empty = door.empty, None
            empty.callback(None)

    def _read_proxy(self, data: bytes) -> None:
        reader = self._proxy
        if reader is None or self._closing:
            return
        try:
            found = reader.feed(data)
        except ProxyError as error:
            self._log.warn("bad PROXY header from {peer}: {error}", peer=self._address, error=str(error))
            self._closing = True
            self.transport.abortConnection()
            return
        if found is not None:
            self._proxied(found)

    def _proxied(self, found: Proxied) -> None:
        self._proxy = None
        if found.address is not None:
            self._address = found.address
            self._ip = parse_ip(found.address)
        self._begin(proxied=found.present)
        if found.rest:
            if self._door.implicit_tls:
                self._wire.feed_tls(found.rest)
            else:
                self.dataReceived(found.rest)

    # flow control: as a producer of replies, and as a reader

    def pauseProducing(self) -> None:
        """The peer does not read its replies: take no more commands from it. Reading goes on up to the high-water mark:
        a TLS handshake, which comes here too, needs it."""
        self._choked = True

    def resumeProducing(self) -> None:
        self._choked = False
        if not self._busy and not self._closing and self._engine is not None:
            self._run()

    def stopProducing(self) -> None:
        self._choked = True

    def _pause(self) -> None:
        if not self._paused and not self._closing:
            self._paused = True
            self.transport.pauseProducing()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()

    # the loop

    def _run(self) -> None:
        """Handle events until bytes or a decision are wanted, then write what there is to say."""
        engine = self._engine
        if engine is None or self._looping:
            return
        self._looping = True
        try:
            while not self._busy and not self._choked:
                if self._last_word is not None and not engine.in_body:
                    engine.say_and_close(self._last_word)
                    break
                event = engine.next_event()
                if event is None:
                    break
                handler = _HANDLERS.get(event.__class__)
                if handler is not None:
                    handler(self, event)
        finally:
            self._looping = False
        self._flush()
        if not self._busy and not self._choked and engine.buffered <= HIGH_WATER:
            self._resume()

    def _flush(self) -> None:
        engine = self._engine
        if engine is None or self._closing:
            return
        out = engine.take()
        self._wire.write(out)
        if engine.closing:
            self._close()
        elif self._busy:
            self._deadline.off()
        else:
            self._extend(bool(out))

    def _extend(self, spoke: bool) -> None:
        """A reply gives the next command its time; a dribble of octets gives none (absolute deadlines)."""
        engine = self._engine
        assert engine is not None
        now = self._door.reactor.seconds()
        if engine.in_body:
            if spoke and self._body_end <= 0.0:
                self._body_end = now + BODY_TIME + engine.offer.size / BODY_PACE
            self._deadline.at(min(self._body_end, now + COMMAND_TIME))
        elif spoke:
            self._body_end = 0.0
            self._deadline.at(now + COMMAND_TIME)

    def _answer(self, reply: Reply) -> None:
        engine = self._engine
        if engine is not None and not self._closing:
            engine.reply(reply)

    def _wait(self, done: Deferred[Any], then: Callable[[Any], None]) -> None:
        """Nothing more is handled until ``done`` fires and ``then`` has spoken."""
        self._busy = True

        def finished(result: object) -> None:
            self._busy = False
            try:
                if isinstance(result, TwistedFailure):
                    result = self._spoken(result)
                if self._closing:
                    return
                then(result)
                if not self._looping:
                    self._run()
            except Exception:
                self._broken(TwistedFailure())

        done.addBoth(finished)

    def _spoken(self, failure: TwistedFailure) -> Reply:
        if failure.check(CancelledError):
            return LOCAL_ERROR
        return self._door.capture.spoken(failure)

    def _broken(self, failure: TwistedFailure) -> None:
        self._log.failure("an SMTP session broke", failure)
        self._say_and_close(Reply(421, "4.3.0", "Local error; closing"))

    # events

    def _on_hello(self, event: Hello) -> None:
        self._peer = None
        self._abandon()

    def _on_reset(self, event: Reset) -> None:
        self._abandon()

    def _on_mail(self, event: Mail) -> None:
        peer = self._peer
        if peer is None:
            peer = self._peer = self._known()
        envelope = Envelope(event.sender, (), event.body, event.smtputf8, event.ret, event.envid, event.size)
        try:
            self._transaction = self._door.capture.begin(peer, envelope)
        except Exception:
            self._answer(self._spoken(TwistedFailure()))
        else:
            self._answer(replies.SENDER_OK)

    def _on_rcpt(self, event: Rcpt) -> None:
        transaction = self._transaction
        assert transaction is not None
        try:
            reply = transaction.recipient(event.recipient).reply
        except Exception:
            reply = self._spoken(TwistedFailure())
        self._answer(reply)

    def _on_data(self, event: Data) -> None:
        transaction = self._transaction
        assert transaction is not None
        try:
            transaction.open_body()
        except Exception:
            self._answer(self._spoken(TwistedFailure()))
            return
        self._body_end = 0.0
        self._answer(replies.READY)
        if event.chunking:
            now = self._door.reactor.seconds()
            self._body_end = now + BODY_TIME + self._door.offer.size / BODY_PACE

    def _on_chunk(self, event: Chunk) -> None:
        transaction = self._transaction
        if transaction is None:
            return
        wait = transaction.write(event.data)
        if wait is not None:
            self._pause()
            self._wait(wait, _nothing)

    def _on_end(self, event: End) -> None:
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        self._wait(transaction.finish(event.size, event.bare), self._answer)

    def _on_starttls(self, event: StartTls) -> None:
        engine = self._engine
        assert engine is not None
        assert self._door.tls is not None
        self._abandon()
        self._peer = None
        self._mailbox = None
        engine.reply(replies.GO_TLS)
        self._wire.write(engine.take())
        self._wire.start_tls(self._door.tls)
        engine.secured()
        self._deadline.at(self._door.reactor.seconds() + COMMAND_TIME)

    def _on_credentials(self, event: Credentials) -> None:
        if self._door.signin is None:
            self._answer(replies.BAD_CREDENTIALS)
            return
        self._wait(Deferred.fromCoroutine(self._sign_in(self._door.signin, event)), self._signed_in)

    async def _sign_in(self, signin: SignIn, event: Credentials) -> Reply:
        mailbox = await signin(event.user, event.password, self._address)
        if mailbox is None:
            return replies.BAD_CREDENTIALS
        self._mailbox = mailbox
        self._peer = None
        return replies.SIGNED_IN

    def _signed_in(self, reply: Reply) -> None:
        if reply is LOCAL_ERROR:
            # RFC 4954 section 4: the mail program asks again, and does not ask its user for another password
            reply = Reply(454, "4.7.0", "Temporary authentication failure")
        self._answer(reply)

    def _known(self) -> Peer:
        engine = self._engine
        assert engine is not None
        return Peer(
            self._address,
            self._ip,
            engine.helo,
            engine.extended,
            self._wire.tls_text if engine.tls else "",
            self._mailbox,
            self._door.capture.trusted(self._ip),
        )

    def _abandon(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.abandon()

    # ends

    def stop(self, reply: Reply) -> None:
        """Say ``reply`` (421) and close: at once, or when the body in hand has been answered."""
        engine = self._engine
        if engine is None:
            self._closing = True
            self.transport.abortConnection()
        elif engine.in_body:
            self._last_word = reply
        else:
            self._say_and_close(reply)

    def abort(self) -> None:
        """Cut the connection off."""
        self._closing = True
        self._abandon()
        self.transport.abortConnection()

    def _expired(self) -> None:
        if self._closing:
            self.transport.abortConnection()
        elif self._proxy is not None:
            self._proxied(self._proxy.give_up())
        else:
            self._say_and_close(TIMED_OUT)

    def _say_and_close(self, reply: Reply) -> None:
        engine = self._engine
        if engine is None or self._closing:
            return
        engine.say_and_close(reply)
        self._wire.write(engine.take())
        self._close()

    def _close(self) -> None:
        """No more is handled. What the peer still sends is read and dropped for a moment, so that it can read why."""
        self._closing = True
        self._abandon()
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()
        self._wire.close()
        linger = STOP_LINGER_TIME if self._door.stopping else LINGER_TIME
        self._deadline.at(self._door.reactor.seconds() + linger)


_HANDLERS: dict[type, Callable[[SmtpSession, Any], None]] = {
    Hello: SmtpSession._on_hello,
    Mail: SmtpSession._on_mail,
    Rcpt: SmtpSession._on_rcpt,
    Data: SmtpSession._on_data,
    Chunk: SmtpSession._on_chunk,
    End: SmtpSession._on_end,
    Reset: SmtpSession._on_reset,
    Credentials: SmtpSession._on_credentials,
    StartTls: SmtpSession._on_starttls,
}


def _nothing(result: object) -> None:
    """A chunk has been taken: there is nothing to say."""
