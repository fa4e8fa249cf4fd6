"""A mailbox's folders as a tree: create, delete, rename, list (RFC 3501 sections 6.3.3 to 6.3.8).

Writes folder rows in the index and Maildir++ directories. The index changes first: what a crash leaves undone on disk,
``store.reconcile`` finishes from it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from stratamail.store import durable, maildir
from stratamail.store.index import Folder, Index
from stratamail.store.mailbox_values import FolderInfo, MailboxError

LONGEST = 240
"""Octets of a folder's directory name (file systems take 255)."""
MOST = 10_000
"""So many folders a mailbox can have, and so many subscriptions: a client that makes them without end is stopped."""
LONGEST_WRITTEN = 1000
"""The same of a name that only stands in a list of subscriptions."""


SPECIAL_USE = {
    "Archive": "\\Archive",
    "Drafts": "\\Drafts",
    "Junk": "\\Junk",
    "Sent": "\\Sent",
    "Trash": "\\Trash",
}
"""RFC 6154, of the names that every mailbox has at first."""

EMPTYING = "emptying"
"""In the index: the folder that takes over INBOX's files, until it has."""
_ASIDE = "deleted."


def written(name: str, longest: int = LONGEST_WRITTEN) -> str:
    """``name`` in its canonical form; MailboxError for what cannot be the name of a folder, here or in another
    mailbox."""
    name = maildir.canonical(name.removesuffix("/"))
    try:
        fits = bool(name.encode("utf-8")) and len(maildir.directory(name)) <= longest
    except UnicodeError:
        fits = False
    if not fits or not all(name.split("/")) or any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise MailboxError("This name is not possible here", "CANNOT")
    return name


def checked(name: str) -> str:
    """The same for what shall be a folder in this mailbox."""
    return written(name, LONGEST)


def parents(name: str) -> list[str]:
    """``a``, ``a/b`` for ``a/b/c``."""
    parts = name.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]


def listing(index: Index) -> list[FolderInfo]:
    subscribed = index.subscriptions()
    implied = {parent for name in index.folders for parent in parents(name)}
    names = sorted(index.folders.keys() | implied | subscribed, key=lambda name: (name != maildir.INBOX, name))
    found = []
    for name in names:
        folder = index.folders.get(name)
        there = folder is not None
        use, uidvalidity = (folder.use, folder.uidvalidity) if folder else ("", 0)
        found.append(
            FolderInfo(name, there, name in subscribed, name in implied, there or name in implied, use, uidvalidity)
        )
    return found


def usual_use(index: Index, name: str) -> str:
    """The special use that a folder has by its name, unless another one has it."""
    use = SPECIAL_USE.get(name, "")
    taken = any(use.lower() in folder.use.lower().split() for folder in index.folders.values())
    return "" if taken else use


def hand_over(root: str, path: str) -> list[str]:
    """Make INBOX's ``new`` and ``cur`` those of another folder; the directories whose entries changed."""
    os.makedirs(path, 0o700, exist_ok=True)
    for sub in ("new", "cur"):
        os.rename(os.path.join(root, sub), os.path.join(path, sub))
        os.mkdir(os.path.join(root, sub), 0o700)
    return [root, path, *maildir.make(path)]


def sweep(root: str) -> None:
    """Remove what deleted folders left; takes long for many messages, and may run in any thread."""
    below = os.path.join(root, "tmp")
    for name in os.listdir(below) if os.path.isdir(below) else ():
        if name.startswith(_ASIDE):
            shutil.rmtree(os.path.join(below, name), ignore_errors=True)


class Tree:
    """The folders of one mailbox. ``touched`` collects changed directories, ``gone`` the names that sessions lose;
    ``emptied`` has the UIDs that left INBOX, and the mod-sequence of that."""

    def __init__(self, index: Index, root: str, draw_uidvalidity: Callable[[], int]) -> None:
        self.touched: set[str] = set()
        self.gone: list[str] = []
        self.emptied: tuple[list[int], int] | None = None
        self._index = index
        self._root = root
        self._draw = draw_uidvalidity

    def create(self, name: str, use: str = "") -> int:
        """``use`` are special uses divided by spaces; one that another folder has is refused (RFC 6154 section 3)."""
        name = checked(name)
        if name in self._index.folders:
            raise MailboxError("The mailbox exists already", "ALREADYEXISTS")
        taken = {one.lower() for folder in self._index.folders.values() for one in folder.use.split()}
        if not taken.isdisjoint(use.lower().split()):
            raise MailboxError("Another mailbox has this special use", "USEATTR")
        wanted = [folder for folder in [*parents(name), name] if folder not in self._index.folders]
        if len(self._index.folders) + len(wanted) > MOST:
            raise MailboxError("There are too many mailboxes", "LIMIT")
        for folder in wanted:
            self._clear(folder)
            self.touched.update(maildir.make(self._path(folder)))
        with self._index.change():
            for folder in wanted:
                given = use if folder == name and use else usual_use(self._index, folder)
                self._index.create(folder, self._draw(), given)
        return self._index.folders[name].uidvalidity

    def delete(self, name: str) -> None:
        name = maildir.canonical(name)
        if name == maildir.INBOX:
            raise MailboxError("INBOX stays", "CANNOT")
        folder = self._index.folders.get(name)
        if folder is None:
            if any(name in parents(other) for other in self._index.folders):
                raise MailboxError("It is there only as the parent of others", "CANNOT")
            raise MailboxError(f"No such mailbox: {name}", "NONEXISTENT")
        with self._index.change(durable=True):
            self._index.drop(folder)
        self.gone.append(name)
        self._clear(name)

    def rename(self, old: str, new: str) -> None:
        old, new = maildir.canonical(old), checked(new)
        moving = self._moving(old)
        if new in self._index.folders or any(new in parents(name) for name in self._index.folders):
            raise MailboxError("The new name is taken", "ALREADYEXISTS")
        if new.startswith(old + "/"):
            raise MailboxError("A mailbox cannot become its own child", "CANNOT")
        renames = [(folder, folder.name, new + folder.name[len(old) :]) for folder in moving]
        for _, _, target in renames:
            checked(target)
        missing = [parent for parent in parents(new) if parent not in self._index.folders]
        for parent in missing:
            self._clear(parent)
            self.touched.update(maildir.make(self._path(parent)))
        for _, _, target in renames:
            self._clear(target)
        subscribed = self._index.subscriptions()
        with self._index.change(durable=True):
            for parent in missing:
                self._index.create(parent, self._draw())
            for folder, source, target in renames:
                self._index.rename(folder, target)
                if source in subscribed:
                    self._index.subscribe(source, False)
                    self._index.subscribe(target, True)
        for _, source, target in renames:
            os.rename(self._path(source), self._path(target))
            self.gone.append(source)
        self.touched.add(self._root)

    def empty_inbox(self, new: str) -> None:
        """RENAME of INBOX (RFC 3501 section 6.3.5): its messages are those of a new folder, and INBOX goes on, empty.
        Whole or not at all, whatever number of messages; its children stay."""
        new = checked(new)
        index = self._index
        inbox = index.folders[maildir.INBOX]
        if new in index.folders or any(new in parents(name) for name in index.folders):
            raise MailboxError("The new name is taken", "ALREADYEXISTS")
        missing = [parent for parent in parents(new) if parent not in index.folders]
        if len(index.folders) + len(missing) >= MOST:
            raise MailboxError("There are too many mailboxes", "LIMIT")
        for name in [*missing, new]:
            self._clear(name)
        for name in missing:
            self.touched.update(maildir.make(self._path(name)))
        uids = index.since(inbox, 1)
        index.reserve(inbox)
        with index.change(durable=True):
            for name in missing:
                index.create(name, self._draw())
            folder = index.part(inbox, new, self._draw())
            index.set_meta(EMPTYING, folder.id)
        self.emptied = uids, index.folders[maildir.INBOX].modseq
        self.touched.update(hand_over(self._root, self._path(new)))
        # from here on no repair has to tell whose the files are
        for path in (self._root, self._path(new)):
            durable.sync_folder(path)
        with index.change():
            index.set_meta(EMPTYING, 0)
        for one in (folder, index.folders[maildir.INBOX]):
            one.seen, one.doubtful = maildir.stamp(self._path(one.name)), True

    def _moving(self, old: str) -> list[Folder]:
        folders = [
            folder for name, folder in sorted(self._index.folders.items()) if name == old or name.startswith(old + "/")
        ]
        if not folders:
            raise MailboxError(f"No such mailbox: {old}", "NONEXISTENT")
        return folders

    def _path(self, name: str) -> str:
        return os.path.join(self._root, maildir.directory(name))

    def _clear(self, name: str) -> None:
        """Take a directory that the index does not know out of the way; it was deleted before. :func:`sweep` removes
        it."""
        path = self._path(name)
        if os.path.lexists(path):
            aside = os.path.join(self._root, "tmp", f"{_ASIDE}{self._draw()}")
            os.rename(path, aside)
            self.touched.add(self._root)
