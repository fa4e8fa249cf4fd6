"""APPEND (RFC 3501 section 6.3.11, RFC 4315 APPENDUID, RFC 7889 APPENDLIMIT): decided before the message comes, then
streamed.

The message goes to the spool as it comes (``shadow.box.Upload``); a client that goes away leaves nothing behind.
"""

from __future__ import annotations

from stratamail.imap.engine import AppendEnd, AppendHead, Chunk, ServerEngine
from stratamail.servers.imap_session import Done, Refusal, Session, refused
from stratamail.shadow.box import Upload
from stratamail.store.mailbox_values import MailboxError


class AppendCommand:
    """``message_size`` is the largest message taken."""

    def __init__(self, message_size: int) -> None:
        self._message_size = message_size

    async def append(self, session: Session, engine: ServerEngine, head: AppendHead) -> Done:
        try:
            upload = await self._welcome(session, head)
        except BaseException:
            engine.refuse(head.waits)
            raise
        try:
            engine.accept()
            if head.waits:
                session.write(b"+ OK\r\n")
            await self._receive(session, upload)
            appended = await refused(session.the_box().append(head.append.mailbox, [upload]))
        except BaseException:
            upload.body.abandon()
            raise
        return Done("Appended", f"APPENDUID {appended.uidvalidity} {appended.uids[0]}")

    async def _welcome(self, session: Session, head: AppendHead) -> Upload:
        if head.append.size > self._message_size:
            raise Refusal("The message is too large", "TOOBIG")
        if head.append.size == 0:
            raise Refusal("A message has at least one octet")
        box = session.the_box()
        await refused(box.require(head.append.mailbox))
        try:
            return box.upload(head.append.flags, head.append.date)
        except MailboxError as error:
            raise Refusal(error.text, error.code) from error

    async def _receive(self, session: Session, upload: Upload) -> None:
        while True:
            event = await session.link.event()
            if isinstance(event, Chunk):
                wait = upload.body.write(event.data)
                if wait is not None:
                    await wait
            else:
                assert isinstance(event, AppendEnd)
                if event.error:
                    raise Refusal(event.error, state="BAD")
                return
