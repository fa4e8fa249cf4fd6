"""Is this primary we ourselves? Address *and* port of one of our listeners: mail given to it would come back for ever.

Used at ``domain add``, where blocking is allowed. Writes nothing to disk.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence

from twisted.internet.endpoints import _parse  # the grammar of endpoint strings has no public reader

from stratamail.tenancy.model import HostPort

_ANY = ("", "0.0.0.0", "::")


def system_addresses(host: str) -> list[str]:
    """What the system's resolver says; nothing when it does not know the host."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def is_local(address: str) -> bool:
    """Whether ``address`` is one of this machine's: only such a one can be bound."""
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except (OSError, ValueError):
        return False
    return True


def is_ourselves(
    where: HostPort,
    listeners: Sequence[str],
    addresses: Callable[[str], Sequence[str]] = system_addresses,
    local: Callable[[str], bool] = is_local,
) -> bool:
    """Whether ``where`` is one of ``listeners`` (Twisted endpoint strings). A host that cannot be resolved is not."""
    doors = [door for door in map(_door, listeners) if door is not None and door[1] == where.port]
    if not doors:
        return False
    for address in addresses(where.host):
        for interface, _ in doors:
            if interface == address or (interface in _ANY and local(address)):
                return True
    return False


def _door(endpoint: str) -> tuple[str, int] | None:
    """Interface and port of "tcp:25:interface=127.0.0.1"; None for what is no TCP port of a fixed number."""
    try:
        words, options = _parse(endpoint)
    except ValueError:
        return None
    if not words or words[0] not in ("tcp", "tcp4", "tcp6", "ssl"):
        return None
    port = options.get("port", words[1] if len(words) > 1 else "")
    interface = options.get("interface", words[2] if len(words) > 2 else "")
    return (interface, int(port)) if port.isdigit() else None
