"""What becomes of messages: filed, appended, flagged, expunged, copied, moved.

Writes links below ``mail/<domain>/<user>/`` and rows in its ``index.sqlite``. Belongs to the pool ``files``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from attrs import frozen

from stratamail.store import maildir
from stratamail.store.index import Folder, Index, Row
from stratamail.store.mailbox_access import BUILT_IN, words
from stratamail.store.mailbox_outside import MailboxOutside
from stratamail.store.mailbox_values import Added, Appended, Arrival, Copied, Flagged, MailboxError, Removed


@frozen
class _Copy:
    row: Row
    target: Row


class MailboxChanges(MailboxOutside):
    """Each change is one transaction; the listener hears of it after its commit."""

    # mail from the spool

    def deliver(self, address: str, arrivals: Sequence[Arrival], name: str = maildir.INBOX) -> None:
        """Link messages into INBOX (or ``name``, while there is one), UIDs in order of seq. What is there already is
        left alone, what was expunged stays so, and a name without its file gets it back: a replay may call this
        again."""
        self._run(address, lambda index: self._deliver(address, index, arrivals, maildir.canonical(name)))

    def _deliver(self, address: str, index: Index, arrivals: Sequence[Arrival], into: str) -> None:
        folder = index.folders.get(into) or index.folders[maildir.INBOX]
        path = self._files.path(address, folder)
        named = {maildir.base(a.id, a.date, a.size): a for a in sorted(arrivals, key=lambda a: a.seq)}
        names = list(named)
        marked, known = index.marked(names), index.known(names)
        for name, (_, row) in known.items():
            self._files.file_of(address, path, row, named[name].path)
        fresh = [name for name in names if name not in known and name not in marked]
        if not fresh:
            return
        index.reserve(folder, uids=len(fresh))
        rows = []
        with self._changing(address, index, folder), index.change():
            for uid, name in enumerate(fresh, folder.uidnext):
                arrival = named[name]
                flags = maildir.IN_NEW
                if arrival.flags:
                    flags = self._mask(index, folder, arrival.flags)
                self._files.link(address, arrival.path, os.path.join(path, maildir.relative(name, flags)))
                rows.append(Row(uid, 0, flags, arrival.size, arrival.date, name))
            rows = self._insert(index, folder, rows)
        self.listener(address, folder.name, Added(tuple(rows), tuple(folder.keywords)))

    def append(self, address: str, name: str, arrivals: Sequence[Arrival]) -> Appended:
        """File spool files (of messages that are committed) in the folder ``name``, in the order given: all or none.
        MailboxError "LIMIT" when the folder cannot hold their keywords."""
        return self._run(address, lambda index: self._append(address, index, name, arrivals))

    def _append(self, address: str, index: Index, name: str, arrivals: Sequence[Arrival]) -> Appended:
        folder = self._folder(index, name)
        path = self._files.path(address, folder)
        self._require_room(index, folder, {flag for arrival in arrivals for flag in arrival.flags})
        index.reserve(folder, uids=len(arrivals))
        with self._changing(address, index, folder), index.change():
            rows = []
            for uid, arrival in enumerate(arrivals, folder.uidnext):
                flags = self._mask(index, folder, arrival.flags)
                base = maildir.base(arrival.id, arrival.date, arrival.size)
                self._files.link(address, arrival.path, os.path.join(path, maildir.relative(base, flags)))
                rows.append(Row(uid, 0, flags, arrival.size, arrival.date, base))
            rows = self._insert(index, folder, rows)
        self.listener(address, folder.name, Added(tuple(rows), tuple(folder.keywords)))
        return Appended(folder.uidvalidity, tuple(row.uid for row in rows))

    def _insert(self, index: Index, folder: Folder, rows: list[Row]) -> list[Row]:
        modseq = index.next_modseq(folder)
        saved = self._microseconds()
        rows = [row._replace(modseq=modseq, saved=saved) for row in rows]
        index.add(folder, rows)
        folder.uidnext = rows[-1].uid + 1 if rows else folder.uidnext
        index.save(folder)
        return rows

    def relink(self, address: str, id: str, path: str) -> None:
        """The spool file of ``id`` was written anew at ``path``: every name of the message becomes a name of it."""

        def act(index: Index) -> None:
            by_id = {folder.id: folder for folder in index.folders.values()}
            for folder_id, row in index.by_message(id):
                self._files.relink(address, self._files.path(address, by_id[folder_id]), row, path)

        self._run(address, act)

    # flags and expunge

    def set_flags(self, address: str, name: str, uids: Iterable[int], mode: str, flags: Iterable[str]) -> list[Row]:
        """``mode`` "+", "-" or "=". The rows as they are now, of those UIDs that exist. MailboxError "LIMIT" when the
        folder cannot hold so many keywords: nothing is changed then."""
        return self._run(address, lambda index: self._set_flags(address, index, name, uids, mode, list(flags))[0])

    def set_flags_unchanged(
        self, address: str, name: str, uids: Iterable[int], mode: str, flags: Iterable[str], unchanged_since: int
    ) -> tuple[list[Row], list[int]]:
        """As :meth:`set_flags`, of those messages only whose mod-sequence is at most ``unchanged_since`` (RFC 7162
        section 3.1.3); with their rows come the UIDs that were changed later, in the order asked."""
        wanted = list(flags)
        return self._run(
            address, lambda index: self._set_flags(address, index, name, uids, mode, wanted, unchanged_since)
        )

    def _set_flags(
        self,
        address: str,
        index: Index,
        name: str,
        uids: Iterable[int],
        mode: str,
        flags: list[str],
        unchanged_since: int | None = None,
    ) -> tuple[list[Row], list[int]]:
        folder = self._folder(index, name)
        if mode != "-":
            self._require_room(index, folder, flags)
        rows = index.rows(folder, uids)
        modified: list[int] = []
        if unchanged_since is not None:
            modified = [row.uid for row in rows if row.modseq > unchanged_since]
            rows = [row for row in rows if row.modseq <= unchanged_since]
        index.reserve(folder)
        changed: list[Row] = []
        with self._changing(address, index, folder), index.change():
            mask = self._mask(index, folder, flags, create=mode != "-")
            modseq = index.meta("modseq") + 1
            path = self._files.path(address, folder)
            for i, row in enumerate(rows):
                new = row.flags | mask if mode == "+" else row.flags & ~mask if mode == "-" else mask
                new = new & ~maildir.IN_NEW | row.flags & maildir.IN_NEW
                if new != row.flags:
                    new = self._files.refile(address, path, row, new)
                    rows[i] = row._replace(flags=new, modseq=modseq)
                    changed.append(rows[i])
            if changed:
                index.next_modseq(folder)
                index.set_flags(folder, ((row.uid, row.modseq, row.flags) for row in changed))
                index.save(folder)
        if changed:
            told = tuple((row.uid, row.modseq, row.flags) for row in changed)
            self.listener(address, folder.name, Flagged(told, tuple(folder.keywords)))
        return rows, modified

    def _require_room(self, index: Index, folder: Folder, flags: Iterable[str]) -> None:
        """MailboxError "LIMIT" rather than losing a keyword that the folder cannot hold."""
        keywords = [flag for flag in flags if flag.lower() not in BUILT_IN and not flag.startswith("\\")]
        if keywords and not index.room(folder, keywords):
            raise MailboxError("The mailbox can hold no more keywords", "LIMIT")

    def expunge(self, address: str, name: str, uids: Iterable[int] | None = None) -> list[int]:
        """Remove what carries \\Deleted, of ``uids`` or of all; the UIDs that are gone, ascending."""

        def act(index: Index) -> list[int]:
            folder = self._folder(index, name)
            rows = index.deleted(folder)
            if uids is not None:
                wanted = set(uids)
                rows = [row for row in rows if row.uid in wanted]
            self._expunge(address, index, folder, rows)
            return [row.uid for row in rows]

        return self._run(address, act)

    def _expunge(self, address: str, index: Index, folder: Folder, rows: list[Row]) -> None:
        if not rows:
            return
        index.reserve(folder)
        with self._changing(address, index, folder):
            with index.change():
                modseq = index.next_modseq(folder)
                index.remove(folder, rows, modseq)
                index.save(folder)
            self._removed(address, folder, rows, modseq)

    def _removed(self, address: str, folder: Folder, rows: list[Row], modseq: int) -> None:
        self._files.remove(address, self._files.path(address, folder), rows)
        self.listener(address, folder.name, Removed(tuple(row.uid for row in rows), modseq))

    # copy and move

    def copy(self, address: str, name: str, uids: Iterable[int], target: str) -> Copied:
        """Copies are links under new names and new UIDs, flags kept. UIDs that are gone are passed over. MailboxError
        "LIMIT" when the target cannot hold their keywords: nothing is copied then."""
        return self._run(address, lambda index: self._copy(address, index, name, uids, target, move=False))

    def move(self, address: str, name: str, uids: Iterable[int], target: str) -> Copied:
        """As :meth:`copy`, and the originals leave in the same transaction (RFC 6851)."""
        return self._run(address, lambda index: self._copy(address, index, name, uids, target, move=True))

    def _copy(self, address: str, index: Index, name: str, uids: Iterable[int], target: str, move: bool) -> Copied:
        source, into = self._folder(index, name), self._folder(index, target, "TRYCREATE")
        rows = index.rows(source, uids)
        if not rows:
            return Copied(into.uidvalidity, (), ())
        used = 0
        for row in rows:
            used |= row.flags
        self._require_room(index, into, words(source, used & ~0xFF))
        index.reserve(source, modseqs=2)
        index.reserve(into, uids=len(rows), modseqs=2)
        with self._changing(address, index, *{source.id: source, into.id: into}.values()):
            return self._commit_copies(address, index, source, into, rows, move)

    def _commit_copies(
        self, address: str, index: Index, source: Folder, into: Folder, rows: list[Row], move: bool
    ) -> Copied:
        with index.change():
            copies = self._link_copies(address, index, source, into, rows, maildir.MOVED if move else "")
            added = self._insert(index, into, [copy.target for copy in copies])
            index.inherit(source, into, [(copy.row.uid, copy.target.uid) for copy in copies])
            gone = [copy.row for copy in copies]
            if move and gone:
                modseq = index.next_modseq(source)
                index.remove(source, gone, modseq)
                index.save(source)
        if added:
            self.listener(address, into.name, Added(tuple(added), tuple(into.keywords)))
        if move and gone:
            self._removed(address, source, gone, modseq)
        return Copied(into.uidvalidity, tuple(row.uid for row in gone), tuple(row.uid for row in added))

    def _link_copies(
        self, address: str, index: Index, source: Folder, into: Folder, rows: list[Row], mark: str
    ) -> list[_Copy]:
        here, there = self._files.path(address, source), self._files.path(address, into)
        copies = []
        uid = into.uidnext
        keywords: dict[int, int] = {}
        for row in rows:
            unique = f"{into.uidvalidity:x}-{uid:x}{mark}"
            base = maildir.copy_name(row.base, row.date, row.size, unique)
            named = row.flags & ~0xFF
            if named not in keywords:
                keywords[named] = self._mask(index, into, words(source, named))
            flags = row.flags & 0x3F | keywords[named]
            path = self._files.source_of(here, row)
            if path is None:
                continue
            self._files.link(address, path, os.path.join(there, maildir.relative(base, flags)))
            copies.append(_Copy(row, Row(uid, 0, flags, row.size, row.date, base)))
            uid += 1
        return copies
