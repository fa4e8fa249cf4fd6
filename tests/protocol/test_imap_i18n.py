"""Words in any language: the comparator i;unicode-casemap (RFC 5255 section 4, RFC 5051), and CHARSET (RFC 3501)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol.imap_harness import Client, House

MESSAGES = (
    b"Subject: =?utf-8?B?R3LDvMOfZSBhdXMgw5xibGluZ2Vu?=\r\n\r\nplain\r\n",
    (
        b"Subject: =?koi8-r?B?8NLJ18XUIM3J0g==?=\r\nContent-Type: text/plain; charset=koi8-r\r\n\r\n"
        b"\xf0\xd2\xc9\xd7\xc5\xd4\r\n"
    ),
    "Subject: Cafe\u0301 \uff28\uff25\uff2c\uff2c\uff2f\r\n\r\nna\u00efve \ufb01n\r\n".encode(),
)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    house = House(tmp_path)
    house.deliver(*MESSAGES)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    return client


def found(client: Client, key: str | bytes) -> bytes:
    raw = key.encode() if isinstance(key, str) else key
    return client.ok(b"SEARCH " + raw).split(b"\r\n")[0].removeprefix(b"* SEARCH").strip()


def test_the_capability(client: Client) -> None:
    """RFC 5255 section 4.1: level 1 is i;unicode-casemap for SEARCH, SORT and THREAD, and nothing to negotiate."""
    assert b" I18NLEVEL=1" in client.ok("CAPABILITY")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("gr\u00fc\u00dfe", b"1"),
        ("GRU\u0308\u00dfE", b"1"),  # decomposed
        ("\u00fcBLINGEN", b"1"),
        ("gru", b"1"),  # a letter is the beginning of its accented one (RFC 5051 section 2)
        ("gru\u00dfe", b""),
        ("gr\u00fcsse", b""),  # no special casing
        ("\u043f\u0440\u0438\u0432\u0435\u0442", b"2"),
        ("\u041f\u0420\u0418\u0412\u0415\u0422 \u041c\u0418\u0420", b"2"),
        ("CAF\u00c9", b"3"),
        ("cafe", b"3"),
        ("hello", b"3"),  # full width
    ],
)
def test_case_accents_and_forms_of_letters(client: Client, word: str, expected: bytes) -> None:
    """RFC 5051 section 2: titlecased, decomposed."""
    raw = word.encode()
    assert found(client, b"CHARSET UTF-8 SUBJECT {%d+}\r\n%b" % (len(raw), raw)) == expected
    assert found(client, b"CHARSET UTF-8 TEXT {%d+}\r\n%b" % (len(raw), raw)) == expected


@pytest.mark.parametrize(
    ("word", "expected"), [("\u041f\u0440\u0438\u0432\u0415\u0442", b"2"), ("NAI\u0308VE FIN", b"3"), ("FI", b"3")]
)
def test_bodies_too(client: Client, word: str, expected: bytes) -> None:
    """RFC 5255 section 4.6: the comparator is that of every substring search."""
    raw = word.encode()
    assert found(client, b"CHARSET UTF-8 BODY {%d+}\r\n%b" % (len(raw), raw)) == expected


@pytest.mark.parametrize("name", ["US-ASCII", "UTF-8", "utf-8", '"Utf-8"'])
def test_charsets_that_must_be(client: Client, name: str) -> None:
    """RFC 3501 section 6.4.4: US-ASCII must be supported; IMAP4rev1 clients of today send UTF-8."""
    assert found(client, f"CHARSET {name} SUBJECT hello") == b"3"


@pytest.mark.parametrize(
    ("name", "word", "expected"),
    [
        ("ISO-8859-1", "Gr\u00fc\u00dfe", b"1"),
        ("Windows-1252", "\u00dcblingen", b"1"),
        ("KOI8-R", "\u043c\u0438\u0440", b"2"),
        ("WINDOWS-1251", "\u043c\u0438\u0440", b"2"),
    ],
)
def test_other_charsets(client: Client, name: str, word: str, expected: bytes) -> None:
    """RFC 3501 section 6.4.4: a server may know others."""
    raw = word.encode(name)
    assert found(client, b"CHARSET %b SUBJECT {%d+}\r\n%b" % (name.encode(), len(raw), raw)) == expected


def test_unknown_charset(client: Client) -> None:
    """RFC 3501 section 7.1: BADCHARSET lists those that are known."""
    tagged = client.no("SEARCH CHARSET X-KLINGON SUBJECT x")
    assert tagged.startswith(b"NO [BADCHARSET (US-ASCII UTF-8 ")


def test_octets_that_are_no_text(client: Client) -> None:
    """RFC 3501 section 6.4.4: the words are in the charset; these are not."""
    client.bad(b"SEARCH CHARSET UTF-8 SUBJECT {2+}\r\n\xff\xfe")
    client.ok("NOOP")


def test_utf8_without_a_word_of_it(client: Client) -> None:
    """Clients send UTF-8 without CHARSET, in quotes and in literals: it is understood."""
    assert found(client, "SUBJECT gr\u00fc\u00dfe".replace("gr\u00fc\u00dfe", '"gr\u00fc\u00dfe"')) == b"1"
    raw = "gr\u00fc\u00dfe".encode()
    assert found(client, b"CHARSET US-ASCII SUBJECT {%d+}\r\n%b" % (len(raw), raw)) == b"1"
