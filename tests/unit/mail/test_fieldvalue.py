"""Structured values and encoded words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.fieldvalue import content_type, decode_words, disposition, params, to_text, token, tokens


def test_content_type_and_parameters() -> None:
    assert content_type(b'text/plain; charset="utf-8"; format=flowed') == (
        b"text", b"plain", ((b"charset", b"utf-8"), (b"format", b"flowed")),
    )  # fmt: skip
    assert content_type(b'a/b; x="q\\"uo;te"; y') == (b"a", b"b", ((b"x", b'q"uo;te'),))
    assert content_type(b"") is None
    assert disposition(b"attachment; filename=a b.txt") == (b"attachment", ((b"filename", b"a"),))
    assert tokens(b"en, de (x), ") == (b"en", b"de")


def test_parameters_in_pieces_are_joined() -> None:
    """RFC 2231 sections 3 and 4.1."""
    assert params(b'; url*1="x/a"; a=b; URL*0="ftp://"', 0) == ((b"a", b"b"), (b"URL", b"ftp://x/a"))
    assert params(b"; n*0*=utf-8'en'a%20; n*1=\"100%\"; n*2*=%2a", 0) == ((b"n*", b"utf-8'en'a%20100%25%2a"),)
    assert params(b"; n*0=a; n*1*=%20b", 0) == ((b"n*", b"''a%20b"),)
    assert params(b"; n=plain; n*0=a; n*1=b", 0) == ((b"n", b"plain"), (b"n", b"ab"))
    assert params(b"; n*=utf-8''a", 0) == ((b"n*", b"utf-8''a"),)


def test_pieces_that_make_no_whole_stay_as_they_are() -> None:
    for raw in (b"; n*0=a; n*2=b", b"; n*1=a", b"; n*0=a; n*0=b", b"; n*x=a", b"; *0=a"):
        pairs = tuple(tuple(one.strip().split(b"=")) for one in raw[1:].split(b";"))
        assert params(raw, 0) == pairs


def test_a_disposition_without_a_type_is_an_attachment_when_it_says_anything() -> None:
    assert disposition(b"; filename=a") == (b"attachment", ((b"filename", b"a"),))
    assert disposition(b'"inline"; filename=a') == (b"attachment", ((b"filename", b"a"),))
    assert disposition(b"") is disposition(b";") is None


def test_one_token() -> None:
    assert token(b" 8bit (c)") == token(b"8bit;") == b"8bit"
    assert token(b"8 bit") is token(b"") is token(b'"8bit"') is None


def test_encoded_words() -> None:
    assert decode_words(b"=?utf-8?Q?a=C3=A9_?= =?iso-8859-1?B?6Q==?= x") == "aé é x"
    assert decode_words(b"=?x-nope?q?abc?=") == "abc"
    assert decode_words(b"raw \xc3\xa9 and \xe9") == "raw Ã© and é"
    assert decode_words(b"=?utf-8?B?!!!?=") == ""
    assert decode_words(b"=?utf-8*en?q?x?=") == "x"
    assert decode_words(b"folded\there") == "folded here"
    assert decode_words(b"a =?utf-8?q?=C3?= =?UTF-8?b?qQ==?= b") == "a é b"
    assert decode_words(b"=?utf-8?q?=C3=A9?= =?koi8-r?b?wQ==?= =?us-ascii?q?x?= y") == "éаx y"


def test_codecs_that_are_not_text_are_refused() -> None:
    for charset in ("zlib", "hex", "rot13", "idna", "\0", "undefined"):
        assert isinstance(to_text(b"abc", charset), str)
    assert to_text(b"YWJj", "base64") == "YWJj"


@given(st.binary(max_size=80), st.text(max_size=20))
def test_nothing_fails(raw: bytes, charset: str) -> None:
    content_type(raw)
    disposition(raw)
    assert isinstance(decode_words(raw), str)
    assert isinstance(decode_words(b"=?" + raw + b"?q?" + raw + b"?="), str)
    assert isinstance(to_text(raw, charset), str)
