"""Messages that go from one mailbox into another: between a person's own and a shared one.

Writes links and index rows of both. No transaction spans two indexes: a message is durably there before it leaves here,
so that a crash shows it twice and never loses it. Belongs to the pool ``files``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from attrs import frozen

from stratamail.store import maildir
from stratamail.store.index import Index, Row
from stratamail.store.mailbox_access import words
from stratamail.store.mailbox_changes import MailboxChanges
from stratamail.store.mailbox_values import Added, Copied


@frozen
class _Source:
    """A message to be copied: its row, file, keywords and summary (None: it has none)."""

    row: Row
    path: str
    keywords: tuple[str, ...]
    summary: bytes | None


class MailboxSharing(MailboxChanges):
    """Copies across mailboxes; :class:`MailboxChanges` copies within one."""

    def copy_to(
        self, address: str, name: str, uids: Iterable[int], other: str, target: str, move: bool = False
    ) -> Copied:
        """As ``copy`` and ``move``, into the folder ``target`` of the mailbox ``other``. MailboxError "TRYCREATE" when
        there is no such folder, "LIMIT" when it cannot hold the keywords: nothing is copied then."""
        found = self._run(address, lambda index: self._to_cross(address, index, name, list(uids)))
        # the folder that the session opened is the one here, not its namesake there
        opened, self._opened = self._opened, None
        try:
            copied = self._run(other, lambda index: self._receive(other, index, target, found, durable=move))
        finally:
            self._opened = opened
        if move and found:
            self._run(address, lambda index: self._let_go(address, index, name, [source.row for source in found]))
        return copied

    def _to_cross(self, address: str, index: Index, name: str, uids: list[int]) -> list[_Source]:
        folder = self._folder(index, name)
        path = self._files.path(address, folder)
        summaries = dict(index.summaries(folder, uids))
        found = []
        for row in index.rows(folder, uids):
            file = self._files.source_of(path, row)
            if file is not None:
                keywords = tuple(words(folder, row.flags & ~0xFF))
                found.append(_Source(row, file, keywords, summaries.get(row.uid)))
        return found

    def _receive(self, address: str, index: Index, name: str, sources: list[_Source], durable: bool) -> Copied:
        folder = self._folder(index, name, "TRYCREATE")
        if not sources:
            return Copied(folder.uidvalidity, (), ())
        path = self._files.path(address, folder)
        self._require_room(index, folder, {word for source in sources for word in source.keywords})
        index.reserve(folder, uids=len(sources), modseqs=2)
        with self._changing(address, index, folder), index.change(durable=durable):
            rows = []
            for uid, source in enumerate(sources, folder.uidnext):
                row = source.row
                unique = f"{folder.uidvalidity:x}-{uid:x}"
                message = maildir.message_id(row.base)
                seconds = max(row.date, 0) // 1_000_000
                if message:
                    base = maildir.base(message, row.date, row.size, unique)
                else:
                    base = f"{seconds}.{unique},S={row.size}"
                flags = row.flags & 0x3F | self._mask(index, folder, source.keywords)
                self._files.link(address, source.path, os.path.join(path, maildir.relative(base, flags)))
                rows.append(Row(uid, 0, flags, row.size, row.date, base))
            rows = self._insert(index, folder, rows)
            kept = [(row.uid, source.summary) for row, source in zip(rows, sources, strict=True)]
            index.keep_summaries(folder, [(uid, summary) for uid, summary in kept if summary is not None])
        self.listener(address, folder.name, Added(tuple(rows), tuple(folder.keywords)))
        return Copied(folder.uidvalidity, tuple(source.row.uid for source in sources), tuple(row.uid for row in rows))

    def _let_go(self, address: str, index: Index, name: str, rows: list[Row]) -> None:
        folder = self._folder(index, name)
        # the index may have been built anew in between
        rows = [row for row in index.rows(folder, [row.uid for row in rows]) if row.base in {one.base for one in rows}]
        self._expunge(address, index, folder, rows)
