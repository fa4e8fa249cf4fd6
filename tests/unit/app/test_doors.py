"""All doors open, or none; a stop closes them and ends their sessions."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock

from stratamail.app.doors import Doors


class _Busy(MemoryReactorClock):
    """Port 26 is taken."""

    def listenTCP(self, port: int, *args: object, **kwargs: object) -> object:
        if port == 26:
            raise CannotListenError("127.0.0.1", port, OSError("in use"))
        return super().listenTCP(port, *args, **kwargs)


def test_a_busy_port_is_an_error() -> None:
    doors = Doors(_Busy())
    doors.add("smtp", "tcp:25", Factory())
    doors.add("smtp", "tcp:26", Factory())
    failures: list[object] = []
    Deferred.fromCoroutine(doors.open()).addErrback(lambda failure: failures.append(failure.type))
    assert failures == [CannotListenError]


def test_opened_and_closed() -> None:
    reactor = MemoryReactorClock()
    doors = Doors(reactor)
    doors.add("smtp", "tcp:25:interface=127.0.0.1", Factory())
    done: list[object] = []
    Deferred.fromCoroutine(doors.open()).addCallback(done.append)
    assert [server[0] for server in reactor.tcpServers] == [25]
    Deferred.fromCoroutine(doors.close()).addCallback(done.append)
    assert done == [None, None]
