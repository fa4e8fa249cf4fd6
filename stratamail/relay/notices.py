"""Reports to senders whose mail is given back: rows that ask for one (``notice``) become a message, captured like any
other.

The row is the cause, the report its effect: it is cleared when the report is durable, so that a stop between the two
can
repeat a report but never lose one. A report to us is shown *and* owed to the primary; one to the world goes out with
the null sender and is never answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy.engine import Connection
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from stratamail.mail import dsn
from stratamail.mail.headers import header_end
from stratamail.relay.content import Bodies
from stratamail.relay.records import Access
from stratamail.store.bodies import MissingBody
from stratamail.store.model import Delivery, Message
from stratamail.store.pool import Pool
from stratamail.store.queue import lanes

# recipient of the report, the protected domain concerned, the whole message; done when it is durable
SubmitReport = Callable[[str, str, bytes], Awaitable[object]]
_MOST_HEADER = 64 * 1024


class Notices:
    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        hostname: str,
        read: Access,
        write: Access,
        bodies: Bodies,
        disk: Pool,
        submit: SubmitReport,
    ) -> None:
        self._reactor = reactor
        self._hostname = hostname
        self._read = read
        self._write = write
        self._bodies = bodies
        self._disk = disk
        self._submit = submit
        self._working = False

    async def work(self) -> None:
        """Write the reports that are owed. One that cannot be captured now is tried at the next wake."""
        if self._working:
            return
        self._working = True
        try:
            owed: list[Delivery] = await self._read(lanes.notices)
            for delivery in owed:
                await self._one(delivery)
        finally:
            self._working = False

    async def _one(self, delivery: Delivery) -> None:
        """One that fails keeps no other waiting."""
        try:
            if delivery.message.sender:
                content = await self._report(delivery)
                await self._submit(delivery.message.sender, delivery.domain, content)
            await self._done(delivery.id)
        except CancelledError:
            raise
        except Exception:
            self.log.failure("a report on delivery {id} could not be captured, again later", id=delivery.id)

    async def _done(self, id: int) -> None:
        def work(conn: Connection) -> None:
            lanes.notice_done(conn, id)

        await self._write(work)

    async def _report(self, delivery: Delivery) -> bytes:
        header = await self._disk.run(self._header, delivery.message)
        return dsn.build(
            id=f"{delivery.message.id}.{delivery.id}",
            hostname=self._hostname,
            sender=delivery.message.sender,
            failed=[dsn.Failed(delivery.recipient, delivery.last_reply, delivery.orcpt)],
            header=header,
            now=self._reactor.seconds(),
            arrived=delivery.message.arrived / 1_000_000,
            envid=delivery.message.envid,
        )

    def _header(self, message: Message) -> bytes:
        """The header of the message as it came; nothing when the body is missing."""
        try:
            with self._bodies.open(message) as file:
                file.read(message.trace_size)
                data = file.read(_MOST_HEADER)
        except MissingBody:
            return b""
        return data[: header_end(data)]
