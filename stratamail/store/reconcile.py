"""Make an index and its Maildir agree again: at the first use of a mailbox, after an unclean start, after a loss.

Writes links below the mailbox and rows in its index. Believes marks only: a name that the index knows without a mark
and whose file is gone is linked again from the spool; a file that the index does not know gets a UID above all that
were reserved, in order of seq; a marked name is removed, and so is what a move left that was cut before its commit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from twisted.logger import Logger

from stratamail.store import foldertree, maildir
from stratamail.store.index import Folder, Index, Row

SeqOf = Callable[[Sequence[str]], Mapping[str, int]]
SpoolPath = Callable[[str], str]
_log = Logger()
_DEFAULTS = ("Drafts", "Sent", "Junk", "Trash", "Archive")
_SLICE = 1000


def boot() -> int:
    """A number for the time since the machine was started; 0 where nobody knows."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return int(file.read(16).replace("-", "")[:12], 16)
    except (OSError, ValueError):
        return 0


class Reconciler:
    """One mailbox at ``root``. ``touched`` collects the directories whose entries changed; ``seq_of`` maps spool ids to
    their order of arrival, those it does not know come by their id."""

    def __init__(
        self, index: Index, root: str, draw_uidvalidity: Callable[[], int], seq_of: SeqOf | None, spool_path: SpoolPath
    ) -> None:
        self.touched: set[str] = set()
        self._index = index
        self._root = root
        self._draw = draw_uidvalidity
        self._seq_of = seq_of
        self._spool_path = spool_path
        self._ids: set[str] | None = None
        self._taken_in: set[str] = set()

    def run(self) -> None:
        index = self._index
        new = maildir.INBOX not in index.folders
        with index.change():
            index.skip_reserved()
            index.trim_marks()
            if index.meta("boot") != (booted := boot()):
                # a power cut may have taken flags and expunges that clients were told of: all is told to them again
                index.renew_modseqs()
                index.set_meta("boot", booted)
        self._finish_emptying()
        self._finish_renames()
        foldertree.sweep(self._root)
        on_disk = maildir.folders(self._root)
        missing = [name for name in on_disk if name not in index.folders]
        wanted = [maildir.INBOX, *(_DEFAULTS if new and len(on_disk) <= 1 else ())]
        missing += [name for name in wanted if name not in index.folders and name not in missing]
        if missing:
            with index.change():
                for name in missing:
                    index.create(name, self._draw(), foldertree.usual_use(index, name))
                    if new:
                        index.subscribe(name, True)
        for folder in list(index.folders.values()):
            self._folder(folder)

    def _finish_emptying(self) -> None:
        """A rename of INBOX that was cut is in the index already: the new folder gets its files."""
        index = self._index
        for folder in index.folders.values():
            if folder.id != index.meta(foldertree.EMPTYING):
                continue
            path = os.path.join(self._root, maildir.directory(folder.name))
            self.touched.update(maildir.make(path))
            for base, _, below in list(maildir.scan(self._root)):
                entry = index.by_base(base)
                if entry is not None and entry[0] == folder.id:
                    os.rename(os.path.join(self._root, below), os.path.join(path, below))
                    self.touched.update(os.path.join(at, os.path.dirname(below)) for at in (self._root, path))
        if index.meta(foldertree.EMPTYING):
            with index.change():
                index.set_meta(foldertree.EMPTYING, 0)

    def _finish_renames(self) -> None:
        """A rename that was cut is in the index already: the directory with the folder's messages gets its new name."""
        index = self._index
        ids = {folder.id: folder for folder in index.folders.values()}
        for name in maildir.folders(self._root):
            if name in index.folders:
                continue
            path = os.path.join(self._root, maildir.directory(name))
            for base, _, _ in maildir.scan(path):
                entry = index.by_base(base)
                owner = ids.get(entry[0]) if entry else None
                if owner is not None:
                    target = os.path.join(self._root, maildir.directory(owner.name))
                    if owner.name != maildir.INBOX and not os.path.isdir(target):
                        os.rename(path, target)
                        self.touched.add(self._root)
                    break

    def _folder(self, folder: Folder) -> None:
        index = self._index
        path = os.path.join(self._root, maildir.directory(folder.name))
        self.touched.update(maildir.make(path))
        stamp = maildir.stamp(path)
        found: dict[str, tuple[int, str]] = {}
        for base, flags, below in maildir.scan(path):
            if base in found:  # one message under two names: the one in cur carries the flags
                double = found[base][1] if found[base][0] & maildir.IN_NEW else below
                self._unlink(path, double)
                if double == below:
                    continue
            found[base] = (flags, below)
        # a name that the index would not give gets its right one at the first look (store.mailbox_outside)
        odd = any(below != maildir.relative(base, flags) for base, (flags, below) in found.items())
        columns = index.load(folder)
        changed: list[tuple[int, int]] = []
        gone: list[Row] = []
        for uid, modseq, flags, size, date, base, saved in zip(
            columns.uids, columns.modseqs, columns.flags, columns.sizes, columns.dates, columns.bases, columns.saves,
            strict=True,
        ):  # fmt: skip
            there = found.pop(base, None)
            if there is None:
                if not self._link_again(path, base, flags):
                    gone.append(Row(uid, modseq, flags, size, date, base, saved))
            elif there[0] != flags & 0xFF:
                changed.append((uid, flags & ~0xFF | there[0]))
        strangers = self._strangers(path, found)
        folder.seen = "" if odd else maildir.stamp(path)
        folder.doubtful = folder.seen != stamp
        if not (changed or gone or strangers):
            return
        index.reserve(folder, uids=len(strangers))
        with index.change():
            modseq = index.next_modseq(folder)
            index.set_flags(folder, ((uid, modseq, flags) for uid, flags in changed))
            if gone:
                _log.warn("{count} messages of {path} have no file and no spool file", count=len(gone), path=path)
                index.remove(folder, gone, modseq)
            rows = []
            for base, flags, size, date in strangers:
                rows.append(Row(folder.uidnext, modseq, flags, size, date, base, date))
                self._taken_in.add(maildir.message_id(base))
                folder.uidnext += 1
            index.add(folder, rows)
            index.save(folder)

    def _link_again(self, path: str, base: str, flags: int) -> bool:
        message = maildir.message_id(base)
        target = os.path.join(path, maildir.relative(base, flags))
        try:
            if not message:
                return False
            maildir.link(self._spool_path(message), target)
        except FileNotFoundError:
            return False
        self.touched.add(os.path.dirname(target))
        return True

    def _strangers(self, path: str, found: dict[str, tuple[int, str]]) -> list[tuple[str, int, int, int]]:
        """(base, flags, size, date) of the files to be taken in, in order of arrival; marked ones are removed."""
        index = self._index
        names = list(found)
        for base in index.marked(names):
            self._unlink(path, found.pop(base)[1])
        taken = []
        for base in self._ordered(list(found)):
            flags, below = found[base]
            full = os.path.join(path, below)
            try:
                status = os.stat(full)
            except FileNotFoundError:
                continue
            if self._unmoved(base):
                self._unlink(path, below)
                continue
            elsewhere = index.by_base(base) is not None  # another folder's message was moved here by another tool
            if elsewhere or not maildir.writable(base):
                text = base.partition(",")[0] if elsewhere else str(int(status.st_mtime))
                base = f"{text}-{status.st_ino:x},S={status.st_size}"
                os.rename(full, os.path.join(path, maildir.relative(base, flags)))
                self.touched.add(os.path.dirname(full))
                if index.by_base(base) is not None:
                    continue
            date = maildir.date_of(base)
            taken.append((base, flags, status.st_size, int(status.st_mtime * 1_000_000) if date is None else date))
        return taken

    def _unmoved(self, base: str) -> bool:
        """Whether a file is the target of a move that the index does not know, and its message is where it was (or can
        be linked there again): then the message stays there only (RFC 6851 section 3.3)."""
        if not maildir.moved(base):
            return False
        if self._ids is None:
            index = self._index
            self._ids = {maildir.message_id(b) for f in index.folders.values() for b in index.load(f).bases}
        message = maildir.message_id(base)
        # what this repair has only just taken in proves nothing (after a loss of the index that is everything)
        known = message in self._ids and message not in self._taken_in
        return known and os.path.exists(self._spool_path(message))

    def _ordered(self, names: list[str]) -> list[str]:
        seqs: dict[str, int] = {}
        if self._seq_of is not None:
            ids = [found for found in map(maildir.message_id, names) if found]
            for i in range(0, len(ids), _SLICE):
                seqs.update(self._seq_of(ids[i : i + _SLICE]))
        # ids of one time agree with seq nearly always; where seq is known for both it decides
        by_id = sorted(names, key=maildir.order)
        known = iter(
            sorted((n for n in by_id if maildir.message_id(n) in seqs), key=lambda n: seqs[maildir.message_id(n)])
        )
        return [next(known) if maildir.message_id(n) in seqs else n for n in by_id]

    def _unlink(self, path: str, below: str) -> None:
        try:
            os.unlink(os.path.join(path, below))
        except FileNotFoundError:
            return
        self.touched.add(os.path.dirname(os.path.join(path, below)))
