"""The Date field: moment and written day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.dates import parse_date


def at(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        ("Tue, 24 Nov 2020 10:20:30 +0000", at(2020, 11, 24, 10, 20, 30)),
        ("24 Nov 2020 10:20:30 +0130", at(2020, 11, 24, 8, 50, 30)),
        ("Tue, 24 Nov 2020 10:20 -0500", at(2020, 11, 24, 15, 20)),
        (" tue , 24  nov  2020  10:20:30  gmt", at(2020, 11, 24, 10, 20, 30)),
        ("Tue, 24 Nov 2020 10:20:30 EST", at(2020, 11, 24, 15, 20, 30)),
        ("Tue, 24 Nov 2020 10:20:30 +0100 (CET)", at(2020, 11, 24, 9, 20, 30)),
        # RFC 5322 section 4.3
        ("24 Nov 20 10:20:30 +0000", at(2020, 11, 24, 10, 20, 30)),
        ("24 Nov 98 10:20:30 +0000", at(1998, 11, 24, 10, 20, 30)),
        ("24 Nov 120 10:20:30 +0000", at(2020, 11, 24, 10, 20, 30)),
        # RFC 5256 section 2.2: no valid time is 00:00:00, no valid zone is UTC
        ("Tue, 24 Nov 2020", at(2020, 11, 24)),
        ("Tue, 24 Nov 2020 25:61:00 +0000", at(2020, 11, 24)),
        ("Tue, 24 Nov 2020 10:20:30", at(2020, 11, 24, 10, 20, 30)),
        ("Tue, 24 Nov 2020 10:20:30 XYZ", at(2020, 11, 24, 10, 20, 30)),
        ("Tue Nov 24 10:20:30 2020", at(2020, 11, 24, 10, 20, 30)),
    ],
)
def test_the_moment(raw: str, seconds: int) -> None:
    sent = parse_date(raw)
    assert sent is not None
    assert sent.seconds == seconds


def test_the_day_is_the_written_one() -> None:
    sent = parse_date("Wed, 25 Nov 2020 00:30:00 +0300")
    assert sent is not None
    assert sent.day == date(2020, 11, 25).toordinal()


@pytest.mark.parametrize("raw", ["", "garbage", "31 Feb 2020 10:00:00 +0000", "(" * 1000, "0 Nov 2020", "é"])
def test_no_date(raw: str) -> None:
    assert parse_date(raw) is None


@given(st.text(max_size=60))
def test_it_never_fails(raw: str) -> None:
    parse_date(raw)
