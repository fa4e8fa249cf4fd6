"""Sequence sets (RFC 3501 section 9 "sequence-set"): ranges, never iterated, whatever a client writes.

``1:4294967295`` costs what ``1`` costs: a set is intersected with what a mailbox holds. Touches no disk.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from attrs import frozen

STAR = 0
"""Stands for ``*``, the largest number in use; 0 is no legal number."""

LARGEST = 0xFFFFFFFF


@frozen
class SequenceSet:
    """``ranges`` as written, ``(first, last)`` in any order, :data:`STAR` for ``*``. With ``saved`` it stands for the
    result of the last search (``$``, RFC 5182): no ranges as read, UIDs once the door has put the result in."""

    ranges: tuple[tuple[int, int], ...]
    saved: bool = False

    def resolve(self, largest: int) -> list[tuple[int, int]]:
        """Sorted disjoint ``(low, high)`` with ``*`` as ``largest``; empty ranges of an empty mailbox (0) vanish."""
        spans = []
        for a, b in self.ranges:
            a, b = a or largest, b or largest
            if a and b:
                spans.append((a, b) if a <= b else (b, a))
        if len(spans) < 2:
            return spans
        spans.sort()
        merged = []
        start, stop = spans[0]
        for low, high in spans:
            if low > stop + 1:
                merged.append((start, stop))
                start, stop = low, high
            elif high > stop:
                stop = high
        merged.append((start, stop))
        return merged

    def positions(self, uids: Sequence[int]) -> list[range]:
        """As UIDs: the index ranges of the sorted ``uids`` that the set names, ascending and disjoint."""
        out = []
        for low, high in self.resolve(uids[-1] if uids else 0):
            span = range(bisect_left(uids, low), bisect_right(uids, high))
            if span:
                out.append(span)
        return out

    def indexes(self, exists: int) -> list[range]:
        """As sequence numbers: the index ranges (number - 1) that exist among ``exists`` messages."""
        out: list[range] = []
        if self.saved:
            raise ValueError("a saved result is UIDs")
        for low, high in self.resolve(exists):
            span = range(low - 1, min(high, exists))
            if span:
                out.append(span)
        return out

    def beyond(self, exists: int) -> bool:
        """Whether a number is named that no message has: a client's fault for sequence numbers (RFC 3501 section 9)."""
        return any(max(a or exists, b or exists) > exists or exists == 0 for a, b in self.ranges)


SAVED = SequenceSet((), saved=True)
"""``$``, and also a result of nothing."""


def saved(uids: Iterable[int]) -> SequenceSet:
    """The result of a search, ascending UIDs, as what ``$`` stands for from now on."""
    ranges: list[tuple[int, int]] = []
    start = last = -1
    for uid in uids:
        if uid != last + 1 or start < 0:
            if start >= 0:
                ranges.append((start, last))
            start = uid
        last = uid
    if start >= 0:
        ranges.append((start, last))
    return SequenceSet(tuple(ranges), saved=True)


def compress(numbers: Iterable[int]) -> str:
    """Ascending numbers in their shortest writing: ``1:3,7``; order is kept, "" for none."""
    out: list[str] = []
    start = last = -1
    for n in numbers:
        if n == last + 1 and start >= 0:
            last = n
            continue
        if start >= 0:
            out.append(f"{start}" if start == last else f"{start}:{last}")
        start = last = n
    if start >= 0:
        out.append(f"{start}" if start == last else f"{start}:{last}")
    return ",".join(out)
