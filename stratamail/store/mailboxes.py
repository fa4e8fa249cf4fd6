"""Every mailbox's mutations, applied to its Maildir and its index and told to whoever looks at it.

Writes ``mail/<domain>/<user>/``: links, folders, ``index.sqlite``. All methods are synchronous and called in one thread
(the pool ``files``): that is the one order of truth, and there are no locks. ``address`` is always the mailbox's own
address in key form.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from stratamail.store import foldertree, maildir
from stratamail.store.index import Index
from stratamail.store.index import count as count_index
from stratamail.store.layout import Layout
from stratamail.store.mailbox_reading import MailboxReading
from stratamail.store.mailbox_restoring import MailboxRestoring
from stratamail.store.mailbox_sharing import MailboxSharing
from stratamail.store.mailbox_values import Arrival, FolderInfo, MailboxError, Removed, Replaced

__all__ = ["Arrival", "MailboxError", "Mailboxes", "count_messages"]

T = TypeVar("T")


class Mailboxes(MailboxSharing, MailboxRestoring, MailboxReading):
    """Messages, what is read of them, and folders; see ``store.mailbox_access`` for what it is made with."""

    def folders(self, address: str, offered: Sequence[str] = ()) -> list[FolderInfo]:
        """Every folder, and the parents that exist only as such; by name, INBOX first. Names ``offered`` for the first
        time are subscribed to: shared mailboxes that this one has come to read."""

        def act(index: Index) -> list[FolderInfo]:
            fresh = [name for name in offered if not index.meta(f"offered:{name}")]
            if fresh:
                with index.change():
                    for name in fresh:
                        index.subscribe(name, True)
                        index.set_meta(f"offered:{name}", 1)
            self._look_at_tree(address, index)
            return foldertree.listing(index)

        return self._run(address, act)

    def names(self, addresses: Iterable[str]) -> dict[str, list[str]]:
        """The folders that many mailboxes have, INBOX first: their directories tell, so that none of their indexes is
        opened for it, but one that has yet to be made."""
        found = {}
        for address in addresses:
            root = self._files.root(address)
            if os.path.exists(os.path.join(root, "index.sqlite")):
                found[address] = list(dict.fromkeys((maildir.INBOX, *maildir.folders(root))))
            else:
                found[address] = [info.name for info in self.folders(address) if info.exists]
        return found

    def create(self, address: str, name: str, use: str = "") -> int:
        """Make a folder (and its parents, RFC 3501 section 6.3.3); its UIDVALIDITY. ``use`` are special uses divided by
        spaces (RFC 6154); MailboxError "USEATTR" when another folder has one of them."""
        return self._tree(address, lambda tree: tree.create(name, use))

    def delete(self, address: str, name: str) -> None:
        """Remove a folder with its messages; with children it stays as their parent only."""
        self._tree(address, lambda tree: tree.delete(name))

    def rename(self, address: str, old: str, new: str) -> None:
        """Children move along. INBOX itself stays, empty (RFC 3501 section 6.3.5): sessions hear its messages go."""
        if maildir.canonical(old) == maildir.INBOX:
            self._tree(address, lambda tree: tree.empty_inbox(new))
        else:
            self._tree(address, lambda tree: tree.rename(old, new))

    def subscribe(self, address: str, name: str, wanted: bool = True) -> None:
        """A name need not exist (RFC 3501 section 6.3.6)."""

        def act(index: Index) -> None:
            canonical = foldertree.written(name)
            known = index.subscriptions()
            if wanted and canonical not in known and len(known) >= foldertree.MOST:
                raise MailboxError("There are too many subscriptions", "LIMIT")
            with index.change():
                index.subscribe(canonical, wanted)

        self._run(address, act)

    def _tree(self, address: str, act: Callable[[foldertree.Tree], T]) -> T:
        def run(index: Index) -> T:
            self._look_at_tree(address, index)
            tree = foldertree.Tree(index, self._files.root(address), self._draw)
            try:
                return act(tree)
            finally:
                for path in tree.touched:
                    self._files.touch(address, path)
                for gone in tree.gone:
                    self.listener(address, gone, Replaced())
                if tree.emptied is not None:
                    self.listener(address, maildir.INBOX, Removed(tuple(tree.emptied[0]), tree.emptied[1]))

        return self._run(address, run)

    def folders_to_sync(self, address: str) -> list[str]:
        """The directories whose entries changed since the last call; who syncs them makes those changes durable."""
        return self._files.to_sync(address)

    def forget(self, is_mailbox: Callable[[str], bool]) -> None:
        """Let go of what is no mailbox any more; whoever gets the address later starts anew."""
        self._indexes.forget(is_mailbox)

    def release(self, seconds: float) -> None:
        """Close the indexes that nobody has used for so long; their memory and files are free then."""
        self._indexes.release(seconds)

    def close(self) -> None:
        """Close all indexes; the next use opens them again."""
        self._indexes.close()


def count_messages(layout: Layout, address: str) -> int:
    """How many messages a mailbox holds, read beside a running server; 0 when it has no index yet."""
    return count_index(os.path.join(layout.mailbox(address), "index.sqlite"))
