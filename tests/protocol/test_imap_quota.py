"""QUOTA: what a mailbox holds is shown, and nothing is refused for it (RFC 9208, RFC 2087)."""

from __future__ import annotations

from pathlib import Path

import pytest

from stratamail.config.settings import Limits
from tests.protocol.imap_harness import ADDRESS, House

DESK = "desk@example.org"


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path, Limits(mailbox_room=2_048_000))
    house.shared = {ADDRESS: {"desk": DESK}}
    return house


def test_it_is_offered(house: House) -> None:
    """RFC 9208 section 3.1: QUOTA, and a QUOTA=RES- capability for each resource; no QUOTASET."""
    offered = house.connect().greeting.split()
    assert b"QUOTA" in offered
    assert b"QUOTA=RES-STORAGE" in offered
    assert b"QUOTASET" not in offered


def test_the_root_of_a_mailbox_and_what_it_holds(house: House) -> None:
    """RFC 9208 section 4.1.3: QUOTAROOT, then a QUOTA for each root; STORAGE in units of 1024 octets (section 5.1)."""
    house.deliver(b"x" * 1025)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    client.ok("COPY 1 Archive")
    assert client.ok("GETQUOTAROOT inbox") == b'* QUOTAROOT INBOX ""\r\n* QUOTA "" (STORAGE 3 2000)\r\n'
    assert client.ok("GETQUOTAROOT Sent") == b'* QUOTAROOT Sent ""\r\n* QUOTA "" (STORAGE 3 2000)\r\n'
    assert client.ok('GETQUOTA ""') == b'* QUOTA "" (STORAGE 3 2000)\r\n'
    assert b"[NONEXISTENT]" in client.no("GETQUOTAROOT nope")


def test_a_shared_mailbox_has_a_root_of_its_own(house: House) -> None:
    """RFC 9208 section 3.2."""
    house.deliver(b"x" * 4096, to=DESK)
    client = house.sign_in()
    told = b"* QUOTA Shared/desk (STORAGE 4 2000)\r\n"
    assert client.ok("GETQUOTAROOT Shared/desk/Sent") == b"* QUOTAROOT Shared/desk/Sent Shared/desk\r\n" + told
    assert client.ok("GETQUOTA Shared/desk") == told
    assert b"STORAGE 0" in client.ok('GETQUOTA ""')


def test_a_root_that_is_not_there(house: House) -> None:
    """RFC 9208 section 4.1.2."""
    client = house.sign_in()
    for root in ("x", "Shared/nobody", "Shared/desk/Sent", "INBOX"):
        assert b"[NONEXISTENT]" in client.no(f"GETQUOTA {root}")


def test_nobody_sets_one(house: House) -> None:
    """RFC 9208 section 4.1.1."""
    client = house.sign_in()
    assert b"[NOPERM]" in client.no('SETQUOTA "" (STORAGE 512)')
    assert b"[NOPERM]" in client.no('SETQUOTA "" ()')
    client.bad('SETQUOTA ""')
    client.bad('SETQUOTA "" (STORAGE)')
    client.bad("GETQUOTA")


def test_nothing_is_refused_for_it(tmp_path: Path) -> None:
    """Usage may be above what is shown (RFC 9208 section 4.2.1)."""
    house = House(tmp_path, Limits(mailbox_room=1024))
    house.deliver(b"x" * 5000)
    client = house.sign_in()
    client.ok(b"APPEND INBOX {3000+}\r\n" + b"x" * 3000)
    assert client.ok('GETQUOTA ""') == b'* QUOTA "" (STORAGE 8 1)\r\n'


def test_without_a_limit_there_is_no_resource(tmp_path: Path) -> None:
    """RFC 2087 section 5.1: the list of resources may be empty."""
    client = House(tmp_path, Limits(mailbox_room=0)).sign_in()
    assert client.ok("GETQUOTAROOT INBOX") == b'* QUOTAROOT INBOX ""\r\n* QUOTA "" ()\r\n'


def test_what_an_expunge_would_free(house: House) -> None:
    """RFC 9208 section 4.1.4: STATUS DELETED and DELETED-STORAGE, in octets."""
    house.deliver(b"x" * 300, b"y" * 200, b"z" * 100)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    client.ok("STORE 1:2 +FLAGS (\\Deleted)")
    assert client.ok("STATUS INBOX (DELETED DELETED-STORAGE)") == (
        b"* STATUS INBOX (DELETED 2 DELETED-STORAGE 500)\r\n"
    )


def test_it_needs_a_sign_in(house: House) -> None:
    client = house.connect()
    for command in ('GETQUOTA ""', "GETQUOTAROOT INBOX", 'SETQUOTA "" ()'):
        client.bad(command)
