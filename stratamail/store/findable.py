"""The full-text indexes that searches read, open ones at hand, and how much of a mailbox is in its own.

Writes nothing but SQLite's shared memory beside the files; :mod:`stratamail.store.fulltext` says what these are.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock

from attrs import define, field

from stratamail.store.fulltext import NAME, Fulltext, Unusable
from stratamail.store.index_beside import IndexBeside
from stratamail.store.layout import Layout

OPEN = 16


@define(eq=False)
class _Opened:
    index: Fulltext
    lock: Lock = field(factory=Lock)


class Findable:
    """For any thread. At most :data:`OPEN` files stay open."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._opened: OrderedDict[str, _Opened] = OrderedDict()
        self._lock = Lock()

    @contextlib.contextmanager
    def reading(self, address: str) -> Iterator[Fulltext | None]:
        """The index of a mailbox, for this thread alone; None when there is none that can be read. ``Unusable`` when it
        cannot be read within."""
        opened = self._take(os.path.join(self._layout.mailbox(address), NAME))
        if opened is None:
            yield None
            return
        with opened.lock:
            try:
                yield opened.index
            except sqlite3.Error as error:
                raise Unusable(str(error)) from error

    def _take(self, path: str) -> _Opened | None:
        with self._lock:
            opened = self._opened.get(path)
            if opened is not None and not opened.index.current:
                opened = None
            if opened is None:
                try:
                    opened = _Opened(Fulltext(path))
                except (FileNotFoundError, Unusable, sqlite3.OperationalError):
                    return None
                self._opened[path] = opened
            self._opened.move_to_end(path)
            while len(self._opened) > OPEN:
                # a file is closed with the last reference to it: somebody may be reading
                self._opened.popitem(last=False)
            return opened

    def close(self) -> None:
        with self._lock:
            self._opened.clear()


def count_searchable(layout: Layout, address: str) -> int:
    """How many of a mailbox's messages are in its full-text index, read beside a running server."""
    root = layout.mailbox(address)
    try:
        index = Fulltext(os.path.join(root, NAME))
    except (FileNotFoundError, Unusable, sqlite3.OperationalError):
        return 0
    try:
        seen = index.seen()
    finally:
        index.close()
    try:
        messages = IndexBeside(root)
    except FileNotFoundError:
        return 0
    try:
        return sum(
            messages.count(folder.id, seen[folder.id][1])
            for folder in messages.folders()
            if seen.get(folder.id, (0, 0))[0] == folder.uidvalidity
        )
    finally:
        messages.close()
