"""What the repositories take, refuse, and take along."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from attrs import evolve
from sqlalchemy import Connection

from stratamail.store.catalog.accounts import Accounts
from stratamail.store.catalog.addresses import Addresses
from stratamail.store.catalog.admins import Admins
from stratamail.store.catalog.directory import load
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.mailboxes import Mailboxes, password_hash
from stratamail.store.catalog.schema import OPERATOR, metadata
from stratamail.store.catalog.scope import Refused
from stratamail.tenancy.model import Domain, HostPort
from tests.unit.store.catalog.conftest import PRIMARY, Two


def test_the_migrations_make_the_schema(conn: Connection) -> None:
    assert compare_metadata(MigrationContext.configure(conn), metadata) == []


def test_the_tree_of_accounts(two: Two) -> None:
    accounts = Accounts(two.conn)
    for name, kind, parent in (
        ("A", "customer", ""),
        ("", "customer", ""),
        ("X", "operator", ""),
        ("X", "customer", "A"),
    ):
        with pytest.raises(Refused):
            accounts.add(OPERATOR, name, kind, parent)
    with pytest.raises(Refused):
        accounts.add(OPERATOR, "X", "reseller", "Reseller")
    with pytest.raises(Refused, match="still has 1 domains"):
        accounts.remove(OPERATOR, "A")
    with pytest.raises(Refused, match="still has 1 accounts"):
        accounts.remove(OPERATOR, "Reseller")
    with pytest.raises(Refused):
        accounts.remove(OPERATOR, "operator")
    with pytest.raises(Refused, match="below"):
        accounts.set(OPERATOR, "Reseller", parent="Reseller")
    assert accounts.set(OPERATOR, "B", parent="Reseller").parent == two.reseller
    empty = accounts.add(OPERATOR, "Empty", "customer")
    accounts.remove(OPERATOR, "Empty")
    assert empty not in accounts.all(OPERATOR)


def test_admins(two: Two) -> None:
    admins = Admins(two.conn)
    with pytest.raises(Refused, match="already"):
        admins.add(OPERATOR, "ADMIN@a.example", two.a, "x")
    with pytest.raises(Refused, match="no mail address"):
        admins.add(OPERATOR, "nobody", two.a, "x")
    assert admins.set(OPERATOR, "Admin@A.example", of=two.b).account == "B"
    admins.remove(OPERATOR, "admin@a.example")
    with pytest.raises(Refused):
        admins.get(OPERATOR, "admin@a.example")


@pytest.mark.parametrize("name", ["", "a b.example", "-a.example", "a..example", "a/b", "x" * 64 + ".example", "a@b"])
def test_what_is_no_domain_name(conn: Connection, name: str) -> None:
    with pytest.raises(Refused):
        Domains(conn).add(OPERATOR, Domain(0, OPERATOR, name, PRIMARY))


def test_domains(two: Two) -> None:
    domains = Domains(two.conn)
    found = domains.add(OPERATOR, Domain(0, two.a, "Bücher.Example", (HostPort("::1", 26), HostPort("h"))))
    assert (found.name, found.primaries) == ("xn--bcher-kva.example", (HostPort("::1", 26), HostPort("h", 25)))
    assert domains.get(OPERATOR, "BÜCHER.example") == found
    with pytest.raises(Refused, match="already"):
        domains.add(OPERATOR, Domain(0, two.a, "xn--BCHER-kva.example", PRIMARY))
    with pytest.raises(Refused, match="--primary"):
        domains.add(OPERATOR, Domain(0, two.a, "none.example"))


def test_moving_a_domain_takes_its_list_along(two: Two) -> None:
    domain = Domains(two.conn).get(OPERATOR, "a.example")
    Domains(two.conn).set(OPERATOR, evolve(domain, account=two.b))
    assert [box.address for box in Mailboxes(two.conn).all(two.b)] == ["user@a.example", "user@b.example"]
    assert Mailboxes(two.conn).all(two.a) == []
    assert len(Addresses(two.conn).all(two.b)) == 2


def test_removing_a_domain_takes_its_list_along(two: Two) -> None:
    assert Domains(two.conn).remove(OPERATOR, "a.example") == ["user@a.example"]
    assert load(two.conn).resolve("user@a.example").domain is None
    assert Addresses(two.conn).all(two.a) == []
    with pytest.raises(Refused):
        Domains(two.conn).remove(OPERATOR, "a.example")


def test_alias_domains(two: Two) -> None:
    domains = Domains(two.conn)
    main = domains.get(OPERATOR, "a.example")
    alias = domains.add(OPERATOR, Domain(0, two.a, "a.test", alias_of=main.id))
    assert Mailboxes(two.conn).add(OPERATOR, "new@a.test").address == "new@a.example"
    assert Mailboxes(two.conn).get(OPERATOR, "USER@a.test").address == "user@a.example"
    assert len(load(two.conn).resolve("user@A.test").mailboxes) == 1
    with pytest.raises(Refused, match="alias domain"):
        domains.remove(OPERATOR, "a.example")
    with pytest.raises(Refused):
        domains.add(OPERATOR, Domain(0, two.a, "third.test", alias_of=alias.id))
    with pytest.raises(Refused):
        domains.set(OPERATOR, evolve(domains.get(OPERATOR, "b.example"), alias_of=main.id))
    domains.remove(OPERATOR, "a.test")
    domains.remove(OPERATOR, "a.example")


def test_mailboxes(two: Two) -> None:
    boxes = Mailboxes(two.conn)
    for address in ("USER@a.example", "info@a.example"):
        with pytest.raises(Refused, match="already"):
            boxes.add(OPERATOR, address)
    for address in ("nobody", "x y@a.example", "x@foreign.example", "@a.example"):
        with pytest.raises(Refused):
            boxes.add(OPERATOR, address)
    with pytest.raises(Refused, match="mobile"):
        boxes.add(OPERATOR, "x@a.example", mobile="0151")
    with pytest.raises(Refused, match="mail address"):
        boxes.add(OPERATOR, "x@a.example", alternate="nowhere")
    with pytest.raises(Refused, match="control"):
        boxes.add(OPERATOR, "x@a.example", name="a\nb")
    found = boxes.add(OPERATOR, "X@a.example", "h", "Ää", "Y@Z.example", "+49 (151) 123-456")
    assert (found.address, found.name, found.alternate, found.mobile) == (
        "x@a.example",
        "Ää",
        "y@z.example",
        "+49151123456",
    )
    assert password_hash(two.conn, found.id) == "h"
    assert password_hash(two.conn, 999) is None
    assert boxes.set(OPERATOR, "info@a.example", state="disabled").address == "user@a.example"


def test_an_id_is_never_given_twice(two: Two) -> None:
    boxes = Mailboxes(two.conn)
    first = boxes.add(OPERATOR, "x@a.example").id
    boxes.remove(OPERATOR, "x@a.example")
    assert boxes.add(OPERATOR, "x@a.example").id > first


def test_removing_a_mailbox_takes_its_names_out_of_every_list(two: Two) -> None:
    addresses = Addresses(two.conn)
    addresses.add(OPERATOR, "team@a.example", "group", ["user@a.example", "x@y.example"])
    addresses.add(OPERATOR, "desk@a.example", "group", ["x@y.example"], ["user@a.example"])
    Mailboxes(two.conn).remove(OPERATOR, "user@a.example")
    assert [(entry.address, entry.members, entry.send_as) for entry in addresses.all(two.a)] == [
        ("desk@a.example", ("x@y.example",), ()),
        ("team@a.example", ("x@y.example",), ()),
    ]


def test_addresses(two: Two) -> None:
    addresses = Addresses(two.conn)
    for kind, targets in (
        ("alias", []),
        ("alias", ["user@a.example", "user@a.example"]),
        ("group", []),
        ("shared", []),
    ):
        with pytest.raises(Refused):
            addresses.add(OPERATOR, f"bad-{kind}{len(targets)}@a.example", kind, targets)
    with pytest.raises(Refused, match="no mailbox"):
        addresses.add(OPERATOR, "x@a.example", "alias", ["info@a.example"])
    with pytest.raises(Refused, match="already"):
        addresses.add(OPERATOR, "User@a.example", "group", ["x@y.example"])
    found = addresses.set(
        OPERATOR, "info@a.example", kind="group", targets=["B@X.example", "b@x.example", "c@x.example"]
    )
    assert (found.kind, found.members) == ("group", ("b@x.example", "c@x.example"))
    addresses.remove(OPERATOR, "INFO@a.example")
    with pytest.raises(Refused):
        addresses.get(OPERATOR, "info@a.example")
