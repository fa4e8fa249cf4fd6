"""A host as this machine sees it: is its name found, is it one of our own listeners. Blocks for seconds; reads only."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from stratamail.config.settings import Listen
from stratamail.tenancy.model import HostPort

PATIENCE = 5.0
IP = IPv4Address | IPv6Address


def is_ourselves(host: HostPort, endpoints: Sequence[str]) -> bool:
    """Whether ``host`` is one of our listeners, by address *and* port (a primary may live on this very machine)."""
    mine = listening(endpoints, host.port)
    if not mine:
        return False
    for address in _resolve(host):
        for one in mine:
            if one == address or (one.is_unspecified and _is_local(address)):
                return True
    return False


def smtp_doors(listen: Listen) -> tuple[str, ...]:
    """The endpoints at which we take mail."""
    return (*listen.smtp, *listen.submission, *listen.submissions)


def listening(endpoints: Sequence[str], port: int) -> list[IP]:
    """The addresses on which the endpoint strings listen at ``port``."""
    found: list[IP] = []
    for endpoint in endpoints:
        for host, at in endpoint_ports(endpoint):
            if at == port:
                found.extend(_resolve(HostPort(host, port)))
    return found


def endpoint_ports(endpoint: str) -> list[tuple[str, int]]:
    """``(interface, port)`` of a TCP endpoint string; nothing for any other (a socket handed over, a UNIX one)."""
    words = re.split(r"(?<!\\):", endpoint)
    if words[0] not in ("tcp", "tcp6", "ssl"):
        return []
    options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    plain = [word for word in words[1:] if "=" not in word]
    port = options.get("port", plain[0] if plain else "")
    anywhere = "::" if words[0] == "tcp6" else "0.0.0.0"
    interface = options.get("interface", "").replace("\\", "") or anywhere
    return [(interface, int(port))] if port.isdigit() else []


def _resolve(host: HostPort) -> list[IP]:
    try:
        return [ip_address(host.host)]
    except ValueError:
        return _in_time(lambda: _addresses(host))[0]


def _addresses(host: HostPort) -> tuple[list[IP], str]:
    try:
        found = socket.getaddrinfo(host.host, host.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return [], f"the name is not found ({getattr(error, 'strerror', None) or error})"
    return [ip_address(str(one[4][0]).partition("%")[0]) for one in found], ""


def _in_time(look: Callable[[], tuple[list[IP], str]]) -> tuple[list[IP], str]:
    """What ``look`` gives, or that DNS did not answer: getaddrinfo has no time limit of its own."""
    results: list[tuple[list[IP], str]] = []
    thread = threading.Thread(target=lambda: results.append(look()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return results[0] if results else ([], "no answer from DNS")


def _is_local(address: IP) -> bool:
    """Whether ``address`` is this machine's: only then can a socket be bound to it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


def lookup_problem(host: HostPort) -> str:
    """Why a name cannot be found within a few seconds, or ""."""
    try:
        ip_address(host.host)
        return ""
    except ValueError:
        pass
    return _in_time(lambda: _addresses(host))[1]
