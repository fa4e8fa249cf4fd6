"""Shared addresses have a mailbox of their own, which comes and goes with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from sqlalchemy import text

from stratamail.store import database
from stratamail.store.catalog.addresses import Addresses
from stratamail.store.catalog.directory import load
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.mailboxes import Mailboxes
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.catalog.scope import Refused
from stratamail.store.layout import Layout
from stratamail.tenancy.model import Domain
from tests.unit.store.catalog.conftest import PRIMARY, Two


def test_a_shared_address_is_a_mailbox_that_nobody_signs_in_to(two: Two) -> None:
    addresses, boxes = Addresses(two.conn), Mailboxes(two.conn)
    addresses.add(OPERATOR, "Desk@a.example", "shared", ["user@a.example"])
    assert addresses.made == ["desk@a.example"]
    found = boxes.get(OPERATOR, "desk@a.example")
    assert (found.kind, found.state) == ("shared", "enabled")
    directory = load(two.conn)
    assert directory.mailbox("desk@a.example") is None
    assert directory.mailbox_at("DESK@a.example") == found
    assert directory.resolve("desk+x@a.example").mailboxes == (found.id,)
    with pytest.raises(Refused, match="an address already"):
        boxes.add(OPERATOR, "desk@a.example")
    with pytest.raises(Refused, match="sign in as themselves"):
        boxes.set(OPERATOR, "desk@a.example", password="hash")
    with pytest.raises(Refused, match="address remove"):
        boxes.remove(OPERATOR, "desk@a.example")


def test_no_shared_mailbox_reads_another(two: Two) -> None:
    addresses = Addresses(two.conn)
    addresses.add(OPERATOR, "desk@a.example", "shared", ["user@a.example"])
    with pytest.raises(Refused, match="no mailbox"):
        addresses.add(OPERATOR, "sales@a.example", "shared", ["desk@a.example"])
    with pytest.raises(Refused, match="no mailbox"):
        addresses.add(OPERATOR, "sales@a.example", "group", ["user@a.example"], ["desk@a.example"])


def test_it_goes_with_its_address_and_takes_its_aliases_along(two: Two) -> None:
    addresses = Addresses(two.conn)
    addresses.add(OPERATOR, "desk@a.example", "shared", ["user@a.example"])
    addresses.add(OPERATOR, "help@a.example", "alias", ["desk@a.example"])
    addresses.add(OPERATOR, "all@a.example", "group", ["desk@a.example", "user@a.example"])
    assert load(two.conn).mailbox("help@a.example") is None
    assert len(load(two.conn).resolve("all@a.example").mailboxes) == 2
    addresses.remove(OPERATOR, "desk@a.example")
    assert [box.address for box in addresses.gone] == ["desk@a.example"]
    with pytest.raises(Refused):
        Mailboxes(two.conn).get(OPERATOR, "desk@a.example")
    with pytest.raises(Refused):
        addresses.get(OPERATOR, "help@a.example")
    assert addresses.get(OPERATOR, "all@a.example").members == ("desk@a.example", "user@a.example")


def test_a_change_of_kind_makes_or_removes_it(two: Two) -> None:
    addresses, boxes = Addresses(two.conn), Mailboxes(two.conn)
    addresses.add(OPERATOR, "desk@a.example", "group", ["user@a.example"])
    first = addresses.set(OPERATOR, "desk@a.example", kind="shared", targets=["user@a.example"])
    assert (first.kind, addresses.made) == ("shared", ["desk@a.example"])
    box = boxes.get(OPERATOR, "desk@a.example")
    addresses.set(OPERATOR, "desk@a.example", kind="shared", targets=["user@a.example"])
    assert boxes.get(OPERATOR, "desk@a.example") == box
    with pytest.raises(Refused, match="list"):
        addresses.set(OPERATOR, "desk@a.example", kind="group")
    addresses.set(OPERATOR, "desk@a.example", kind="alias", targets=["user@a.example"])
    assert addresses.gone == [box]
    assert boxes.get(OPERATOR, "desk@a.example").address == "user@a.example"
    addresses.set(OPERATOR, "desk@a.example", kind="shared", targets=["user@a.example"])
    assert boxes.get(OPERATOR, "desk@a.example").id > box.id


def test_a_catalog_of_before_gets_the_mailboxes_of_its_shared_addresses(tmp_path: Path) -> None:
    engine = database.open_catalog(Layout(str(tmp_path)), "")
    scripts = database.migrations("catalog")
    with (
        database.writing(engine) as conn,
        EnvironmentContext(
            Config(), scripts, fn=lambda revision, context: scripts._upgrade_revs("0001", revision)
        ) as environment,
    ):
        environment.configure(connection=conn, transactional_ddl=False, transaction_per_migration=False)
        environment.run_migrations()
    with database.writing(engine) as conn:
        columns = "account, name, primaries, mode, unknown, profile, filter"
        for statement in (
            f"INSERT INTO domains ({columns}) VALUES (1, 'a.example', 'mx', 'both', 'accept', 'generic', 'none')",
            "INSERT INTO mailboxes (account, domain, address, state) VALUES (1, 1, 'user@a.example', 'enabled')",
            "INSERT INTO addresses (account, domain, address, kind) VALUES (1, 1, 'desk@a.example', 'shared')",
            "INSERT INTO addresses (account, domain, address, kind) VALUES (1, 1, 'all@a.example', 'group')",
            "INSERT INTO members (address, role, position, member) VALUES (1, 'member', 0, 'user@a.example')",
        ):
            conn.execute(text(statement))
    database.migrate(engine, "catalog")
    with database.reading(engine) as conn:
        directory = load(conn)
    assert [(box.address, box.kind) for box in directory.mailboxes()] == [
        ("user@a.example", "mailbox"),
        ("desk@a.example", "shared"),
    ]
    user = directory.mailbox("user@a.example")
    assert user is not None
    assert [*directory.shared_with(user)] == ["desk"]
    engine.dispose()


def test_readers_leave_the_lists_with_their_domain(two: Two) -> None:
    """Who gets such an address later is somebody else, and reads nothing."""
    addresses, boxes, domains = Addresses(two.conn), Mailboxes(two.conn), Domains(two.conn)
    second = Domain(0, two.a, "second.example", PRIMARY)
    domains.add(OPERATOR, second)
    boxes.add(OPERATOR, "eve@second.example")
    addresses.add(
        OPERATOR, "desk@a.example", "shared", ["user@a.example", "eve@second.example"], ["eve@second.example"]
    )
    addresses.add(OPERATOR, "eve@a.example", "alias", ["eve@second.example"])
    domains.remove(OPERATOR, "second.example")
    desk = addresses.get(OPERATOR, "desk@a.example")
    assert (desk.members, desk.send_as) == (("user@a.example",), ())
    with pytest.raises(Refused):
        addresses.get(OPERATOR, "eve@a.example")
    domains.add(OPERATOR, second)
    other = boxes.add(OPERATOR, "eve@second.example")
    assert load(two.conn).shared_with(other) == {}
