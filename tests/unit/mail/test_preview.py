"""Previews: the first words that a person would read, from any bytes, in linear time."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.preview import LONGEST, OCTETS, preview
from tests.unit.mail.test_structure import MIXED

ALTERNATIVE = b"""Content-Type: multipart/alternative; boundary=b\r
\r
--b\r
Content-Type: text/plain; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
%b\r
--b\r
Content-Type: text/html; charset=utf-8\r
Content-Transfer-Encoding: base64\r
\r
%b\r
--b--\r
"""
PAGE = (
    "<html><head><title>No</title><style>p { color: red }</style></head><body><!-- <p>no</p> -->\n"
    "<p>Gr\u00fc\u00dfe &amp; <b>K</b>\u00fcsse</p>\u200b\u200c<script>no()</script><br>5 < 6</body></html>"
)


def plain(text: bytes) -> bytes:
    return b"Subject: x\r\n\r\n" + text


def html(text: str) -> bytes:
    return b"Content-Type: text/html; charset=utf-8\r\n\r\n" + text.encode()


def test_blanks_are_joined() -> None:
    assert preview(plain(b"  Hello\r\n\r\n\tyou  there \xc2\xa0 \x00\x1b ! \r\n")) == "Hello you there !"


def test_no_more_than_is_told() -> None:
    assert preview(plain(b"word " * 100)) == ("word " * 40).strip()
    assert len(preview(plain("\u00e9".encode() * 1000))) == LONGEST


def test_quoted_text_and_signature_are_left_out() -> None:
    assert preview(plain(b"> you said\r\n> this\r\nI say that\r\n-- \r\nAnna\r\n")) == "I say that"
    assert preview(plain(b"> only\r\n> this\r\n")) == "> only > this"


def test_the_plain_part_then_the_page() -> None:
    page = base64.encodebytes(PAGE.encode())
    assert preview(ALTERNATIVE % (b"Gr=FC=DFe", page)) == "Gr\u00fc\u00dfe"
    assert preview(ALTERNATIVE % (b"  \r\n", page)) == "Gr\u00fc\u00dfe & K\u00fcsse 5 < 6"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("a<br/>b<p class='>'>c", "a b '>c"), ("<a href=x>l</a>ink", "link"), ("<style>x", ""), ("a <!-- b", "a"),
        ("a &lt;b&gt; &#8364; &nosuch;", "a <b> \u20ac &nosuch;"), ("<!DOCTYPE html><P>x</P >y", "x y"), ("x<", "x<"),
        ("<td>1</td><td>2</td>", "1 2"), ("<a", ""),
    ],
)  # fmt: skip
def test_markup(page: str, words: str) -> None:
    assert preview(html(page)) == words


def test_what_is_encrypted_or_empty_shows_nothing() -> None:
    assert preview(b"Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n") == ""
    assert preview(b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nAAAA") == ""
    assert preview(b"Content-Type: image/png\r\n\r\nPNG") == ""
    assert preview(b"Content-Transfer-Encoding: x-odd\r\n\r\ntext") == ""
    assert preview(b"") == ""


def test_a_cut_in_a_character_spoils_no_other() -> None:
    body = "\u20ac".encode() * OCTETS
    for more in range(4):
        assert preview(plain(b"x" * more + body)).endswith("\u20ac" * 100)


def test_an_attachment_is_shown_last() -> None:
    assert preview(MIXED)
    text = b"Content-Disposition: attachment\r\n\r\nnotes"
    assert preview(text) == "notes"


@given(st.binary(max_size=2000))
def test_any_bytes_give_a_preview(data: bytes) -> None:
    for head in (b"", b"Content-Type: text/html\r\n\r\n"):
        found = preview(head + data)
        assert len(found) <= LONGEST
        assert found == found.strip(" ")


@pytest.mark.parametrize(
    "piece", ["<", "<style>", "<!--", "<p ", "</p", "&", " ", "\u200b", ">\n", "<script></script>"]
)
def test_time_is_linear(piece: str) -> None:
    text = (piece * OCTETS).encode()[:OCTETS]
    started = time.process_time()
    preview(b"Content-Type: text/html\r\n\r\n" + text)
    preview(b"Content-Type: text/plain\r\n\r\n" + text)
    assert time.process_time() - started < 0.5
