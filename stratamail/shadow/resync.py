"""What a client that was away missed (RFC 7162 section 3.2): which of its UIDs are gone. Pure; touches no disk."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from stratamail.imap.sets import SequenceSet, compress


def matched(uids: Sequence[int], numbers: SequenceSet, known: SequenceSet) -> int:
    """The highest UID of a client's sample that has still the sequence number that the client believes, 0 for none: it
    knows of all expunges up to there (section 3.2.5.2). Both sets ascend and pair up."""
    found = 0
    for number, uid, count in _runs(numbers, known):
        # within a run UID - number is one constant; over ``uids`` it never falls
        stop = min(number + count - 1, len(uids))
        at = bisect_right(range(number, stop + 1), uid - number, key=lambda n: uids[n - 1] - n) + number - 1
        if number <= at <= stop and uids[at - 1] - at == uid - number:
            found = uids[at - 1]
    return found


def _runs(numbers: SequenceSet, known: SequenceSet) -> Iterable[tuple[int, int, int]]:
    """(first number, first UID, count) of what both sets have in one range."""
    left, right = list(reversed(numbers.ranges)), list(reversed(known.ranges))
    while left and right:
        (a, b), (c, d) = left.pop(), right.pop()
        count = min(b - a, d - c) + 1
        yield a, c, count
        if a + count <= b:
            left.append((a + count, b))
        if c + count <= d:
            right.append((c + count, d))


def vanished(uids: Sequence[int], uidnext: int, wanted: SequenceSet, above: int, expunged: Sequence[int] | None) -> str:
    """The UIDs of ``wanted``, above ``above`` and below ``uidnext``, that are gone, as a set; "" for none. ``uids`` are
    there; ``expunged`` (ascending) were expunged since the client looked, None when that is not known: then all that
    are not there are gone."""
    spans = [
        (max(low, above + 1), min(high, uidnext - 1))
        for low, high in wanted.resolve(uidnext - 1)
        if high > above and low < uidnext
    ]
    if expunged is None:
        return _written(_gaps(uids, spans))
    gone: list[int] = []
    for low, high in spans:
        gone += expunged[bisect_left(expunged, low) : bisect_right(expunged, high)]
    return compress(uid for uid in gone if bisect_left(uids, uid) == bisect_right(uids, uid))


def _gaps(uids: Sequence[int], spans: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    for low, high in spans:
        for i in range(bisect_left(uids, low), bisect_right(uids, high)):
            if uids[i] > low:
                yield low, uids[i] - 1
            low = uids[i] + 1
        if low <= high:
            yield low, high


def _written(ranges: Iterable[tuple[int, int]]) -> str:
    return ",".join([f"{low}" if low == high else f"{low}:{high}" for low, high in ranges])
