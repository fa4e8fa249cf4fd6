"""How long a sign-in waits: failures of one pair of user and client address add delay, and time takes it away.

A right password is never refused for earlier failures, only answered later. Pure: time comes by argument, and the
table is bounded. Writes nothing.
"""

from __future__ import annotations

from collections import OrderedDict

from attrs import frozen

FREE = 3
FIRST = 0.5
LONGEST = 15.0
FORGET = 900.0
ENTRIES = 20_000


@frozen
class _Failures:
    count: int
    last: float


class Throttle:
    """``delay`` is asked before each check; ``failed`` and ``succeeded`` say what came of it. Seconds throughout."""

    def __init__(self) -> None:
        self._pairs: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def delay(self, user: str, peer: str, now: float) -> float:
        """Seconds: none for the first failures (people mistype), then doubling to :data:`LONGEST`; forgotten later."""
        known = self._pairs.get((user, peer))
        if known is None or now - known.last > FORGET or known.count < FREE:
            return 0.0
        return float(min(LONGEST, FIRST * 2 ** min(known.count - FREE, 10)))

    def failed(self, user: str, peer: str, now: float) -> None:
        pair = (user, peer)
        known = self._pairs.pop(pair, None)
        count = 0 if known is None or now - known.last > FORGET else known.count
        self._pairs[pair] = _Failures(count + 1, now)
        while len(self._pairs) > ENTRIES:
            self._pairs.popitem(last=False)

    def succeeded(self, user: str, peer: str) -> None:
        self._pairs.pop((user, peer), None)
