"""Addresses: paths as they stand in MAIL and RCPT, and the form in which they are compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail import address


@pytest.mark.parametrize(
    ("raw", "expected", "rest"),
    [
        (b"<a@b.example>", "a@b.example", b""),
        (b"<A.b+C@Ex.Example> SIZE=1", "A.b+C@Ex.Example", b" SIZE=1"),
        (b"<>", "", b""),
        (b"<@r1.example,@r2.example:user@c.example>", "user@c.example", b""),
        (b'<"two words"@x.example>', '"two words"@x.example', b""),
        (b'<"a@b"@x.example> X', '"a@b"@x.example', b" X"),
        (b'<"a\\"b>"@x.example>', '"a\\"b>"@x.example', b""),
        (b"<u@[192.0.2.1]>", "u@[192.0.2.1]", b""),
        (b"<u@[IPv6:2001:db8::1]>", "u@[IPv6:2001:db8::1]", b""),
        (b"<Postmaster>", "Postmaster", b""),
        (b"<o'neil/x=y{z}@x.example>", "o'neil/x=y{z}@x.example", b""),
    ],
)
def test_paths(raw: bytes, expected: str, rest: bytes) -> None:
    assert address.parse_path(raw) == (expected, rest)


@pytest.mark.parametrize(
    "raw",
    [
        b"a@b.example",
        b"<a..b@x.example>",
        b"<.a@x.example>",
        b"<a.@x.example>",
        b"<a@>",
        b"<@x.example>",
        b"<a@b@c.example>",
        b"<a@x.example",
        b"<a b@x.example>",
        b'<"a\x00b"@x.example>',
        b"<a@-x.example>",
        b"<a@x..example>",
        b"<a@x.example.>",
        b"<u@[300.1.1.1]>",
        b"<u@[IPv6:nope]>",
        b"<somebody>",
        b"<a\r@x.example>",
        b"<" + b"a" * 300 + b"@x.example>",
        b"",
    ],
)
def test_refused_paths(raw: bytes) -> None:
    with pytest.raises(address.PathError):
        address.parse_path(raw, True)


def test_internationalised_path_needs_smtputf8() -> None:
    raw = "<jürgen@bücher.example>".encode()
    with pytest.raises(address.PathError) as caught:
        address.parse_path(raw)
    assert caught.value.status == "6.7"
    assert address.parse_path(raw, True) == ("jürgen@bücher.example", b"")


def test_not_utf8_is_refused() -> None:
    with pytest.raises(address.PathError):
        address.parse_path(b"<j\xfcrgen@x.example>", True)


def test_key_names_one_domain_by_both_label_forms() -> None:
    expected = "user@xn--bcher-kva.example"
    assert address.key("User@BÜCHER.example") == address.key("uSER@xn--bcher-kva.EXAMPLE") == expected


def test_key_unquotes_and_composes() -> None:
    assert address.key('"John"@X.example') == "john@x.example"
    assert address.key("ju\u0308rgen@x.example") == address.key("J\u00dcRGEN@x.example")
    assert address.key('"a\\@b"@x.example') == "a@b@x.example"
    assert address.key("Postmaster") == "postmaster"


def test_routed() -> None:
    assert address.is_routed("user%host")
    assert address.is_routed("host!user")
    assert address.is_routed('"a@b"')
    assert not address.is_routed("user+tag")
    assert not address.is_routed('"two words"')


def test_split() -> None:
    assert address.split('"a@b"@c.example') == ('"a@b"', "c.example")
    assert address.split("postmaster") == ("postmaster", "")


@given(st.text())
def test_keys_never_raise_and_are_stable(text: str) -> None:
    once = address.domain_key(text)
    assert isinstance(once, str)
    assert isinstance(address.key(text), str)


@given(st.binary(max_size=80), st.booleans())
def test_parse_path_gives_an_address_or_a_path_error(raw: bytes, smtputf8: bool) -> None:
    try:
        text, rest = address.parse_path(b"<" + raw + b">", smtputf8)
    except address.PathError:
        return
    assert "\r" not in text and "\n" not in text and "\x00" not in text
    assert rest == (b"<" + raw + b">")[len(b"<" + raw + b">") - len(rest) :]
