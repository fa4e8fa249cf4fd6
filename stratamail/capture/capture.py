"""The door's way into the store: begins transactions, commits messages, and counts what was refused.

Writes: message rows and their deliveries through the committer; the counters ``untrusted:DOMAIN`` (recipients refused
because the peer is not on the domain's list), a few seconds late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from sqlalchemy import func, select
from sqlalchemy.engine import Connection
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure as TwistedFailure

from stratamail.capture import policy
from stratamail.capture.peers import IPAddress, Networks, Peers
from stratamail.capture.policy import Peer, Refused, Verdict
from stratamail.capture.signing import Signer
from stratamail.capture.transaction import Transaction
from stratamail.config.settings import Settings
from stratamail.mail.address import key
from stratamail.mail.envelope import Envelope
from stratamail.mail.reply import LOCAL_ERROR, Failure, Reply
from stratamail.store import model
from stratamail.store.model import Message, NewDelivery, NewMessage, Source
from stratamail.store.queue import counters, verdicts
from stratamail.store.queue.schema import deliveries, messages
from stratamail.store.spool import Sealed, Spool
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Domain

T = TypeVar("T")

# how late the counts of refusals may be on disk, seconds
COUNT_EVERY = 5.0


class Committing(Protocol):
    """The committer, as far as capture needs it."""

    def commit(self, new: NewMessage) -> Deferred[Message]: ...

    def write(self, function: Callable[[Connection], T]) -> Deferred[T]: ...


class Capture:
    """One for all SMTP doors. ``directory`` gives today's picture of the catalog; ``signer`` signs what is
    submitted."""

    _log = Logger()

    def __init__(
        self,
        directory: Callable[[], Directory],
        committer: Committing,
        spool: Spool,
        settings: Settings,
        reactor: IReactorTime,
        signer: Signer | None = None,
    ) -> None:
        self.directory = directory
        self.signer = signer
        # called when a message is durable whose signatures are to be judged
        self.on_unjudged: Callable[[], None] | None = None
        self.spool = spool
        self.hostname = settings.server.hostname
        self.limit = settings.limits.message_size
        self.peers = Peers(settings.limits, reactor.seconds)
        self._committer = committer
        self._reactor = reactor
        self._refusals: dict[str, int] = {}
        self._networks = Networks(())
        self._networks_of: Directory | None = None

    def now(self) -> int:
        """Microseconds since the epoch."""
        return int(self._reactor.seconds() * 1_000_000)

    def trusted(self, ip: IPAddress | None) -> bool:
        """Whether some domain's list names the peer: limits for each peer do not bind it."""
        directory = self.directory()
        if directory is not self._networks_of:
            self._networks = Networks.of_domains(directory.domains())
            self._networks_of = directory
        return ip in self._networks

    def begin(self, peer: Peer, envelope: Envelope) -> Transaction:
        """MAIL. ``envelope`` has no recipients yet. Raises ``Failure``: 553 for a sender that is not the user's own,
        451 for a peer over its rate, 452 when the disk reserve would be touched."""
        if peer.mailbox is not None:
            # the null sender is that of receipts (RFC 8098), which mail programs submit too
            sender = envelope.sender
            if sender and not self.directory().may_send_as(peer.mailbox, sender):
                raise Refused(policy.NOT_YOURS)
        elif not peer.trusted:
            slow = self.peers.message(peer.ip)
            if slow is not None:
                raise Failure(slow, "rate")
        self.spool.reserve.check(envelope.size)
        return Transaction(self, peer, envelope)

    def commit(self, new: NewMessage) -> Deferred[Message]:
        """Make a message durable. Its recipients were resolved in the same turn, so that the committer's barrier covers
        every capture that knows an older directory."""
        done = self._committer.commit(new)
        return done.addCallback(self._unjudged) if new.dkim == verdicts.UNJUDGED else done

    def _unjudged(self, message: Message) -> Message:
        if self.on_unjudged is not None:
            self.on_unjudged()
        return message

    def answer(self, done: Deferred[Message]) -> Deferred[Reply]:
        """What the peer hears of a commit."""
        return done.addCallbacks(_queued, self._not_queued)

    def _not_queued(self, failure: TwistedFailure) -> Reply:
        return self.spoken(failure)

    def spoken(self, failure: TwistedFailure) -> Reply:
        """The reply that an error carries; a fault of ours is logged and is temporary (never a bounce)."""
        error = failure.value
        if isinstance(error, Failure):
            if not error.reply.permanent:
                self._log.warn(
                    "a message was not taken: {reason} ({reply})", reason=error.reason, reply=error.reply.code
                )
            return error.reply
        self._log.failure("a message was not taken", failure)
        return LOCAL_ERROR

    def passes(self, ids: list[str]) -> Deferred[dict[str, int]]:
        """How often each recipient's key was taken under these ids of ours. Made-up ids count for nothing."""
        return self._committer.write(lambda conn: _passes(conn, ids[:200]))

    def take(self, envelope: Envelope, content: bytes, source: Source | None = None) -> Deferred[Message]:
        """Capture a message of our own (a DSN) like inbound mail: shown and owed to the primary. Recipients outside our
        domains are refused."""
        directory = self.directory()
        boxes: dict[int, None] = {}
        unclaimed: dict[str, None] = {}
        owed = []
        for recipient in envelope.recipients:
            resolution = directory.resolve(recipient.address)
            if resolution.domain is None:
                return fail(Refused(policy.RELAY_DENIED))
            name = resolution.domain.name
            owed.append(NewDelivery(recipient.address, key(recipient.address), name, model.PRIMARY, name))
            boxes.update(dict.fromkeys(resolution.mailboxes))
            if resolution.unclaimed:
                unclaimed[resolution.unclaimed] = None
        now = self.now()
        body = self.spool.new_body(self.spool.new_id(now))
        body.write(content)

        def commit(sealed: Sealed) -> Deferred[Message]:
            return self.commit(
                NewMessage(
                    body.id,
                    now,
                    model.INBOUND,
                    envelope,
                    source or Source(),
                    sealed.size,
                    sealed.sha256,
                    b"",
                    sealed.body,
                    tuple(boxes),
                    tuple(unclaimed),
                    _each_once(owed),
                )
            )

        return Deferred.fromCoroutine(body.seal()).addCallback(commit)

    # refusals

    def refused(self, verdict: Verdict, peer: Peer, domain: Domain | None) -> None:
        """Note a refusal; those for want of trust are counted on disk, for an administrator to see."""
        self._log.debug("refused {peer}: {reason}", peer=peer.address, reason=verdict.reason)
        if verdict.reason != policy.UNTRUSTED.reason or domain is None:
            return
        if not self._refusals:
            self._reactor.callLater(COUNT_EVERY, self.write_counts)
        name = domain.name
        if name not in self._refusals:
            self._log.warn("{domain}: mail from {peer}, which is not on its list", domain=name, peer=peer.address)
        self._refusals[name] = self._refusals.get(name, 0) + 1

    def write_counts(self) -> Deferred[None]:
        """Write the counts down; the app calls it at the end too. Never fails."""
        counts, self._refusals = self._refusals, {}

        def write(conn: Connection) -> None:
            for name, by in counts.items():
                counters.add(conn, f"untrusted:{name}", by)

        if not counts:
            done: Deferred[None] = Deferred()
            done.callback(None)
            return done
        return self._committer.write(write).addErrback(self._uncounted)

    def _uncounted(self, failure: TwistedFailure) -> None:
        self._log.warn("counts of refused mail were lost: {error}", error=failure.getErrorMessage())


def _queued(message: Message) -> Reply:
    return Reply(250, "2.0.0", f"Ok: queued as {message.id}")


def _each_once(owed: Sequence[NewDelivery]) -> tuple[NewDelivery, ...]:
    return tuple({delivery.key: delivery for delivery in owed}.values())


def _passes(conn: Connection, ids: list[str]) -> dict[str, int]:
    query = (
        select(deliveries.c.key, func.count(messages.c.seq.distinct()))
        .join(messages, messages.c.seq == deliveries.c.seq)
        .where(messages.c.id.in_(ids))
        .group_by(deliveries.c.key)
    )
    return {name: int(count) for name, count in conn.execute(query)}
