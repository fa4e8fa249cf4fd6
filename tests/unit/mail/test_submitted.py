"""What submitted mail gets and loses, and who wrote it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.submitted import authors, complete

DATE, ID = "Thu, 1 Jan 1970 00:00:00 +0000", "x@y"
ADDED = b"Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <x@y>\r\n"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (b"Subject: a\r\n\r\n", ADDED + b"Subject: a\r\n\r\n"),
        (b"DATE: x\r\nmessage-id: <z>\r\n\r\n", b"DATE: x\r\nmessage-id: <z>\r\n\r\n"),
        (b"Date: x\r\nBCC: a@b,\r\n\tc@d\r\nMessage-ID: z\r\n\r\n", b"Date: x\r\nMessage-ID: z\r\n\r\n"),
        (b"Bcc: a\r\nDate: x\r\nResent-Bcc: b\r\nMessage-ID: z\r\nBcc: c\r\n", b"Date: x\r\nMessage-ID: z\r\n"),
        (b"just text\r\n", ADDED + b"\r\njust text\r\n"),
        (b"\r\n", ADDED + b"\r\n"),
        (b"", ADDED),
    ],
)
def test_complete(block: bytes, expected: bytes) -> None:
    assert complete(block, DATE, ID) == expected


@given(st.binary(max_size=200))
def test_nothing_else_changes(block: bytes) -> None:
    whole = b"Date: x\r\nMessage-ID: y\r\n" + block
    if b"bcc" not in whole.lower():
        assert complete(whole, DATE, ID) == whole


@pytest.mark.parametrize(
    ("block", "found"),
    [
        (b"From: A <a@b.example>\r\nSender: c@d.example\r\n", ["a@b.example", "c@d.example"]),
        (b"From: a@b.example,\r\n c@d.example\r\n", ["a@b.example", "c@d.example"]),
        ("From: Jürgen <a@b.example>\r\n".encode(), ["a@b.example"]),
        (b"Subject: none\r\n", []),
        (b"From: a@b.example\r\nfrom: c@d.example\r\n", None),
        (b"From: \xff <a@b.example>\r\n", None),
        (b"From: nobody\r\n", None),
        (b"From:\r\n", None),
    ],
)
def test_authors(block: bytes, found: list[str] | None) -> None:
    assert authors(block) == found
