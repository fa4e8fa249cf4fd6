"""One mailbox's index file: UIDs, flags, mod-sequences, and rendered bytes that it is given and cannot read.

Writes ``mail/<domain>/<user>/index.sqlite`` (WAL, ``synchronous=NORMAL``: a cache that the Maildir can rebuild). What
must never repeat (UIDs, mod-sequences) is reserved in blocks by transactions that are durable before a number of the
block is used. One thread uses an Index at a time.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from stratamail.store import maildir
from stratamail.store.index_file import Corrupt, IndexFile, corrupt
from stratamail.store.index_values import Columns, Folder, Row

__all__ = ["KEYWORDS", "Columns", "Corrupt", "Folder", "Index", "Row", "corrupt", "count"]

MARKS_KEPT = 100_000
KEYWORDS = maildir.LAST_KEYWORD - maildir.FIRST_KEYWORD + 1
"""How many a folder can hold."""

_ROW = "uid, modseq, flags, size, date, base, saved"
AT_ONCE = 10_000
"""So many messages are loaded in one go."""
_PACKED = f"""
SELECT max(uid), group_concat(printf('{"%016x" * 6}', uid, modseq, flags, size, date, saved), ''),
    group_concat(base, '/')
FROM (SELECT {_ROW} FROM messages WHERE folder=? AND uid>? ORDER BY uid LIMIT ?)
"""  # noqa: S608  (our own names)


class Index(IndexFile):
    """The rows of the file, and what may become of them."""

    # folders

    def create(self, name: str, uidvalidity: int, use: str = "") -> Folder:
        modseq = self.meta("modseq")
        cursor = self._db.execute(
            "INSERT INTO folders (name, uidvalidity, uidnext, reserved, modseq, recent, use)"
            " VALUES (?, ?, 1, 0, ?, 1, ?)",
            (name, uidvalidity, modseq, use),
        )
        assert cursor.lastrowid is not None
        folder = self.folders[name] = Folder(cursor.lastrowid, name, uidvalidity, 1, 0, modseq, 1, use, total=(0, 0))
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
        for table in ("messages", "cache", "summaries", "keywords"):
            self._db.execute(f"DELETE FROM {table} WHERE folder=?", (folder.id,))  # noqa: S608  (our own names)
        self._db.execute("DELETE FROM folders WHERE id=?", (folder.id,))
        del self.folders[folder.name]

    def rename(self, folder: Folder, name: str) -> None:
        self._db.execute("UPDATE folders SET name=? WHERE id=?", (name, folder.id))
        del self.folders[folder.name]
        folder.name = name
        self.folders[name] = folder

    def part(self, folder: Folder, name: str, uidvalidity: int) -> Folder:
        """Give all messages of a folder to a new one, under their UIDs; the folder goes on, empty, with the UIDs and
        keywords that come next. Gives the new one. Within a transaction, with one mod-sequence reserved."""
        self._marked = True
        old_name, old_uidvalidity = folder.name, folder.uidvalidity
        self.rename(folder, name)
        folder.uidvalidity = uidvalidity
        self._db.execute("UPDATE folders SET uidvalidity=? WHERE id=?", (uidvalidity, folder.id))
        left = self.create(old_name, old_uidvalidity)
        left.uidnext = left.recent = folder.uidnext
        left.reserved = folder.reserved
        left.keywords = list(folder.keywords)
        # what left is not remembered by names: they live on
        left.unmarked = self.next_modseq(left)
        self.save(left)
        self._db.execute(
            "UPDATE folders SET reserved=?, unmarked=? WHERE id=?", (left.reserved, left.unmarked, left.id)
        )
        self._db.execute(
            "INSERT INTO keywords (folder, bit, name) SELECT ?, bit, name FROM keywords WHERE folder=?",
            (left.id, folder.id),
        )
        self._db.execute("UPDATE marks SET folder=? WHERE folder=?", (left.id, folder.id))
        return folder

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
            f"INSERT INTO messages (folder, {_ROW}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  (our own names)
            [(folder.id, *row) for row in rows],
        )
        self._count(folder, rows, 1)

    def load(self, folder: Folder) -> Columns:
        """All of a folder. SQLite puts thousands of rows together at a time: an object for each would take twice as
        long, and hold up other threads at every one."""
        columns = Columns()
        uid = 0
        while True:
            last, numbers, bases = self._db.execute(_PACKED, (folder.id, uid, AT_ONCE)).fetchone()
            if last is None:
                return columns
            columns.extend(numbers, bases)
            uid = last

    def rows(self, folder: Folder, uids: Iterable[int]) -> list[Row]:
        """Those of the UIDs that exist, in the order asked."""
        select = self._db.execute
        found = []
        for uid in uids:
            row = select(
                f"SELECT {_ROW} FROM messages WHERE folder=? AND uid=?",  # noqa: S608  (our own names)
                (folder.id, uid),
            ).fetchone()
            if row is not None:
                found.append(Row(*row))
        return found

    def by_base(self, base: str) -> tuple[int, Row] | None:
        """(folder id, row) of a file name."""
        if not maildir.writable(base):
            return None
        row = self._db.execute(
            f"SELECT folder, {_ROW} FROM messages WHERE base=?",  # noqa: S608  (our own names)
            (base,),
        ).fetchone()
        return None if row is None else (row[0], Row(*row[1:]))

    def by_message(self, id: str) -> list[tuple[int, Row]]:
        """(folder id, row) of every copy of a message. Looks through all names: for repairs only."""
        found = self._db.execute(
            f"SELECT folder, {_ROW} FROM messages WHERE base LIKE ?",  # noqa: S608  (our own names)
            (f"%.{id}.%",),
        )
        return [(row[0], Row(*row[1:])) for row in found]

    def known(self, bases: Sequence[str]) -> dict[str, tuple[int, Row]]:
        """Name → (folder id, row) of those that the index lists."""
        found: dict[str, tuple[int, Row]] = {}
        bases = [base for base in bases if maildir.writable(base)]
        for i in range(0, len(bases), 500):
            some = bases[i : i + 500]
            holes = ",".join("?" * len(some))
            query = f"SELECT folder, {_ROW} FROM messages WHERE base IN ({holes})"  # noqa: S608
            found.update((row[6], (row[0], Row(*row[1:]))) for row in self._db.execute(query, some))
        return found

    def marked(self, bases: Sequence[str]) -> set[str]:
        """Those of the names that an expunge or a move has marked."""
        found: set[str] = set()
        if not self._marked:
            return found
        bases = [base for base in bases if maildir.writable(base)]
        for i in range(0, len(bases), 500):
            some = bases[i : i + 500]
            holes = ",".join("?" * len(some))
            found.update(b for (b,) in self._db.execute(f"SELECT base FROM marks WHERE base IN ({holes})", some))  # noqa: S608
        return found

    def renew_modseqs(self) -> None:
        """Every message has changed just now, as far as clients can tell (RFC 7162). Within a transaction, after
        :meth:`skip_reserved`, which has taken each folder's mod-sequence past those that clients know."""
        for folder in self.folders.values():
            self._db.execute("UPDATE messages SET modseq=? WHERE folder=?", (folder.modseq, folder.id))

    def set_flags(self, folder: Folder, changes: Iterable[tuple[int, int, int]]) -> None:
        """``changes`` are (uid, modseq, flags)."""
        self._db.executemany(
            "UPDATE messages SET modseq=?, flags=? WHERE folder=? AND uid=?",
            [(modseq, flags, folder.id, uid) for uid, modseq, flags in changes],
        )

    def remove(self, folder: Folder, rows: Sequence[Row], modseq: int) -> None:
        """Forget messages, leaving a mark with each name."""
        if not rows:
            return
        gone = [(folder.id, row.uid) for row in rows]
        self._marked = True
        self._db.executemany(
            "INSERT OR IGNORE INTO marks (base, folder, uid, modseq) VALUES (?, ?, ?, ?)",
            [(row.base, folder.id, row.uid, modseq) for row in rows],
        )
        for table in ("messages", "cache", "summaries"):
            self._db.executemany(f"DELETE FROM {table} WHERE folder=? AND uid=?", gone)  # noqa: S608  (our own names)
        self._count(folder, rows, -1)

    def trim_marks(self, kept: int = MARKS_KEPT) -> None:
        """Keep no more marks than could ever matter: more messages than that are never unfiled at once. ``unmarked`` of
        their folders tells who asks for expunges that some are forgotten."""
        last = self._db.execute("SELECT max(number) FROM marks").fetchone()[0]
        if last is None or last <= kept:
            return
        by_id = {folder.id: folder for folder in self.folders.values()}
        trimmed = "SELECT folder, max(modseq) FROM marks WHERE number <= ? GROUP BY folder"
        for folder_id, modseq in self._db.execute(trimmed, (last - kept,)).fetchall():
            folder = by_id.get(folder_id)
            if folder is not None and folder.unmarked < modseq:
                folder.unmarked = modseq
                self._db.execute("UPDATE folders SET unmarked=? WHERE id=?", (modseq, folder_id))
        self._db.execute("DELETE FROM marks WHERE number <= ?", (last - kept,))

    def vanished(self, folder: Folder, since: int) -> tuple[list[int], bool]:
        """The UIDs expunged with a mod-sequence above ``since``, ascending, and whether those are all of them."""
        found = self._db.execute("SELECT uid FROM marks WHERE folder=? AND modseq>?", (folder.id, since))
        return sorted({uid for (uid,) in found}), since >= folder.unmarked

    def since(self, folder: Folder, uid: int) -> list[int]:
        """The UIDs from ``uid`` on."""
        found = self._db.execute("SELECT uid FROM messages WHERE folder=? AND uid>=? ORDER BY uid", (folder.id, uid))
        return [uid for (uid,) in found]

    def deleted(self, folder: Folder) -> list[Row]:
        """The messages that carry \\Deleted, ascending."""
        found = self._db.execute(
            f"SELECT {_ROW} FROM messages WHERE folder=? AND flags & ? ORDER BY uid",  # noqa: S608  (our own names)
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

    def total(self, folder: Folder) -> tuple[int, int]:
        """(messages, octets), counted once and kept."""
        if folder.total is None:
            messages, _, octets = self.counts(folder)
            folder.total = messages, octets
        return folder.total

    def _count(self, folder: Folder, rows: Sequence[Row], sign: int) -> None:
        if folder.total is not None:
            messages, octets = folder.total
            folder.total = messages + sign * len(rows), octets + sign * sum(row.size for row in rows)

    def dated(self, since: int) -> list[tuple[str, int]]:
        """(file name, flags) of what is dated ``since`` (microseconds) or later, in all folders."""
        return self._db.execute("SELECT base, flags FROM messages WHERE date >= ?", (since,)).fetchall()

    # rendered bytes

    def cached(self, folder: Folder, kind: str, uids: Iterable[int]) -> dict[int, bytes]:
        wanted = list(uids)
        found: dict[int, bytes] = {}
        for i in range(0, len(wanted), 500):
            some = wanted[i : i + 500]
            query = f"SELECT uid, data FROM cache WHERE folder=? AND kind=? AND uid IN ({','.join('?' * len(some))})"  # noqa: S608
            found.update(self._db.execute(query, (folder.id, kind, *some)))
        return found

    def keep(self, folder: Folder, kind: str, data: Iterable[tuple[int, bytes]]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO cache (folder, uid, kind, data)"
            " SELECT folder, uid, ?, ? FROM messages WHERE folder=? AND uid=?",
            [(kind, content, folder.id, uid) for uid, content in data],
        )

    def summaries(self, folder: Folder, uids: Iterable[int]) -> list[tuple[int, bytes]]:
        """(uid, bytes) of those messages that have a summary."""
        wanted = list(uids)
        if len(wanted) > 100 and max(wanted) - min(wanted) < 4 * len(wanted):
            # much of what lies between them is wanted too
            among = "SELECT uid, data FROM summaries WHERE folder=? AND uid BETWEEN ? AND ? ORDER BY uid"
            spread = self._db.execute(among, (folder.id, min(wanted), max(wanted))).fetchall()
            few = set(wanted)
            return [row for row in spread if row[0] in few]
        one = "SELECT uid, data FROM summaries WHERE folder=? AND uid=?"
        rows = (self._db.execute(one, (folder.id, uid)).fetchone() for uid in wanted)
        return [row for row in rows if row is not None]

    def keep_summaries(self, folder: Folder, data: Iterable[tuple[int, bytes]]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO summaries (folder, uid, data) SELECT folder, uid, ? FROM messages"
            " WHERE folder=? AND uid=?",
            [(content, folder.id, uid) for uid, content in data],
        )

    def inherit(self, source: Folder, into: Folder, pairs: Sequence[tuple[int, int]]) -> None:
        """Copies, as (UID of the original, UID of the copy), take over what was kept for their originals."""
        places = [(into.id, target, source.id, uid) for uid, target in pairs]
        for table, columns in (("cache", "kind, data"), ("summaries", "data")):
            self._db.executemany(
                f"INSERT OR REPLACE INTO {table} (folder, uid, {columns})"  # noqa: S608  (our own names)
                f" SELECT ?, ?, {columns} FROM {table} WHERE folder=? AND uid=?",
                places,
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
