"""What a client that was away missed: gaps, remembered expunges, and the sample that narrows them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stratamail.imap.sets import SequenceSet
from stratamail.imap.tokens import parse_set
from stratamail.shadow.resync import matched, vanished


def told(uids: list[int], uidnext: int, wanted: bytes, above: int, expunged: list[int] | None) -> str:
    return vanished(uids, uidnext, parse_set(wanted), above, expunged)


def test_remembered_expunges_within_the_set() -> None:
    assert told([2, 5], 9, b"1:6", 0, [1, 3, 4, 8]) == "1,3:4"
    assert told([2, 5], 9, b"4:*", 0, [1, 3, 4, 8]) == "4,8"
    assert told([2, 5], 9, b"1:*", 3, [1, 3, 4, 8]) == "4,8"
    assert told([], 1, b"1:*", 0, []) == ""


def test_a_message_that_the_client_still_sees_is_not_told_early() -> None:
    assert told([1, 2, 3], 4, b"1:*", 0, [2]) == ""


def test_without_memory_everything_that_is_not_there_is_gone() -> None:
    assert told([2, 5], 9, b"1:100", 0, None) == "1,3:4,6:8"
    assert told([2, 5], 9, b"2:5", 0, None) == "3:4"
    assert told([2, 5], 9, b"3,4", 0, None) == "3:4"
    assert told([2, 5], 9, b"1:*", 5, None) == "6:8"
    assert told([], 4, b"1:4294967295", 0, None) == "1:3"


def test_the_sample_of_the_rfc() -> None:
    """RFC 7162 section 3.2.5.2: the fourth message has UID 8 as the client believes, the eighth is not what it was."""
    uids = [1, 3, 5, 8, 9, 11, 12, 16]
    assert matched(uids, parse_set(b"4,8"), parse_set(b"8,15")) == 8
    assert matched(uids, parse_set(b"1:4"), parse_set(b"1:4")) == 1
    assert matched(uids, parse_set(b"2,9"), parse_set(b"4,20")) == 0
    assert matched([], parse_set(b"1"), parse_set(b"1")) == 0
    assert matched(uids, parse_set(b"7:9"), parse_set(b"12,16:17")) == 16


@given(st.sets(st.integers(1, 30)), st.sets(st.integers(1, 20), max_size=10), st.data())
def test_a_sample_matches_as_pair_by_pair(there: set[int], sample: set[int], data: st.DataObject) -> None:
    uids, numbers = sorted(there), sorted(sample)
    known = sorted(data.draw(st.sets(st.integers(1, 60), min_size=len(numbers), max_size=len(numbers))))
    right = [u for n, u in zip(numbers, known, strict=True) if n <= len(uids) and uids[n - 1] == u]
    assert matched(uids, _set(numbers), _set(known)) == max(right, default=0)


def _set(numbers: list[int]) -> SequenceSet:
    """With runs written as ranges."""
    ranges: list[tuple[int, int]] = []
    for n in numbers:
        if ranges and ranges[-1][1] == n - 1:
            ranges[-1] = (ranges[-1][0], n)
        else:
            ranges.append((n, n))
    return SequenceSet(tuple(ranges))
