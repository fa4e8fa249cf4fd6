"""Structured values and encoded words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.fieldvalue import content_type, decode_words, disposition, to_text, tokens


def test_content_type_and_parameters() -> None:
    assert content_type(b'text/plain; charset="utf-8"; format=flowed') == (
        b"text", b"plain", ((b"charset", b"utf-8"), (b"format", b"flowed")),
    )  # fmt: skip
    assert content_type(b'a/b; x="q\\"uo;te"; y') == (b"a", b"b", ((b"x", b'q"uo;te'),))
    assert content_type(b"") is None
    assert disposition(b"attachment; filename=a b.txt") == (b"attachment", ((b"filename", b"a"),))
    assert tokens(b"en, de (x), ") == (b"en", b"de")


def test_encoded_words() -> None:
    assert decode_words(b"=?utf-8?Q?a=C3=A9_?= =?iso-8859-1?B?6Q==?= x") == "aé é x"
    assert decode_words(b"=?x-nope?q?abc?=") == "abc"
    assert decode_words(b"raw \xc3\xa9 and \xe9") == "raw Ã© and é"
    assert decode_words(b"=?utf-8?B?!!!?=") == ""
    assert decode_words(b"=?utf-8*en?q?x?=") == "x"


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
