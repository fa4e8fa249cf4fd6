"""The two databases: engines with their pragmas, writing and reading transactions, migrations.

Writes STATE/queue.sqlite and STATE/catalog.sqlite (WAL, ``synchronous=FULL``). Inside the server one connection writes
the queue, the committer's, and it alone checkpoints: every connection made here has ``wal_autocheckpoint=0``.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from stratamail.store.layout import Layout

# a batch that finds the database locked for so long is given up (451)
BUSY_SECONDS = 5.0
_HERE = os.path.dirname(os.path.abspath(__file__))
_MIGRATIONS = {name: os.path.join(_HERE, name, "migrations") for name in ("queue", "catalog")}


class DatabaseTooNew(Exception):
    """The database was written by a newer version of this program, which must not touch it."""


def connect(path: str) -> sqlite3.Connection:
    """A bare connection with our pragmas, in autocommit: its user says BEGIN. For one thread at a time."""
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        for pragma in (
            # first of all, else closing or a large read could checkpoint behind the committer's back
            "wal_autocheckpoint=0",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            # some builds write zeros over every page that a body leaves: as much again as the body itself
            "secure_delete=FAST",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def open_sqlite(path: str) -> Engine:
    """An engine on one SQLite file. Its transactions are DEFERRED; writers use :func:`writing`."""
    engine = sa.create_engine("sqlite+pysqlite://", creator=lambda: connect(path), poolclass=sa.pool.QueuePool)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def open_queue(layout: Layout) -> Engine:
    """What happens: messages, deliveries, events. Creates no table: see :func:`migrate`."""
    return open_sqlite(layout.queue)


def open_catalog(layout: Layout, url: str) -> Engine:
    """What people set. ``url`` "" means STATE/catalog.sqlite, otherwise an SQLAlchemy URL (PostgreSQL)."""
    if not url:
        return open_sqlite(layout.catalog)
    engine = sa.create_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        path = engine.url.database
        engine.dispose()
        return open_sqlite(path or ":memory:")
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A short transaction that has the write lock from its first statement (no upgrade can fail half-way)."""
    with engine.connect() as plain:
        connection = plain.execution_options(immediate=True)
        with connection.begin():
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A snapshot for reading; never hold it longer than a page of rows, else the WAL cannot shrink."""
    with engine.connect() as connection:
        try:
            yield connection
        finally:
            connection.rollback()


@cache
def migrations(name: str) -> ScriptDirectory:
    """The migrations of the database ``name``, read once: whoever gives up rights asks before, as the new user may not
    be able to read where the program lies."""
    config = Config()
    config.set_main_option("script_location", _MIGRATIONS[name].replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    scripts.get_current_head()
    return scripts


def migrate(engine: Engine, name: str) -> None:
    """Bring the database ``name`` ("queue" or "catalog") to the newest schema; raises :class:`DatabaseTooNew`."""
    scripts = migrations(name)
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current is not None:
        _check_known(scripts, name, current)
    head = scripts.get_current_head()
    if head is None or current == head:
        return

    def steps(revision: Any, context: MigrationContext) -> Any:
        return scripts._upgrade_revs(head, revision)

    # the transaction is ours, so that a migration is there whole or not at all
    with writing(engine) as connection, EnvironmentContext(Config(), scripts, fn=steps) as environment:
        environment.configure(connection=connection, transactional_ddl=False, transaction_per_migration=False)
        environment.run_migrations()


def _check_known(scripts: ScriptDirectory, name: str, revision: str) -> None:
    try:
        known = scripts.get_revision(revision) is not None
    except CommandError:
        known = False
    if not known:
        raise DatabaseTooNew(
            f"{name} database has schema {revision}, newer than this program knows (up to "
            f"{scripts.get_current_head()}): install the version that wrote it, or a later one"
        )


def driver(connection: Connection) -> sqlite3.Connection:
    """The bare SQLite connection below ``connection``, for the few hot statements."""
    raw: DBAPIConnection | ConnectionPoolEntry | None = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError("not an SQLite database")
    return raw
