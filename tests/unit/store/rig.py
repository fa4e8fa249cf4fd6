"""A whole store in a temporary folder, for tests: committer, spool, pools, mailboxes, filing, as the app wires them."""

from __future__ import annotations

import hashlib
import itertools
import os
from typing import Any

from stratamail.mail.envelope import Envelope, Recipient
from stratamail.store import database
from stratamail.store.bodies import Bodies
from stratamail.store.committer import Committer
from stratamail.store.filing import Filing
from stratamail.store.layout import Layout
from stratamail.store.mailboxes import Mailboxes
from stratamail.store.model import INBOUND, PRIMARY, Message, NewDelivery, NewMessage, Source
from stratamail.store.placing import Placing
from stratamail.store.pool import Pool
from stratamail.store.queue.counters import UidValidity
from stratamail.store.replay import Replayed, replay
from stratamail.store.reserve import Reserve
from stratamail.store.spool import Spool

TRACE = b"Received: from test by mx.test; Tue, 24 Nov 2026 12:00:00 +0000\r\n"
_clock = itertools.count(1_795_000_000_000_000, 1000)


class Rig:
    """``boxes`` maps mailbox ids to addresses."""

    def __init__(
        self, state: str, reactor: Any, boxes: dict[int, str], unclean: bool = False, reserve: int = 0, **committer: Any
    ) -> None:
        self.layout = Layout(state)
        self.boxes = boxes
        self.reactor = reactor
        self.engine = database.open_queue(self.layout)
        database.migrate(self.engine, "queue")
        self.reserve = Reserve(self.layout, reserve, reactor.seconds)
        self.files = Pool("files", 1, reactor)
        self.disk = Pool("disk", 4, reactor)
        self.committer = Committer(self.layout, reactor, self.reserve, **committer)
        self.spool = Spool(self.layout, self.disk, self.reserve)
        self.uidvalidity = UidValidity(self.committer, reactor.seconds)
        self.mailboxes = Mailboxes(self.layout, self.uidvalidity.draw, unclean)
        self.placing = Placing(
            self.layout,
            self.engine,
            self.mailboxes,
            self.boxes.get,
            self.committer.contents.get,
            self.spool.make_shard,
        )
        self.filing = Filing(self.layout, self.committer, self.placing, self.files, self.disk, reactor, self.reserve)
        self.bodies = Bodies(self.layout, self.engine, self.committer.contents.get)
        self.unclean = unclean

    def start(self) -> None:
        self.files.start()
        self.disk.start()
        self.committer.start()
        self.filing.start()

    async def replay(self) -> Replayed:
        return await replay(
            self.layout, self.engine, self.committer, self.filing, self.files, self.reactor.seconds, self.unclean
        )

    async def stop(self) -> None:
        await self.filing.stop()
        await self.committer.stop()
        await self.files.run(self.mailboxes.close)
        self.files.stop()
        self.disk.stop()
        self.engine.dispose()

    async def large(self, body: bytes, **fields: Any) -> NewMessage:
        """A message whose body goes through the spool, as capture does it."""
        id = self.spool.new_id(next(_clock))
        receiving = self.spool.new_body(id, TRACE, in_file=True)
        for start in range(0, len(body), 50_000):
            paused = receiving.write(body[start : start + 50_000])
            if paused is not None:
                await paused
        sealed = await receiving.seal()
        return new_message(body, id=id, in_file=sealed.body is None, **fields)

    def spooled(self, message: Message | NewMessage) -> bytes:
        with open(self.layout.message(message.id), "rb") as file:
            return file.read()

    def inbox(self, address: str) -> list[tuple[int, bytes]]:
        """(UID, content) of the messages in INBOX. In a test's own thread, when nothing is being filed."""
        loaded = self.mailboxes.load(address, "INBOX")
        found = []
        for uid in loaded.columns.uids:
            path = self.mailboxes.locate(address, "INBOX", uid)
            assert path is not None
            with open(path, "rb") as file:
                found.append((uid, file.read()))
        return found

    def leftovers(self) -> list[str]:
        """Temporary names below the spool."""
        return [
            name for _, _, names in os.walk(self.layout.spool) for name in names if name.endswith((".part", ".new"))
        ]


def new_message(
    body: bytes = b"Subject: hello\r\n\r\nworld\r\n",
    *,
    id: str = "",
    mailboxes: tuple[int, ...] = (1,),
    recipients: tuple[str, ...] = ("user@example.test",),
    in_file: bool = False,
    kind: str = INBOUND,
    **fields: Any,
) -> NewMessage:
    now = next(_clock)
    deliveries = tuple(
        NewDelivery(one, one.lower(), one.rpartition("@")[2], PRIMARY, one.rpartition("@")[2]) for one in recipients
    )
    return NewMessage(
        id=id or f"{now % 10**16:016d}",
        arrived=now,
        kind=kind,
        envelope=Envelope("sender@elsewhere.test", tuple(Recipient(one) for one in recipients)),
        source=Source("192.0.2.1", "elsewhere.test"),
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        trace=TRACE,
        body=None if in_file else body,
        mailboxes=mailboxes,
        deliveries=deliveries,
        **fields,
    )
