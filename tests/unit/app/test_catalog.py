"""A change of the catalog is in force whole; who may no longer sign in is told; unclaimed mail finds its mailbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.engine import Engine
from twisted.internet.defer import Deferred, succeed

from stratamail.app.catalog import Catalog
from stratamail.store import database
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.mailboxes import Mailboxes
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.layout import Layout
from stratamail.store.queue.schema import unclaimed
from stratamail.tenancy.model import Domain, HostPort


class Here:
    """A pool that works at once, in this thread."""

    def run(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return succeed(function(*args))


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    layout = Layout(str(tmp_path))
    catalog, queue = database.open_catalog(layout, ""), database.open_queue(layout)
    database.migrate(catalog, "catalog")
    database.migrate(queue, "queue")
    with database.writing(catalog) as conn:
        Domains(conn).add(OPERATOR, Domain(0, OPERATOR, "a.example", (HostPort("127.0.0.1"),)))
        Mailboxes(conn).add(OPERATOR, "ada@a.example", password="hash of ada's")
        Mailboxes(conn).add(OPERATOR, "ben@a.example")
    yield catalog, queue
    catalog.dispose()
    queue.dispose()


def done(work: Any) -> Any:
    found: list[Any] = []
    Deferred.fromCoroutine(work).addCallback(found.append)
    assert found, "it waits for something"
    return found[0]


def make(engines: tuple[Engine, Engine]) -> Catalog:
    return Catalog(*engines, Here())  # type: ignore[arg-type]


def test_empty_until_loaded_then_whole(engines: tuple[Engine, Engine]) -> None:
    catalog = make(engines)
    assert catalog.directory.mailbox("ada@a.example") is None
    assert done(catalog.reload()) == set()
    mailbox = catalog.current().mailbox("Ada@A.example")
    assert mailbox is not None
    assert done(catalog.password_hash(mailbox.id)) == "hash of ada's"


def test_disabled_and_removed_mailboxes_are_withdrawn(engines: tuple[Engine, Engine]) -> None:
    catalog = make(engines)
    done(catalog.reload())
    ada, ben = (catalog.directory.mailbox(name) for name in ("ada@a.example", "ben@a.example"))
    assert ada is not None
    assert ben is not None
    with database.writing(engines[0]) as conn:
        Mailboxes(conn).set(OPERATOR, "ada@a.example", state="disabled")
        Mailboxes(conn).remove(OPERATOR, "ben@a.example")
    assert done(catalog.reload()) == {ada.id, ben.id}


def test_a_reload_that_fails_changes_nothing(engines: tuple[Engine, Engine]) -> None:
    catalog = make(engines)
    done(catalog.reload())
    before = catalog.directory
    with database.writing(engines[0]) as conn:
        conn.exec_driver_sql("ALTER TABLE mailboxes RENAME TO elsewhere")
    failures: list[Any] = []
    Deferred.fromCoroutine(catalog.reload()).addErrback(failures.append)
    assert len(failures) == 1
    assert catalog.directory is before


def test_unclaimed_mail_finds_its_mailbox(engines: tuple[Engine, Engine]) -> None:
    catalog = make(engines)
    done(catalog.reload())
    with database.writing(engines[1]) as conn:
        kept = ((7, "ada@a.example"), (7, "cid@a.example"), (8, "ada@a.example"))
        conn.execute(insert(unclaimed), [{"seq": seq, "key": key} for seq, key in kept])
    claims: list[tuple[int, list[str]]] = []

    async def claim(mailbox: int, keys: Sequence[str]) -> int:
        claims.append((mailbox, list(keys)))
        return len(keys)

    done(catalog.claim(claim))
    ada = catalog.directory.mailbox("ada@a.example")
    assert ada is not None
    assert claims == [(ada.id, ["ada@a.example"])]
