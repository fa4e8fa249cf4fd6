"""A deadline that moves often, at the price of one timer in the reactor for each connection. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Deadline:
    """Calls ``expired`` once the time last given to :meth:`at` has come. Moving it later costs nothing."""

    __slots__ = ("_call", "_expired", "_reactor", "_when")

    def __init__(self, reactor: IReactorTime, expired: Callable[[], None]) -> None:
        self._reactor = reactor
        self._expired = expired
        self._when: float | None = None
        self._call: IDelayedCall | None = None

    def at(self, when: float) -> None:
        """Expire at ``when`` (reactor seconds)."""
        self._when = when
        call = self._call
        if call is None:
            self._arm(when)
        elif when < call.getTime():
            call.cancel()
            self._arm(when)

    def off(self) -> None:
        """No deadline until :meth:`at` is called again."""
        self._when = None

    def cancel(self) -> None:
        """For good: the connection is gone."""
        self._when = None
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _arm(self, when: float) -> None:
        self._call = self._reactor.callLater(max(0.0, when - self._reactor.seconds()), self._fired)

    def _fired(self) -> None:
        self._call = None
        when = self._when
        if when is None:
            return
        if when > self._reactor.seconds():
            self._arm(when)
            return
        self._when = None
        self._expired()
