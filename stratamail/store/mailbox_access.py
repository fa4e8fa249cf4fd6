"""What every part of the mailboxes needs: the open index of an address, a folder by name, flags as bits, the listener.

Writes nothing itself; rebuilds an index that is broken (``store.open_indexes``). Belongs to the pool ``files``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from resource import RLIMIT_NOFILE, getrlimit
from typing import Any, TypeVar

from twisted.logger import Logger

from stratamail.store import maildir
from stratamail.store.index import Corrupt, Folder, Index
from stratamail.store.layout import Layout
from stratamail.store.mailbox_files import MailboxFiles
from stratamail.store.mailbox_values import Change, MailboxError, Replaced
from stratamail.store.open_indexes import OpenIndexes
from stratamail.store.reconcile import SeqOf

T = TypeVar("T")
_log = Logger()

BUILT_IN = {name.lower(): bit for name, bit in maildir.BUILT_IN.items()}


def _ignore(address: str, folder: str, change: Change) -> None:
    """Nobody looks."""


def words(folder: Folder, bits: int) -> list[str]:
    """The keywords behind the bits of a folder."""
    shifted = enumerate(folder.keywords, maildir.FIRST_KEYWORD)
    return [word for bit, word in shifted if word is not None and bits & 1 << bit]


class MailboxAccess:
    """The mailboxes of one STATE. ``draw_uidvalidity`` never gives a number twice; ``unclean``: the last run did not
    end by itself; ``seq_of`` maps spool ids to seq for repairs. ``listener(address, folder, change)`` is called in this
    thread after each commit; it must not block or raise. ``open_indexes`` bounds the ones held open (three files and
    130 kB each); None: an eighth of the files that the process may open, 256 at most. ``now`` gives the seconds since
    1970 at which a message is saved."""

    def __init__(
        self,
        layout: Layout,
        draw_uidvalidity: Callable[[], int],
        unclean: bool = False,
        seq_of: SeqOf | None = None,
        open_indexes: int | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.layout = layout
        self.listener: Callable[[str, str, Change], None] = _ignore
        self._files = MailboxFiles(layout)
        self._draw = draw_uidvalidity
        self._now = now
        self._opened: tuple[str, int] | None = None
        limit = open_indexes or max(8, min(256, getrlimit(RLIMIT_NOFILE)[0] // 8))
        self._indexes = OpenIndexes(layout, draw_uidvalidity, unclean, seq_of, limit, self._files.touch)

    def on_mended(self, hear: Callable[[str], None]) -> None:
        """``hear(address)`` is called in this thread whenever an index was made to agree with its Maildir."""
        self._indexes.mended = hear

    def within(self, address: str, name: str, uidvalidity: int, method: str, *arguments: Any) -> Any:
        """Call a method on the folder that a session opened: MailboxError when another one has its name by now (it was
        deleted, renamed or rebuilt), whose UIDs name other messages."""
        self._opened = (maildir.canonical(name), uidvalidity)
        try:
            return getattr(self, method)(address, name, *arguments)
        finally:
            self._opened = None

    def _run(self, address: str, act: Callable[[Index], T]) -> T:
        """Do it with the open index; a corrupt one is rebuilt and it is done again, once."""
        try:
            return self._indexes.attempt(address, act)
        except Corrupt as error:
            _log.error("index of {address} is unusable ({error}): rebuilding it", address=address, error=str(error))
        self._indexes.remove(address)
        self.listener(address, "", Replaced())
        return self._indexes.attempt(address, act)

    def _folder(self, index: Index, name: str, code: str = "NONEXISTENT") -> Folder:
        folder = index.folders.get(maildir.canonical(name))
        if folder is None:
            raise MailboxError(f"No such mailbox: {name[:200]}", code)
        if self._opened is not None and self._opened[0] == folder.name and self._opened[1] != folder.uidvalidity:
            raise MailboxError("The mailbox is not the one that was opened", "NONEXISTENT")
        return folder

    def _mask(self, index: Index, folder: Folder, flags: Iterable[str], create: bool = True) -> int:
        mask = 0
        for flag in flags:
            bit = BUILT_IN.get(flag.lower(), 0)
            if not bit and not flag.startswith("\\"):
                bit = index.keyword(folder, flag, create)
            mask |= bit
        return mask

    def _microseconds(self) -> int:
        return int(self._now() * 1_000_000)
