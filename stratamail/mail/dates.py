"""The Date field (RFC 5322 section 3.3 with its obsolete forms): the moment it tells, and the day that is written.

Never fails. Touches no disk and no clock.
"""

from __future__ import annotations

import re
from datetime import date
from email.utils import parsedate_tz

from attrs import frozen

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: i + 1 for i, name in enumerate(_NAMES)}
_USUAL = re.compile(
    r"[ \t]*(?:[A-Za-z]{3,9}[ \t]*,?[ \t]+|[A-Za-z]{3},)?(\d{1,2})[ \t]+([A-Za-z]{3})[ \t]+(\d{2,4})"
    r"(?:[ \t]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[ \t]*([+-]\d{4})|[ \t]+([A-Za-z]{1,5}))?)?(?![\w:])"
)
_COMMENT = re.compile(r"\([^()]*\)")
_ZONES = {
    "UT": 0, "UTC": 0, "GMT": 0, "Z": 0, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360,
    "PST": -480, "PDT": -420,
}  # fmt: skip
_EPOCH = date(1970, 1, 1).toordinal()


@frozen
class Sent:
    """``seconds`` since the epoch (UTC); ``day`` the written day's number (``date.toordinal``), without regard to time
    and zone."""

    seconds: int
    day: int


def parse_date(raw: str) -> Sent | None:
    """What a Date field tells; None when there is no day in it. A time that is none counts as 00:00:00, an unknown zone
    as UTC (RFC 5256 section 2.2)."""
    if "(" in raw:
        raw = _COMMENT.sub(" ", raw)
    found = _USUAL.match(raw)
    if found is None:
        return _unusual(raw)
    month = _MONTHS.get(found[2].lower(), 0)
    if not month:
        return _unusual(raw)
    offset = 0
    if found[7]:
        minutes = int(found[7][1:3]) * 60 + int(found[7][3:5])
        offset = -minutes if found[7][0] == "-" else minutes
    elif found[8]:
        offset = _ZONES.get(found[8].upper(), 0)
    time = (int(found[4] or 0), int(found[5] or 0), int(found[6] or 0))
    return _sent(_year(found[3]), month, int(found[1]), time, offset * 60)


def _year(written: str) -> int:
    """RFC 5322 section 4.3."""
    year = int(written)
    if len(written) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(written) == 3 else year


def _sent(year: int, month: int, day: int, time: tuple[int, int, int], offset: int) -> Sent | None:
    try:
        number = date(year, month, day).toordinal()
    except (ValueError, OverflowError):
        return None
    hour, minute, second = time
    if hour > 23 or minute > 59 or second > 60:
        hour = minute = second = 0
    if abs(offset) >= 86_400:
        offset = 0
    return Sent((number - _EPOCH) * 86_400 + hour * 3600 + minute * 60 + second - offset, number)


def _unusual(raw: str) -> Sent | None:
    try:
        parsed = parsedate_tz(raw[:200])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if parsed is None:
        return None
    year, month, day, hour, minute, second = parsed[:6]
    return _sent(year, month, day, (hour, minute, second), parsed[9] or 0)
