"""A mailbox's index read beside the thread that writes it: which messages there are, in short transactions.

Writes nothing. For any thread, one at a time.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from stratamail.store.index_file import corrupt


class Found(NamedTuple):
    """One message: where its file is, relative to its folder, follows from ``base`` and ``flags``."""

    uid: int
    flags: int
    base: str


class FolderBeside(NamedTuple):
    id: int
    name: str
    uidvalidity: int
    uidnext: int


class IndexBeside:
    """``index.sqlite`` of the mailbox at ``root``. FileNotFoundError when it has none that can be read."""

    def __init__(self, root: str) -> None:
        self.path = os.path.join(root, "index.sqlite")
        try:
            self._inode = os.stat(self.path).st_ino
            self._db = sqlite3.connect(
                f"file:{quote(self.path)}?mode=ro", uri=True, timeout=5.0, isolation_level=None,
                check_same_thread=False,
            )  # fmt: skip
        except sqlite3.OperationalError as error:
            raise FileNotFoundError(self.path) from error

    def close(self) -> None:
        self._db.close()

    @property
    def current(self) -> bool:
        try:
            return os.stat(self.path).st_ino == self._inode
        except FileNotFoundError:
            return False

    def folders(self) -> list[FolderBeside]:
        """Messages have UIDs below ``uidnext``; read the messages after it."""
        try:
            rows = self._db.execute("SELECT id, name, uidvalidity, uidnext FROM folders ORDER BY id").fetchall()
        except sqlite3.DatabaseError as error:
            if corrupt(error):
                raise FileNotFoundError(self.path) from error
            raise
        return [FolderBeside(*row) for row in rows]

    def above(self, folder: int, uid: int, limit: int) -> list[Found]:
        """The next messages of a folder, ascending by UID."""
        query = "SELECT uid, flags, base FROM messages WHERE folder=? AND uid>? ORDER BY uid LIMIT ?"
        return [Found(*row) for row in self._db.execute(query, (folder, uid, limit))]

    def count(self, folder: int, uid: int) -> int:
        """How many messages a folder has up to a UID."""
        query = "SELECT count(*) FROM messages WHERE folder=? AND uid<=?"
        return int(self._db.execute(query, (folder, uid)).fetchone()[0])

    def bases(self) -> Iterator[str]:
        """The names of all files, as of the moment of the first."""
        for (base,) in self._db.execute("SELECT base FROM messages"):
            yield base

    def total(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM messages").fetchone()[0])
