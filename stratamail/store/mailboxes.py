"""Every mailbox's mutations, applied to its Maildir and its index and told to whoever looks at it.

Writes ``mail/<domain>/<user>/``: links, folders, ``index.sqlite``. All methods are synchronous and called in one thread
(the pool ``files``): that is the one order of truth, and there are no locks. ``address`` is always the mailbox's own
address in key form.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from resource import RLIMIT_NOFILE, getrlimit
from typing import Any, TypeVar

from attrs import frozen
from twisted.logger import Logger

from stratamail.store import foldertree, maildir
from stratamail.store.index import Corrupt, Folder, Index, Row
from stratamail.store.index import count as count_index
from stratamail.store.layout import Layout
from stratamail.store.mailbox_values import (
    Added,
    Appended,
    Arrival,
    Change,
    Copied,
    Flagged,
    FolderInfo,
    Loaded,
    MailboxError,
    Removed,
    Replaced,
    Status,
)
from stratamail.store.open_indexes import OpenIndexes
from stratamail.store.reconcile import SeqOf

__all__ = ["Arrival", "MailboxError", "Mailboxes", "count_messages"]

T = TypeVar("T")
_log = Logger()


def _ignore(address: str, folder: str, change: Change) -> None:
    """Nobody looks."""


@frozen
class _Copy:
    row: Row
    target: Row


class Mailboxes:
    """The mailboxes of one STATE. ``draw_uidvalidity`` never gives a number twice; ``unclean``: the last run did not
    end by itself; ``seq_of`` maps spool ids to seq for repairs. ``listener(address, folder, change)`` is called in this
    thread after each commit; it must not block or raise. ``open_indexes`` bounds the ones held open (three files and
    130 kB each); None: an eighth of the files that the process may open, 256 at most."""

    def __init__(
        self,
        layout: Layout,
        draw_uidvalidity: Callable[[], int],
        unclean: bool = False,
        seq_of: SeqOf | None = None,
        open_indexes: int | None = None,
    ) -> None:
        self.layout = layout
        self.listener: Callable[[str, str, Change], None] = _ignore
        self._root = lru_cache(4096)(layout.mailbox)
        self._draw = draw_uidvalidity
        self._touched: dict[str, set[str]] = {}
        self._opened: tuple[str, int] | None = None
        limit = open_indexes or max(8, min(256, getrlimit(RLIMIT_NOFILE)[0] // 8))
        self._indexes = OpenIndexes(layout, draw_uidvalidity, unclean, seq_of, limit, self._touch)

    def _run(self, address: str, act: Callable[[Index], T]) -> T:
        """Do it with the open index; a corrupt one is rebuilt and it is done again, once."""
        try:
            return self._indexes.attempt(address, act)
        except Corrupt as error:
            _log.error("index of {address} is unusable ({error}): rebuilding it", address=address, error=str(error))
        self._indexes.remove(address)
        self.listener(address, "", Replaced())
        return self._indexes.attempt(address, act)

    def within(self, address: str, name: str, uidvalidity: int, method: str, *arguments: Any) -> Any:
        """Call a method on the folder that a session opened: MailboxError when another one has its name by now (it was
        deleted, renamed or rebuilt), whose UIDs name other messages."""
        self._opened = (maildir.canonical(name), uidvalidity)
        try:
            return getattr(self, method)(address, name, *arguments)
        finally:
            self._opened = None

    # mail from the spool

    def deliver(self, address: str, arrivals: Sequence[Arrival], name: str = maildir.INBOX) -> None:
        """Link messages into INBOX (or ``name``, while there is one), UIDs in order of seq. What is there already is
        left alone, what was expunged stays so, and a name without its file gets it back: a replay may call this
        again."""
        self._run(address, lambda index: self._deliver(address, index, arrivals, maildir.canonical(name)))

    def _deliver(self, address: str, index: Index, arrivals: Sequence[Arrival], into: str) -> None:
        folder = index.folders.get(into) or index.folders[maildir.INBOX]
        root = self._path(address, folder)
        named = {maildir.base(a.id, a.date, a.size): a for a in sorted(arrivals, key=lambda a: a.seq)}
        names = list(named)
        marked, known = index.marked(names), index.known(names)
        for name, (_, row) in known.items():
            self._file_of(address, root, row, named[name].path)
        fresh = [name for name in names if name not in known and name not in marked]
        if not fresh:
            return
        index.reserve(folder, uids=len(fresh))
        rows = []
        with index.change():
            for uid, name in enumerate(fresh, folder.uidnext):
                arrival = named[name]
                flags = maildir.IN_NEW
                if arrival.flags:
                    flags = self._mask(index, folder, arrival.flags)
                self._link(address, arrival.path, os.path.join(root, maildir.relative(name, flags)))
                rows.append(Row(uid, 0, flags, arrival.size, arrival.date, name))
            rows = self._insert(index, folder, rows)
        self.listener(address, folder.name, Added(tuple(rows), tuple(folder.keywords)))

    def append(self, address: str, name: str, arrivals: Sequence[Arrival]) -> Appended:
        """File spool files (of messages that are committed) in the folder ``name``, in the order given."""
        return self._run(address, lambda index: self._append(address, index, name, arrivals))

    def _append(self, address: str, index: Index, name: str, arrivals: Sequence[Arrival]) -> Appended:
        folder = self._folder(index, name)
        path = self._path(address, folder)
        index.reserve(folder, uids=len(arrivals))
        with index.change():
            rows = []
            for uid, arrival in enumerate(arrivals, folder.uidnext):
                flags = self._mask(index, folder, arrival.flags)
                base = maildir.base(arrival.id, arrival.date, arrival.size)
                self._link(address, arrival.path, os.path.join(path, maildir.relative(base, flags)))
                rows.append(Row(uid, 0, flags, arrival.size, arrival.date, base))
            rows = self._insert(index, folder, rows)
        self.listener(address, folder.name, Added(tuple(rows), tuple(folder.keywords)))
        return Appended(folder.uidvalidity, tuple(row.uid for row in rows))

    def _insert(self, index: Index, folder: Folder, rows: list[Row]) -> list[Row]:
        modseq = index.next_modseq(folder)
        rows = [row._replace(modseq=modseq) for row in rows]
        index.add(folder, rows)
        folder.uidnext = rows[-1].uid + 1 if rows else folder.uidnext
        index.save(folder)
        return rows

    def relink(self, address: str, id: str, path: str) -> None:
        """The spool file of ``id`` was written anew at ``path``: every name of the message becomes a name of it."""

        def act(index: Index) -> None:
            by_id = {folder.id: folder for folder in index.folders.values()}
            for folder_id, row in index.by_message(id):
                base = self._path(address, by_id[folder_id])
                below = self._below(base, row)
                target = os.path.join(base, below or maildir.relative(row.base, row.flags))
                maildir.put(path, target, os.path.join(self._root(address), "tmp", f"{id}.relink"))
                self._touch(address, os.path.dirname(target))

        self._run(address, act)

    # flags, expunge, copy, move

    def set_flags(self, address: str, name: str, uids: Iterable[int], mode: str, flags: Iterable[str]) -> list[Row]:
        """``mode`` "+", "-" or "=". The rows as they are now, of those UIDs that exist. MailboxError "LIMIT" when the
        folder cannot hold so many keywords: nothing is changed then."""
        return self._run(address, lambda index: self._set_flags(address, index, name, uids, mode, list(flags)))

    def _set_flags(
        self, address: str, index: Index, name: str, uids: Iterable[int], mode: str, flags: list[str]
    ) -> list[Row]:
        folder = self._folder(index, name)
        if mode != "-" and not index.room(folder, [flag for flag in flags if flag.lower() not in _BUILT_IN]):
            raise MailboxError("The mailbox can hold no more keywords", "LIMIT")
        rows = index.rows(folder, uids)
        index.reserve(folder)
        changed: list[Row] = []
        with index.change():
            mask = self._mask(index, folder, flags, create=mode != "-")
            modseq = index.meta("modseq") + 1
            for i, row in enumerate(rows):
                new = row.flags | mask if mode == "+" else row.flags & ~mask if mode == "-" else mask
                new = new & ~maildir.IN_NEW | row.flags & maildir.IN_NEW
                if new != row.flags:
                    new = self._refile(address, self._path(address, folder), row, new)
                    rows[i] = row._replace(flags=new, modseq=modseq)
                    changed.append(rows[i])
            if changed:
                index.next_modseq(folder)
                index.set_flags(folder, ((row.uid, row.modseq, row.flags) for row in changed))
                index.save(folder)
        if changed:
            told = tuple((row.uid, row.modseq, row.flags) for row in changed)
            self.listener(address, folder.name, Flagged(told, tuple(folder.keywords)))
        return rows

    def expunge(self, address: str, name: str, uids: Iterable[int] | None = None) -> list[int]:
        """Remove what carries \\Deleted, of ``uids`` or of all; the UIDs that are gone, ascending."""

        def act(index: Index) -> list[int]:
            folder = self._folder(index, name)
            rows = index.deleted(folder)
            if uids is not None:
                wanted = set(uids)
                rows = [row for row in rows if row.uid in wanted]
            if rows:
                index.reserve(folder)
                with index.change():
                    modseq = index.next_modseq(folder)
                    index.remove(folder, rows, modseq)
                    index.save(folder)
                self._removed(address, folder, rows, modseq)
            return [row.uid for row in rows]

        return self._run(address, act)

    def copy(self, address: str, name: str, uids: Iterable[int], target: str) -> Copied:
        """Copies are links under new names and new UIDs, flags kept. UIDs that are gone are passed over."""
        return self._run(address, lambda index: self._copy(address, index, name, uids, target, move=False))

    def move(self, address: str, name: str, uids: Iterable[int], target: str) -> Copied:
        """As :meth:`copy`, and the originals leave in the same transaction (RFC 6851)."""
        return self._run(address, lambda index: self._copy(address, index, name, uids, target, move=True))

    def _copy(self, address: str, index: Index, name: str, uids: Iterable[int], target: str, move: bool) -> Copied:
        source, into = self._folder(index, name), self._folder(index, target, "TRYCREATE")
        rows = index.rows(source, uids)
        if not rows:
            return Copied(into.uidvalidity, (), ())
        index.reserve(source, modseqs=2)
        index.reserve(into, uids=len(rows), modseqs=2)
        with index.change():
            copies = self._link_copies(address, index, source, into, rows, maildir.MOVED if move else "")
            added = self._insert(index, into, [copy.target for copy in copies])
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
        here, there = self._path(address, source), self._path(address, into)
        copies = []
        uid = into.uidnext
        keywords: dict[int, int] = {}
        for row in rows:
            unique = f"{into.uidvalidity:x}-{uid:x}{mark}"
            message = maildir.message_id(row.base)
            seconds = max(row.date, 0) // 1_000_000
            base = maildir.base(message, row.date, row.size, unique) if message else f"{seconds}.{unique},S={row.size}"
            words = row.flags & ~0xFF
            if words not in keywords:
                keywords[words] = self._mask(index, into, _words(source, words))
            flags = row.flags & 0x3F | keywords[words]
            path = self._file_of(address, here, row)
            if path is None:
                continue
            self._link(address, path, os.path.join(there, maildir.relative(base, flags)))
            copies.append(_Copy(row, Row(uid, 0, flags, row.size, row.date, base)))
            uid += 1
        return copies

    def _removed(self, address: str, folder: Folder, rows: list[Row], modseq: int) -> None:
        path = self._path(address, folder)
        for row in rows:
            below = self._below(path, row)
            if below is not None:
                os.unlink(os.path.join(path, below))
                self._touch(address, os.path.dirname(os.path.join(path, below)))
        self.listener(address, folder.name, Removed(tuple(row.uid for row in rows), modseq))

    # folders

    def folders(self, address: str) -> list[FolderInfo]:
        """Every folder, and the parents that exist only as such; by name, INBOX first."""
        return self._run(address, foldertree.listing)

    def create(self, address: str, name: str) -> int:
        """Make a folder (and its parents, RFC 3501 section 6.3.3); its UIDVALIDITY."""
        return self._tree(address, lambda tree: tree.create(name))

    def delete(self, address: str, name: str) -> None:
        """Remove a folder with its messages; with children it stays as their parent only."""
        self._tree(address, lambda tree: tree.delete(name))

    def rename(self, address: str, old: str, new: str) -> None:
        """Children move along. INBOX stays (RFC 3501 section 6.3.5): the new folder is made, and whoever asks moves the
        messages, a few at a time."""
        if maildir.canonical(old) == maildir.INBOX:
            self.create(address, new)
        else:
            self._tree(address, lambda tree: tree.rename(old, new))

    def subscribe(self, address: str, name: str, wanted: bool = True) -> None:
        """A name need not exist (RFC 3501 section 6.3.6)."""

        def act(index: Index) -> None:
            with index.change():
                index.subscribe(foldertree.checked(name), wanted)

        self._run(address, act)

    def _tree(self, address: str, act: Callable[[foldertree.Tree], T]) -> T:
        def run(index: Index) -> T:
            tree = foldertree.Tree(index, self._root(address), self._draw)
            try:
                return act(tree)
            finally:
                for path in tree.touched:
                    self._touch(address, path)
                for gone in tree.gone:
                    self.listener(address, gone, Replaced())

        return self._run(address, run)

    # reading

    def load(self, address: str, name: str) -> Loaded:
        """A folder whole, for a session that opens it."""

        def act(index: Index) -> Loaded:
            folder = self._folder(index, name)
            return Loaded(
                folder.name, folder.uidvalidity, folder.uidnext, folder.modseq, folder.recent,
                tuple(folder.keywords), index.load(folder),
            )  # fmt: skip

        return self._run(address, act)

    def status(self, address: str, name: str) -> Status:
        def act(index: Index) -> Status:
            folder = self._folder(index, name)
            messages, unseen, octets = index.counts(folder)
            recent = len(index.since(folder, folder.recent))
            return Status(messages, recent, unseen, folder.uidnext, folder.uidvalidity, folder.modseq, octets)

        return self._run(address, act)

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
            return self._file_of(address, self._path(address, folder), rows[0]) if rows else None

        return self._run(address, act)

    def cached(self, address: str, name: str, kind: str, uids: Iterable[int]) -> dict[int, bytes]:
        """Bytes that were kept under ``kind`` ("header", "envelope" …), by UID."""
        return self._run(address, lambda index: index.cached(self._folder(index, name), kind, uids))

    def keep(self, address: str, name: str, kind: str, data: Sequence[tuple[int, bytes]]) -> None:
        """Keep rendered bytes by UID; they vanish with the message or the index."""

        def act(index: Index) -> None:
            with index.change():
                index.keep(self._folder(index, name), kind, data)

        self._run(address, act)

    def count(self, address: str) -> int:
        """Messages in all folders."""
        return self._run(address, lambda index: sum(index.counts(f)[0] for f in index.folders.values()))

    def tally(self, address: str, ids: Collection[str]) -> tuple[int, int]:
        """(read, answered) among the messages ``ids``, each once, whatever folder it is in now."""
        if not ids or not os.path.isdir(self._root(address)):
            return 0, 0
        flags: dict[str, int] = {}
        # an id begins with the time at which its message began to arrive
        since = maildir.time_of(min(ids))
        for base, bits in self._run(address, lambda index: index.dated(since)):
            message = maildir.message_id(base)
            if message in ids:
                flags[message] = flags.get(message, 0) | bits
        read = sum(1 for bits in flags.values() if bits & maildir.SEEN)
        return read, sum(1 for bits in flags.values() if bits & maildir.ANSWERED)

    def folders_to_sync(self, address: str) -> list[str]:
        """The directories whose entries changed since the last call; who syncs them makes those changes durable."""
        return [path for path in self._touched.pop(address, ()) if os.path.isdir(path)]

    def forget(self, is_mailbox: Callable[[str], bool]) -> None:
        """Let go of what is no mailbox any more; whoever gets the address later starts anew."""
        self._indexes.forget(is_mailbox)

    def close(self) -> None:
        """Close all indexes; the next use opens them again."""
        self._indexes.close()

    # small parts

    def _folder(self, index: Index, name: str, code: str = "NONEXISTENT") -> Folder:
        folder = index.folders.get(maildir.canonical(name))
        if folder is None:
            raise MailboxError(f"No such mailbox: {name[:200]}", code)
        if self._opened is not None and self._opened[0] == folder.name and self._opened[1] != folder.uidvalidity:
            raise MailboxError("The mailbox is not the one that was opened", "NONEXISTENT")
        return folder

    def _path(self, address: str, folder: Folder) -> str:
        return os.path.join(self._root(address), maildir.directory(folder.name))

    def _touch(self, address: str, path: str) -> None:
        self._touched.setdefault(address, set()).add(path)

    def _link(self, address: str, source: str, target: str) -> None:
        maildir.link(source, target)
        self._touch(address, os.path.dirname(target))

    def _mask(self, index: Index, folder: Folder, flags: Iterable[str], create: bool = True) -> int:
        mask = 0
        for flag in flags:
            bit = _BUILT_IN.get(flag.lower(), 0)
            if not bit and not flag.startswith("\\"):
                bit = index.keyword(folder, flag, create)
            mask |= bit
        return mask

    def _below(self, path: str, row: Row) -> str | None:
        """The path of a row's file below its folder ``path``, wherever another tool moved it; None when it is gone."""
        below = maildir.relative(row.base, row.flags)
        if os.path.exists(os.path.join(path, below)):
            return below
        found = maildir.find(path, row.base)
        return found[1] if found else None

    def _file_of(self, address: str, path: str, row: Row, spooled: str = "") -> str | None:
        """The full path of a row's file; when that is gone it is linked again from the spool, if that has it."""
        below = self._below(path, row)
        if below is not None:
            return os.path.join(path, below)
        message = maildir.message_id(row.base)
        source = spooled or (self.layout.message(message) if message else "")
        if not source or not os.path.exists(source):
            return None
        target = os.path.join(path, maildir.relative(row.base, row.flags))
        self._link(address, source, target)
        return target

    def _refile(self, address: str, path: str, row: Row, flags: int) -> int:
        """Rename a row's file for its new flags; those flags, less the mark of ``new`` when it lies in ``cur`` now."""
        below = maildir.relative(row.base, flags)
        if not below.startswith("new/"):
            flags &= ~maildir.IN_NEW
        old = maildir.relative(row.base, row.flags)
        if old != below:
            target = os.path.join(path, below)
            try:
                os.rename(os.path.join(path, old), target)
            except FileNotFoundError:
                there = self._file_of(address, path, row)
                if there is not None:
                    os.rename(there, target)
            self._touch(address, os.path.dirname(target))
            self._touch(address, os.path.dirname(os.path.join(path, old)))
        return flags


_BUILT_IN = {name.lower(): bit for name, bit in maildir.BUILT_IN.items()}


def _words(folder: Folder, bits: int) -> list[str]:
    """The keywords behind the bits of a folder."""
    shifted = enumerate(folder.keywords, maildir.FIRST_KEYWORD)
    return [word for bit, word in shifted if word is not None and bits & 1 << bit]


def count_messages(layout: Layout, address: str) -> int:
    """How many messages a mailbox holds, read beside a running server; 0 when it has no index yet."""
    return count_index(os.path.join(layout.mailbox(address), "index.sqlite"))
