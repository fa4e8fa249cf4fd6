"""Sets of messages as the bits of an integer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stratamail.shadow.bits import among, bits, chosen, holds, indexes


@given(st.sets(st.integers(0, 200)), st.integers(201, 300))
def test_there_and_back(members: set[int], size: int) -> None:
    mask = bits(members, size)
    assert indexes(mask) == sorted(members)
    assert chosen([i in members for i in range(size)]) == mask
    looked_at = among(mask, range(size))
    assert [i for i in range(size) if holds(looked_at, i)] == sorted(members)


def test_nothing() -> None:
    assert bits([], 0) == chosen([]) == 0
    assert indexes(0) == []
    assert among(0, []) == b""
    assert not holds(among(0, [7]), 7)
