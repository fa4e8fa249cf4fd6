"""The file of an index: its tables, how older ones are brought up to date, transactions, and numbers given once.

Writes ``mail/<domain>/<user>/index.sqlite``. An older version is altered in place, in one transaction: no folder gets
another UIDVALIDITY by it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from stratamail.store import maildir
from stratamail.store.index_values import Folder

VERSION = 2
UID_BLOCK = 1000
MODSEQ_BLOCK = 10_000
LARGEST_UID = 0xFFFFFFFF

# ends ``seen`` of a folder that is ``doubtful``
_DOUBT = "?"

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
    folder INTEGER, uid INTEGER, kind TEXT, data BLOB NOT NULL, PRIMARY KEY (folder, uid, kind)) WITHOUT ROWID
"""

# what each version adds to the one before it
_UPGRADES = {
    # marks are trimmed from the lowest number on: when the first is missing, older expunges are forgotten;
    # what was rendered is rendered anew, since headers and structures are read better now
    2: """
ALTER TABLE messages ADD COLUMN saved INTEGER NOT NULL DEFAULT 0;
UPDATE messages SET saved = date;
ALTER TABLE folders ADD COLUMN use TEXT NOT NULL DEFAULT '';
ALTER TABLE folders ADD COLUMN unmarked INTEGER NOT NULL DEFAULT 0;
UPDATE folders SET unmarked = modseq WHERE (SELECT min(number) FROM marks) > 1;
UPDATE folders SET use = '\\' || name WHERE name IN ('Archive', 'Drafts', 'Junk', 'Sent', 'Trash');
ALTER TABLE folders ADD COLUMN seen TEXT NOT NULL DEFAULT '';
CREATE INDEX marks_folder ON marks (folder, modseq);
DELETE FROM cache;
CREATE TABLE summaries (folder INTEGER, uid INTEGER, data BLOB NOT NULL, PRIMARY KEY (folder, uid)) WITHOUT ROWID
"""
}


class Corrupt(Exception):
    """The file is no index of ours any more; the Maildir rebuilds it."""


def corrupt(error: sqlite3.DatabaseError) -> bool:
    """Whether an error of SQLite means that the file itself is broken (not: busy, full, a failing disk)."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_ERROR:
        return str(error).startswith(("no such table", "no such column", "malformed database schema"))
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH)


class IndexFile:
    """Opens or creates the file; raises :class:`Corrupt` when it cannot be used as it is. ``fresh`` tells a new one."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fresh = False
        self.used = 0.0
        # when the directory of the mailbox had changed last when the folders agreed with it
        self.tree_seen = 0
        self.folders: dict[str, Folder] = {}
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
            self._bring_up(_SCHEMA, *_UPGRADES.values())
            db.execute("PRAGMA synchronous=NORMAL")
            self.fresh = True
        elif not 1 <= version <= VERSION:
            raise Corrupt(f"version {version} of the index is not ours")
        elif version < VERSION:
            self._bring_up(*(_UPGRADES[step] for step in range(version + 1, VERSION + 1)))
        self._load()

    def _bring_up(self, *scripts: str) -> None:
        with self.change():
            for script in scripts:
                for statement in script.split(";"):
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version={VERSION}")

    def _load(self) -> None:
        db = self._db
        self._meta: dict[str, int] = dict(db.execute("SELECT name, value FROM meta"))
        columns = "id, name, uidvalidity, uidnext, reserved, modseq, recent, use, unmarked"
        for row in db.execute(f"SELECT {columns} FROM folders"):  # noqa: S608  (our own names)
            self.folders[row[1]] = Folder(*row)
        self._seen: dict[int, str] = dict(db.execute("SELECT id, seen FROM folders"))
        for folder in self.folders.values():
            folder.seen = self._seen[folder.id].removesuffix(_DOUBT)
            folder.doubtful = self._seen[folder.id] != folder.seen
        self._meta["modseq"] = max([1, self.meta("modseq"), *(folder.modseq for folder in self.folders.values())])
        self._marked = db.execute("SELECT 1 FROM marks LIMIT 1").fetchone() is not None
        by_id = {folder.id: folder for folder in self.folders.values()}
        for folder_id, bit, name in db.execute("SELECT folder, bit, name FROM keywords ORDER BY folder, bit"):
            if folder_id in by_id:
                words = by_id[folder_id].keywords
                words += [None] * (bit - maildir.FIRST_KEYWORD + 1 - len(words))
                words[bit - maildir.FIRST_KEYWORD] = name

    def close(self) -> None:
        """``seen`` of the folders is kept for the next time, when all went well."""
        try:
            seen = [(f.seen + _DOUBT * f.doubtful, f.id) for f in self.folders.values()]
            changed = [row for row in seen if self._seen.get(row[1]) != row[0]]
            if changed:
                with self.change():
                    self._db.executemany("UPDATE folders SET seen=? WHERE id=?", changed)
        except sqlite3.Error:
            pass  # the folders are looked through once more
        self.abandon()

    def abandon(self) -> None:
        """Close it after a failure: what is in memory may be ahead of the file."""
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
