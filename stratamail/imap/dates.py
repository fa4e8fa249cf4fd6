"""Dates as IMAP writes them (RFC 3501 section 9, "date" and "date-time"). Touches no disk and no clock."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BY_NAME = {name.upper(): i + 1 for i, name in enumerate(MONTHS)}
_DAY = re.compile(rb"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})")
_TIME = re.compile(
    rb"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_day(raw: bytes) -> date:
    """``1-Feb-1994``; ValueError for anything else."""
    match = _DAY.fullmatch(raw)
    month = _BY_NAME.get(match.group(2).decode("ascii").upper(), 0) if match else 0
    if match is None or not month:
        raise ValueError("not a date")
    return date(int(match.group(3)), month, int(match.group(1)))


def parse_time(raw: bytes) -> int:
    """`` 7-Feb-1994 21:52:25 -0800`` as microseconds since the epoch; ValueError for anything else."""
    match = _TIME.fullmatch(raw)
    month = _BY_NAME.get(match.group(2).decode("ascii").upper(), 0) if match else 0
    if match is None or not month:
        raise ValueError("not a date-time")
    day, _, year, hour, minute, second, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    seconds = min(int(second), 59)  # a leap second is the one before it
    when = datetime(int(year), month, int(day), int(hour), int(minute), seconds, tzinfo=UTC)
    return ((when - _EPOCH) + (-offset if sign == b"+" else offset)) // timedelta(microseconds=1)


def format_time(micros: int) -> str:
    """INTERNALDATE's text in UTC, without quotes; a time that no calendar has becomes the epoch."""
    days, seconds = divmod(micros // 1_000_000, 86_400)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_day(days)} {hour:02d}:{minute:02d}:{second:02d} +0000"


@lru_cache(maxsize=10_000)
def _day(days: int) -> str:
    try:
        when = _EPOCH + timedelta(days=days)
    except OverflowError:
        when = _EPOCH
    return f"{when.day:2d}-{MONTHS[when.month - 1]}-{when.year:04d}"
