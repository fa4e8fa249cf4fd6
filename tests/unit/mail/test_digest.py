"""Digests of headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.digest import EMPTY, KEPT, REFERENCES, TEXTS, Digest, digest, message_ids

HEADER = (
    b"Subject: Re: [l] Gr=?utf-8?q?=C3=BC=C3=9F?=\r\n =?utf-8?q?e?=\r\n"
    b'From: =?utf-8?q?J=C3=B6rg?= <j@example.org>, "B" <b@example.org>\r\n'
    b"To: friends: a@example.org;\r\nCc: c@example.org\r\nCC: d@example.org\r\n"
    b"Date: Tue, 24 Nov 2020 10:00:00 +0100\r\nMessage-ID: <1@x>\r\nIn-Reply-To: <3@x> <4@x>\r\n\r\nSubject: no\r\n"
)


def test_texts_are_decoded_and_casemapped() -> None:
    made = digest(HEADER)
    assert made.text("subject") == "RE: [L] GRU\u0308ßE"
    assert made.text("base") == "GRU\u0308ßE"
    assert made.answer
    assert made.text("from") == 'JO\u0308RG <J@EXAMPLE.ORG>, "B" <B@EXAMPLE.ORG>'
    assert (made.text("from-mailbox"), made.text("from-display")) == ("J", "JO\u0308RG")
    assert (made.text("to-mailbox"), made.text("to-display")) == ("FRIENDS", "FRIENDS")
    assert made.text("cc-mailbox") == "C"
    assert "D@EXAMPLE.ORG" in made.text("cc")
    assert made.present == 0b01111


def test_bytes_and_back() -> None:
    made = digest(HEADER)
    assert Digest.from_bytes(made.to_bytes()) == made


def test_in_reply_to_stands_in_for_references() -> None:
    """RFC 5256 section 3: the first valid message id of In-Reply-To, when References has none."""
    assert digest(HEADER).references == tuple(message_ids(b"<3@x>"))
    both = digest(b"References: nothing <7@x> here\r\nIn-Reply-To: <3@x>\r\n")
    assert both.references == tuple(message_ids(b"<7@x>"))
    assert digest(b"References: nothing\r\nIn-Reply-To: <3@x>\r\n").references == tuple(message_ids(b"<3@x>"))


@pytest.mark.parametrize("raw", [b"<a@b>", b'<"a"@b>', b"  x <a@b> y", b"<a @ b>", b"<a\r\n @b>"])
def test_ways_to_write_one_message_id(raw: bytes) -> None:
    """RFC 5256 section 3: quotes that mean nothing do not count."""
    assert message_ids(raw) == message_ids(b"<a@b>")
    assert message_ids(b"<A@b>") != message_ids(b"<a@b>")


@pytest.mark.parametrize("raw", [b"", b"a@b", b"<ab>", b"<@b>", b"<a@>", b"<a@b", b"<<>>"])
def test_no_message_id(raw: bytes) -> None:
    assert message_ids(raw) == []


def test_long_fields_are_cut_and_say_so() -> None:
    made = digest(b"To: " + b"a@example.org, " * 1000 + b"\r\nSubject: x\r\n")
    assert len(made.text("to")) == KEPT
    assert made.cut == 0b00100


def test_many_references_keep_the_first_and_the_last() -> None:
    ids = [b"<%d@x>" % n for n in range(REFERENCES * 3)]
    made = digest(b"References: " + b"\r\n ".join(ids) + b"\r\n")
    assert len(made.references) == REFERENCES
    assert made.references[0] == message_ids(ids[0])[0]
    assert made.references[-1] == message_ids(ids[-1])[0]


def test_nothing_at_all() -> None:
    assert digest(b"") == EMPTY
    assert EMPTY.texts == ("",) * len(TEXTS)
    assert (EMPTY.sent, EMPTY.id, EMPTY.references, EMPTY.present) == (None, 0, (), 0)


@given(st.binary(max_size=400))
def test_any_header_has_a_digest(data: bytes) -> None:
    for block in (data, b"Subject: " + data, b"From: " + data + b"\r\nDate: " + data + b"\r\nReferences: <" + data):
        made = digest(block)
        assert Digest.from_bytes(made.to_bytes()) == made


@pytest.mark.parametrize("data", [b"", b"\x00" * 40, b"\x01", EMPTY.to_bytes()[:-1], EMPTY.to_bytes() + b"\0"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="digest"):
        Digest.from_bytes(data)
