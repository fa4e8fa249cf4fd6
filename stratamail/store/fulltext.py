"""One mailbox's full-text index: which messages hold three characters in a row, and their folded texts to make sure.

Writes ``mail/<domain>/<user>/search.sqlite`` (WAL, ``synchronous=NORMAL``; it can be made again from the messages). A
document is a message, whatever folders hold a copy: its key is the message's id in the spool, or the name of a file
that another tool made. Texts come folded (``fold``); FTS5's trigram tokenizer folds nothing more. Blocks: used in
threads, one at a time for each :class:`Fulltext`.
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal
from urllib.parse import quote

from attrs import frozen

from stratamail.mail.collation import casemap
from stratamail.store import maildir
from stratamail.store.index import corrupt

NAME = "search.sqlite"
VERSION = 1
TERMS = 8
"""So many trigrams of a word are looked up; the texts decide."""
_AT_ONCE = 400
_HEAD, _BODY = 0, 1
Where = Literal["head", "body", "text"]

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, whole INTEGER NOT NULL);
CREATE INDEX documents_cut ON documents (number) WHERE NOT whole;
CREATE TABLE texts (number INTEGER PRIMARY KEY, head BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE seen (folder INTEGER PRIMARY KEY, uidvalidity INTEGER NOT NULL, uid INTEGER NOT NULL);
CREATE VIRTUAL TABLE heads USING fts5 (
    text, content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1');
CREATE VIRTUAL TABLE bodies USING fts5 (
    text, content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1');
"""

# the tokenizer ends at a NUL, and \x01 stands between the parts of a message
_CLEAN = {0: "\ufffd", 1: "\ufffd"}
PARTED = "\x01"


class Unusable(Exception):
    """The file is no index of ours any more, to be made again from the messages, or cannot be read now."""


@contextlib.contextmanager
def usable() -> Iterator[None]:
    """:class:`Unusable` for what SQLite says of a broken file within; what else it says stays as it is."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if corrupt(error):
            raise Unusable(str(error)) from error
        raise


def fold(text: str) -> str:
    """What is compared instead of ``text``."""
    folded = casemap(text)
    return folded.translate(_CLEAN) if "\0" in folded or "\x01" in folded else folded


def key_of(base: str) -> str:
    """The document of a file, by the lasting part of its name."""
    return maildir.message_id(base) or base


@frozen
class Document:
    """A message: ``head`` and ``body`` are folded; not ``whole`` when they were cut, and a search must look itself."""

    key: str
    head: str
    body: str
    whole: bool = True


class Fulltext:
    """An open file; ``write`` makes it when there is none. Raises :class:`Unusable`, and FileNotFoundError when there
    is nothing to read. ``current`` tells whether the file at ``path`` is still this one."""

    def __init__(self, path: str, write: bool = False) -> None:
        self.path = path
        mode = "rwc" if write else "rw"  # a reader of a WAL must be able to write its shared memory
        if not write and not os.path.exists(path):
            raise FileNotFoundError(path)
        self._db = sqlite3.connect(f"file:{quote(path)}?mode={mode}", uri=True, isolation_level=None, timeout=10.0,
                                   check_same_thread=False)  # fmt: skip
        try:
            with usable():
                self._open(write)
            self._inode = os.stat(path).st_ino
        except BaseException:
            self._db.close()
            raise

    def _open(self, write: bool) -> None:
        db = self._db
        db.execute("PRAGMA cache_size=-2000")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and write:
            db.execute("PRAGMA page_size=8192")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute("INSERT INTO meta VALUES ('generation', ?)", (random.getrandbits(62),))
            db.execute(f"PRAGMA user_version={VERSION}")
            db.execute("COMMIT")
        elif version != VERSION:
            raise Unusable(f"version {version} is not ours")
        db.execute("PRAGMA synchronous=NORMAL")
        if not write:
            db.execute("PRAGMA query_only=1")
        self.generation: int = db.execute("SELECT value FROM meta WHERE name='generation'").fetchone()[0]

    def close(self) -> None:
        self._db.close()

    @property
    def current(self) -> bool:
        """Whether ``path`` still leads to this file."""
        try:
            return os.stat(self.path).st_ino == self._inode
        except FileNotFoundError:
            return False

    # writing

    def seen(self) -> dict[int, tuple[int, int]]:
        """By folder id: its UIDVALIDITY, and the UID up to which all messages are in here."""
        return {id: (validity, uid) for id, validity, uid in self._db.execute("SELECT * FROM seen")}

    def add(self, documents: Sequence[Document], folder: int, uidvalidity: int, uid: int) -> None:
        """Documents that are not in here, and how far their folder is seen now. One transaction."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            for document in documents:
                number = db.execute(
                    "INSERT INTO documents (key, whole) VALUES (?, ?)", (document.key, document.whole)
                ).lastrowid
                head, body = _octets(document.head), _octets(document.body)
                db.execute("INSERT INTO texts VALUES (?, ?, ?)", (number, head, body))
                db.execute("INSERT INTO heads (rowid, text) VALUES (?, ?)", (number, head.decode("utf-8")))
                db.execute("INSERT INTO bodies (rowid, text) VALUES (?, ?)", (number, body.decode("utf-8")))
            db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", (folder, uidvalidity, uid))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def remove(self, numbers: Sequence[int]) -> None:
        """Documents that no folder holds any more. One transaction."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            for number in numbers:
                row = db.execute("SELECT head, body FROM texts WHERE number=?", (number,)).fetchone()
                if row is not None:
                    for table, text in zip(("heads", "bodies"), row, strict=True):
                        db.execute(
                            f"INSERT INTO {table} ({table}, rowid, text) VALUES ('delete', ?, ?)",  # noqa: S608
                            (number, text.decode("utf-8")),
                        )
                db.execute("DELETE FROM texts WHERE number=?", (number,))
                db.execute("DELETE FROM documents WHERE number=?", (number,))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    # which documents there are

    @property
    def last(self) -> int:
        """The highest number given; numbers are never given twice."""
        found: int = self._db.execute("SELECT coalesce(max(number), 0) FROM documents").fetchone()[0]
        return found

    def count(self) -> int:
        found: int = self._db.execute("SELECT count(*) FROM documents").fetchone()[0]
        return found

    def numbers(self, keys: Iterable[str]) -> dict[str, int]:
        """The numbers of those keys that are in here."""
        wanted = list(keys)
        found: dict[str, int] = {}
        for i in range(0, len(wanted), _AT_ONCE):
            some = wanted[i : i + _AT_ONCE]
            marks = ",".join("?" * len(some))
            found.update(self._db.execute(f"SELECT key, number FROM documents WHERE key IN ({marks})", some))  # noqa: S608
        return found

    def after(self, number: int, limit: int = -1) -> dict[str, int]:
        """The documents with higher numbers, by key; the lowest ``limit`` of them."""
        return dict(
            self._db.execute(
                "SELECT key, number FROM documents WHERE number>? ORDER BY number LIMIT ?", (number, limit)
            )
        )

    def cut(self) -> set[int]:
        """The documents whose texts are not whole."""
        return {number for (number,) in self._db.execute("SELECT number FROM documents WHERE NOT whole")}

    # finding

    def find(self, text: str, where: Where) -> set[int]:
        """The numbers of the documents whose texts hold ``text`` (not folded yet; not empty), exactly."""
        needle = fold(text)
        found: set[int] = set()
        for table, column in (("heads", "head"), ("bodies", "body")):
            if where in (column, "text"):
                # headers are read with blanks for tabs
                found |= self._find(table, column, needle.replace("\t", " ") if column == "head" else needle)
        return found

    def _find(self, table: str, column: str, needle: str) -> set[int]:
        raw = _octets(needle)
        if len(needle) < 3:
            rows = self._db.execute(f"SELECT number FROM texts WHERE instr({column}, ?)", (raw,))  # noqa: S608
        elif len(needle) == 3:
            rows = self._db.execute(f"SELECT rowid FROM {table} WHERE {table} MATCH ?", (_match(needle),))  # noqa: S608
        else:
            rows = self._db.execute(
                f"SELECT f.rowid FROM {table} f CROSS JOIN texts t ON t.number=f.rowid"  # noqa: S608
                f" WHERE f.{table} MATCH ? AND instr(t.{column}, ?)",
                (_match(needle), raw),
            )
        return {number for (number,) in rows}


def _octets(text: str) -> bytes:
    """UTF-8; half a surrogate pair, which some charsets can write, is U+FFFD."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8")


def _match(needle: str) -> str:
    """FTS5's query for the trigrams of ``needle``, some of them when it is long, evenly chosen."""
    last = len(needle) - 3
    places = range(last + 1) if last < TERMS else sorted({i * last // (TERMS - 1) for i in range(TERMS)})
    terms = dict.fromkeys(needle[i : i + 3] for i in places)
    return " AND ".join('"' + term.replace('"', '""') + '"' for term in terms)


def remove_file(path: str) -> None:
    """Forget an index that cannot be used."""
    for name in (path, path + "-wal", path + "-shm"):
        try:
            os.unlink(name)
        except FileNotFoundError:
            pass
