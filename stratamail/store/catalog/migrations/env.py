"""Alembic's entry for the catalog's schema; the connection and its transaction come from ``store.database.migrate``."""

from __future__ import annotations

from alembic import context

from stratamail.store.database import run_migrations

run_migrations(context.config.attributes["connection"], context.configure, context.run_migrations)
