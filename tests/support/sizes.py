"""How much a test does: its small size in ``make test``, its full size in ``make test-all`` (``LONG=1``)."""

from __future__ import annotations

import os

LONG = bool(os.environ.get("LONG"))


def sized(small: int, full: int) -> int:
    """``small`` in the short run, ``full`` in the long one."""
    return full if LONG else small
