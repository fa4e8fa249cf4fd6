"""PREVIEW (RFC 8970): the first words of each message, in a list, without a look at its parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol.imap_harness import ADDRESS, Client, House

HELLO = b"Subject: x\r\n\r\nHello   there,\r\n\r\nhow are you?\r\n"
PAGE = b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Gr\xc3\xbc\xc3\x9fe</p>"
SECRET = b"Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    found = House(tmp_path)
    found.deliver(HELLO, PAGE, SECRET)
    return found


@pytest.fixture
def client(house: House) -> Client:
    found = house.sign_in()
    found.ok("SELECT INBOX")
    return found


def test_the_capability(client: Client) -> None:
    """Section 2."""
    assert b" PREVIEW" in client.ok("CAPABILITY")


def test_the_words(client: Client) -> None:
    """Sections 3.1 and 4.2: UTF-8, also in a literal; \\Seen is not set."""
    assert client.ok("FETCH 1 PREVIEW") == b'* 1 FETCH (PREVIEW "Hello there, how are you?")\r\n'
    assert client.ok("UID FETCH 2 PREVIEW") == b"* 2 FETCH (UID 2 PREVIEW {7}\r\nGr\xc3\xbc\xc3\x9fe)\r\n"
    assert b"\\Seen" not in client.ok("FETCH 1:2 FLAGS")


def test_what_has_no_words_has_an_empty_preview(client: Client) -> None:
    """Section 4.2: the empty string when there is none to be made; section 7: nothing of what is encrypted."""
    assert client.ok("FETCH 3 PREVIEW") == b'* 3 FETCH (PREVIEW "")\r\n'


def test_lazy_gives_what_is_at_hand(client: Client) -> None:
    """Section 3.2 and 4.2: NIL only to a client that asked so, and only until it is known."""
    assert client.ok("FETCH 1 PREVIEW (LAZY)") == b"* 1 FETCH (PREVIEW NIL)\r\n"
    client.ok("FETCH 1 PREVIEW")
    assert client.ok("FETCH 1 (UID PREVIEW (LAZY))") == b'* 1 FETCH (UID 1 PREVIEW "Hello there, how are you?")\r\n'
    client.bad("FETCH 1 PREVIEW (EAGER)")


def test_it_is_kept_and_goes_with_a_copy(house: House, client: Client) -> None:
    """The index keeps what was made once."""
    client.ok("FETCH 1:3 PREVIEW")
    assert set(house.mailboxes.cached(ADDRESS, "INBOX", "preview", [1, 2, 3])) == {1, 2, 3}
    client.ok("COPY 1 Archive")
    client.ok("SELECT Archive")
    assert b"Hello there" in client.ok("FETCH 1 (PREVIEW (LAZY))")


def test_beside_other_items(client: Client) -> None:
    got = client.ok("FETCH 1 (PREVIEW FLAGS BODY.PEEK[1] ENVELOPE PREVIEW (LAZY))")
    assert got.count(b"PREVIEW") == 2
    assert b"Hello   there" in got


def test_of_a_large_message_the_beginning_is_read(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(HELLO + b"x" * 1_000_000)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    assert client.ok("FETCH 1 PREVIEW").startswith(b'* 1 FETCH (PREVIEW "Hello there, how are you? xxx')
