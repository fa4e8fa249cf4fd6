"""The indexes that are open now, least recently used out first; each agrees with its Maildir before its first use.

Writes ``mail/epoch``, a number that grows with every unclean start: an index that carries another one is compared with
its folders before it is served. Removes an index that is broken.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from stratamail.mail.reply import DiskFull
from stratamail.store import durable, foldertree, maildir
from stratamail.store.index import Corrupt, Index, corrupt
from stratamail.store.layout import Layout
from stratamail.store.mailbox_values import MailboxError
from stratamail.store.reconcile import Reconciler, SeqOf

T = TypeVar("T")


class OpenIndexes:
    """``limit`` bounds the open ones (three files each); ``touch(address, directory)`` hears of changed directories,
    ``mended(address)`` of indexes that were made to agree with their Maildir."""

    def __init__(
        self,
        layout: Layout,
        draw_uidvalidity: Callable[[], int],
        unclean: bool,
        seq_of: SeqOf | None,
        limit: int,
        touch: Callable[[str, str], None],
    ) -> None:
        self._layout = layout
        self._draw = draw_uidvalidity
        self._seq_of = seq_of
        self.mended: Callable[[str], None] = lambda address: None
        self._limit = limit
        self._touch = touch
        self._open: OrderedDict[str, Index] = OrderedDict()
        self._epoch = _epoch(layout.mail, unclean)

    def attempt(self, address: str, act: Callable[[Index], T]) -> T:
        """Do it with the open index. An index is closed after any failure but a refusal, since what it holds in memory
        may be ahead of its file. Raises :class:`Corrupt` for a broken one, ``DiskFull``, or what ``act`` raised."""
        try:
            return act(self._index(address))
        except MailboxError:
            raise
        except OverflowError as error:
            raise MailboxError(str(error), "LIMIT") from error
        except sqlite3.DatabaseError as error:
            self._discard(address)
            if corrupt(error):
                raise Corrupt(str(error)) from error
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise DiskFull() from error
            raise
        except OSError as error:
            self._discard(address)
            if maildir.full(error):
                raise DiskFull() from error
            raise
        except BaseException:
            self._discard(address)
            raise

    def remove(self, address: str) -> None:
        """Drop an index for good; the next use builds it from the Maildir, with new UIDVALIDITYs."""
        self._discard(address)
        path = self._path(address)
        for suffix in ("-wal", "-shm", ""):
            if os.path.exists(path + suffix):
                os.unlink(path + suffix)

    def release(self, seconds: float) -> None:
        """Close those that nobody has used for so long."""
        before = time.monotonic() - seconds
        while self._open:
            address, index = next(iter(self._open.items()))
            if index.used > before:
                break
            del self._open[address]
            index.close()

    def forget(self, is_mailbox: Callable[[str], bool]) -> None:
        """Close those whose address is no mailbox any more: its folders are about to be set aside."""
        for address in [address for address in self._open if not is_mailbox(address)]:
            self._discard(address)

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def _path(self, address: str) -> str:
        return os.path.join(self._layout.mailbox(address), "index.sqlite")

    def _index(self, address: str) -> Index:
        index = self._open.get(address)
        if index is not None:
            index.used = time.monotonic()
            self._open.move_to_end(address)
            return index
        root = self._layout.mailbox(address)
        for path in maildir.make(root):
            self._touch(address, path)
        index = Index(self._path(address))
        index.used = time.monotonic()
        try:
            if index.meta("epoch") != self._epoch or index.meta(foldertree.EMPTYING):
                if not index.fresh:
                    index.check()
                mender = Reconciler(index, root, self._draw, self._seq_of, self._layout.message)
                mender.run()
                for path in mender.touched:
                    self._touch(address, path)
                with index.change():
                    index.set_meta("epoch", self._epoch)
                self.mended(address)
        except BaseException:
            index.abandon()
            raise
        self._open[address] = index
        if len(self._open) > self._limit:
            self._open.popitem(last=False)[1].close()
        return index

    def _discard(self, address: str) -> None:
        index = self._open.pop(address, None)
        if index is not None:
            index.abandon()


def _epoch(folder: str, unclean: bool) -> int:
    path = os.path.join(folder, "epoch")
    try:
        with open(path, encoding="ascii") as file:
            epoch = int(file.read())
    except (FileNotFoundError, ValueError):
        epoch = 0
    if epoch and not unclean:
        return epoch
    durable.make_folder(folder, 0o700)
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(str(epoch + 1))
    durable.sync_file(path + ".new")
    os.rename(path + ".new", path)
    durable.sync_folder(folder)
    return epoch + 1
