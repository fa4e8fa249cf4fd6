"""Free loopback ports, below the range of outgoing connections, so that nobody takes one meanwhile."""

from __future__ import annotations

import random
import socket

_given: set[int] = set()
_random = random.SystemRandom()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on, for TCP and UDP alike; never the same twice in one process."""
    for _ in range(1000):
        port = _random.randrange(10_240, 32_000)
        if port in _given:
            continue
        try:
            with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tcp.bind((host, port))
                udp.bind((host, port))
        except OSError:
            continue
        _given.add(port)
        return port
    raise RuntimeError("no free port")
