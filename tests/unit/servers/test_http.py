"""/healthz and /readyz."""

from __future__ import annotations

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from stratamail.servers import http


class HealthTests(SynchronousTestCase):
    def get(self, path: bytes, reasons: list[str], method: bytes = b"GET") -> bytes:
        protocol = http.site(lambda: reasons).buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(method + b" " + path + b" HTTP/1.0\r\n\r\n")
        return transport.value()

    def test_healthy(self) -> None:
        assert self.get(b"/healthz", ["starting"]).startswith(b"HTTP/1.0 200")

    def test_ready(self) -> None:
        assert self.get(b"/readyz", []).startswith(b"HTTP/1.0 200")

    def test_not_ready_with_the_reasons(self) -> None:
        answer = self.get(b"/readyz", ["starting", "the disk reserve is reached"])
        assert answer.startswith(b"HTTP/1.0 503")
        assert answer.endswith(b"\r\n\r\nstarting\nthe disk reserve is reached\n")

    def test_nothing_else(self) -> None:
        assert self.get(b"/", []).startswith(b"HTTP/1.0 404")
        assert self.get(b"/readyz", [], b"POST").startswith(b"HTTP/1.0 405")
