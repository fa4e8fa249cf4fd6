"""One run of the command line: the settings, the two databases opened as their owner, and the word to the server.

Order matters when root runs it: the file, standard input and other files are read first, then the process becomes the
owner of STATE (``open``), so that nothing below STATE is ever root's by accident. Writes through the repositories only.
"""

from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import click
from sqlalchemy import Connection, Engine

from stratamail.access import passwords
from stratamail.app.privileges import Privileges
from stratamail.cli import wake
from stratamail.config.load import load
from stratamail.config.settings import Settings
from stratamail.store import database
from stratamail.store.catalog.accounts import Accounts
from stratamail.store.catalog.audit import Audit
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.layout import Layout


class Session:
    """``path`` is the configuration file. Everything is made when it is first asked for."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.running: bool | None = None
        self._catalog: Engine | None = None
        self._queue: Engine | None = None

    @cached_property
    def settings(self) -> Settings:
        return load(self.path)

    @cached_property
    def layout(self) -> Layout:
        return Layout(self.settings.server.state)

    @property
    def now(self) -> int:
        """Microseconds since the epoch."""
        return time.time_ns() // 1000

    @cached_property
    def actor(self) -> str:
        """Who is at the keyboard, for the audit."""
        try:
            return f"cli:{os.environ.get('SUDO_USER') or getpass.getuser()}"
        except (OSError, KeyError):
            return f"cli:{os.getuid()}"

    def become_owner(self) -> None:
        """From here on the process is the owner of STATE."""
        self.actor  # noqa: B018  (asked before the user changes)
        try:
            Privileges(self.layout.state, self.settings.server.user).drop()
        except KeyError:
            raise click.ClickException(f'[server] user: there is no user "{self.settings.server.user}" here') from None
        os.umask(0o027)

    def open(self) -> None:
        """Open both databases. Raises ``ClickException`` when ``init`` has not been run."""
        if self._catalog is not None:
            return
        settings, layout = self.settings, self.layout
        if os.path.isdir(layout.state) and not os.access(layout.state, os.W_OK | os.X_OK):
            raise click.ClickException(f"{layout.state} belongs to somebody else: run this as its owner or as root")
        if not os.path.isdir(layout.state) or not os.path.exists(layout.queue):
            raise click.ClickException(
                f"{layout.state} is not set up: run `stratamail --config {self.path} init` first"
            )
        self.become_owner()
        if not os.access(layout.queue, os.R_OK | os.W_OK):
            raise click.ClickException(
                f"{layout.queue} does not belong to the owner of STATE or [server] user: run `init` as root to hand "
                "a STATE of root's over, or chown it"
            )
        catalog, queue = database.open_catalog(layout, settings.catalog.url), database.open_queue(layout)
        database.migrate(catalog, "catalog")
        database.migrate(queue, "queue")
        self._catalog, self._queue = catalog, queue

    @property
    def catalog(self) -> Engine:
        self.open()
        assert self._catalog is not None
        return self._catalog

    @property
    def queue(self) -> Engine:
        self.open()
        assert self._queue is not None
        return self._queue

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """The catalog, for reading."""
        with database.reading(self.catalog) as conn:
            yield conn

    @contextmanager
    def look_queue(self) -> Iterator[Connection]:
        """The queue, for reading; page by page."""
        with database.reading(self.queue) as conn:
            yield conn

    @contextmanager
    def change(self, action: str, subject: str, detail: str = "") -> Iterator[Connection]:
        """A change of the catalog with its line in the audit; when this returns the server has taken note of it."""
        with database.writing(self.catalog) as conn:
            yield conn
            Audit(conn).record(OPERATOR, self.now, self.actor, action, subject, detail)
        self.poke(wake.CATALOG)

    @contextmanager
    def change_queue(self) -> Iterator[Connection]:
        """A short transaction of the queue; the caller pokes when it has made all of its changes."""
        with database.writing(self.queue) as conn:
            yield conn

    def poke(self, *topics: str, flush: str = "") -> bool:
        """Whether a server runs and has taken note."""
        self.running = wake.poke(self.layout.wake, topics, flush)
        return self.running

    def account(self, conn: Connection, name: str | None) -> int:
        """The id of the account called ``name``; the operator's when none is named."""
        return Accounts(conn).get(OPERATOR, name).id if name else OPERATOR

    def close(self) -> None:
        for engine in (self._catalog, self._queue):
            if engine is not None:
                engine.dispose()


def read_password(wanted: bool) -> str | None:
    """The hash of the one line on standard input, whose line end is no part of it; None when not ``wanted``."""
    if not wanted:
        return None
    raw = sys.stdin.buffer.readline(64 * 1024)
    line = raw[:-2] if raw.endswith(b"\r\n") else raw[:-1] if raw.endswith(b"\n") else raw
    try:
        password = line.decode("utf-8")
    except UnicodeDecodeError:
        raise click.ClickException("the password is not UTF-8") from None
    problem = passwords.problem(password)
    if problem:
        raise click.ClickException(problem)
    return passwords.make_hash(password)
