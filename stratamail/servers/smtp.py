"""The SMTP doors: ``smtp`` (mail from filters and the world), ``submission`` and ``submissions`` (our own users).

Writes nothing itself.
"""

from __future__ import annotations

from collections.abc import Collection

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.protocol import ServerFactory

from stratamail.capture.capture import Capture
from stratamail.capture.peers import Networks
from stratamail.config.settings import Settings
from stratamail.servers.smtp_session import DISABLED, STOPPING, Door, SignIn, SmtpSession
from stratamail.smtp.server_events import Offer

KINDS = ("smtp", "submission", "submissions")
# seconds that a body in hand may still take when the server stops
GRACE = 30.0


class SmtpFactory(ServerFactory):
    """One listener's connections. ``tls`` None: no STARTTLS (and no ``submissions``). ``signin`` answers AUTH."""

    noisy = False

    def __init__(
        self,
        kind: str,
        capture: Capture,
        settings: Settings,
        reactor: IReactorTime,
        tls: IOpenSSLServerConnectionCreator | None = None,
        signin: SignIn | None = None,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"no SMTP door is called {kind!r}")
        implicit = kind == "submissions"
        if implicit and tls is None:
            raise ValueError("submissions needs TLS")
        submission = kind != "smtp"
        offer = Offer(
            settings.server.hostname,
            settings.limits.message_size,
            settings.limits.recipients,
            starttls=tls is not None and not implicit,
            auth="tls" if submission else "",
            require_auth=submission,
        )
        self._reactor = reactor
        self._door = Door(kind, capture, reactor, offer, tls, implicit, signin, Networks(settings.listen.proxy_trust))

    @property
    def sessions(self) -> Collection[SmtpSession]:
        """The connections that are open."""
        return self._door.sessions

    def buildProtocol(self, addr: IAddress | None) -> SmtpSession:
        session = SmtpSession(self._door)
        session.factory = self
        return session

    def shut_down(self) -> Deferred[None]:
        """421 to everybody, after the body in hand where there is one (30 s at most). Fires when all are gone."""
        door = self._door
        door.stopping = True
        for session in list(door.sessions):
            session.stop(STOPPING)
        if not door.sessions:
            return succeed(None)
        if door.empty is None:
            door.empty = Deferred()
        done: Deferred[None] = Deferred()
        door.empty.addCallback(done.callback)
        late = self._reactor.callLater(GRACE, self._cut)
        done.addCallback(lambda _: late.cancel() if late.active() else None)
        return done

    def _cut(self) -> None:
        for session in list(self._door.sessions):
            session.abort()

    def drop(self, mailbox_ids: Collection[int]) -> None:
        """End the sessions of these mailboxes: they were disabled."""
        for session in list(self._door.sessions):
            if session.mailbox is not None and session.mailbox.id in mailbox_ids:
                session.stop(DISABLED)
