"""Engines, pragmas, migrations, and the refusal of a database that is newer than the code."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from stratamail.store import database
from stratamail.store.layout import Layout
from stratamail.store.queue.schema import metadata


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path))


def test_migrations_lead_to_the_schema(layout: Layout) -> None:
    engine = database.open_queue(layout)
    database.migrate(engine, "queue")
    with engine.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []
    with database.reading(engine) as conn:
        found = conn.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL"))
        made = {row[0]: row[1] for row in found}
    assert {index.name for table in metadata.tables.values() for index in table.indexes} == set(made)
    assert "unfiled = 1" in made["messages_unfiled"]


def test_migrating_again_changes_nothing(layout: Layout) -> None:
    engine = database.open_queue(layout)
    database.migrate(engine, "queue")
    with database.writing(engine) as conn:
        conn.execute(text("INSERT INTO counters VALUES ('x', 1)"))
    database.migrate(database.open_queue(layout), "queue")
    with database.reading(engine) as conn:
        assert conn.execute(text("SELECT value FROM counters")).scalar() == 1


def test_newer_than_the_code(layout: Layout) -> None:
    engine = database.open_queue(layout)
    database.migrate(engine, "queue")
    with database.writing(engine) as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(database.DatabaseTooNew, match="9999, newer than this program"):
        database.migrate(engine, "queue")


def test_pragmas(layout: Layout) -> None:
    engine = database.open_queue(layout)
    with database.reading(engine) as conn:
        values = {
            name: conn.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "wal_autocheckpoint", "foreign_keys")
        }
    assert values == {"journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 0, "foreign_keys": 1}


def test_writer_has_the_lock_from_the_start(layout: Layout) -> None:
    engine = database.open_queue(layout)
    database.migrate(engine, "queue")
    other = database.connect(layout.queue)
    other.execute("PRAGMA busy_timeout=0")
    with database.writing(engine) as conn:
        conn.execute(text("SELECT 1"))
        with pytest.raises(Exception, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    other.close()


def test_failed_write_leaves_nothing(layout: Layout) -> None:
    engine = database.open_queue(layout)
    database.migrate(engine, "queue")
    with pytest.raises(ZeroDivisionError), database.writing(engine) as conn:
        conn.execute(text("INSERT INTO counters VALUES ('x', 1)"))
        raise ZeroDivisionError
    with database.reading(engine) as conn:
        assert conn.execute(text("SELECT count(*) FROM counters")).scalar() == 0


def test_catalog_by_url(layout: Layout, tmp_path: Path) -> None:
    engine = database.open_catalog(layout, f"sqlite:///{tmp_path}/elsewhere.sqlite")
    with database.reading(engine) as conn:
        assert conn.execute(text("PRAGMA wal_autocheckpoint")).scalar() == 0
    assert (tmp_path / "elsewhere.sqlite").exists()
