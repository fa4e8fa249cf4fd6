"""Giving memory back to the system. Writes nothing.

What Python has let go stays with the C library's allocator, which gives back only what lies at the end of its heap.
"""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Takes milliseconds: not in the reactor's thread. Does nothing where the C library has no ``malloc_trim``."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
