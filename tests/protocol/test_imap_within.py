"""WITHIN: messages by age (RFC 5032), and by the day of INTERNALDATE (RFC 3501 section 6.4.4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol.imap_harness import Client, House

HOUR = 3600


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Three messages, 100 hours, 10 hours and 0 hours old."""
    house = House(tmp_path)
    house.deliver(b"Subject: old\r\n\r\n")
    house.clock.advance(90 * HOUR)
    house.deliver(b"Subject: newer\r\n\r\n")
    house.clock.advance(10 * HOUR)
    house.deliver(b"Subject: new\r\n\r\n")
    return house


@pytest.fixture
def client(house: House) -> Client:
    client = house.sign_in()
    client.ok("SELECT INBOX")
    return client


def found(client: Client, key: str) -> bytes:
    return client.ok(f"SEARCH {key}").split(b"\r\n")[0].removeprefix(b"* SEARCH").strip()


def test_the_capability(client: Client) -> None:
    """Section 2."""
    assert b" WITHIN" in client.ok("CAPABILITY")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (f"YOUNGER {HOUR}", b"3"),
        (f"YOUNGER {11 * HOUR}", b"2 3"),
        (f"YOUNGER {1000 * HOUR}", b"1 2 3"),
        (f"OLDER {HOUR}", b"1 2"),
        (f"OLDER {11 * HOUR}", b"1"),
        (f"OLDER {1000 * HOUR}", b""),
        (f"OLDER {5 * HOUR} YOUNGER {50 * HOUR}", b"2"),
        (f"NOT YOUNGER {11 * HOUR}", b"1"),
        (f"OR OLDER {50 * HOUR} SUBJECT new", b"1 2 3"),
        ("YOUNGER 4294967295", b"1 2 3"),
    ],
)
def test_older_and_younger(client: Client, key: str, expected: bytes) -> None:
    """Section 2: INTERNALDATE against the time of the server less the interval."""
    assert found(client, key) == expected


def test_the_clock_goes_on(house: House, client: Client) -> None:
    """Section 1: the interval counts from the moment of the search."""
    assert found(client, "YOUNGER 900") == b"3"
    house.clock.advance(600)
    assert found(client, "YOUNGER 900") == b"3"
    house.clock.advance(600)
    assert found(client, "YOUNGER 900") == b""
    assert found(client, "OLDER 900") == b"1 2 3"


@pytest.mark.parametrize("key", ["OLDER 0", "YOUNGER 0", "OLDER", "YOUNGER x", "YOUNGER -1", "OLDER 4294967296"])
def test_the_interval_is_a_positive_number(client: Client, key: str) -> None:
    """Section 4: nz-number."""
    client.bad(f"SEARCH {key}")


def test_days_are_those_that_fetch_shows(house: House, client: Client) -> None:
    """RFC 3501 section 6.4.4, "disregarding time and timezone": the day is the one of INTERNALDATE as FETCH gives it,
    which is in UTC whatever zone APPEND named."""
    client.ok("CREATE Zones")
    for date in ("01-Feb-2020 23:30:00 -0500", "02-Feb-2020 00:30:00 +0000", "02-Feb-2020 00:30:00 +0500"):
        client.ok(f'APPEND Zones "{date}" {{3+}}\r\na\r\n')
    client.ok("SELECT Zones")
    dates = client.ok("FETCH 1:* (INTERNALDATE)")
    assert dates == (
        b'* 1 FETCH (INTERNALDATE " 2-Feb-2020 04:30:00 +0000")\r\n'
        b'* 2 FETCH (INTERNALDATE " 2-Feb-2020 00:30:00 +0000")\r\n'
        b'* 3 FETCH (INTERNALDATE " 1-Feb-2020 19:30:00 +0000")\r\n'
    )
    assert found(client, "ON 2-Feb-2020") == b"1 2"
    assert found(client, "ON 01-Feb-2020") == b"3"
    assert found(client, "SINCE 2-Feb-2020") == b"1 2"
    assert found(client, "BEFORE 2-Feb-2020") == b"3"
    assert found(client, 'SINCE "1-Feb-2020" BEFORE 3-Feb-2020') == b"1 2 3"
