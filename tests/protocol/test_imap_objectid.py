"""OBJECTID of messages (RFC 8474 sections 5 and 6) and SAVEDATE (RFC 8514)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.protocol.imap_harness import ADDRESS, Client, House

ONE, TWO = b"Subject: one\r\n\r\n1\r\n", b"Subject: two\r\n\r\n2\r\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    found = House(tmp_path)
    found.deliver(ONE, TWO)
    return found


def opened(house: House) -> Client:
    client = house.sign_in()
    client.ok("SELECT INBOX")
    return client


@pytest.fixture
def client(house: House) -> Client:
    return opened(house)


def ids(client: Client) -> list[bytes]:
    found = re.findall(rb"EMAILID \(([A-Za-z0-9_-]{1,255})\)", client.ok("FETCH 1:* EMAILID"))
    assert found
    return found


def test_each_message_has_an_id_that_stays(client: Client) -> None:
    """Section 5.1: unique, immutable, of letters, digits, "_" and "-"."""
    first = ids(client)
    assert len(set(first)) == 2
    client.ok("STORE 1 +FLAGS (\\Seen $X)")
    assert ids(client) == first


def test_a_copy_and_a_move_keep_it(client: Client) -> None:
    """Section 5.1: the same content, the same EMAILID."""
    first, second = ids(client)
    client.ok("COPY 1 Archive")
    client.ok("MOVE 2 Archive")
    assert ids(client) == [first]
    client.ok("SELECT Archive")
    assert ids(client) == [first, second]


def test_a_file_of_another_tool_has_one_too(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(ONE)
    box = Path(house.layout.mailbox(ADDRESS))
    for number in (1, 2):
        (box / "cur" / f"170000000{number}.other.host:2,S").write_bytes(TWO)
    (box / "cur" / "1700000003.third.host:2,S").write_bytes(b"x")
    client = House(tmp_path).sign_in()
    client.ok("SELECT INBOX")
    found = ids(client)
    assert len(found) == 4
    assert len(set(found)) == 3
    name = max(set(found), key=found.count).decode()
    assert client.ok(f"SEARCH EMAILID {name}").count(b" ") == 3
    client.ok("COPY 1:4 Archive")
    client.ok("SELECT Archive")
    assert ids(client) == found


def test_the_thread_is_not_known(client: Client) -> None:
    """Section 5.2: NIL to every FETCH THREADID of a server without threads; section 6: then no message has one."""
    assert client.ok("FETCH 1 THREADID") == b"* 1 FETCH (THREADID NIL)\r\n"
    assert client.ok("FETCH 1 (THREADID BODY.PEEK[1]<0.1>)") == b"* 1 FETCH (THREADID NIL BODY[1]<0> {1}\r\n1)\r\n"
    assert client.ok("SEARCH THREADID T1") == b"* SEARCH\r\n"


def test_search_by_id(client: Client) -> None:
    """Section 6."""
    first, second = ids(client)
    assert client.ok(b"SEARCH EMAILID " + first) == b"* SEARCH 1\r\n"
    assert client.ok(b"SEARCH NOT EMAILID " + first) == b"* SEARCH 2\r\n"
    assert client.ok(b"SEARCH OR EMAILID " + first + b" (EMAILID " + second + b" ALL)") == b"* SEARCH 1 2\r\n"
    assert client.ok("SEARCH EMAILID Mnone") == b"* SEARCH\r\n"
    client.bad("SEARCH EMAILID x.y")
    client.bad("SEARCH EMAILID")


def test_the_date_of_saving(house: House, client: Client) -> None:
    """RFC 8514 section 4.1 and 4.2: when it came into this mailbox, whatever its internal date is."""
    day = 86_400
    assert b" SAVEDATE" in client.ok("CAPABILITY")
    house.clock.advance(3 * day)
    client = opened(house)
    client.ok(b'APPEND INBOX "07-Feb-1994 21:52:25 -0800" {3+}\r\nabc')
    assert b'SAVEDATE "17-Nov-2023 22:13:20 +0000"' in client.ok("FETCH 3 SAVEDATE")
    assert b'SAVEDATE "17-Nov-2023' in client.ok("FETCH 3 (SAVEDATE BODY.PEEK[])")
    house.clock.advance(day)
    client = opened(house)
    client.ok("COPY 3 Archive")
    client.ok("SELECT Archive")
    assert b'SAVEDATE "18-Nov-2023 22:13:20 +0000" INTERNALDATE " 8-Feb-1994' in client.ok(
        "FETCH 1 (SAVEDATE INTERNALDATE)"
    )


def test_search_by_the_date_of_saving(house: House) -> None:
    """RFC 8514 section 4.3."""
    house.clock.advance(86_400)
    client = opened(house)
    client.ok(b'APPEND INBOX "07-Feb-1994 21:52:25 -0800" {3+}\r\nabc')
    assert client.ok("SEARCH SAVEDBEFORE 15-Nov-2023") == b"* SEARCH 1 2\r\n"
    assert client.ok("SEARCH SAVEDON 15-Nov-2023") == b"* SEARCH 3\r\n"
    assert client.ok("SEARCH SAVEDSINCE 14-Nov-2023 NOT SAVEDSINCE 15-Nov-2023") == b"* SEARCH 1 2\r\n"
    assert client.ok("SEARCH SAVEDATESUPPORTED") == b"* SEARCH 1 2 3\r\n"
    client.bad("SEARCH SAVEDON 35-Nov-2023")
