"""One message on its way in: MAIL, the recipients, the body, and what is committed of it at the dot.

Writes nothing itself: the body goes to the spool, the row to the committer.
"""

from __future__ import annotations

from typing import Protocol

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure as TwistedFailure

from stratamail.capture import policy
from stratamail.capture.policy import Peer, Verdict
from stratamail.capture.signing import Signer
from stratamail.capture.submission import Completer
from stratamail.mail.address import domain_key, key, split
from stratamail.mail.dkim_signing import Signing
from stratamail.mail.envelope import Envelope, Recipient
from stratamail.mail.headers import header_end
from stratamail.mail.received import hops, own_ids, received
from stratamail.mail.reply import Reply
from stratamail.store import model
from stratamail.store.model import Message, NewDelivery, NewMessage, Source
from stratamail.store.queue import verdicts
from stratamail.store.spool import Body, Sealed, Spool
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Domain, Resolution

# so much of a body is kept to look for its header's end; a loop shows in the newest fields, which stand first
_HEAD = 256 * 1024


class Host(Protocol):
    """What a transaction needs of the capture that began it."""

    hostname: str
    limit: int
    spool: Spool

    def directory(self) -> Directory: ...

    def now(self) -> int: ...

    def refused(self, verdict: Verdict, peer: Peer, domain: Domain | None) -> None: ...

    def passes(self, ids: list[str]) -> Deferred[dict[str, int]]: ...

    @property
    def signer(self) -> Signer | None: ...

    def commit(self, new: NewMessage) -> Deferred[Message]: ...

    def answer(self, done: Deferred[Message]) -> Deferred[Reply]: ...


@frozen
class Taken:
    """An accepted recipient. ``resolution`` None: mail for the world."""

    recipient: Recipient
    key: str
    resolution: Resolution | None
    trusted: bool = False


class Transaction:
    """Made by ``Capture.begin``. After :meth:`finish` or :meth:`abandon` it is over."""

    def __init__(self, capture: Host, peer: Peer, envelope: Envelope) -> None:
        self._capture = capture
        self._peer = peer
        self._envelope = envelope
        self._directory = capture.directory()
        self._taken: dict[str, Taken] = {}
        self._body: Body | None = None
        self._completer: Completer | None = None
        self._trace = b""
        self._head = b""
        self._head_open = True
        self._finishing = False
        self._began = False
        self._signing: Signing | None = None
        self._dkim = verdicts.NONE

    # recipients

    def recipient(self, recipient: Recipient) -> Verdict:
        """Decide on one RCPT; taken ones are remembered, each address once."""
        mailbox = self._peer.mailbox
        address = recipient.address
        if "@" not in address:
            # RFC 5321 4.5.1: postmaster needs no domain; a user means their own
            home = split(mailbox.address)[1] if mailbox is not None else self._capture.hostname
            recipient = evolve(recipient, address=f"{address}@{home}")
            address = recipient.address
            if mailbox is None and self._directory.domain(home) is None:
                return self._remember(Taken(recipient, key(address), Resolution(None, True, (), key(address))))
        if mailbox is not None:
            if not self._directory.same_customer(mailbox, address):
                return self._remember(Taken(recipient, key(address), None))
            resolution = self._directory.resolve(address)
            verdict = policy.judge_local(address, resolution)
            trusted = False
        else:
            resolution = self._directory.resolve(address)
            domain = resolution.domain
            trusted = domain is not None and bool(domain.trust) and policy.trusts(domain, self._peer.ip)
            verdict = policy.judge_recipient(address, resolution, trusted)
        if verdict.reply.code >= 400:
            self._capture.refused(verdict, self._peer, resolution.domain)
            return verdict
        return self._remember(Taken(recipient, key(address), resolution, trusted))

    def _remember(self, taken: Taken) -> Verdict:
        self._taken.setdefault(taken.key, taken)
        return policy.TAKEN

    # the body

    def open_body(self) -> None:
        """The body is about to come. Raises ``Failure`` (452 when the disk reserve would be touched)."""
        capture = self._capture
        capture.spool.reserve.check(self._envelope.size)
        now = capture.now()
        given = self._envelope
        self._envelope = Envelope(
            given.sender,
            tuple([taken.recipient for taken in self._taken.values()]),
            given.body,
            given.smtputf8,
            given.ret,
            given.envid,
            given.size,
        )
        peer = self._peer
        name = capture.spool.new_id(now)
        self._trace = received(
            capture.hostname,
            name,
            now // 1_000_000,
            self._envelope,
            helo=peer.helo,
            peer=peer.address,
            tls=peer.tls,
            extended=peer.extended,
            signed_in=peer.mailbox is not None,
        )
        self._body = capture.spool.new_body(name, self._trace)
        if peer.mailbox is not None:
            mailbox = peer.mailbox
            self._completer = Completer(
                self._write_submitted,
                name,
                now // 1_000_000,
                capture.hostname,
                lambda address: self._directory.may_send_as(mailbox, address),
            )

    def write(self, data: bytes) -> Deferred[None] | None:
        """More of the body; a Deferred asks to stop reading until it fires."""
        body = self._body
        assert body is not None
        if self._completer is not None:
            return self._completer.write(data)
        if self._head_open:
            self._head = self._head + data if self._head else data
            self._head_open = len(self._head) < _HEAD and b"\n\r\n" not in self._head
        return body.write(data)

    def _write_submitted(self, data: bytes) -> Deferred[None] | None:
        """What the completer lets through: the whole header first, and what of the body came with it."""
        body = self._body
        assert body is not None
        if self._began:
            if self._signing is not None:
                self._signing.feed(data)
            return body.write(data)
        self._began = True
        signer = self._capture.signer
        if signer is not None:
            end = header_end(data)
            self._signing = signer.begin(data[:end], self._capture.now() // 1_000_000)
            if self._signing is not None:
                body.leave_room(self._signing.size)
                self._signing.feed(data[end:])
        return body.write(data)

    def finish(self, size: int, bare: bool) -> Deferred[Reply]:
        """The final dot. Fires with the reply once the message is durable or refused; never fails."""
        body = self._body
        assert body is not None
        self._finishing = True
        keep_bare = self._peer.mailbox is not None or all(taken.trusted for taken in self._taken.values())
        verdict = policy.judge_body(size, self._capture.limit, bare, keep_bare)
        if verdict.accepted and self._completer is not None:
            verdict = self._completer.finish()
        if not verdict.accepted:
            body.abandon()
            self._capture.refused(verdict, self._peer, None)
            return succeed(verdict.reply)
        header = self._head[: header_end(self._head)] if self._head else b""
        count, ids = hops(header, policy.MAX_HOPS), own_ids(header)
        if b"dkim-signature" in header.lower():
            self._dkim = verdicts.UNJUDGED
        self._head = b""
        try:
            if body.small and self._signing is None and len(ids) < policy.MAX_PASSES - 1:
                held = policy.loops(count, self._taken, {})
                done = self._commit(body.seal_small(), held)
            else:
                done = Deferred.fromCoroutine(self._finish_slowly(body, count, ids))
        except Exception:
            body.abandon()
            done = _failed()
        return self._capture.answer(done)

    async def _finish_slowly(self, body: Body, count: int, ids: list[str]) -> Message:
        """A large body, one that we sign, or one that says it passed us before."""
        try:
            if self._signing is not None:
                signer = self._capture.signer
                assert signer is not None
                self._trace += await signer.fields(self._signing)
                body.set_trace(self._trace)
            passes = await self._capture.passes(ids) if len(ids) >= policy.MAX_PASSES - 1 else {}
            sealed = await body.seal()
        except BaseException:
            body.abandon()
            raise
        return await self._commit(sealed, policy.loops(count, self._taken, passes))

    def abandon(self) -> None:
        """The peer went away, reset, or was refused. Idempotent; too late once :meth:`finish` was called."""
        if self._body is not None and not self._finishing:
            self._body.abandon()
            self._body = None

    # the commit

    def _commit(self, sealed: Sealed, held: dict[str, str]) -> Deferred[Message]:
        capture = self._capture
        peer = self._peer
        body, self._body = self._body, None
        assert body is not None
        mailbox = peer.mailbox
        boxes: dict[int, None] = {}
        unclaimed: dict[str, None] = {}
        deliveries = []
        changed = capture.directory() is not self._directory
        for name, taken in self._taken.items():
            resolution = taken.resolution
            if resolution is not None and changed:
                # whoever was enrolled while the body came gets the copy; what was accepted stays accepted
                today = capture.directory().resolve(taken.recipient.address)
                resolution = today if today.domain is not None else resolution
            delivery = self._owed(taken, name, resolution, held.get(name, ""))
            if delivery is not None:
                deliveries.append(delivery)
            if resolution is not None:
                for box in resolution.mailboxes:
                    boxes[box] = None
                if resolution.unclaimed:
                    unclaimed[resolution.unclaimed] = None
        return capture.commit(
            NewMessage(
                body.id,
                capture.now(),
                model.SUBMITTED if mailbox is not None else model.INBOUND,
                self._envelope,
                Source(
                    peer.address,
                    peer.helo,
                    peer.tls,
                    mailbox.address if mailbox is not None else "",
                    all(taken.trusted for taken in self._taken.values()),
                ),
                sealed.size,
                sealed.sha256,
                self._trace,
                sealed.body,
                tuple(boxes),
                tuple(unclaimed),
                tuple(deliveries),
                dkim=self._dkim,
            )
        )

    def _owed(self, taken: Taken, name: str, resolution: Resolution | None, held: str) -> NewDelivery | None:
        recipient = taken.recipient
        if resolution is None:
            mailbox = self._peer.mailbox
            assert mailbox is not None
            sender_domain = split(mailbox.address)[1]
            lane = domain_key(split(recipient.address)[1])
            return NewDelivery(
                recipient.address, name, sender_domain, model.WORLD, lane, recipient.notify, recipient.orcpt, held
            )
        if resolution.domain is None:
            return None
        domain = resolution.domain.name
        return NewDelivery(
            recipient.address, name, domain, model.PRIMARY, domain, recipient.notify, recipient.orcpt, held
        )


def _failed() -> Deferred[Message]:
    done: Deferred[Message] = Deferred()
    done.errback(TwistedFailure())
    return done
