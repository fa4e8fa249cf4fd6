"""Commands about quotas (RFC 9208; RFC 2087 has the same three)."""

from __future__ import annotations

from stratamail.imap.commands import Command, GetQuota, GetQuotaRoot, SetQuota
from stratamail.imap.tokens import Cursor, mailbox_name


def get_quota(cursor: Cursor) -> Command:
    cursor.space()
    return GetQuota(mailbox_name(cursor.astring()))


def get_quota_root(cursor: Cursor) -> Command:
    cursor.space()
    return GetQuotaRoot(cursor.mailbox())


def set_quota(cursor: Cursor) -> Command:
    cursor.space()
    root = mailbox_name(cursor.astring())
    cursor.space()
    cursor.expect(b"(")
    first = True
    while not cursor.accept(b")"):
        if not first:
            cursor.space()
        first = False
        cursor.word()
        cursor.space()
        cursor.number()
    return SetQuota(root)
