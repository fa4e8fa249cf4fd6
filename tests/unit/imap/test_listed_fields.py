"""What is kept of a header for lists answers as the whole header would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.imap.body import brief, chosen_fields, listed
from stratamail.imap.commands import Section

PIECES = st.lists(
    st.sampled_from(
        [
            b"Date: x\r\n", b"SUBJECT : y\r\n", b"Subject:\r\n z\r\n", b"From: a\n", b"X-Other: b\r\n c\r\n",
            b"junk\r\n", b"From a\r\n", b" fold\r\n", b"\r\n", b"\n", b"To: last", b"\0",
            b"Received: to: x\r\n\tfrom: y\r\n",
        ]
    )
).map(b"".join)  # fmt: skip
NAMES = st.lists(st.sampled_from(["Date", "SUBJECT", "from", "To", "References"]), min_size=1).map(tuple)


def of(names: tuple[str, ...], partial: tuple[int, int] | None = None) -> Section:
    return Section((), "HEADER.FIELDS", names, partial=partial)


@given(PIECES, NAMES, st.none() | st.tuples(st.integers(0, 30), st.integers(1, 30)))
def test_the_fields_are_the_same(block: bytes, names: tuple[str, ...], partial: tuple[int, int] | None) -> None:
    # a header block ends with the first empty line
    for end in (b"\n\r\n", b"\n\n"):
        block = block.split(end)[0] + (end if end in block else b"")
    section = of(names, partial)
    assert listed(section)
    assert chosen_fields(brief(block), section) == chosen_fields(block, section)


@pytest.mark.parametrize(
    "section",
    [
        of(("Date", "Received")), Section((), "HEADER.FIELDS.NOT", ("Date",)), Section((), "HEADER"),
        Section((1,), "HEADER.FIELDS", ("Date",)), of(("Date", "caf\u00e9")),
    ],
)  # fmt: skip
def test_what_takes_the_whole_header(section: Section) -> None:
    assert not listed(section)
