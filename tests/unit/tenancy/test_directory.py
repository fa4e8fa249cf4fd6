"""Who a recipient is: mailboxes, aliases, plus-addresses, groups, alias domains, and what never crosses accounts."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Address, Domain, HostPort, Mailbox

ACME = Domain(1, 10, "acme.example", (HostPort("mx.acme.example"),))
ALIAS = Domain(2, 10, "acme.test", alias_of=1)
OTHER = Domain(3, 20, "other.example", (HostPort("mx.other.example"),), mode="relay-only")
UMLAUT = Domain(4, 10, "xn--bcher-kva.example", (HostPort("mx.acme.example"),))
ANNA = Mailbox(1, 10, 1, "anna@acme.example", "Anna")
BOB = Mailbox(2, 10, 1, "bob@acme.example", state="disabled")
STRANGER = Mailbox(3, 20, 3, "carl@other.example")


def address(id: int, name: str, kind: str, *members: str, send_as: tuple[str, ...] = ()) -> Address:
    return Address(id, 10, 1, name, kind, members, send_as)


DIRECTORY = Directory(
    [ACME, ALIAS, OTHER, UMLAUT],
    [ANNA, BOB, STRANGER],
    [
        address(1, "info@acme.example", "alias", "anna@acme.example"),
        address(
            2, "all@acme.example", "group", "info@acme.test", "bob+x@acme.example", "anna@acme.example", "x@y.test"
        ),
        address(3, "round@acme.example", "group", "about@acme.example"),
        address(4, "about@acme.example", "group", "round@acme.example", "bob@acme.example"),
        address(5, "desk@acme.example", "shared", "anna@acme.example", send_as=("bob@acme.example",)),
        address(6, "leak@acme.example", "group", "carl@other.example"),
    ],
)


@pytest.mark.parametrize(
    ("recipient", "mailboxes"),
    [
        ("anna@acme.example", (1,)),
        ("ANNA@Acme.Example", (1,)),
        ('"anna"@acme.example', (1,)),
        ("anna+news@acme.example", (1,)),
        ("anna@acme.test", (1,)),
        ("info@acme.example", (1,)),
        ("info+tag@ACME.test", (1,)),
        ("bob@acme.example", (2,)),
        ("all@acme.example", (1, 2)),
        ("round@acme.example", (2,)),
        ("desk@acme.example", (1,)),
        ("leak@acme.example", ()),
    ],
)
def test_a_listed_recipient_is_its_mailboxes(recipient: str, mailboxes: tuple[int, ...]) -> None:
    found = DIRECTORY.resolve(recipient)
    assert found.listed
    assert found.mailboxes == mailboxes
    assert found.unclaimed == ""


def test_an_unlisted_recipient_is_kept_under_the_key_of_its_enrolment() -> None:
    for recipient in ("new@acme.example", "NEW+x@acme.test", "new@ACME.example"):
        found = DIRECTORY.resolve(recipient)
        assert (found.listed, found.mailboxes, found.unclaimed) == (False, (), "new@acme.example")


def test_postmaster_is_always_listed() -> None:
    found = DIRECTORY.resolve("PostMaster@acme.example")
    assert found.listed
    assert found.unclaimed == "postmaster@acme.example"


@pytest.mark.parametrize(
    "recipient", ["a@foreign.example", "postmaster", "", "@", "a@", "@acme", "anna@acme.example.x"]
)
def test_what_is_not_ours_has_no_domain(recipient: str) -> None:
    assert DIRECTORY.resolve(recipient).domain is None


def test_the_domain_is_the_recipients_own_with_the_main_ones_settings() -> None:
    found = DIRECTORY.resolve("anna@acme.test").domain
    assert found is not None
    assert (found.id, found.name, found.primaries, found.alias_of) == (2, "acme.test", ACME.primaries, 1)


def test_relay_only_has_no_copies() -> None:
    found = DIRECTORY.resolve("carl@other.example")
    assert (found.listed, found.mailboxes, found.unclaimed) == (True, (), "")
    assert DIRECTORY.resolve("nobody@other.example").unclaimed == ""


def test_u_and_a_labels_name_one_domain() -> None:
    assert DIRECTORY.domain("Bücher.example") == UMLAUT
    assert DIRECTORY.domain("XN--BCHER-KVA.example.") == UMLAUT
    assert DIRECTORY.resolve("x@bücher.example").domain == UMLAUT


def test_a_login_is_an_address_or_an_alias_in_any_case_but_no_group() -> None:
    assert DIRECTORY.mailbox("Info@ACME.test") == ANNA
    assert DIRECTORY.mailbox("BOB@acme.example") == BOB
    for login in ("all@acme.example", "anna+x@acme.example", "nobody@acme.example", "anna", ""):
        assert DIRECTORY.mailbox(login) is None


def test_listings() -> None:
    assert [domain.name for domain in DIRECTORY.domains()] == [ACME.name, ALIAS.name, OTHER.name, UMLAUT.name]
    assert list(DIRECTORY.mailboxes("acme.test")) == [ANNA, BOB]
    assert list(DIRECTORY.mailboxes("foreign.example")) == []
    assert len(DIRECTORY.mailboxes()) == 3
    assert DIRECTORY.mailbox_by_id(3) == STRANGER
    assert DIRECTORY.mailbox_by_id(99) is None


@pytest.mark.parametrize(
    ("sender", "anna", "bob"),
    [
        ("anna@acme.example", True, False),
        ("Anna+x@ACME.test", True, False),
        ("info@acme.example", True, False),
        ("desk@acme.example", True, True),
        ("all@acme.example", False, False),
        ("nobody@acme.example", False, False),
        ("carl@other.example", False, False),
        ("", False, False),
    ],
)
def test_who_may_send_as_whom(sender: str, anna: bool, bob: bool) -> None:
    assert DIRECTORY.may_send_as(ANNA, sender) is anna
    assert DIRECTORY.may_send_as(BOB, sender) is bob


DESK = Mailbox(7, 10, 1, "desk@acme.example", kind="shared")
OFFICE = Directory(
    [ACME, ALIAS, OTHER, UMLAUT],
    [
        ANNA,
        BOB,
        DESK,
        Mailbox(9, 10, 4, "desk@xn--bcher-kva.example", kind="shared"),
        Mailbox(8, 10, 1, "a/b%@acme.example", kind="shared"),
        Mailbox(10, 10, 1, "off@acme.example", state="disabled", kind="shared"),
        Mailbox(11, 20, 3, "desk@other.example", kind="shared"),
    ],
    [
        address(1, "desk@acme.example", "shared", "anna@acme.example", send_as=("bob@acme.example",)),
        address(2, "help@acme.example", "alias", "desk@acme.example"),
        address(3, "all@acme.example", "group", "desk@acme.example", "help@acme.example", "anna@acme.example"),
        address(4, "desk@xn--bcher-kva.example", "shared", "bob@acme.example", "anna@acme.example"),
        address(5, "a/b%@acme.example", "shared", "anna@acme.example"),
        address(6, "off@acme.example", "shared", "anna@acme.example"),
        Address(7, 20, 3, "desk@other.example", "shared", ("anna@acme.example",)),
    ],
)


def test_a_shared_address_is_one_copy_in_a_mailbox_of_its_own() -> None:
    assert OFFICE.resolve("DESK+x@acme.test").mailboxes == (7,)
    assert OFFICE.resolve("help@acme.example").mailboxes == (7,)
    assert OFFICE.resolve("all@acme.example").mailboxes == (7, 1)
    assert OFFICE.mailbox_at("help@acme.example") == DESK
    assert OFFICE.is_still("desk@acme.example", OFFICE)
    assert not OFFICE.is_still("desk@acme.example", Directory())
    assert not OFFICE.is_still("help@acme.example", OFFICE)


def test_nobody_signs_in_to_a_shared_mailbox() -> None:
    for login in ("desk@acme.example", "help@acme.example", "DESK@acme.test"):
        assert OFFICE.mailbox(login) is None


def test_readers_know_shared_mailboxes_by_names_that_differ() -> None:
    assert {name: box.id for name, box in OFFICE.shared_with(ANNA).items()} == {
        "desk": 7,
        "desk@xn--bcher-kva.example": 9,
        "a_b_": 8,
    }
    # the same name for each reader, whatever else it reads
    assert [*OFFICE.shared_with(BOB)] == ["desk@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    ("sender", "anna", "bob"),
    [
        ("desk@acme.example", True, True),
        ("desk+x@acme.test", True, True),
        ("help@acme.example", True, True),
        ("desk@bücher.example", True, True),
        ("a/b%@acme.example", True, False),
        ("desk@other.example", False, False),
    ],
)
def test_a_shared_address_may_be_sent_from_by_its_readers_and_senders(sender: str, anna: bool, bob: bool) -> None:
    assert OFFICE.may_send_as(ANNA, sender) is anna
    assert OFFICE.may_send_as(BOB, sender) is bob


def test_same_customer() -> None:
    assert DIRECTORY.same_customer(ANNA, "anybody@ACME.test")
    assert not DIRECTORY.same_customer(ANNA, "carl@other.example")
    assert not DIRECTORY.same_customer(ANNA, "x@foreign.example")


def test_an_alias_of_a_removed_mailbox_waits_unclaimed() -> None:
    directory = Directory([ACME], [], [address(1, "info@acme.example", "alias", "anna@acme.example")])
    found = directory.resolve("info@acme.example")
    assert (found.listed, found.mailboxes, found.unclaimed) == (True, (), "info@acme.example")


def test_a_circle_of_alias_domains_ends() -> None:
    directory = Directory([evolve(ACME, alias_of=2), ALIAS], [ANNA], [])
    assert directory.resolve("anna@acme.example").domain is not None


@given(st.text(max_size=40), st.sampled_from(["acme.example", "acme.test", "other.example", "foreign.example"]))
def test_no_recipient_breaks_it(local: str, domain: str) -> None:
    found = DIRECTORY.resolve(f"{local}@{domain}")
    if found.domain is not None:
        assert found.domain.name == domain
        assert all(DIRECTORY.mailbox_by_id(box) is not None for box in found.mailboxes)


def test_who_signed_in_before_the_domain_changed_hands_reads_by_todays_account() -> None:
    """A session holds the mailbox as it was at sign-in."""
    desk = Mailbox(9, 10, 1, "desk@acme.example", kind="shared")
    domain = Domain(5, 10, "two.example", (HostPort("mx.acme.example"),))
    reader = Mailbox(8, 10, 5, "eve@two.example")
    entry = address(5, desk.address, "shared", reader.address)
    before = Directory([ACME, domain], [desk, reader], [entry])
    assert [*before.shared_with(reader)] == ["desk"]
    assert before.may_send_as(reader, desk.address)
    assert before.same_customer(reader, desk.address)
    sold = Directory([ACME, evolve(domain, account=20)], [desk, evolve(reader, account=20)], [entry])
    assert sold.shared_with(reader) == {}
    assert not sold.may_send_as(reader, desk.address)
    assert not sold.same_customer(reader, desk.address)
    removed = Directory([ACME, domain], [desk], [entry])
    assert removed.shared_with(reader) == {}
    assert not removed.may_send_as(reader, desk.address)
    assert not removed.may_send_as(reader, reader.address)
