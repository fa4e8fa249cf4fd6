"""One mailbox's index file: UIDs, flags, mod-sequences, and rendered bytes that it is given and cannot read.

Writes ``mail/<domain>/<user>/index.sqlite`` (WAL, ``synchronous=NORMAL``: a cache that the Maildir can rebuild). What
must never repeat (UIDs, mod-sequences) is reserved in blocks by transactions that are durable before a number of the
block is used. One thread uses an Index at a time.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote

from attrs import define, field

from stratamail.store import maildir

VERSION = 1
UID_BLOCK = 1000
MODSEQ_BLOCK = 10_000
MARKS_KEPT = 100_000
LARGEST_UID = 0xFFFFFFFF
KEYWORDS = maildir.LAST_KEYWORD - maildir.FIRST_KEYWORD + 1
"""How many a folder can hold."""

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE folders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, uidvalidity INTEGER NOT NULL,
    uidnext INTEGER NOT NULL, reserved INTEGER NOT NULL, modseq INTEGER NOT NULL, recent INTEGER NOT NULL);
CREATE TABLE keywords (folder INTEGER, bit INTEGER, name TEXT NOT NULL, PRIMARY KEY (folder, bit)) WITHOUT ROWID;
CREATE TABLE messages (
    folder INTEGER NOT NULL, uid INTEGER NOT NULL, modseq INTEGER NOT NULL, flags INTEGER NOT NULL,
    size INTEGER NOT NULL, date INTEGER NOT NULL, base TEXT NOT NULL, PRIMARY KEY (folder, uid)) WITHOUT ROWID;
CREATE UNIQUE INDEX messages_base ON messages (base);
CREATE TABLE marks (
    number INTEGER PRIMARY KEY AUTOINCREMENT, base TEXT NOT NULL UNIQUE, folder INTEGER NOT NULL, uid INTEGER NOT NULL,
    modseq INTEGER NOT NULL);
CREATE TABLE subscriptions (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE cache (
    folder INTEGER, uid INTEGER, kind TEXT, data BLOB NOT NULL, PRIMARY KEY (folder, uid, kind)) WITHOUT ROWID;
"""


class Corrupt(Exception):
    """The file is no index of ours any more; the Maildir rebuilds it."""


class Row(NamedTuple):
    """One message of a folder. ``flags`` are bits (``maildir``'s and the folder's keywords); ``date`` microseconds."""

    uid: int
    modseq: int
    flags: int
    size: int
    date: int
    base: str


@define(eq=False)
class Folder:
    """A folder's counters as they stand in the index. ``recent`` is the first UID no session was told of as recent."""

    id: int
    name: str
    uidvalidity: int
    uidnext: int
    reserved: int
    modseq: int
    recent: int
    keywords: list[str | None] = field(factory=list)


class Columns:
    """A folder's messages in ascending UID, as columns: arrays of uid, modseq, flags, size, date, and file names."""

    __slots__ = ("bases", "dates", "flags", "modseqs", "sizes", "uids")

    def __init__(self, rows: Iterable[Row | tuple[int, int, int, int, int, str]] = ()) -> None:
        columns = list(zip(*rows, strict=True)) or [()] * 6
        self.uids = array("I", columns[0])
        self.modseqs = array("Q", columns[1])
        self.flags = array("Q", columns[2])
        self.sizes = array("Q", columns[3])
        self.dates = array("q", columns[4])
        self.bases: list[str] = list(columns[5])


def corrupt(error: sqlite3.DatabaseError) -> bool:
    """Whether an error of SQLite means that the file itself is broken (not: busy, full, a failing disk)."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_ERROR:
        return str(error).startswith(("no such table", "no such column", "malformed database schema"))
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH)


class Index:
    """Opens or creates the file; raises :class:`Corrupt` when it cannot be used as it is. ``fresh`` tells a new one."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fresh = False
        # places of keywords that this transaction has given, by folder
        self._given: dict[int, set[int]] = {}
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            self._db.close()
            if corrupt(error):
                raise Corrupt(str(error)) from error
            raise
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        db = self._db
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA cache_size=-256")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise Corrupt("not an index of ours")
            # nothing to lose yet: what a power cut leaves of a new file is found out, and built again
            db.execute("PRAGMA synchronous=OFF")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={VERSION}")
            db.execute("COMMIT")
            db.execute("PRAGMA synchronous=NORMAL")
            self.fresh = True
        elif version != VERSION:
            raise Corrupt(f"version {version} of the index is not ours")
        self._meta: dict[str, int] = dict(db.execute("SELECT name, value FROM meta"))
        self.folders: dict[str, Folder] = {}
        for row in db.execute("SELECT id, name, uidvalidity, uidnext, reserved, modseq, recent FROM folders"):
            self.folders[row[1]] = Folder(*row)
        self._meta["modseq"] = max([self.meta("modseq"), *(folder.modseq for folder in self.folders.values())])
        self._marked = db.execute("SELECT 1 FROM marks LIMIT 1").fetchone() is not None
        by_id = {folder.id: folder for folder in self.folders.values()}
        for folder_id, bit, name in db.execute("SELECT folder, bit, name FROM keywords ORDER BY folder, bit"):
            if folder_id in by_id:
                words = by_id[folder_id].keywords
                words += [None] * (bit - maildir.FIRST_KEYWORD + 1 - len(words))
                words[bit - maildir.FIRST_KEYWORD] = name

    def close(self) -> None:
        self._db.close()

    def check(self) -> None:
        """Look through the whole file; raises :class:`Corrupt`."""
        if self._db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise Corrupt("quick_check failed")

    # meta

    def meta(self, name: str) -> int:
        return self._meta.get(name, 0)

    def set_meta(self, name: str, value: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))
        self._meta[name] = value

    # transactions

    @contextlib.contextmanager
    def change(self, durable: bool = False) -> Iterator[None]:
        """A transaction. When it fails the counters in memory may be ahead: the caller closes this Index."""
        if durable:
            self._db.execute("PRAGMA synchronous=FULL")
        self._given.clear()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        finally:
            if durable:
                self._db.execute("PRAGMA synchronous=NORMAL")

    def reserve(self, folder: Folder, uids: int = 0, modseqs: int = 1) -> None:
        """Make sure, durably and outside any transaction, that so many numbers may be given. OverflowError at the end
        of the UIDs."""
        uid_end = folder.uidnext + uids - 1
        modseq_end = self.meta("modseq") + modseqs
        if uid_end > LARGEST_UID:
            raise OverflowError(f"folder {folder.name} has used up its UIDs")
        more_uids, more_modseqs = uid_end > folder.reserved, modseq_end > self.meta("modseq-reserved")
        if not (more_uids or more_modseqs):
            return
        with self.change(durable=True):
            if more_uids:
                folder.reserved = min(uid_end + UID_BLOCK, LARGEST_UID)
                self._db.execute("UPDATE folders SET reserved=? WHERE id=?", (folder.reserved, folder.id))
            if more_modseqs:
                self.set_meta("modseq-reserved", modseq_end + MODSEQ_BLOCK)

    def skip_reserved(self) -> None:
        """After an unclean start: numbers go on past what was reserved. Within a transaction."""
        if self.meta("modseq") < self.meta("modseq-reserved"):
            self.set_meta("modseq", self.meta("modseq-reserved"))
        for folder in self.folders.values():
            folder.modseq = self.meta("modseq")
            if folder.uidnext <= folder.reserved < LARGEST_UID:
                folder.uidnext = folder.reserved + 1
        self.save(*self.folders.values())

    def next_modseq(self, folder: Folder) -> int:
        """The next of the reserved ones, now the folder's highest. Within a transaction that saves the folder."""
        modseq = self._meta["modseq"] = self.meta("modseq") + 1
        folder.modseq = modseq
        return modseq

    def save(self, *folders: Folder) -> None:
        """Write the counters of folders; the highest mod-sequence of all is the mailbox's. Within a transaction."""
        for folder in folders:
            self._db.execute(
                "UPDATE folders SET uidnext=?, modseq=?, recent=? WHERE id=?",
                (folder.uidnext, folder.modseq, folder.recent, folder.id),
            )

    # folders

    def create(self, name: str, uidvalidity: int) -> Folder:
        modseq = self.meta("modseq")
        cursor = self._db.execute(
            "INSERT INTO folders (name, uidvalidity, uidnext, reserved, modseq, recent) VALUES (?, ?, 1, 0, ?, 1)",
            (name, uidvalidity, modseq),
        )
        assert cursor.lastrowid is not None
        folder = self.folders[name] = Folder(cursor.lastrowid, name, uidvalidity, 1, 0, modseq, 1)
        return folder

    def drop(self, folder: Folder) -> None:
        """Forget a folder; every message leaves a mark."""
        self._marked = True
        self.set_meta("modseq", self.meta("modseq"))
        self._db.execute(
            "INSERT OR IGNORE INTO marks (base, folder, uid, modseq) SELECT base, folder, uid, modseq FROM messages"
            " WHERE folder=?",
            (folder.id,),
        )
        for table in ("messages", "cache", "keywords"):
            self._db.execute(f"DELETE FROM {table} WHERE folder=?", (folder.id,))  # noqa: S608  (our own names)
        self._db.execute("DELETE FROM folders WHERE id=?", (folder.id,))
        del self.folders[folder.name]

    def rename(self, folder: Folder, name: str) -> None:
        self._db.execute("UPDATE folders SET name=? WHERE id=?", (name, folder.id))
        del self.folders[folder.name]
        folder.name = name
        self.folders[name] = folder

    def subscriptions(self) -> set[str]:
        return {name for (name,) in self._db.execute("SELECT name FROM subscriptions")}

    def subscribe(self, name: str, wanted: bool) -> None:
        verb = (
            "INSERT OR IGNORE INTO subscriptions (name) VALUES (?)"
            if wanted
            else "DELETE FROM subscriptions WHERE name=?"
        )
        self._db.execute(verb, (name,))

    def keyword(self, folder: Folder, name: str, create: bool = True) -> int:
        """The bit of a keyword (any case), given now when it is new and wanted; 0 when the folder can hold no more. A
        bit that no message has is given anew when there is no other. Within a transaction."""
        given = self._given.setdefault(folder.id, set())
        words = folder.keywords
        for i, known in enumerate(words):
            if known is not None and known.lower() == name.lower():
                given.add(i)
                return 1 << (i + maildir.FIRST_KEYWORD)
        if not create:
            return 0
        if len(words) >= KEYWORDS and None not in words:
            for i in self._unused(folder):
                if i not in given:
                    words[i] = None
                    self._db.execute(
                        "DELETE FROM keywords WHERE folder=? AND bit=?", (folder.id, i + maildir.FIRST_KEYWORD)
                    )
        if len(words) < KEYWORDS:
            words.append(None)
        if None not in words:
            return 0
        i = words.index(None)
        words[i] = name
        given.add(i)
        self._db.execute(
            "INSERT OR REPLACE INTO keywords (folder, bit, name) VALUES (?, ?, ?)",
            (folder.id, i + maildir.FIRST_KEYWORD, name),
        )
        return 1 << (i + maildir.FIRST_KEYWORD)

    def room(self, folder: Folder, names: Iterable[str]) -> bool:
        """Whether the folder can hold these keywords beside those that its messages have."""
        words = [None if known is None else known.lower() for known in folder.keywords]
        wanted = {name.lower() for name in names}
        free = KEYWORDS - len(words) + words.count(None)
        lacking = len(wanted.difference(words))
        if lacking <= free:
            return True
        return lacking <= free + sum(words[i] is not None and words[i] not in wanted for i in self._unused(folder))

    def _unused(self, folder: Folder) -> list[int]:
        """The places in ``keywords`` whose bit no message has."""
        used = 0
        for (flags,) in self._db.execute("SELECT DISTINCT flags FROM messages WHERE folder=?", (folder.id,)):
            used |= flags
        return [i for i in range(len(folder.keywords)) if not used >> (i + maildir.FIRST_KEYWORD) & 1]

    # messages

    def add(self, folder: Folder, rows: Sequence[Row]) -> None:
        self._db.executemany(
            "INSERT INTO messages (folder, uid, modseq, flags, size, date, base) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(folder.id, *row) for row in rows],
        )

    def load(self, folder: Folder) -> Columns:
        return Columns(
            self._db.execute(
                "SELECT uid, modseq, flags, size, date, base FROM messages WHERE folder=? ORDER BY uid", (folder.id,)
            )
        )

    def rows(self, folder: Folder, uids: Iterable[int]) -> list[Row]:
        """Those of the UIDs that exist, in the order asked."""
        select = self._db.execute
        found = []
        for uid in uids:
            row = select(
                "SELECT uid, modseq, flags, size, date, base FROM messages WHERE folder=? AND uid=?", (folder.id, uid)
            ).fetchone()
            if row is not None:
                found.append(Row(*row))
        return found

    def by_base(self, base: str) -> tuple[int, Row] | None:
        """(folder id, row) of a file name."""
        row = self._db.execute(
            "SELECT folder, uid, modseq, flags, size, date, base FROM messages WHERE base=?", (base,)
        ).fetchone()
        return None if row is None else (row[0], Row(*row[1:]))

    def by_message(self, id: str) -> list[tuple[int, Row]]:
        """(folder id, row) of every copy of a message. Looks through all names: for repairs only."""
        found = self._db.execute(
            "SELECT folder, uid, modseq, flags, size, date, base FROM messages WHERE base LIKE ?", (f"%.{id}.%",)
        )
        return [(row[0], Row(*row[1:])) for row in found]

    def known(self, bases: Sequence[str]) -> dict[str, tuple[int, Row]]:
        """Name → (folder id, row) of those that the index lists."""
        found: dict[str, tuple[int, Row]] = {}
        for i in range(0, len(bases), 500):
            some = bases[i : i + 500]
            holes = ",".join("?" * len(some))
            query = f"SELECT folder, uid, modseq, flags, size, date, base FROM messages WHERE base IN ({holes})"  # noqa: S608
            found.update((row[6], (row[0], Row(*row[1:]))) for row in self._db.execute(query, some))
        return found

    def marked(self, bases: Sequence[str]) -> set[str]:
        """Those of the names that an expunge or a move has marked."""
        found: set[str] = set()
        if not self._marked:
            return found
        for i in range(0, len(bases), 500):
            some = bases[i : i + 500]
            holes = ",".join("?" * len(some))
            found.update(b for (b,) in self._db.execute(f"SELECT base FROM marks WHERE base IN ({holes})", some))  # noqa: S608
        return found

    def set_flags(self, folder: Folder, changes: Iterable[tuple[int, int, int]]) -> None:
        """``changes`` are (uid, modseq, flags)."""
        self._db.executemany(
            "UPDATE messages SET modseq=?, flags=? WHERE folder=? AND uid=?",
            [(modseq, flags, folder.id, uid) for uid, modseq, flags in changes],
        )

    def remove(self, folder: Folder, rows: Sequence[Row], modseq: int) -> None:
        """Forget messages, leaving a mark with each name."""
        gone = [(folder.id, row.uid) for row in rows]
        self._marked = True
        self._db.executemany(
            "INSERT OR IGNORE INTO marks (base, folder, uid, modseq) VALUES (?, ?, ?, ?)",
            [(row.base, folder.id, row.uid, modseq) for row in rows],
        )
        self._db.executemany("DELETE FROM messages WHERE folder=? AND uid=?", gone)
        self._db.executemany("DELETE FROM cache WHERE folder=? AND uid=?", gone)

    def trim_marks(self) -> None:
        """Keep no more marks than could ever matter: more messages than that are never unfiled at once."""
        self._db.execute("DELETE FROM marks WHERE number <= (SELECT max(number) FROM marks) - ?", (MARKS_KEPT,))

    def since(self, folder: Folder, uid: int) -> list[int]:
        """The UIDs from ``uid`` on."""
        found = self._db.execute("SELECT uid FROM messages WHERE folder=? AND uid>=? ORDER BY uid", (folder.id, uid))
        return [uid for (uid,) in found]

    def deleted(self, folder: Folder) -> list[Row]:
        """The messages that carry \\Deleted, ascending."""
        found = self._db.execute(
            "SELECT uid, modseq, flags, size, date, base FROM messages WHERE folder=? AND flags & ? ORDER BY uid",
            (folder.id, maildir.DELETED),
        )
        return [Row(*row) for row in found]

    def counts(self, folder: Folder) -> tuple[int, int, int]:
        """(messages, unseen, octets)."""
        row = self._db.execute(
            "SELECT count(*), coalesce(sum(flags & 1 = 0), 0), coalesce(sum(size), 0) FROM messages WHERE folder=?",
            (folder.id,),
        ).fetchone()
        return row[0], row[1], row[2]

    def dated(self, since: int) -> list[tuple[str, int]]:
        """(file name, flags) of what is dated ``since`` (microseconds) or later, in all folders."""
        return self._db.execute("SELECT base, flags FROM messages WHERE date >= ?", (since,)).fetchall()

    # rendered bytes

    def cached(self, folder: Folder, kind: str, uids: Iterable[int]) -> dict[int, bytes]:
        select = self._db.execute
        found = {}
        for uid in uids:
            row = select(
                "SELECT data FROM cache WHERE folder=? AND uid=? AND kind=?", (folder.id, uid, kind)
            ).fetchone()
            if row is not None:
                found[uid] = row[0]
        return found

    def keep(self, folder: Folder, kind: str, data: Iterable[tuple[int, bytes]]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO cache (folder, uid, kind, data)"
            " SELECT folder, uid, ?, ? FROM messages WHERE folder=? AND uid=?",
            [(kind, content, folder.id, uid) for uid, content in data],
        )


def count(path: str) -> int:
    """How many messages an index lists, read beside whoever writes it; 0 when there is none or it cannot be read."""
    if not os.path.exists(path):
        return 0
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=5.0)) as db:
            return int(db.execute("SELECT count(*) FROM messages").fetchone()[0])
    except sqlite3.DatabaseError:
        return 0
