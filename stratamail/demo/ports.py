"""Free loopback ports for the doors of the demo."""

from __future__ import annotations

import contextlib
import socket


def free(count: int) -> list[int]:
    """``count`` different TCP ports of 127.0.0.1 that nobody listened on a moment ago."""
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            ports.append(int(one.getsockname()[1]))
        return ports
