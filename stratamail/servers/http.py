"""The HTTP door. Today it answers two questions of whoever watches the machine: ``/healthz`` and ``/readyz``.

``/healthz`` is 200 as long as the process turns; ``/readyz`` is 200 when mail is taken, else 503 with the reasons, one
a line. Writes nothing to disk.
"""

from __future__ import annotations

from collections.abc import Callable

from klein import Klein
from twisted.web.http import Request
from twisted.web.iweb import IRequest
from twisted.web.server import Site

Reasons = Callable[[], list[str]]


class Health:
    """``not_ready`` gives the reasons why mail is not taken now; an empty list is readiness."""

    app = Klein()

    def __init__(self, not_ready: Reasons) -> None:
        self._not_ready = not_ready

    @app.route("/healthz", methods=["GET", "HEAD"])
    def healthz(self, request: IRequest) -> bytes:
        return self._plain(request, 200, "ok\n")

    @app.route("/readyz", methods=["GET", "HEAD"])
    def readyz(self, request: IRequest) -> bytes:
        reasons = self._not_ready()
        if reasons:
            return self._plain(request, 503, "\n".join(reasons) + "\n")
        return self._plain(request, 200, "ready\n")

    def _plain(self, request: IRequest, code: int, text: str) -> bytes:
        request.setResponseCode(code)
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        request.setHeader(b"cache-control", b"no-store")
        return text.encode()


class _QuietSite(Site):
    """Who watches asks every second: that is no news for the log."""

    noisy = False
    displayTracebacks = False

    def log(self, request: Request) -> None:
        pass


def site(not_ready: Reasons) -> Site:
    """The factory for the HTTP listeners."""
    return _QuietSite(Health(not_ready).app.resource())  # type: ignore[no-untyped-call]
