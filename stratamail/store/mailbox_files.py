"""The files behind the rows: where each lies, links and renames, and which directories have to be synced.

Writes links below ``mail/<domain>/<user>/``. Belongs to the pool ``files``, like the mailboxes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache

from stratamail.store import maildir
from stratamail.store.index_values import Folder, Row
from stratamail.store.layout import Layout


class MailboxFiles:
    """``address`` is everywhere the mailbox's own in key form; ``path`` a folder's directory."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.root = lru_cache(4096)(layout.mailbox)
        self._touched: dict[str, set[str]] = {}
        self._made: list[str] = []

    def path(self, address: str, folder: Folder) -> str:
        return os.path.join(self.root(address), maildir.directory(folder.name))

    def touch(self, address: str, path: str) -> None:
        """The directory ``path`` has new entries or lost some."""
        self._touched.setdefault(address, set()).add(path)

    def to_sync(self, address: str) -> list[str]:
        """The directories touched since the last call."""
        return [path for path in self._touched.pop(address, ()) if os.path.isdir(path)]

    def link(self, address: str, source: str, target: str) -> None:
        if maildir.link(source, target):
            self._made.append(target)
        self.touch(address, os.path.dirname(target))

    def below(self, path: str, row: Row) -> str | None:
        """The path of a row's file below its folder ``path``, wherever another tool moved it; None when it is gone."""
        below = maildir.relative(row.base, row.flags)
        if os.path.exists(os.path.join(path, below)):
            return below
        found = maildir.find(path, row.base)
        return found[1] if found else None

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Links made within go again when it fails: files without a row would be taken for another tool's."""
        self._made.clear()
        try:
            yield
        except Exception:
            for target in self._made:
                with contextlib.suppress(OSError):
                    os.unlink(target)
            raise

    def source_of(self, path: str, row: Row) -> str | None:
        """The full path of a row's file, or its spool file when that is gone; None when there is neither."""
        below = self.below(path, row)
        if below is not None:
            return os.path.join(path, below)
        message = maildir.message_id(row.base)
        spooled = self.layout.message(message) if message else ""
        return spooled if spooled and os.path.exists(spooled) else None

    def file_of(self, address: str, path: str, row: Row, spooled: str = "") -> str | None:
        """The full path of a row's file; when that is gone it is linked again from the spool, if that has it."""
        below = self.below(path, row)
        if below is not None:
            return os.path.join(path, below)
        message = maildir.message_id(row.base)
        source = spooled or (self.layout.message(message) if message else "")
        if not source or not os.path.exists(source):
            return None
        target = os.path.join(path, maildir.relative(row.base, row.flags))
        self.link(address, source, target)
        return target

    def refile(self, address: str, path: str, row: Row, flags: int) -> int:
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
                there = self.below(path, row)
                if there is not None:
                    os.rename(os.path.join(path, there), target)
            self.touch(address, os.path.dirname(target))
            self.touch(address, os.path.dirname(os.path.join(path, old)))
        return flags

    def remove(self, address: str, path: str, rows: Iterable[Row]) -> None:
        """Unlink the files of rows that the index has forgotten."""
        for row in rows:
            below = self.below(path, row)
            if below is not None:
                full = os.path.join(path, below)
                os.unlink(full)
                self.touch(address, os.path.dirname(full))

    def relink(self, address: str, path: str, row: Row, source: str) -> None:
        """Make a row's file a name of ``source``, in one step."""
        target = os.path.join(path, self.below(path, row) or maildir.relative(row.base, row.flags))
        message = maildir.message_id(row.base)
        maildir.put(source, target, os.path.join(self.root(address), "tmp", f"{message}.relink"))
        self.touch(address, os.path.dirname(target))
