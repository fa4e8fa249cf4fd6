"""GETQUOTA and GETQUOTAROOT: what a mailbox holds (RFC 9208, RFC 2087). Nothing is ever refused for it.

The quota root of one's own mail is "", that of a shared mailbox its name. Writes nothing to disk.
"""

from __future__ import annotations

from stratamail.imap import render
from stratamail.imap.commands import GetQuota, GetQuotaRoot, SetQuota
from stratamail.servers.imap_session import Done, Refusal, Session, refused
from stratamail.store.mailbox_values import MailboxError

UNIT = 1024


class QuotaCommands:
    """``limit`` is what mail programs are shown as the room of a mailbox, in octets; 0: none is told of, and then no
    usage either, since the one cannot be written without the other (RFC 9208 section 7)."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    async def get_quota(self, session: Session, tag: str, command: GetQuota) -> Done:
        root = command.root
        names = session.the_box()
        try:
            known = not root or names.root(root) == root
        except MailboxError:
            known = False
        if not known:
            raise Refusal("There is no such quota root", "NONEXISTENT")
        session.write(await self._quota(session, root))
        return Done("Quota told")

    async def get_quota_root(self, session: Session, tag: str, command: GetQuotaRoot) -> Done:
        names = session.the_box()
        await refused(names.status(command.mailbox))
        try:
            root = names.root(command.mailbox)
        except MailboxError as error:
            raise Refusal(error.text, error.code) from error
        session.write(b"* QUOTAROOT %b %b\r\n" % (render.mailbox(command.mailbox), render.mailbox(root)))
        session.write(await self._quota(session, root))
        return Done("Quota root told")

    async def set_quota(self, session: Session, tag: str, command: SetQuota) -> Done:
        """RFC 9208 section 4.1.1: there is no QUOTASET here, nobody but an administrator sets limits."""
        raise Refusal("Limits are not set by mail programs", "NOPERM")

    async def _quota(self, session: Session, root: str) -> bytes:
        resources = b""
        if self._limit:
            _, octets = await refused(session.the_box().usage(root or "INBOX"))
            resources = b"STORAGE %d %d" % (-(-octets // UNIT), self._limit // UNIT)
        return b"* QUOTA %b (%b)\r\n" % (render.mailbox(root), resources)
