"""Reports to senders (RFC 3464): to one of ours captured like inbound mail, to the world with a null sender."""

from __future__ import annotations

from collections.abc import Callable

from stratamail.capture.capture import Capture
from stratamail.mail import address
from stratamail.mail.envelope import Envelope, Recipient
from stratamail.store import model
from stratamail.store.committer import Committer
from stratamail.store.model import Message, NewDelivery, NewMessage, Source
from stratamail.store.spool import Spool


class Reports:
    """``submit`` returns when the report is durable."""

    def __init__(self, capture: Capture, committer: Committer, spool: Spool, now: Callable[[], int]) -> None:
        self._capture = capture
        self._committer = committer
        self._spool = spool
        self._now = now

    async def submit(self, recipient: str, domain: str, content: bytes) -> Message:
        """``recipient`` is the sender of what is given back, ``domain`` the protected domain concerned."""
        # null sender: a report is never answered (RFC 5321 section 4.5.5)
        # an internationalised sender can be named with SMTPUTF8 only (RFC 6531 section 3.4)
        envelope = Envelope("", (Recipient(recipient),), body="8BITMIME", smtputf8=not recipient.isascii())
        if self._capture.directory().resolve(recipient).domain is not None:
            return await self._capture.take(envelope, content)
        now = self._now()
        body = self._spool.new_body(self._spool.new_id(now))
        paused = body.write(content)
        if paused is not None:
            await paused
        sealed = await body.seal()
        lane = address.domain_key(address.split(recipient)[1])
        owed = NewDelivery(recipient, address.key(recipient), domain, model.WORLD, lane)
        return await self._committer.commit(
            NewMessage(
                id=body.id,
                arrived=now,
                kind=model.INBOUND,
                envelope=envelope,
                source=Source(),
                size=sealed.size,
                sha256=sealed.sha256,
                trace=b"",
                body=sealed.body,
                deliveries=(owed,),
            )
        )
