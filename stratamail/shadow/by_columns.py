"""The part of a search that a folder's columns answer: numbers, flags, sizes, dates. Reads no message, writes nothing.

Days are those of INTERNALDATE as FETCH shows it, which is in UTC (RFC 3501 section 6.4.4: "disregarding time and
timezone"); of a date that APPEND brought in another zone, the day of that instant in UTC.
"""

from __future__ import annotations

import datetime
from array import array
from collections.abc import Sequence
from typing import Protocol

from stratamail.imap.search import (
    All,
    And,
    Body,
    HasFlag,
    Header,
    Internal,
    Key,
    Larger,
    ModSeq,
    Not,
    Numbers,
    Or,
    Saved,
    Sent,
    Smaller,
    Text,
    Uids,
    Within,
)  # fmt: skip

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_EPOCH = datetime.date(1970, 1, 1).toordinal()


class Masks(Protocol):
    """What is needed of a folder."""

    def mask(self, flag: str) -> int: ...


class Source(Protocol):
    """What is needed of a view. ``now``: microseconds since the epoch."""

    @property
    def uids(self) -> array[int]: ...

    @property
    def folder(self) -> Masks: ...

    @property
    def now(self) -> int: ...

    def column(self, name: str) -> Sequence[int]: ...

    def is_recent(self, uid: int) -> bool: ...


class Still:
    """A view's columns as they are now, which another thread may read."""

    def __init__(self, view: Source, key: Key) -> None:
        self.uids = view.uids
        self.folder = view.folder
        self.is_recent = view.is_recent
        self.now = view.now
        self._columns = {name: view.column(name) for name in sorted(_columns(key))}

    def column(self, name: str) -> Sequence[int]:
        return self._columns[name]


def inner(key: Key) -> tuple[Key, ...]:
    """The programs inside ``key``."""
    if isinstance(key, And):
        return key.keys
    if isinstance(key, Or):
        return key.left, key.right
    return (key.key,) if isinstance(key, Not) else ()


def leaves(key: Key) -> list[Key]:
    found = [leaf for part in inner(key) for leaf in leaves(part)]
    return found if found or isinstance(key, (And, Or, Not)) else [key]


def answers(key: Key) -> bool:
    """Whether the columns alone answer it."""
    return not any(isinstance(leaf, (Sent, Header, Body, Text)) for leaf in leaves(key))


def _columns(key: Key) -> set[str]:
    names = {HasFlag: "flags", Larger: "sizes", Smaller: "sizes", ModSeq: "modseqs", Internal: "dates",
             Within: "dates", Saved: "saves"}  # fmt: skip
    return {names[type(leaf)] for leaf in leaves(key) if type(leaf) in names}


def select(view: Source, key: Key, among: Sequence[int]) -> Sequence[int]:
    """The indexes of ``among`` (ascending) that match a key that the columns answer."""
    if isinstance(key, All):
        return among
    if isinstance(key, And):
        for part in key.keys:
            among = select(view, part, among)
        return among
    if isinstance(key, Or):
        left = set(select(view, key.left, among))
        right = set(select(view, key.right, [i for i in among if i not in left]))
        return [i for i in among if i in left or i in right]
    if isinstance(key, Not):
        hit = set(select(view, key.key, among))
        return [i for i in among if i not in hit]
    if isinstance(key, Numbers):
        return _among(key.set.indexes(len(view.uids)), among)
    if isinstance(key, Uids):
        return _among(key.set.positions(view.uids), among)
    if isinstance(key, HasFlag):
        return _flagged(view, key, among)
    if isinstance(key, Larger):
        sizes = view.column("sizes")
        return [i for i in among if sizes[i] > key.size]
    if isinstance(key, Smaller):
        sizes = view.column("sizes")
        return [i for i in among if sizes[i] < key.size]
    if isinstance(key, ModSeq):
        modseqs = view.column("modseqs")
        return [i for i in among if modseqs[i] >= key.least]
    if isinstance(key, Within):
        dates, limit = view.column("dates"), view.now - key.seconds * _SECOND
        return [i for i in among if (dates[i] < limit) == key.older]
    assert isinstance(key, (Internal, Saved))
    return _on_days(view.column("dates" if isinstance(key, Internal) else "saves"), key.when, key.day, among)


def _on_days(dates: Sequence[int], when: str, day: datetime.date, among: Sequence[int]) -> Sequence[int]:
    start = (day.toordinal() - _EPOCH) * _DAY
    if when == "before":
        return [i for i in among if dates[i] < start]
    if when == "since":
        return [i for i in among if dates[i] >= start]
    return [i for i in among if start <= dates[i] < start + _DAY]


def _among(spans: list[range], among: Sequence[int]) -> Sequence[int]:
    if isinstance(among, range) and len(spans) == 1:
        return range(max(among.start, spans[0].start), max(min(among.stop, spans[0].stop), spans[0].start))
    if isinstance(among, range):
        return [i for span in spans for i in span if i in among]
    wanted: set[int] = set()
    for span in spans:
        wanted.update(span)
    return [i for i in among if i in wanted]


def _flagged(view: Source, key: HasFlag, among: Sequence[int]) -> Sequence[int]:
    if key.flag.lower() == "\\recent":
        uids = view.uids
        return [i for i in among if view.is_recent(uids[i]) == key.present]
    bit = view.folder.mask(key.flag)
    if not bit:
        return [] if key.present else among
    flags = view.column("flags")
    if key.present:
        return [i for i in among if flags[i] & bit]
    return [i for i in among if not flags[i] & bit]
