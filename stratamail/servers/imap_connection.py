"""One IMAP connection: the transport side of a session (engine, loop, flow control, time limits, PROXY, TLS).

One coroutine takes events from the engine, one command at a time, and answers each before the next. What a client does
not read stops us from rendering more; what it sends ahead stops us from reading more. Writes nothing to disk itself.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IOpenSSLServerConnectionCreator,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from stratamail.imap import render
from stratamail.imap.commands import Command, Logout, StartTls
from stratamail.imap.engine import (
    LINE_AFTER,
    Answer,
    AppendHead,
    Continue,
    Event,
    Invalid,
    Long,
    Overflow,
    Request,
    ServerEngine,
)
from stratamail.mail.reply import Failure as Spoken
from stratamail.servers.imap_commands import Commands
from stratamail.servers.imap_session import Done, Refusal, Session, State
from stratamail.servers.proxy import ProxyError, ProxyReader

SIGN_IN_WITHIN = 180.0
AUTOLOGOUT = 1_860.0
"""RFC 3501 section 5.4: at least 30 minutes."""
STALLED = 300.0
"""How long a client may take nothing of what we write, or pause within a literal."""
STILL_HERE = 120.0
AHEAD = 65_536
AT_ONCE = 50
"""Commands sent ahead are run so many at a time: others have their turn in between."""
ERRORS = 20
SHUT_DOWN = 30.0
PROXY_WITHIN = 10.0
GOING = "Server is going down"


@define(eq=False)
class Door:
    """What the connections of one listener share. ``proxied`` tells whose PROXY header is believed, ``closed`` is
    called when a connection is gone."""

    commands: Commands
    reactor: IReactorTime
    hostname: str
    tls: IOpenSSLServerConnectionCreator | None
    implicit_tls: bool
    connections: int
    proxied: Callable[[str], bool]
    closed: Callable[[ImapConnection], None]
    open: set[ImapConnection] = field(factory=set)
    closing: bool = False


class Gone(Exception):
    """The connection is no more; the session's coroutine ends."""


@implementer(IPushProducer)
class ImapConnection(Protocol):
    """One connection. It is the session's ``Link``, and the producer that the transport pauses when the client is
    slow."""

    log = Logger()
    # the reactor's transports and TLS's; zope's interfaces do not say all that both can
    transport: Any

    def __init__(self, door: Door) -> None:
        self.owner = door
        self.engine = ServerEngine()
        self.peer = ""
        self.secure = door.implicit_tls
        self.session = Session(self, self._capabilities)
        self.lost = False
        self._leaving = False
        self._busy = False
        self._reading_stopped = False
        self._waiting: Deferred[None] | None = None
        self._full = False
        self._draining: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._sign_in_by = 0.0
        self._errors = 0
        self._begun = False
        self._registered = False
        self._proxy: ProxyReader | None = None
        self._refusal = ""
        self.clear_auth = False

    # transport

    def connectionMade(self) -> None:
        transport = self.transport
        if hasattr(transport, "setTcpNoDelay"):
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)
        self.peer = getattr(transport.getPeer(), "host", "") or ""
        too_many = len(self.owner.open) >= self.owner.connections
        self.owner.open.add(self)
        self._sign_in_by = self.owner.reactor.seconds() + SIGN_IN_WITHIN
        if too_many or self.owner.closing:
            self._refusal = "Too many connections" if too_many else GOING
        if self.owner.proxied(self.peer):
            self._proxy = ProxyReader()
            self._timer = self.owner.reactor.callLater(PROXY_WITHIN, self.abort)
        else:
            self._begin(proxied=False)

    def _begin(self, proxied: bool) -> None:
        """The peer is known: greet it."""
        owner = self.owner
        if owner.implicit_tls and owner.tls is not None and not ISSLTransport.providedBy(self.transport):
            self.transport.startTLS(owner.tls)
        self.clear_auth = not proxied and _on_loopback(self.transport)
        self.session.peer = self.peer
        self._begun = True
        if self._refusal:
            self.bye(self._refusal)
            return
        self.transport.registerProducer(self, True)
        self._registered = True
        code = "CAPABILITY " + " ".join(self._capabilities())
        self.write(render.condition("*", "OK", f"{owner.hostname} ready", code))
        Deferred.fromCoroutine(self._serve()).addErrback(self._failed)

    def _read_proxy(self, data: bytes) -> None:
        reader = self._proxy
        if reader is None or self.lost or self.session.state is State.OVER:
            return
        try:
            found = reader.feed(data)
        except ProxyError as error:
            self.log.warn("bad PROXY header from {peer}: {error}", peer=self.peer, error=str(error))
            self._proxy = None
            self.abort()
            return
        if found is None:
            return
        self._proxy = None
        self._stop_timer()
        if found.address is not None:
            self.peer = found.address
        self._begin(found.present)
        if found.rest and self.owner.implicit_tls:
            # these octets are TLS's: the layer that startTLS put in has to see them first
            self.transport.protocol.dataReceived(found.rest)
        elif found.rest:
            self.dataReceived(found.rest)

    def dataReceived(self, data: bytes) -> None:
        if not self._begun:
            self._read_proxy(data)
            return
        self.engine.receive(data)
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)
        if self.engine.buffered > AHEAD and self._waiting is None and not self._reading_stopped and not self.lost:
            self._reading_stopped = True
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True
        self._stop_timer()
        self.session.end()
        for waiting in (self._waiting, self._draining):
            if waiting is not None:
                waiting.errback(Gone())
        self._waiting = self._draining = None
        self.owner.closed(self)

    def pauseProducing(self) -> None:
        self._full = True

    def resumeProducing(self) -> None:
        self._full = False
        if self._draining is not None:
            draining, self._draining = self._draining, None
            draining.callback(None)
        self.session.changed()

    def stopProducing(self) -> None:
        self._full = False

    # the session's link

    def write(self, data: bytes) -> None:
        if not self.lost and self.session.state is not State.OVER:
            self.transport.write(data)

    @property
    def full(self) -> bool:
        return self._full

    async def drain(self) -> None:
        if self.lost:
            raise Gone
        if not self._full:
            # a turn of the reactor, so that one long answer does not hold up all other sessions
            turn: Deferred[None] = Deferred()
            self.owner.reactor.callLater(0, turn.callback, None)
            await turn
        while self._full and not self.lost:
            self._draining = Deferred()
            stalled = self.owner.reactor.callLater(STALLED, self.abort)
            try:
                await self._draining
            finally:
                if stalled.active():
                    stalled.cancel()
        if self.lost:
            raise Gone

    def soon(self, call: Callable[[], None]) -> None:
        self.owner.reactor.callLater(0, call)

    async def event(self) -> Event:
        while True:
            if self.lost or self.session.state is State.OVER:
                raise Gone
            event = self.engine.next()
            if isinstance(event, Overflow):
                self.bye(event.text)
                raise Gone
            if event is not None:
                return event
            await self._more()

    def expect_answer(self, prompt: bytes) -> None:
        self.engine.expect_answer()
        self.write(b"+ " + prompt + b"\r\n")

    async def ask(self, prompt: bytes) -> bytes:
        self.expect_answer(prompt)
        event = await self.event()
        assert isinstance(event, Answer)
        return event.line

    async def _more(self) -> None:
        if self._reading_stopped:
            self._reading_stopped = False
            self.transport.resumeProducing()
        self._waiting = Deferred()
        self._start_timer()
        try:
            await self._waiting
        finally:
            self._stop_timer()

    # time

    def _start_timer(self) -> None:
        clock = self.owner.reactor
        if self.session.state is State.GREETED:
            wait = max(0.0, self._sign_in_by - clock.seconds())
        elif self.engine.receiving:
            wait = STALLED
        elif self.session.on_change is not None:
            wait = STILL_HERE
        else:
            wait = AUTOLOGOUT
        self._timer = clock.callLater(wait, self._timed_out)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _timed_out(self) -> None:
        if self.session.on_change is not None and not self.engine.receiving:
            # an idling client is told that we live; a dead one is noticed by the failing write
            if self._full:
                self.abort()
                return
            self.write(b"* OK Still here\r\n")
            self._start_timer()
            return
        self.bye("Autologout")

    # the end

    def bye(self, text: str) -> None:
        """Say BYE and close; the session's coroutine ends at its next step."""
        if self.lost or self.session.state is State.OVER:
            return
        self.write(render.condition("*", "BYE", text))
        self._close()

    def _close(self) -> None:
        self.session.end()
        self._stop_timer()
        if not self.lost:
            if self._registered:
                # otherwise the transport would wait for more of us before it closes
                self.transport.unregisterProducer()
            if self._reading_stopped:
                self._reading_stopped = False
                self.transport.resumeProducing()
            self.transport.loseConnection()
        # a peer that never closes its side must not keep us
        self._timer = self.owner.reactor.callLater(SHUT_DOWN, self.abort)

    def finish(self, text: str) -> None:
        """BYE after the command in hand; an idling client and one between commands is told at once."""
        if self._busy and (self._waiting is None or self.engine.receiving):
            self._leaving = True
        else:
            self.bye(text)

    def abort(self) -> None:
        if not self.lost:
            self.transport.abortConnection()

    # the loop

    async def _serve(self) -> None:
        done = 0
        while True:
            event = await self.event()
            done += 1
            if done % AT_ONCE == 0:
                await self.drain()
            self._busy = True
            try:
                await self._handle(event)
            finally:
                self._busy = False
            if self._leaving:
                self.bye(GOING)
                return
            if self._full:
                await self.drain()

    async def _handle(self, event: Event) -> None:
        if isinstance(event, Long):
            box = self.session.box
            event = event.read() if box is None else await box.compute(event.read)
        if isinstance(event, Request):
            await self._execute(event.tag, event.command)
        elif isinstance(event, Continue):
            self.write(b"+ OK\r\n")
        elif isinstance(event, AppendHead):
            await self._answer(event.tag, self.owner.commands.append(self.session, self.engine, event))
        else:
            assert isinstance(event, Invalid)
            self.write(render.condition(event.tag, "NO" if event.no else "BAD", event.text, event.code))
            self._count_error()

    def _count_error(self) -> None:
        self._errors += 1
        if self._errors >= ERRORS and self.session.state is State.GREETED:
            self.bye("Too many errors")

    async def _execute(self, tag: str, command: Command) -> None:
        if isinstance(command, Logout):
            self.write(render.condition("*", "BYE", "Until later") + render.condition(tag, "OK", "Logged out"))
            self._close()
        elif isinstance(command, StartTls):
            self._start_tls(tag)
        else:
            await self._answer(tag, self.owner.commands.run(self.session, tag, command))

    async def _answer(self, tag: str, work: object) -> None:
        """Runs a handler and speaks its outcome: the one place where an exception becomes a reply."""
        session = self.session
        signed_in = session.mailbox is not None
        try:
            done = await work  # type: ignore[misc]
            assert isinstance(done, Done)
        except (Gone, CancelledError):
            raise
        except Refusal as refusal:
            await session.tell_all(expunges=False)
            self.write(render.condition(tag, refusal.state, refusal.text, refusal.code))
            self._count_error()
            return
        except Spoken as failure:
            self.log.warn("IMAP command failed: {reason}", reason=failure.reason)
            self.write(render.condition(tag, "NO", failure.reply.text, "UNAVAILABLE"))
            return
        except Exception:
            self.log.failure("IMAP command failed")
            self.write(render.condition(tag, "NO", "Internal error, please try again later", "SERVERBUG"))
            return
        if self.session.state is State.OVER:
            return
        if not signed_in and session.mailbox is not None:
            self.engine.limit = LINE_AFTER
            self._errors = 0
        # numbers in commands that were sent already are those that the client was told before
        await session.tell_all(done.expunges and (done.shifts or not self.engine.buffered))
        code = done.code
        if done.highestmodseq and session.qresync and session.view is not None:
            code = f"HIGHESTMODSEQ {session.view.highestmodseq}"
        self.write(render.condition(tag, "OK", done.text, code))

    def _start_tls(self, tag: str) -> None:
        """RFC 3501 section 6.2.1. What a client sent ahead in the clear is never run inside TLS: that is an
        injection."""
        if self.secure or self.owner.tls is None or self.session.state is not State.GREETED:
            self.write(render.condition(tag, "BAD", "STARTTLS is not available now"))
            self._count_error()
            return
        if self.engine.buffered:
            self.bye("Commands sent ahead of TLS")
            return
        self.write(render.condition(tag, "OK", "Begin TLS negotiation now"))
        self.transport.startTLS(self.owner.tls)
        self.secure = True
        self.session.peer = self.peer

    def _capabilities(self) -> list[str]:
        starttls = self.owner.tls is not None and not self.secure
        return self.owner.commands.capabilities(self.secure or self.clear_auth, starttls)

    def _failed(self, failure: Failure) -> None:
        if failure.check(Gone, CancelledError) is None:
            self.log.failure("IMAP session failed", failure=failure)
            self.abort()


def _on_loopback(transport: Any) -> bool:
    """Whether the listener's address is one that only this machine reaches (a UNIX socket has no host)."""
    host = getattr(transport.getHost(), "host", None)
    if host is None:
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
