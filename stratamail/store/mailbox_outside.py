"""What other tools did to a Maildir while the server runs, or between a clean stop and a start: noticed and served.

Writes rows in ``index.sqlite``; renames files to the names that the index gives them. Belongs to the pool ``files``.

A file that is new gets a new UID; one with other letters, other flags. A file of ours that was removed was removed on
purpose: the message is expunged, with a mark. (Only after an unclean start is it linked again from the spool, since a
power cut loses names too; ``store.reconcile``.) The same goes for folders. Only INBOX without its directories is taken
for an accident. What lies in ``tmp`` is nobody's business; what is being written in place is left alone until it rests.

Times of directories tell whether there is anything to look for: :attr:`Folder.seen` has those at which rows and files
agreed, and our own changes carry it along. Between two changes within one tick of the file system's clock they cannot
tell; small folders are looked through then, in a large one such a change is found by whoever watches, or at the next.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from stratamail.store import foldertree, maildir
from stratamail.store.index import Folder, Index, Row
from stratamail.store.mailbox_access import MailboxAccess, words
from stratamail.store.mailbox_values import Added, Flagged, MailboxError, Removed, Replaced

COMPLETE, AGAIN = 1, 2
"""Of an entry that was noticed: its file is whole; it was told before and not believed yet."""
FEW = 500
"""As many messages are compared with their files without a second thought."""
RESTING = 1.0
"""Seconds since its last change after which a file is whole, where the file system does not tell of writers."""


@frozen
class _Found:
    """A file at ``below`` its folder."""

    base: str
    flags: int
    below: str
    complete: bool = False


class MailboxOutside(MailboxAccess):
    """Looks, and tells the listener what it sees."""

    def look(self, address: str, name: str) -> bool:
        """Take note of what other tools did to the folders and in the folder ``name``. True when a file is being
        written there just now: look again in a second."""

        def act(index: Index) -> bool:
            self._look_at_tree(address, index)
            folder = index.folders.get(maildir.canonical(name))
            return folder is not None and self._look_at(address, index, folder)

        return self._run(address, act)

    def noticed(self, address: str, name: str, entries: Mapping[str, int]) -> dict[str, int]:
        """Somebody, perhaps we ourselves, changed these entries ("cur/…" with :data:`COMPLETE` or 0) of the folder
        ``name``. Gives those to be told again in a moment: being written, or gone and perhaps about to come back."""
        return self._run(address, lambda index: self._noticed(address, index, name, entries))

    # one folder

    def _look_at(self, address: str, index: Index, folder: Folder, removing: bool = True) -> bool:
        """Without ``removing`` only what is there is taken note of, not what is gone."""
        path = self._files.path(address, folder)
        stamp = maildir.stamp(path)
        if not stamp:
            if folder.name != maildir.INBOX:
                return False
            stamp = self._mend_inbox(address, index, folder, path)
        if stamp == folder.seen and not (folder.doubtful and index.total(folder)[0] <= FEW):
            return False
        found: dict[str, tuple[int, str]] = {}
        for base, flags, below in maildir.scan(path):
            if base not in found or found[base][0] & maildir.IN_NEW:
                found[base] = flags, below
        columns = index.load(folder)
        moved: list[tuple[int, _Found]] = []
        missing: list[tuple[int, str]] = []
        for uid, flags, base in zip(columns.uids, columns.flags, columns.bases, strict=True):
            there = found.pop(base, None)
            if there is None:
                missing.append((uid, base))
            elif there[1] != maildir.relative(base, flags):
                moved.append((uid, _Found(base, *there)))
        gone: list[int] = []
        if missing:
            # a file that was renamed while we read its directory may have shown up under neither name
            again = {base: (flags, below) for base, flags, below in maildir.scan(path)}
            moved += [(uid, _Found(base, *again[base])) for uid, base in missing if base in again]
            gone = [uid for uid, base in missing if base not in again]
        if gone and removing:
            self._look_elsewhere(address, index, folder)
        strangers = [_Found(base, *there) for base, there in found.items()]
        unsettled = self._settle(address, index, folder, moved, gone if removing else (), strangers)
        folder.doubtful = False
        if unsettled or (gone and not removing):
            folder.seen = ""
        elif moved or found or maildir.stamp(path) == stamp:
            folder.seen = maildir.stamp(path)
        return bool(unsettled)

    def _look_elsewhere(self, address: str, index: Index, folder: Folder) -> None:
        """Before messages of a folder are believed gone: what was moved is taken in where it is now, as their copy. (A
        name that is marked before its file is known elsewhere would not outlive a crash there.)"""
        for other in list(index.folders.values()):
            if other is not folder:
                self._look_at(address, index, other, removing=False)

    def _noticed(self, address: str, index: Index, name: str, entries: Mapping[str, int]) -> dict[str, int]:
        folder = index.folders.get(maildir.canonical(name))
        if folder is None:
            return {}
        path = self._files.path(address, folder)
        stamp = maildir.stamp(path)
        told: dict[str, list[str]] = {}
        for below in entries:
            place, _, filename = below.partition("/")
            if place in ("new", "cur") and filename and not filename.startswith("."):
                told.setdefault(filename.partition(":2,")[0], []).append(below)
        known = index.known(list(told))
        moved: list[tuple[int, _Found]] = []
        gone: list[int] = []
        strangers: list[_Found] = []
        later: dict[str, int] = {}
        for base, names in told.items():
            folder_id, row = known.get(base, (0, None))
            if row is not None and folder_id == folder.id:
                # the usual case: a change of our own, told to us
                if os.path.lexists(f"{path}/{maildir.relative(base, row.flags)}"):
                    continue
                there = [name for name in names if os.path.lexists(f"{path}/{name}")]
                if there:
                    moved.append((row.uid, _parsed(there[-1], entries[there[-1]])))
                elif any(entries[name] & AGAIN for name in names):
                    gone.append(row.uid)
                else:  # renamed twice, it may be, and the news of it is not here yet
                    later.update((name, entries[name] | AGAIN) for name in names)
            else:
                there = [name for name in names if os.path.lexists(f"{path}/{name}")]
                strangers += [_parsed(name, entries[name]) for name in there[-1:]]
        if gone:
            self._look_elsewhere(address, index, folder)
        if moved or gone or strangers:
            later.update((one.below, 0) for one in self._settle(address, index, folder, moved, gone, strangers))
        if not later and folder.seen != stamp:
            # whatever happened after `stamp` is going to be told too
            folder.seen = maildir.stamp(path) if moved or strangers else stamp
        return later

    def _settle(
        self,
        address: str,
        index: Index,
        folder: Folder,
        moved: Iterable[tuple[int, _Found]],
        gone: Iterable[int],
        found: Iterable[_Found],
    ) -> list[_Found]:
        """Bring the index up to date and tell; the files that are still being written."""
        path = self._files.path(address, folder)
        whole, unsettled = self._whole(path, found)
        places = dict(moved)
        rows = index.rows(folder, sorted(places))
        lost = index.rows(folder, sorted(gone))
        if not (whole or rows or lost):
            return unsettled
        index.reserve(folder, uids=len(whole))
        with index.change():
            modseq = index.next_modseq(folder)
            changed = []
            for row in rows:
                flags = row.flags & ~0xFF | places[row.uid].flags
                self._name(address, path, places[row.uid].below, maildir.relative(row.base, flags))
                # where it lies is nothing that a client could see
                changed.append((row.uid, modseq if (flags ^ row.flags) & 0x3F else row.modseq, flags))
            index.set_flags(folder, changed)
            index.remove(folder, lost, modseq)
            added = self._take_in(address, index, folder, whole, modseq)
            index.save(folder)
        keywords = tuple(folder.keywords)
        if lost:
            self.listener(address, folder.name, Removed(tuple(row.uid for row in lost), modseq))
        if changed:
            self.listener(address, folder.name, Flagged(tuple(changed), keywords))
        if added:
            self.listener(address, folder.name, Added(tuple(added), keywords))
        return unsettled

    def _whole(self, path: str, found: Iterable[_Found]) -> tuple[list[tuple[_Found, os.stat_result]], list[_Found]]:
        """Which of the files can be taken in, in order of arrival, and which are still being written."""
        whole, unsettled = [], []
        now = self._now()
        for one in sorted(found, key=lambda one: maildir.order(one.base)):
            try:
                status = os.lstat(os.path.join(path, one.below))
            except FileNotFoundError:
                continue
            # a second name, or the size that its name tells, is proof too
            sure = one.complete or status.st_nlink > 1 or maildir.size_of(one.base) == status.st_size
            if sure or not self._being_written(os.path.join(path, one.below), now - status.st_mtime):
                whole.append((one, status))
            else:
                unsettled.append(one)
        return whole, unsettled

    def _being_written(self, path: str, age: float) -> bool:
        try:
            known = maildir.being_written(path)
        except OSError:
            known = None
        return 0 <= age < RESTING if known is None else known

    def _take_in(
        self, address: str, index: Index, folder: Folder, files: list[tuple[_Found, os.stat_result]], modseq: int
    ) -> list[Row]:
        """Rows for files that the index does not know here. Within a transaction."""
        path = self._files.path(address, folder)
        marked = index.marked([one.base for one, _ in files])
        by_id = {other.id: other for other in index.folders.values()}
        saved = self._microseconds()
        added: list[Row] = []
        inherited: list[tuple[Folder, int, int]] = []
        for one, status in files:
            uid, base, flags = folder.uidnext, one.base, one.flags
            told = maildir.date_of(base)
            date = int(status.st_mtime * 1_000_000) if told is None else told
            elsewhere = index.by_base(base)
            if elsewhere is not None or base in marked or not maildir.writable(base):
                # from another folder, or put back: a name names one UID for all time
                base = maildir.copy_name(base, date, status.st_size, f"{folder.uidvalidity:x}-{uid:x}")
                other = by_id.get(elsewhere[0]) if elsewhere else None
                if elsewhere is not None and other is not None and elsewhere[1].size == status.st_size:
                    inherited.append((other, elsewhere[1].uid, uid))
                    keywords = words(other, elsewhere[1].flags & ~0xFF)
                    flags |= self._mask(index, folder, keywords) if index.room(folder, keywords) else 0
            if not self._name(address, path, one.below, maildir.relative(base, flags)):
                continue
            added.append(Row(uid, modseq, flags, status.st_size, date, base, saved))
            folder.uidnext = uid + 1
        index.add(folder, added)
        for other, uid, copy in inherited:
            index.inherit(other, folder, [(uid, copy)])
        return added

    def _name(self, address: str, path: str, below: str, wanted: str) -> bool:
        """Give a file the name that its row has; False when it is gone by now."""
        if below == wanted:
            return True
        try:
            os.rename(os.path.join(path, below), os.path.join(path, wanted))
        except FileNotFoundError:
            return os.path.lexists(os.path.join(path, wanted))
        for part in (below, wanted):
            self._files.touch(address, os.path.join(path, os.path.dirname(part)))
        return True

    def _mend_inbox(self, address: str, index: Index, folder: Folder, path: str) -> str:
        """INBOX without ``new`` or ``cur`` is no one's wish: both are made again and messages of the spool linked."""
        for changed in maildir.make(path):
            self._files.touch(address, changed)
        for row in index.rows(folder, index.since(folder, 1)):
            self._files.file_of(address, path, row)
        return maildir.stamp(path)

    # our own changes

    @contextlib.contextmanager
    def _changing(self, address: str, index: Index, *folders: Folder) -> Iterator[None]:
        """Around changes of our own to the files of folders: the times of their directories go on being known when they
        were before, and files that are linked before a failure go again. MailboxError when another tool removed a
        folder."""
        before = []
        for folder in folders:
            stamp = maildir.stamp(self._files.path(address, folder))
            if not stamp:
                self._look_at_tree(address, index)
                if index.folders.get(folder.name) is not folder:
                    raise MailboxError("The mailbox was removed", "NONEXISTENT")
                self._look_at(address, index, folder)
            before.append((folder, bool(stamp) and stamp == folder.seen))
        with self._files.together():
            yield
        for folder, agreed in before:
            if agreed:
                folder.seen = maildir.stamp(self._files.path(address, folder))
                folder.doubtful = True

    # folders

    def _look_at_tree(self, address: str, index: Index) -> None:
        """Folders that another tool made, removed or renamed."""
        root = self._files.root(address)
        changed = os.stat(root).st_mtime_ns
        if changed == index.tree_seen:
            return
        on_disk = maildir.folders(root)
        missing = {folder.id: folder for folder in index.folders.values() if folder.name not in on_disk}
        missing = {id: folder for id, folder in missing.items() if folder.name != maildir.INBOX}
        fresh = [name for name in on_disk if name not in index.folders]
        lost = [folder.name for folder in missing.values()]
        renamed: list[tuple[Folder, str]] = []
        for name in list(fresh):
            owner = missing.pop(self._owner(index, os.path.join(root, maildir.directory(name))), None)
            if owner is not None:
                renamed.append((owner, name))
                fresh.remove(name)
        if lost or fresh:
            for folder in index.folders.values() if missing else ():
                if folder.name in on_disk:
                    self._look_at(address, index, folder, removing=False)
            with index.change(durable=bool(lost)):
                for folder, name in renamed:
                    index.rename(folder, name)
                for folder in missing.values():
                    index.drop(folder)
                for name in fresh:
                    index.create(name, self._draw(), foldertree.usual_use(index, name))
            for name in lost:
                self.listener(address, name, Replaced())
        # one that is being made has no `cur` yet, and gets it without a change of `root`
        entries = sum(maildir.folder(entry) is not None for entry in os.listdir(root))
        index.tree_seen = changed if entries == sum(name != maildir.INBOX for name in on_disk) else 0

    def _owner(self, index: Index, path: str) -> int:
        """The folder whose messages lie in a directory, 0 for none."""
        for base, _, _ in maildir.scan(path):
            entry = index.by_base(base)
            return entry[0] if entry else 0
        return 0


def _parsed(below: str, bits: int) -> _Found:
    place, _, filename = below.partition("/")
    base, flags = maildir.parse(filename)
    return _Found(base, flags | maildir.IN_NEW if place == "new" else flags, below, bool(bits & COMPLETE))
