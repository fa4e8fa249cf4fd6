"""Every repository's contract: B cannot see, change or remove what is A's, nor learn from an error that it is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import evolve

from stratamail.store.catalog.accounts import Accounts
from stratamail.store.catalog.addresses import Addresses
from stratamail.store.catalog.admins import Admins
from stratamail.store.catalog.audit import Audit
from stratamail.store.catalog.directory import load
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.mailboxes import Mailboxes
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.catalog.scope import Refused
from tests.unit.store.catalog.conftest import PRIMARY, Two


def test_listings_hold_ones_own_only(two: Two) -> None:
    conn, b = two.conn, two.b
    assert [account.name for account in Accounts(conn).all(b)] == ["B"]
    assert [admin.email for admin in Admins(conn).all(b)] == ["admin@b.example"]
    assert [domain.name for domain in Domains(conn).all(b)] == ["b.example"]
    assert [box.address for box in Mailboxes(conn).all(b)] == ["user@b.example"]
    assert [entry.address for entry in Addresses(conn).all(b)] == ["info@b.example"]
    assert [entry.subject for entry in Audit(conn).all(b)] == ["b.example"]


def test_naming_anothers_domain_lists_nothing(two: Two) -> None:
    a_domain = Domains(two.conn).get(two.a, "a.example").id
    assert Mailboxes(two.conn).all(two.b, a_domain) == []
    assert Addresses(two.conn).all(two.b, a_domain) == []


CALLS: dict[str, Callable[[Two], object]] = {
    "account get": lambda t: Accounts(t.conn).get(t.b, "A"),
    "account set": lambda t: Accounts(t.conn).set(t.b, "A", parent="B"),
    "account remove": lambda t: Accounts(t.conn).remove(t.b, "A"),
    "account add": lambda t: Accounts(t.conn).add(t.b, "New", "customer", "Reseller"),
    "admin get": lambda t: Admins(t.conn).get(t.b, "admin@a.example"),
    "admin set": lambda t: Admins(t.conn).set(t.b, "admin@a.example", password="x"),
    "admin remove": lambda t: Admins(t.conn).remove(t.b, "admin@a.example"),
    "admin add": lambda t: Admins(t.conn).add(t.b, "spy@b.example", t.a, "x"),
    "domain get": lambda t: Domains(t.conn).get(t.b, "A.example"),
    "domain set": lambda t: Domains(t.conn).set(t.b, Domains(t.conn).get(t.a, "a.example")),
    "domain remove": lambda t: Domains(t.conn).remove(t.b, "a.example"),
    "domain give away": lambda t: Domains(t.conn).set(t.b, evolve(Domains(t.conn).get(t.b, "b.example"), account=t.a)),
    "domain alias": lambda t: Domains(t.conn).set(
        t.b, evolve(Domains(t.conn).get(t.b, "b.example"), alias_of=Domains(t.conn).get(t.a, "a.example").id)
    ),
    "mailbox get": lambda t: Mailboxes(t.conn).get(t.b, "user@a.example"),
    "mailbox get by alias": lambda t: Mailboxes(t.conn).get(t.b, "info@a.example"),
    "mailbox add": lambda t: Mailboxes(t.conn).add(t.b, "spy@a.example"),
    "mailbox set": lambda t: Mailboxes(t.conn).set(t.b, "user@a.example", password="x"),
    "mailbox remove": lambda t: Mailboxes(t.conn).remove(t.b, "user@a.example"),
    "address get": lambda t: Addresses(t.conn).get(t.b, "info@a.example"),
    "address add": lambda t: Addresses(t.conn).add(t.b, "spy@a.example", "alias", ["user@b.example"]),
    "address alias": lambda t: Addresses(t.conn).add(t.b, "spy@b.example", "alias", ["user@a.example"]),
    "address shared": lambda t: Addresses(t.conn).add(t.b, "spy@b.example", "shared", ["user@a.example"]),
    "address send-as": lambda t: Addresses(t.conn).set(t.b, "info@b.example", send_as=["user@a.example"]),
    "address set": lambda t: Addresses(t.conn).set(t.b, "info@a.example", targets=["user@b.example"]),
    "address remove": lambda t: Addresses(t.conn).remove(t.b, "info@a.example"),
}


@pytest.mark.parametrize("call", CALLS)
def test_b_is_refused_and_nothing_of_a_changes(two: Two, call: str) -> None:
    before = _everything(two, two.a)
    with pytest.raises(Refused) as caught:
        CALLS[call](two)
    assert _everything(two, two.a) == before
    assert "already" not in str(caught.value)


def test_a_reseller_sees_what_stands_below_and_no_more(two: Two) -> None:
    assert [domain.name for domain in Domains(two.conn).all(two.reseller)] == ["a.example"]
    assert Mailboxes(two.conn).get(two.reseller, "user@a.example").account == two.a
    with pytest.raises(Refused):
        Domains(two.conn).get(two.reseller, "b.example")


def test_operator_sees_all(two: Two) -> None:
    assert len(Domains(two.conn).all(OPERATOR)) == 2


def test_a_group_never_copies_into_another_account(two: Two) -> None:
    Addresses(two.conn).add(two.b, "all@b.example", "group", ["user@b.example", "user@a.example"])
    directory = load(two.conn)
    own = Mailboxes(two.conn).get(two.b, "user@b.example").id
    assert directory.resolve("all@b.example").mailboxes == (own,)


def test_one_domain_one_account(two: Two) -> None:
    domain = evolve(Domains(two.conn).get(two.b, "b.example"), name="A.EXAMPLE", primaries=PRIMARY)
    with pytest.raises(Refused):
        Domains(two.conn).add(two.b, domain)


def _everything(two: Two, account: int) -> list[object]:
    conn = two.conn
    return [
        Accounts(conn).all(account),
        Admins(conn).all(account),
        Domains(conn).all(account),
        Mailboxes(conn).all(account),
        Addresses(conn).all(account),
    ]
