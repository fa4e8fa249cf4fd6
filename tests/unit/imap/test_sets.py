"""Sequence sets are ranges, whatever a client writes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stratamail.imap.sets import LARGEST, STAR, SequenceSet, compress

SETS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6).map(
    lambda ranges: SequenceSet(tuple(ranges))
)


def test_star_and_order() -> None:
    assert SequenceSet(((5, STAR), (2, 1))).resolve(3) == [(1, 5)]
    assert SequenceSet(((STAR, STAR),)).resolve(0) == []
    assert SequenceSet(((1, LARGEST),)).indexes(3) == [range(3)]
    assert SequenceSet(((10, STAR),)).positions([3, 7]) == [range(1, 2)]


def test_beyond() -> None:
    assert not SequenceSet(((1, STAR),)).beyond(1)
    assert SequenceSet(((1, 2),)).beyond(1)
    assert SequenceSet(((STAR, STAR),)).beyond(0)


def test_compress() -> None:
    assert compress([]) == ""
    assert compress([1, 2, 3, 7, 9, 10]) == "1:3,7,9:10"
    assert compress([4, 2]) == "4,2"


@given(SETS, st.lists(st.integers(1, 40), unique=True, max_size=20).map(sorted))
def test_positions_are_those_of_the_definition(numbers: SequenceSet, uids: list[int]) -> None:
    largest = uids[-1] if uids else 0
    named = set()
    for a, b in numbers.ranges:
        a, b = a or largest, b or largest
        named |= set(range(min(a, b), max(a, b) + 1))
    found = [uids[i] for span in numbers.positions(uids) for i in span]
    assert found == [uid for uid in uids if uid in named]


@given(st.lists(st.integers(1, 60), unique=True).map(sorted))
def test_compress_names_each_number(numbers: list[int]) -> None:
    ranges: list[int] = []
    for piece in filter(None, compress(numbers).split(",")):
        low, _, high = piece.partition(":")
        ranges += range(int(low), int(high or low) + 1)
    assert ranges == numbers
