"""The one connection that writes queue.sqlite inside the server: batches, recovery after an I/O error, checkpoints.

Belongs to the committer's thread. After an error of the disk nothing is believed: the connection is closed, opened
anew, the whole WAL is brought home, and messages of the failed batch that turn out to be there are removed with their
spool files; until that has worked every batch fails.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from attrs import define
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from twisted.logger import Logger

from stratamail.mail.reply import DiskFull, Unavailable
from stratamail.store import database, journal
from stratamail.store.layout import Layout
from stratamail.store.model import NewMessage
from stratamail.store.queue import messages

_PAGE = 4096
_CACHE_KB = 16_000
# pages written between two passive checkpoints
CHECKPOINT_PAGES = 1000
# a WAL of more octets than this is restarted between two batches
RESTART_BYTES = 64 * 1000 * 1000
_RESTART_BUSY_MS = 1000
# restarting is not tried again sooner than after so many passive checkpoints (a reader held it up)
_RESTART_PAUSE = 8

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# after these nothing that the connection believes may be relied on
_BROKEN = {
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_NOMEM,
}


@define(eq=False)
class Request:
    """One thing to commit: a message (``new`` with its whole ``content``, None when it lies in the spool), or a
    ``function`` of the connection. ``value`` or ``error`` is set by the session."""

    new: NewMessage | None = None
    content: bytes | None = None
    function: Callable[[Connection], Any] | None = None
    value: Any = None
    error: BaseException | None = None
    tag: Any = None


class Session:
    """``connect`` makes a bare connection (tests give one that fails)."""

    def __init__(
        self,
        layout: Layout,
        release_ballast: Callable[[], bool],
        connect: Callable[[str], sqlite3.Connection] = database.connect,
    ) -> None:
        self._layout = layout
        self.release_ballast = release_ballast
        self._connect = connect
        self._raw: sqlite3.Connection | None = None
        self._engine: Engine | None = None
        self._conn: Connection | None = None
        # ids of messages that were refused after an I/O error, and may be on the disk all the same
        self._doubtful: list[str] = []
        self._pages = 0
        self._restart_in = 0
        self._log = Logger(namespace="stratamail.store.committer")

    # -- opening and closing

    def open(self) -> None:
        """Open, bring the whole WAL home, remove what a failed batch left. Raises ``sqlite3.Error``, ``OSError``."""
        raw = self._connect(self._layout.queue)
        try:
            # a whole batch fits, and the leaves that the next one goes to stay
            raw.execute(f"PRAGMA cache_size=-{_CACHE_KB}")
            busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if busy and self._doubtful:
                raise sqlite3.OperationalError("the WAL is in use; nothing is accepted until it has been brought home")
            engine = sa.create_engine("sqlite+pysqlite://", creator=lambda: raw, poolclass=sa.pool.StaticPool)
            conn = engine.connect()
            if self._doubtful:
                raw.execute("BEGIN IMMEDIATE")
                messages.remove(conn, self._doubtful)
                raw.execute("COMMIT")
                conn.rollback()
        except BaseException:
            raw.close()
            raise
        self._raw, self._engine, self._conn = raw, engine, conn
        self._pages = 0
        doubtful, self._doubtful = self._doubtful, []
        self.remove_spool_files(doubtful)

    def close(self) -> None:
        """Idempotent; a last checkpoint is tried, since nobody else makes one."""
        raw = self._raw
        if raw is not None:
            try:
                # whoever reads at this moment is not waited for long
                raw.execute("PRAGMA busy_timeout=500")
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error:
                self._log.warn("no checkpoint at closing; the next start makes it")
        self._drop()

    def _drop(self) -> None:
        raw, self._raw, self._conn = self._raw, None, None
        if raw is not None:
            try:
                raw.close()
            except sqlite3.Error:
                # nothing is kept by a connection that cannot even close
                self._log.warn("the connection did not close cleanly")

    def remove_spool_files(self, ids: Sequence[str]) -> None:
        """Of messages that were not accepted. Any thread."""
        for name in ids:
            try:
                os.unlink(self._layout.message(name))
            except OSError:
                # was small, or never written; what stays goes to spool/lost at the next start
                continue

    # -- batches

    def apply(self, batch: Sequence[Request]) -> None:
        """Commit ``batch`` in one transaction; sets ``value`` (a ``Message`` for a new one) or ``error`` of each."""
        if self._raw is None:
            try:
                self.open()
            except (sqlite3.Error, sa.exc.SQLAlchemyError, OSError) as error:
                self._log.error("the queue database cannot be opened: {error}", error=error)
                self._release_when_full(error)
                self._refuse(batch, Unavailable(reason="database-closed"))
                # its messages were never tried, so that no row of theirs can exist
                self.remove_spool_files([r.new.id for r in batch if r.new is not None and r.new.body is None])
                return
        try:
            self._transaction(batch)
        except sqlite3.Error as error:
            self._failed(batch, error)

    def _transaction(self, batch: Sequence[Request]) -> None:
        raw, conn = self._raw, self._conn
        assert raw is not None
        assert conn is not None
        raw.execute("BEGIN IMMEDIATE")
        try:
            run: list[Request] = []
            for request in batch:
                if request.new is not None:
                    run.append(request)
                    continue
                if run:
                    self._insert(raw, run)
                    run = []
                self._call(raw, conn, request)
            if run:
                self._insert(raw, run)
            raw.execute("COMMIT")
        except BaseException:
            if raw.in_transaction:
                try:
                    raw.execute("ROLLBACK")
                except sqlite3.Error:
                    # the connection is dropped, or its next BEGIN tells
                    self._log.warn("a batch could not be rolled back")
            raise
        finally:
            if conn.in_transaction():
                # SQLAlchemy's own idea of a transaction; the driver is outside one, so nothing reaches the database
                conn.rollback()

    def _insert(self, raw: sqlite3.Connection, run: Sequence[Request]) -> None:
        news = [request.new for request in run if request.new is not None]
        for request, message in zip(run, journal.insert(raw, news, [r.content for r in run]), strict=True):
            request.value = message
            self._pages += 4 + (len(request.content) // _PAGE if request.content else 0)

    def _call(self, raw: sqlite3.Connection, conn: Connection, request: Request) -> None:
        assert request.function is not None
        self._pages += 3
        raw.execute("SAVEPOINT one")
        try:
            request.value = request.function(conn)
            request.error = None
        except Exception as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if isinstance(cause, sqlite3.Error) and primary(cause) in _BROKEN:
                raise cause
            if not raw.in_transaction:
                raise sqlite3.OperationalError("a write ended the transaction of its batch") from error
            raw.execute("ROLLBACK TO one")
            request.error = error
        else:
            if not raw.in_transaction:
                raise sqlite3.OperationalError("a write ended the transaction of its batch")
        raw.execute("RELEASE one")

    def _failed(self, batch: Sequence[Request], error: sqlite3.Error) -> None:
        code = primary(error)
        if code in _BUSY:
            self._log.error("the queue database was locked too long: {error}", error=error)
            self._refuse(batch, Unavailable(reason="database-locked"))
            self.remove_spool_files([r.new.id for r in batch if r.new is not None and r.new.body is None])
        elif code in _BROKEN:
            self._log.critical("the queue database failed: {error}", error=error)
            self._doubtful += [request.new.id for request in batch if request.new is not None]
            self._drop()
            self._release_when_full(error)
            self._refuse(batch, DiskFull() if code == sqlite3.SQLITE_FULL else Unavailable(reason="database-error"))
        elif len(batch) > 1:
            for request in batch:
                self.apply([request])
        else:
            self._log.failure("one write was refused by the queue database")
            # its spool file stays: the constraint may be that another message has this id
            self._refuse(batch, Unavailable(reason="database-refused"))

    def _release_when_full(self, error: BaseException) -> None:
        full = isinstance(error, sqlite3.Error) and primary(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
        if full and self.release_ballast():
            self._log.critical("no space for a commit: the ballast was given up")

    @staticmethod
    def _refuse(batch: Sequence[Request], failure: Exception) -> None:
        for request in batch:
            request.value, request.error = None, failure

    # -- checkpoints

    def tidy(self) -> None:
        """Between two batches: checkpoint when enough has been written."""
        raw = self._raw
        if raw is None or self._pages < CHECKPOINT_PAGES:
            return
        self._pages = 0
        try:
            _, log, _ = raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._restart_in = max(0, self._restart_in - 1)
            if log * _PAGE > RESTART_BYTES and not self._restart_in:
                self._restart_in = _RESTART_PAUSE
                raw.execute(f"PRAGMA busy_timeout={_RESTART_BUSY_MS}")
                raw.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
                raw.execute(f"PRAGMA busy_timeout={int(database.BUSY_SECONDS * 1000)}")
        except sqlite3.Error as error:
            if primary(error) in _BUSY:
                return
            self._log.critical("the queue database failed at a checkpoint: {error}", error=error)
            self._drop()
            self._release_when_full(error)


def primary(error: sqlite3.Error) -> int:
    """SQLite's primary result code of an error, 0 when it has none."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
