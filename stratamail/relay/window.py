"""How many messages may be on their way at once over one connection. Pure; writes nothing.

What is on its way when a connection is cut may arrive twice, so the window is earned: one more for each acceptance, and
back to one by any refusal or loss.
"""

from __future__ import annotations

FIRST, WIDEST = 4, 64


class Window:
    """``size`` messages. ``widest`` 1 keeps it at one message in hand, come what may."""

    def __init__(self, widest: int = WIDEST) -> None:
        self._widest = widest
        self._earned = FIRST

    @property
    def size(self) -> int:
        return max(1, min(self._earned, self._widest))

    def limit(self, widest: int) -> None:
        """What the route allows now."""
        self._widest = widest

    def accepted(self) -> None:
        self._earned = min(WIDEST, self._earned + 1)

    def shrink(self) -> None:
        """Anything else than an acceptance."""
        self._earned = 1
