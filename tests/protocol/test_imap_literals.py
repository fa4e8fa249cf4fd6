"""LITERAL+ (RFC 7888) and SASL-IR (RFC 4959), rule by rule."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from stratamail.imap.engine import LINE_AFTER, LINE_BEFORE
from tests.protocol.imap_harness import Client, House

PLAIN = base64.b64encode(b"\0anna@example.org\0secret")


@pytest.fixture
def fresh(tmp_path: Path) -> Client:
    return House(tmp_path).connect()


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return House(tmp_path).sign_in()


def test_both_are_offered(fresh: Client) -> None:
    """RFC 7888 section 3; RFC 4959 section 2."""
    capabilities = fresh.ok("CAPABILITY").split()
    assert b"LITERAL+" in capabilities
    assert b"SASL-IR" in capabilities
    assert b"LITERAL-" not in capabilities, "RFC 7888 section 5: never both"


def test_nothing_is_asked_for_a_literal_with_a_plus(fresh: Client) -> None:
    """RFC 7888 section 3: the client does not wait, the server sends no continuation."""
    assert fresh.ok(b"LOGIN {16+}\r\nanna@example.org {6+}\r\nsecret") == b""


def test_a_literal_without_a_plus_is_asked_for(fresh: Client) -> None:
    """RFC 3501 section 4.3, mixed with the other kind in one command."""
    assert fresh.send(b"a LOGIN {16}\r\n") == b"+ OK\r\n"
    assert fresh.send(b"anna@example.org {6+}\r\nsecret\r\n").startswith(b"a OK")


def test_an_empty_literal(client: Client) -> None:
    client.ok("SELECT INBOX")
    client.ok(b"SEARCH SUBJECT {0+}\r\n")


def test_a_literal_may_hold_what_looks_like_a_command(client: Client) -> None:
    client.ok("SELECT INBOX")
    trick = b"x\r\nz LOGOUT\r\n{5+}\r\n"
    assert client.ok(b"SEARCH SUBJECT {%d+}\r\n%b" % (len(trick), trick)) == b"* SEARCH\r\n"


def test_what_is_too_large_is_read_and_forgotten(client: Client) -> None:
    """RFC 7888 section 4: the octets of a refused literal are no commands; the session goes on."""
    size = LINE_AFTER + 1
    data = client.send(b"a SEARCH SUBJECT {%d+}\r\n" % size)
    assert data.startswith(b"a NO [TOOBIG]")
    for _ in range(size // 50_000):
        client.send(b"z LOGOUT\r\n" * 5000)
    client.send(b"x" * (size % 50_000))
    client.send(b"\r\n")
    assert client.ok("NOOP") == b""


def test_what_is_too_large_and_would_be_waited_for_is_not_sent(fresh: Client) -> None:
    assert (
        fresh.send(b"a LOGIN {%d}\r\nb NOOP\r\n" % LINE_BEFORE)
        == b"a NO [TOOBIG] Literal too large\r\nb OK Completed\r\n"
    )


@pytest.mark.parametrize("literal", [b"{+}", b"{-1+}", b"{1++}", b"{ 1+}", b"{1 }", b"{1+", b"{x}", b"{1+}x"])
def test_what_is_no_literal_is_bad(fresh: Client, literal: bytes) -> None:
    """RFC 7888 section 6, the grammar."""
    fresh.bad(b"LOGIN " + literal)
    fresh.ok("NOOP")


def test_a_refused_command_takes_its_literals_along(client: Client) -> None:
    """What follows unasked belongs to the command that was refused, not to the next one."""
    client.bad(b"NONSENSE {8+}\r\nz LOGOUT {10+}\r\nz LOGOUT\r\n")
    assert client.ok("NOOP") == b""
    assert client.send(b"{8+}\r\nz LOGOUT\r\nb NOOP\r\n").startswith(b"* BAD")
    client.ok("NOOP")


def test_an_initial_response(fresh: Client) -> None:
    """RFC 4959 section 3: base64 behind the mechanism, nothing is asked for."""
    assert fresh.ok(b"AUTHENTICATE PLAIN " + PLAIN) == b""


def test_an_empty_initial_response(fresh: Client) -> None:
    """RFC 4959 section 3: "=" is an initial response of no octets, and no empty answer to a question."""
    assert fresh.bad(b"AUTHENTICATE PLAIN =") == b"BAD Invalid PLAIN response\r\n"


def test_without_one_it_is_asked_for(fresh: Client) -> None:
    """RFC 3501 section 6.2.2, as ever."""
    assert fresh.send(b"a AUTHENTICATE PLAIN\r\n") == b"+ \r\n"
    assert fresh.send(PLAIN + b"\r\n").startswith(b"a OK [CAPABILITY ")


def test_a_question_may_be_cancelled(fresh: Client) -> None:
    """RFC 3501 section 6.2.2: "*" gives BAD."""
    fresh.send(b"a AUTHENTICATE PLAIN\r\n")
    assert fresh.send(b"*\r\n").startswith(b"a BAD")
    fresh.ok("NOOP")


@pytest.mark.parametrize("response", [b"!!!", b"AGI", PLAIN + b" x", b"*", b"AA==AA=="])
def test_what_is_no_base64(fresh: Client, response: bytes) -> None:
    """RFC 4959 section 4, the grammar."""
    fresh.bad(b"AUTHENTICATE PLAIN " + response)
    fresh.ok("NOOP")


def test_a_long_initial_response_fits(fresh: Client) -> None:
    long = base64.b64encode(b"\0anna@example.org\0" + b"x" * 9_000)
    assert fresh.no(b"AUTHENTICATE PLAIN " + long).startswith(b"NO [AUTHENTICATIONFAILED]")


def test_an_unknown_mechanism_with_one(fresh: Client) -> None:
    fresh.no(b"AUTHENTICATE SCRAM-SHA-1 " + PLAIN)
