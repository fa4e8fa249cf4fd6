"""SEARCHRES: the result of a search as a set in the commands that follow (RFC 5182)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol.imap_harness import Client, House

TOPICS = ("alpha", "beta", "gamma", "alpha", "delta")


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.deliver(*(f"Subject: {topic} {n}\r\n\r\ntext {n}\r\n".encode() for n, topic in enumerate(TOPICS, 1)))
    return house


@pytest.fixture
def client(house: House) -> Client:
    client = house.sign_in()
    client.ok("SELECT INBOX")
    return client


def numbers(client: Client, key: str = "$") -> bytes:
    return client.ok(f"SEARCH {key}").split(b"\r\n")[0].removeprefix(b"* SEARCH").strip()


def test_the_capability(client: Client) -> None:
    """Section 1."""
    assert b" SEARCHRES" in client.ok("CAPABILITY")


def test_save_alone_tells_nothing(client: Client) -> None:
    """Section 2.1: SAVE also suppresses any ESEARCH response."""
    assert client.ok("SEARCH RETURN (SAVE) SUBJECT alpha") == b""
    assert client.ok("UID SEARCH RETURN (SAVE) SUBJECT alpha") == b""


def test_save_with_others_tells_these(client: Client) -> None:
    """Section 2.1, example 5."""
    untagged = client.ok("UID SEARCH RETURN (MIN SAVE COUNT) SUBJECT alpha")
    assert untagged.endswith(b" UID MIN 1 COUNT 2\r\n")


def test_it_stands_in_every_command_that_takes_a_set(client: Client) -> None:
    """Section 2.1: FETCH, STORE, COPY, SEARCH, by number and by UID; MOVE and UID EXPUNGE are of the kind."""
    client.ok("SEARCH RETURN (SAVE) SUBJECT alpha")
    assert client.ok("FETCH $ (UID)") == b"* 1 FETCH (UID 1)\r\n* 4 FETCH (UID 4)\r\n"
    assert client.ok("UID FETCH $ (UID)") == b"* 1 FETCH (UID 1)\r\n* 4 FETCH (UID 4)\r\n"
    client.ok("COPY $ Drafts")
    client.ok("UID COPY $ Drafts")
    assert client.ok("STATUS Drafts (MESSAGES)") == b"* STATUS Drafts (MESSAGES 4)\r\n"
    client.ok("STORE $ +FLAGS (\\Flagged)")
    assert numbers(client, "FLAGGED") == b"1 4"
    client.ok("UID STORE $ +FLAGS.SILENT (\\Deleted)")
    assert numbers(client, "UID $") == b"1 4"
    assert numbers(client, "OR $ 2") == b"1 2 4"
    assert numbers(client, "NOT $") == b"2 3 5"
    assert b"* 4 EXPUNGE\r\n* 1 EXPUNGE\r\n" in client.ok("UID EXPUNGE $")
    client.ok("SEARCH RETURN (SAVE) SUBJECT gamma")
    client.ok("MOVE $ Trash")
    assert client.ok("STATUS Trash (MESSAGES)") == b"* STATUS Trash (MESSAGES 1)\r\n"


def test_a_search_may_use_what_it_replaces(client: Client) -> None:
    """Section 2.1, example 4."""
    client.ok("SEARCH RETURN (SAVE) 1:4")
    client.ok("UID SEARCH RETURN (SAVE) UID $ SUBJECT alpha")
    assert numbers(client) == b"1 4"


def test_an_empty_result_is_no_error(client: Client) -> None:
    """Section 2.1: a reference to an empty result stands for no message, and the command is still fine."""
    assert numbers(client) == b""
    client.ok("SEARCH RETURN (SAVE) SUBJECT nowhere")
    assert client.ok("FETCH $ (FLAGS)") == b""
    assert client.ok("UID STORE $ +FLAGS (\\Seen)") == b""
    client.ok("COPY $ Drafts")
    assert client.ok("SEARCH RETURN (ALL COUNT) $").endswith(b" COUNT 0\r\n")


def test_it_begins_empty_and_every_selection_empties_it(client: Client) -> None:
    """Section 2.1: SELECT and EXAMINE reset it, those that fail too."""
    for command in ("SELECT INBOX", "EXAMINE INBOX"):
        client.ok("SELECT INBOX")
        client.ok("SEARCH RETURN (SAVE) ALL")
        client.ok(command)
        assert numbers(client) == b""
    client.ok("SELECT INBOX")
    client.ok("SEARCH RETURN (SAVE) ALL")
    client.no("SELECT Nowhere")
    client.ok("SELECT INBOX")
    assert numbers(client) == b""
    client.ok("SEARCH RETURN (SAVE) ALL")
    client.ok("UNSELECT")
    client.ok("SELECT INBOX")
    assert numbers(client) == b""


def test_other_searches_leave_it(client: Client) -> None:
    """Section 2.1: only SAVE changes it."""
    client.ok("SEARCH RETURN (SAVE) SUBJECT alpha")
    client.ok("SEARCH SUBJECT beta")
    client.ok("SEARCH RETURN (ALL) SUBJECT beta")
    assert numbers(client) == b"1 4"


def test_messages_that_go_away_leave_it(client: Client) -> None:
    """Section 2.1: expunged messages are removed from it, and its numbers move with those of the mailbox."""
    client.ok("SEARCH RETURN (SAVE) SUBJECT alpha")
    client.ok("UID STORE 1,2 +FLAGS.SILENT (\\Deleted)")
    client.ok("EXPUNGE")
    assert numbers(client) == b"2"
    assert client.ok("FETCH $ (UID)") == b"* 2 FETCH (UID 4)\r\n"


def test_another_session_removes_what_is_in_it(house: House, client: Client) -> None:
    """Section 2.1: once the client was told of the expunge."""
    client.ok("SEARCH RETURN (SAVE) SUBJECT alpha")
    other = house.sign_in()
    other.ok("SELECT INBOX")
    other.ok("UID STORE 1 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    assert b"* 1 EXPUNGE" in client.ok("NOOP")
    assert client.ok("FETCH $ (UID)") == b"* 3 FETCH (UID 4)\r\n"


def test_new_messages_do_not_join_it(house: House, client: Client) -> None:
    """Section 2.1: it is the result, not the search."""
    client.ok("SEARCH RETURN (SAVE) SUBJECT alpha")
    house.deliver(b"Subject: alpha\r\n\r\n")
    client.ok("NOOP")
    assert numbers(client) == b"1 4"


def test_refused_with_no_empties_it_and_with_bad_does_not(client: Client) -> None:
    """Section 2.1."""
    client.ok("SEARCH RETURN (SAVE) ALL")
    client.bad("SEARCH RETURN (SAVE) NONSENSE")
    assert numbers(client) == b"1 2 3 4 5"
    client.bad("SEARCH RETURN (SAVE NONSENSE) ALL")
    assert numbers(client) == b"1 2 3 4 5"
    client.no("SEARCH RETURN (SAVE) CHARSET KLINGON SUBJECT x")
    assert numbers(client) == b""


def test_a_refusal_without_save_leaves_it(client: Client) -> None:
    """Section 2.1: only a search with SAVE can change it."""
    client.ok("SEARCH RETURN (SAVE) ALL")
    client.no("SEARCH CHARSET KLINGON SUBJECT x")
    assert numbers(client) == b"1 2 3 4 5"


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ("SAVE", b"1 4"),
        ("SAVE MIN", b"1"),
        ("SAVE MAX", b"4"),
        ("MIN MAX SAVE", b"1 4"),
        ("SAVE ALL", b"1 4"),
        ("SAVE COUNT", b"1 4"),
        ("SAVE MIN COUNT", b"1 4"),
        ("SAVE MAX ALL", b"1 4"),
        ("SAVE MIN MAX COUNT ALL", b"1 4"),
    ],
)
def test_what_is_saved_beside_other_options(client: Client, options: str, kept: bytes) -> None:
    """Section 2.4: with MIN or MAX alone only these."""
    client.ok(f"SEARCH RETURN ({options}) SUBJECT alpha")
    assert numbers(client) == kept


def test_min_and_max_of_more_than_two(client: Client) -> None:
    """Section 2.4: MIN and MAX save two messages."""
    client.ok("SEARCH RETURN (SAVE MIN MAX) ALL")
    assert numbers(client) == b"1 5"


def test_commands_sent_ahead_see_it(client: Client) -> None:
    """Section 2.2: a client need not wait for the search."""
    answer = client.send(b"p1 SEARCH RETURN (SAVE) SUBJECT gamma\r\np2 FETCH $ (UID)\r\np3 SEARCH RETURN (ALL) $\r\n")
    assert b"p1 OK" in answer
    assert b"* 3 FETCH (UID 3)\r\np2 OK" in answer
    assert b'* ESEARCH (TAG "p3") ALL 3\r\np3 OK' in answer


def test_it_stands_alone(client: Client) -> None:
    """Section 4: a sequence-set or "$", never both."""
    client.bad("FETCH $,1 (UID)")
    client.bad("FETCH 1,$ (UID)")
    client.bad("FETCH $:* (UID)")


def test_each_session_has_its_own(house: House, client: Client) -> None:
    """Section 2.1: it belongs to the connection."""
    client.ok("SEARCH RETURN (SAVE) ALL")
    other = house.sign_in()
    other.ok("SELECT INBOX")
    assert numbers(other) == b""
