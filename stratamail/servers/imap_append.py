"""APPEND (RFC 3501 section 6.3.11, RFC 3502 MULTIAPPEND, RFC 3516 literal8, RFC 4315 APPENDUID, RFC 7889 APPENDLIMIT):
decided before each message comes, then streamed.

The messages go to the spool as they come (``shadow.box.Upload``); a client that goes away leaves nothing behind.
"""

from __future__ import annotations

from stratamail.imap.engine import AppendEnd, AppendHead, Chunk, ServerEngine
from stratamail.imap.sets import compress
from stratamail.servers.imap_session import Done, Refusal, Session, refused
from stratamail.shadow.box import Upload
from stratamail.store.mailbox_values import MailboxError

MOST = 1000
"""Messages of one APPEND: they are held back until the last has come."""


class AppendCommand:
    """``message_size`` is the largest message taken."""

    def __init__(self, message_size: int) -> None:
        self._message_size = message_size

    async def append(self, session: Session, engine: ServerEngine, head: AppendHead) -> Done:
        """All messages of the command or none (RFC 3502)."""
        uploads: list[Upload] = []
        more: AppendHead | None = head
        try:
            while more is not None:
                await self._begin(session, engine, more, uploads)
                more = await self._receive(session, uploads[-1])
        except BaseException:
            for upload in uploads:
                upload.body.withdraw()
            raise
        appended = await refused(session.the_box().append(head.append.mailbox, uploads))
        return Done("Appended", f"APPENDUID {appended.uidvalidity} {compress(appended.uids)}")

    async def _begin(self, session: Session, engine: ServerEngine, head: AppendHead, uploads: list[Upload]) -> None:
        try:
            if len(uploads) >= MOST:
                raise Refusal(f"More than {MOST} messages at once", "LIMIT")
            if uploads:
                # in its file and off our hands, however many follow
                await uploads[-1].body.seal()
            uploads.append(await self._welcome(session, head))
        except BaseException:
            engine.refuse(head.waits)
            raise
        engine.accept()
        if head.waits:
            session.write(b"+ OK\r\n")

    async def _welcome(self, session: Session, head: AppendHead) -> Upload:
        if head.append.size > self._message_size:
            raise Refusal("The message is too large", "TOOBIG")
        if head.append.size == 0:
            # also how a client takes back an APPEND of several messages
            raise Refusal("A message has at least one octet")
        box = session.the_box()
        if not head.more:
            await refused(box.require(head.append.mailbox))
        try:
            return box.upload(head.append.flags, head.append.date)
        except MailboxError as error:
            raise Refusal(error.text, error.code) from error

    async def _receive(self, session: Session, upload: Upload) -> AppendHead | None:
        """Takes one message; the head of the next, None at the end of the command."""
        while True:
            event = await session.link.event()
            if isinstance(event, Chunk):
                wait = upload.body.write(event.data)
                if wait is not None:
                    await wait
            elif isinstance(event, AppendHead):
                return event
            else:
                assert isinstance(event, AppendEnd)
                if event.error:
                    raise Refusal(event.error, event.code, "NO" if event.no else "BAD")
                return None
