"""What is read from mailboxes and what is kept beside their messages: columns, counts, rendered bytes, summaries.

Writes caches in ``index.sqlite``. Belongs to the pool ``files``.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence

from stratamail.store import maildir
from stratamail.store.index import Folder, Index
from stratamail.store.mailbox_outside import MailboxOutside
from stratamail.store.mailbox_values import Loaded, Status


class MailboxReading(MailboxOutside):
    """Reads; changes no message."""

    def load(self, address: str, name: str) -> Loaded:
        """A folder whole, for a session that opens it."""

        def act(index: Index) -> Loaded:
            folder = self._looked(address, index, name)
            return Loaded(
                folder.name, folder.uidvalidity, folder.uidnext, folder.modseq, folder.recent,
                tuple(folder.keywords), index.load(folder),
            )  # fmt: skip

        return self._run(address, act)

    def status(self, address: str, name: str) -> Status:
        def act(index: Index) -> Status:
            folder = self._looked(address, index, name)
            messages, unseen, octets = index.counts(folder)
            recent = len(index.since(folder, folder.recent))
            return Status(messages, recent, unseen, folder.uidnext, folder.uidvalidity, folder.modseq, octets)

        return self._run(address, act)

    def deleted(self, address: str, name: str) -> tuple[int, int]:
        """(messages, octets) of what carries \\Deleted."""

        def act(index: Index) -> tuple[int, int]:
            rows = index.deleted(self._folder(index, name))
            return len(rows), sum(row.size for row in rows)

        return self._run(address, act)

    def _looked(self, address: str, index: Index, name: str) -> Folder:
        """A folder as it is on disk now."""
        self._look_at_tree(address, index)
        folder = self._folder(index, name)
        self._look_at(address, index, folder)
        return folder

    def vanished(self, address: str, name: str, since: int) -> tuple[list[int], bool]:
        """The UIDs that were expunged with a mod-sequence above ``since`` (RFC 7162 section 3.2.5.1), ascending, and
        whether those are all: when False the folder remembers younger expunges only."""
        return self._run(address, lambda index: index.vanished(self._folder(index, name), since))

    def claim_recent(self, address: str, name: str, before: int) -> None:
        """A session was told of all messages with a UID below ``before``: nobody else calls them recent."""

        def act(index: Index) -> None:
            folder = self._folder(index, name)
            if folder.recent < before:
                with index.change():
                    folder.recent = before
                    index.save(folder)

        self._run(address, act)

    def locate(self, address: str, name: str, uid: int) -> str | None:
        """Where a message's file is now, whatever another tool did to its name; the spool's when its link is gone."""

        def act(index: Index) -> str | None:
            folder = self._folder(index, name)
            rows = index.rows(folder, (uid,))
            return self._files.source_of(self._files.path(address, folder), rows[0]) if rows else None

        return self._run(address, act)

    # rendered bytes

    def cached(self, address: str, name: str, kind: str, uids: Iterable[int]) -> dict[int, bytes]:
        """Bytes that were kept under ``kind`` ("header", "envelope" …), by UID."""
        return self._run(address, lambda index: index.cached(self._folder(index, name), kind, uids))

    def keep(self, address: str, name: str, kind: str, data: Sequence[tuple[int, bytes]]) -> None:
        """Keep rendered bytes by UID; they go with the message or the index, and along with its copies."""

        def act(index: Index) -> None:
            with index.change():
                index.keep(self._folder(index, name), kind, data)

        self._run(address, act)

    # summaries

    def summaries(self, address: str, name: str, uids: Iterable[int]) -> dict[int, bytes]:
        """The summaries that are kept, by UID."""
        return self._run(address, lambda index: dict(index.summaries(self._folder(index, name), uids)))

    def keep_summaries(self, address: str, name: str, data: Sequence[tuple[int, bytes]]) -> None:
        """Keep summaries by UID, as :meth:`keep` does with rendered bytes."""

        def act(index: Index) -> None:
            with index.change():
                index.keep_summaries(self._folder(index, name), data)

        self._run(address, act)

    # the whole mailbox

    def count(self, address: str) -> int:
        """Messages in all folders."""
        return self.usage(address)[0]

    def usage(self, address: str) -> tuple[int, int]:
        """(messages, octets) in all folders, each copy counted. Cheap but for the first time."""

        def act(index: Index) -> tuple[int, int]:
            totals = [index.total(folder) for folder in index.folders.values()]
            return sum(messages for messages, _ in totals), sum(octets for _, octets in totals)

        return self._run(address, act)

    def tally(self, address: str, ids: Collection[str]) -> dict[str, int]:
        """The flags of those of the messages ``ids`` that are here, whatever folder they are in now; by id, of all
        copies together."""
        if not ids or not os.path.isdir(self._files.root(address)):
            return {}
        flags: dict[str, int] = {}
        # an id begins with the time at which its message began to arrive
        since = maildir.time_of(min(ids))
        for base, bits in self._run(address, lambda index: index.dated(since)):
            message = maildir.message_id(base)
            if message in ids:
                flags[message] = flags.get(message, 0) | bits
        return flags
