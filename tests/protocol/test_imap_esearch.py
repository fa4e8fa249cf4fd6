"""ESEARCH: the options of RETURN (RFC 4731)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol.imap_harness import Client, House


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """Messages 1 to 8 with the UIDs 1, 2, 4, 5, 6, 7, 8, 10."""
    house = House(tmp_path)
    house.deliver(*(f"Subject: {'odd' if n % 2 else 'even'}\r\n\r\n{n}\r\n".encode() for n in range(1, 11)))
    client = house.sign_in()
    client.ok("SELECT INBOX")
    client.ok("UID STORE 3,9 +FLAGS.SILENT (\\Deleted)")
    client.ok("EXPUNGE")
    return client


def answer(client: Client, command: str) -> bytes:
    """The ESEARCH response behind its tag."""
    untagged = client.ok(command)
    assert untagged.startswith(b'* ESEARCH (TAG "t') and untagged.count(b"\r\n") == 1, untagged
    return untagged.split(b")", 1)[1].removesuffix(b"\r\n")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("SEARCH RETURN (MIN) SUBJECT odd", b" MIN 1"),
        ("SEARCH RETURN (MAX) SUBJECT odd", b" MAX 6"),
        ("SEARCH RETURN (ALL) SUBJECT odd", b" ALL 1,4,6"),
        ("SEARCH RETURN (COUNT) SUBJECT odd", b" COUNT 3"),
        ("SEARCH RETURN () SUBJECT odd", b" ALL 1,4,6"),
        ("SEARCH RETURN (MIN MAX) 2:4", b" MIN 2 MAX 4"),
        ("SEARCH RETURN (COUNT MAX MIN ALL) 2:4", b" MIN 2 MAX 4 ALL 2:4 COUNT 3"),
        ("search return (min min) 2:4", b" MIN 2"),
        ("SEARCH RETURN (MIN) CHARSET UTF-8 SUBJECT odd", b" MIN 1"),
        ("UID SEARCH RETURN (MIN MAX ALL COUNT) SUBJECT odd", b" UID MIN 1 MAX 7 ALL 1,5,7 COUNT 3"),
        ("UID SEARCH RETURN (ALL) ALL", b" UID ALL 1:2,4:8,10"),
    ],
)
def test_what_is_returned(client: Client, command: str, expected: bytes) -> None:
    """Section 3.1: one ESEARCH response, with UID for UID SEARCH, and ALL for an empty list of options."""
    assert answer(client, command) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("SEARCH RETURN (MIN) SUBJECT none", b""),
        ("SEARCH RETURN (MAX) SUBJECT none", b""),
        ("SEARCH RETURN (ALL) SUBJECT none", b""),
        ("SEARCH RETURN () SUBJECT none", b""),
        ("SEARCH RETURN (COUNT) SUBJECT none", b" COUNT 0"),
        ("SEARCH RETURN (MIN MAX ALL COUNT) SUBJECT none", b" COUNT 0"),
        ("UID SEARCH RETURN (MIN) SUBJECT none", b" UID"),
        ("UID SEARCH RETURN (COUNT) SUBJECT none", b" UID COUNT 0"),
    ],
)
def test_nothing_found(client: Client, command: str, expected: bytes) -> None:
    """Section 3.1: MIN, MAX and ALL are left out, the response is not; COUNT is never left out."""
    assert answer(client, command) == expected


def test_the_tag_is_that_of_the_command(client: Client) -> None:
    """Section 3.1: the search correlator."""
    data = client.send(b"x.7+y SEARCH RETURN (COUNT) ALL\r\n".replace(b"+", b"-"))
    assert data.startswith(b'* ESEARCH (TAG "x.7-y") COUNT 8\r\nx.7-y OK')


def test_without_return_the_old_response(client: Client) -> None:
    """Section 3.1."""
    assert client.ok("SEARCH SUBJECT odd") == b"* SEARCH 1 4 6\r\n"
    assert client.ok("SEARCH SUBJECT none") == b"* SEARCH\r\n"
    assert client.ok("UID SEARCH SUBJECT odd") == b"* SEARCH 1 5 7\r\n"


@pytest.mark.parametrize("command", ["RETURN (NONE) ALL", "RETURN MIN ALL", "RETURN (MIN)", "RETURN (MIN", "RETURN"])
def test_what_is_no_option_is_bad(client: Client, command: str) -> None:
    """Section 4: the grammar."""
    client.bad(f"SEARCH {command}")


def test_a_mod_sequence_comes_with_what_is_told(client: Client) -> None:
    """Section 3.2: of MIN and MAX alone theirs, else the highest of all that was found."""
    client.ok("STORE 4 +FLAGS.SILENT (\\Flagged)")
    client.ok("STORE 1 +FLAGS.SILENT (\\Flagged)")
    of = {number: int(client.ok(f"FETCH {number} (MODSEQ)").split(b"(")[-1].split(b")")[0]) for number in (1, 4, 6)}
    assert of[6] < of[4] < of[1]
    key = "MODSEQ 1 SUBJECT odd"
    assert answer(client, f"SEARCH RETURN (MIN) {key}") == b" MIN 1 MODSEQ %d" % of[1]
    assert answer(client, f"SEARCH RETURN (MAX) {key}") == b" MAX 6 MODSEQ %d" % of[6]
    assert answer(client, f"SEARCH RETURN (MIN MAX) {key}") == b" MIN 1 MAX 6 MODSEQ %d" % of[1]
    assert answer(client, f"SEARCH RETURN (MAX ALL) {key}") == b" MAX 6 ALL 1,4,6 MODSEQ %d" % of[1]
    assert answer(client, f"SEARCH RETURN (COUNT) {key}") == b" COUNT 3 MODSEQ %d" % of[1]
    assert answer(client, "SEARCH RETURN (ALL) MODSEQ 1 SUBJECT none") == b""


def test_a_number_beyond_the_last_message(client: Client) -> None:
    """Webmail asks so for the UID of the last message, on nearly every request."""
    assert client.ok("UID SEARCH 8") == b"* SEARCH 10\r\n"
    assert client.ok("UID SEARCH 9") == client.ok("UID SEARCH 4294967295") == b"* SEARCH\r\n"
    assert client.ok("UID SEARCH RETURN (ALL) UID 1:4294967295").endswith(b" UID ALL 1:2,4:8,10\r\n")
