"""Which delivery goes first after a silence, and what its refusal means: the canary rule, without clock or disk.

A primary that is back may be half started, or freshly installed and know nobody: its refusals count only after it has
accepted something. Three refused in a row pause the lane; what was refused in three rounds, when all that is owed was,
is held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stratamail.store.model import Delivery

IN_A_ROW = 3
ROUNDS = 3


class Canary:
    """``proven``: an acceptance stands, refusals may be believed."""

    def __init__(self) -> None:
        self.proven = False
        # how often each delivery was refused as a canary
        self.refusals: dict[int, int] = {}
        # how often each message (by seq) was turned away at MAIL: perhaps for its sender, who knows
        self.shunned: dict[int, int] = {}
        # of this round, which goes on over pauses until all have been tried
        self._tried: set[int] = set()
        self._in_a_row = 0
        self._paused = False

    def resume(self) -> None:
        """After a pause, or when the primary is said to be back."""
        self._in_a_row = 0
        self._paused = True

    def new_round(self) -> None:
        """All have been tried."""
        self._tried = set()
        self._in_a_row = 0

    def lapse(self) -> None:
        """A failed connection, a 421, or three refusals in a row: a canary again."""
        self.proven = False
        self.resume()

    def choose(self, heads: Sequence[Delivery], listed: Callable[[str], bool]) -> Delivery | None:
        """The next canary among the oldest of each mailbox: listed recipients before others, the least refused first,
        then the oldest. None: all have been tried in this round. Once the listed ones have all been tried, one of them
        is asked again after every pause, before the others: these may be many, and must not keep the lane waiting."""
        left = [one for one in heads if one.id not in self._tried]
        known = [one for one in left if listed(one.recipient)]
        after_pause, self._paused = self._paused, False
        if after_pause and left and not known:
            known = [one for one in heads if listed(one.recipient)]
        return min(known or left, key=self._rank, default=None)

    def fresh(self, one: Delivery) -> bool:
        """Whether nothing speaks against it as the next canary."""
        return one.id not in self._tried and not self._rank(one)[0]

    def _rank(self, one: Delivery) -> tuple[int, int, int]:
        """One that was refused, turned away or cut off before comes after the others: it must not keep the lane from
        its proof."""
        against = self.refusals.get(one.id, 0) + self.shunned.get(one.message.seq, 0) + one.unknown_outcomes
        return against, one.message.seq, one.id

    def turned_away(self, seq: int) -> bool:
        """Count a permanent refusal at MAIL; whether the message was turned away before. When others were accepted
        since, it is about this message after all."""
        before = self.shunned.get(seq, 0)
        self.shunned[seq] = before + 1
        return before > 0

    def accepted(self) -> None:
        self.proven = True
        self.new_round()

    def refused(self, id: int) -> bool:
        """Count a refusal about message or recipient; whether the lane must pause."""
        self.refusals[id] = self.refusals.get(id, 0) + 1
        self._tried.add(id)
        self._in_a_row += 1
        return self._in_a_row >= IN_A_ROW

    def exhausted(self, heads: Sequence[Delivery]) -> list[int]:
        """All of ``heads``, when each has been refused in three rounds: they are to be held. Otherwise none."""
        if heads and all(self.refusals.get(one.id, 0) >= ROUNDS for one in heads):
            return [one.id for one in heads]
        return []

    def forget(self, ids: Sequence[int]) -> None:
        """These are settled."""
        for one in ids:
            self.refusals.pop(one, None)
            self._tried.discard(one)
