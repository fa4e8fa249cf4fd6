"""Whether hosts that have nothing to do with a primary can be reached: is it we who are cut off? Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.protocol import Factory, Protocol

from stratamail.net.smtp import Addresses, Reactor
from stratamail.tenancy.model import HostPort


async def any_answers(reactor: Reactor, hosts: Sequence[HostPort], resolver: Addresses, timeout: float) -> bool:
    """Whether any of ``hosts`` takes a TCP connection within ``timeout`` seconds; they are asked one after another."""
    factory = Factory.forProtocol(Protocol)
    factory.noisy = False
    for where in hosts:
        try:
            for address in await resolver.addresses(where.host):
                kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
                endpoint = kind(reactor, address, where.port, timeout=timeout)
                protocol = await endpoint.connect(factory)
                assert isinstance(protocol, Protocol)
                assert protocol.transport is not None
                protocol.transport.loseConnection()
                return True
        except CancelledError:
            raise
        except Exception:
            # this one does not answer; the next may
            continue
    return False
