"""A catalog on disk with two customers, each with a domain, a mailbox, an address and an admin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen
from sqlalchemy import Connection

from stratamail.store import database
from stratamail.store.catalog.accounts import Accounts
from stratamail.store.catalog.addresses import Addresses
from stratamail.store.catalog.admins import Admins
from stratamail.store.catalog.audit import Audit
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.mailboxes import Mailboxes
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.layout import Layout
from stratamail.tenancy.model import Domain, HostPort

PRIMARY = (HostPort("mx.example"),)


@frozen
class Two:
    """``a`` and ``b`` are account ids; ``reseller`` stands above ``a`` only."""

    conn: Connection
    reseller: int
    a: int
    b: int


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    engine = database.open_catalog(Layout(str(tmp_path)), "")
    database.migrate(engine, "catalog")
    with database.writing(engine) as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def two(conn: Connection) -> Two:
    reseller = Accounts(conn).add(OPERATOR, "Reseller", "reseller").id
    a = Accounts(conn).add(OPERATOR, "A", "customer", "Reseller").id
    b = Accounts(conn).add(OPERATOR, "B", "customer").id
    for account, name in ((a, "a.example"), (b, "b.example")):
        Domains(conn).add(OPERATOR, Domain(0, account, name, PRIMARY))
        Mailboxes(conn).add(OPERATOR, f"user@{name}", f"hash of {name}")
        Addresses(conn).add(OPERATOR, f"info@{name}", "alias", [f"user@{name}"])
        Admins(conn).add(OPERATOR, f"admin@{name}", account, "hash")
        Audit(conn).record(account, 1, "test", "domain.add", name)
    return Two(conn, reseller, a, b)
