"""Sets of messages as the bits of an integer: bit i is index i (sequence number - 1).

A search of thousands of keys over a large folder holds some kilobytes a key. Touches no disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def bits(indexes: Iterable[int], size: int) -> int:
    """The set of ``indexes``, all below ``size``."""
    digits = bytearray(b"0") * (size + 1)
    for i in indexes:
        digits[size - i] = 0x31
    return int(digits, 2)


def chosen(flags: Iterable[bool]) -> int:
    """The set of the indexes whose flag is true."""
    digits = bytearray(b"01"[flag] for flag in flags)
    digits.reverse()
    return int(digits, 2) if digits else 0


def indexes(mask: int) -> list[int]:
    """The members, ascending."""
    digits = bin(mask)[:1:-1]
    return [i for i, digit in enumerate(digits) if digit == "1"]


def among(mask: int, some: Sequence[int]) -> bytes:
    """For asking often whether ``some[...]`` are members: :func:`holds`."""
    return mask.to_bytes(max(some[-1] + 1, mask.bit_length()) + 7 >> 3, "little") if some else b""


def holds(members: bytes, i: int) -> bool:
    """Whether ``i`` is one of what :func:`among` was given."""
    return bool(members[i >> 3] >> (i & 7) & 1)
