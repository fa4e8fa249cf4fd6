"""So many messages a minute to one mailbox, and from one sender to it: what a profile allows. In memory only."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from stratamail.profiles.primaries import Profile

WINDOW = 60.0
# entries kept before those that say nothing any more are dropped
_MANY = 10_000


class Pace:
    """Of one lane; times are in seconds."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, ...], deque[float]] = {}

    def free_at(self, key: str, sender: str, profile: Profile, now: float) -> float:
        """Count a message from ``sender`` to the mailbox ``key`` and give 0; or, when it would be one too many, the
        time at which it may go (then nothing is counted)."""
        if len(self._times) > _MANY:
            self._times = {one: times for one, times in self._times.items() if times and times[-1] > now - WINDOW}
        wanted: Sequence[tuple[int, tuple[str, ...]]] = (
            (profile.per_mailbox, (key,)),
            (profile.per_pair, (key, sender.lower())),
        )
        counted = [(limit, self._recent(name, now)) for limit, name in wanted if limit]
        full = [times[-limit] + WINDOW for limit, times in counted if len(times) >= limit]
        if full:
            return max(full)
        for _, times in counted:
            times.append(now)
        return 0.0

    def _recent(self, name: tuple[str, ...], now: float) -> deque[float]:
        times = self._times.setdefault(name, deque())
        while times and times[0] <= now - WINDOW:
            times.popleft()
        return times
