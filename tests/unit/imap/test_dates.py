"""IMAP's dates."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.imap.dates import format_time, parse_day, parse_time


def test_right_dates() -> None:
    assert parse_day(b"1-feb-1994") == date(1994, 2, 1)
    assert parse_time(b" 7-Feb-1994 21:52:25 -0800") == parse_time(b"08-Feb-1994 05:52:25 +0000") == 760_686_745_000_000
    assert format_time(760_686_745_999_999) == " 8-Feb-1994 05:52:25 +0000"
    assert format_time(-1) == "31-Dec-1969 23:59:59 +0000"
    assert format_time(10**18).startswith(" 1-Jan-1970")


@pytest.mark.parametrize("raw", [b"", b"1-Feb-94", b"31-Feb-1994", b"1-Foo-1994", b"0-Jan-2000", b"1-Jan-0000"])
def test_wrong_days(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"date|day|month|hour|minute|time|year"):
        parse_day(raw)


@pytest.mark.parametrize(
    "raw", [b"", b"7-Feb-1994 21:52:25 -0800", b"07-Feb-1994 25:52:25 -0800", b"07-Feb-1994 21:52:25"]
)
def test_wrong_times(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"date|day|month|hour|minute|time|year"):
        parse_time(raw)


@given(st.integers(0, 250_000_000_000))
def test_round_trip(seconds: int) -> None:
    assert parse_time(format_time(seconds * 1_000_000).encode()) == seconds * 1_000_000
