"""One transaction of a lane with its destination: open or reuse the connection, send, and say what became of each
recipient.

Writes nothing; the lane records what comes back.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence

from attrs import Factory, evolve, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from stratamail.mail.envelope import Envelope, Recipient
from stratamail.net import tls
from stratamail.net.evidence import RELAY, Evidence
from stratamail.net.pipeline import Pipeline
from stratamail.net.resolver import Resolver
from stratamail.net.smtp import Reactor, Session, Timeouts, TlsClient, Unreachable, open_session, spoken
from stratamail.net.transaction import Answer, send
from stratamail.profiles.codes import judge
from stratamail.profiles.primaries import per_connection
from stratamail.relay.content import Bodies, Broken, Stored, Whole
from stratamail.relay.judging import Judged, judged, reportable
from stratamail.relay.kinds import Kinds
from stratamail.relay.routes import Route
from stratamail.smtp.client import NEEDS_SMTPUTF8, CannotSend, as_ascii
from stratamail.store.bodies import MissingBody
from stratamail.store.model import WORLD, Delivery
from stratamail.store.pool import Pool
from stratamail.store.queue.lanes import GIVEN_UP, REFUSED, UNTRIED, Result

# this file cannot be read, today or tomorrow; any other error of the disk is everybody's
_UNREADABLE = (errno.EIO, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP)
_LONE_DOT = "a dot alone between bare line ends could end it early there, and the server does not offer CHUNKING"


@frozen
class Line:
    """How to reach out: what all lanes share."""

    reactor: Reactor
    hostname: str
    resolver: Resolver
    bodies: Bodies
    disk: Pool
    timeouts: Timeouts
    tls_client: TlsClient = tls.client
    kinds: Kinds = Factory(Kinds)


@frozen
class Attempt:
    """``judged`` one for each delivery, in order. ``broken``: the connection failed, or never came about; ``text``
    says how. ``wait``, ``cure`` and ``scope`` (``profiles.codes``) of a reply about the server, which pauses the
    lane (``server``). ``at_mail``: that
    was a permanent refusal of MAIL, perhaps for its sender."""

    judged: tuple[Judged, ...]
    broken: bool = False
    server: bool = False
    wait: float = 0.0
    cure: str = ""
    text: str = ""
    evidence: Evidence | None = None
    at_mail: bool = False
    scope: str = ""

    @property
    def results(self) -> list[Result]:
        return [one.result for one in self.judged]


class Caller:
    """Keeps the connection of one lane. ``now`` gives µs."""

    log = Logger()

    def __init__(self, line: Line, now: Callable[[], int]) -> None:
        self._line = line
        self._now = now
        self._session: Session | None = None
        self._route: Route | None = None
        # messages on this connection, and how many it takes
        self._sent = 0
        self._most = 0
        self._pipeline: Pipeline | None = None

    def close(self) -> None:
        """QUIT, if a connection is open."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def abort(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.connection.give_up("we stop")

    async def _open(self, route: Route) -> Session:
        """The connection to the first of the route's hosts that answers. Raises ``Unreachable`` of the last."""
        session = self._session
        if (
            session is not None
            and session.usable
            and self._sent < self._most
            # the primary may have been moved meanwhile
            and route == self._route
        ):
            return session
        self.close()
        failure = Unreachable("resolve", "no host to deliver to")
        line = self._line
        for where in route.hosts:
            try:
                self._session = await open_session(
                    line.reactor,
                    where,
                    hostname=line.hostname,
                    policy=route.tls,
                    resolver=line.resolver,
                    timeouts=line.timeouts,
                    tls_client=line.tls_client,
                )
            except Unreachable as error:
                failure = Unreachable(error.stage, f"{where}: {error.text}", error.reply)
                continue
            line.kinds.greeted(where, self._session.connection.banner)
            self._sent = 0
            self._most = per_connection(route.profile, self._session.connection.banner)
            self._route = route
            return self._session
        raise failure

    def suits(self, route: Route, group: Sequence[Delivery], whole: Whole, ahead: int = 0) -> bool:
        """Whether a message can go beside others over the connection that is open, after ``ahead`` that are still to
        be sent."""
        session, message = self._session, group[0].message
        if session is None or not session.usable or route != self._route:
            return False
        offer = session.offer
        return (
            offer.pipelining
            and self._sent + ahead < self._most
            and (offer.chunking or not whole.lone_dot)
            and (not offer.size or len(whole.data) <= offer.size)
            and (offer.smtputf8 or (message.sender.isascii() and all(one.recipient.isascii() for one in group)))
        )

    def begin(self, group: Sequence[Delivery], whole: Whole, again: int) -> Deferred[Attempt]:
        """Send a message that :meth:`suits` behind those that are on their way. Fires, never with an error, when all is
        known of it."""
        session, route = self._session, self._route
        assert session is not None
        assert route is not None
        if self._pipeline is None or self._pipeline.session is not session:
            self._pipeline = Pipeline(session, self._line.reactor, self._line.timeouts)
        self._sent += 1
        envelope = _envelope(group, len(whole.data))
        sent = self._pipeline.send(envelope, envelope.recipients, whole.data)
        sha256 = group[0].message.sha256
        return sent.addCallback(
            lambda sent: self._verdict(session, group, sent.answers, sha256, again, False, route.smart)
        )

    async def attempt(self, route: Route, group: Sequence[Delivery], again: int, canary: bool) -> Attempt:
        """Send one message to the recipients of ``group``, all marked and of one message. Never raises but
        CancelledError."""
        message = group[0].message
        try:
            session = await self._open(route)
        except Unreachable as error:
            return _unreachable(group, error)
        fit = [one for one in group if session.offer.smtputf8 or as_ascii(one.recipient).isascii()]
        if fit and len(fit) < len(group):
            # the others of the message are not to suffer for it
            unfit = [one for one in group if one not in fit]
            attempt = await self.attempt(route, fit, again, canary)
            return evolve(attempt, judged=attempt.judged + _ours(unfit, NEEDS_SMTPUTF8).judged)
        stored = Stored(message, self._line.bodies, self._line.disk)
        try:
            await stored.open(look=not session.offer.chunking)
            if stored.lone_dot:
                return _ours(group, _LONE_DOT)
            for _ in range(2):
                reused = self._sent > 0
                self._sent += 1
                answers = await self._send(session, group, stored)
                # an idle connection that the server had closed meanwhile says nothing about its health
                if not (reused and all(one.reply is None and one.stage == "MAIL" for one in answers)):
                    break
                self._session = None
                try:
                    session = await self._open(route)
                except Unreachable as error:
                    return _unreachable(group, error)
                stored.close()
                stored = Stored(message, self._line.bodies, self._line.disk)
                await stored.open(look=not session.offer.chunking)
                if stored.lone_dot:
                    return _ours(group, _LONE_DOT)
        except (MissingBody, Broken) as error:
            return self._unreadable(group, str(error))
        except CannotSend as error:
            return _ours(group, error.text)
        except CancelledError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _UNREADABLE:
                return self._unreadable(group, f"the stored message {message.id} cannot be read: {error.strerror}")
            # our disk, or our fault: nothing was completed at the peer, and it is no one's refusal
            self.log.failure("message {id} could not be sent", id=message.id)
            self.abort()
            text = f"local error: {error}"
            return Attempt(tuple(_judged(one, Result(one.id, UNTRIED, text)) for one in group), broken=True, text=text)
        finally:
            stored.close()
        attempt = self._verdict(session, group, answers, stored.sha256, again, canary, route.smart)
        if attempt.broken or not session.usable:
            self.abort()
        elif attempt.server:
            self.close()
        return attempt

    def _unreadable(self, group: Sequence[Delivery], reason: str) -> Attempt:
        """Held, mail to the world too: a fault of ours is nobody's refusal, and a person may mend it."""
        self.log.error("message {id} cannot be relayed: {reason}", id=group[0].message.id, reason=reason)
        return Attempt(tuple(_judged(one, Result(one.id, REFUSED, reason)) for one in group))

    async def _send(self, session: Session, group: Sequence[Delivery], stored: Stored) -> Sequence[Answer]:
        envelope = _envelope(group, stored.size)
        return (await send(session, envelope, envelope.recipients, stored, self._line.timeouts)).answers

    def _verdict(
        self,
        session: Session,
        group: Sequence[Delivery],
        answers: Sequence[Answer],
        sha256: str,
        again: int,
        canary: bool,
        smart: bool,
    ) -> Attempt:
        now = self._now()
        found = tuple(
            judged(one, answer, sha256, now, again, canary, smart) for one, answer in zip(group, answers, strict=True)
        )
        broken = any(one.meaning is None for one in found)
        about = next((one for one in found if one.meaning is not None and one.meaning.value == "server"), None)
        text = next((one.result.reply for one in found if one.meaning is None), "")
        said = next((answer for answer in answers if answer.reply is not None), None)
        evidence: Evidence | None = None
        if any(one.accepted for one in found):
            evidence = Evidence(True, "dot", f"{session.where}: accepted", RELAY, proof=True)
        elif broken:
            evidence = Evidence(False, answers[0].stage, f"{session.where}: {text}", RELAY)
        elif said is not None and said.reply is not None:
            evidence = Evidence(said.reply.code != 421, said.stage, f"{session.where}: {spoken(said.reply)}", RELAY)
        closing = session.connection.closing
        first = answers[0]
        at_mail = first.stage == "MAIL" and first.reply is not None and first.reply.permanent
        return Attempt(
            found,
            broken=broken or closing is not None,
            server=about is not None,
            wait=about.wait if about is not None else 0.0,
            cure=about.cure if about is not None else "",
            text=text or (about.result.reply if about is not None else ""),
            evidence=evidence,
            at_mail=at_mail and about is not None and not about.cure,
            scope=about.scope if about is not None else "",
        )


def _envelope(group: Sequence[Delivery], size: int) -> Envelope:
    message = group[0].message
    recipients = tuple(Recipient(one.recipient, one.notify, one.orcpt) for one in group)
    return Envelope(message.sender, recipients, message.body, message.smtputf8, message.ret, message.envid, size)


def _judged(delivery: Delivery, result: Result) -> Judged:
    return Judged(delivery, result, None)


def _unreachable(group: Sequence[Delivery], error: Unreachable) -> Attempt:
    """Nobody answered, or said 4xx or 5xx before the first command: that is about us or the server, nothing is held."""
    text = f"{error.stage}: {error.text}"
    verdict = judge(error.reply, error.stage) if error.reply is not None else None
    return Attempt(
        tuple(_judged(one, Result(one.id, UNTRIED, text)) for one in group),
        broken=True,
        server=verdict is not None,
        wait=verdict.wait if verdict is not None else 0.0,
        cure=verdict.cure if verdict is not None else "",
        text=text,
        evidence=Evidence(False, error.stage, error.text, RELAY),
        scope=verdict.scope if verdict is not None else "",
    )


def _ours(group: Sequence[Delivery], reason: str) -> Attempt:
    """It cannot go to this peer, or not at all, for a reason of ours or of its shape; the connection is fine."""
    found = []
    for one in group:
        world = one.destination == WORLD
        outcome = GIVEN_UP if world else REFUSED
        found.append(_judged(one, Result(one.id, outcome, reason, notice=world and reportable(one))))
    return Attempt(tuple(found))
