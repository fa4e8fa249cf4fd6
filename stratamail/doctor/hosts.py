"""A host as this machine sees it: is its name found, is it one of our own listeners. Blocks for seconds; reads only."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address

from stratamail.config.settings import Listen
from stratamail.net.ourselves import is_ourselves
from stratamail.tenancy.model import HostPort

PATIENCE = 5.0


def is_ours(host: HostPort, listen: Listen) -> bool:
    """Whether ``host`` is one of our own doors; a name is looked up for a few seconds at most."""
    doors = (*listen.smtp, *listen.submission, *listen.submissions, *listen.imap, *listen.imaps, *listen.http)
    return is_ourselves(host, doors, addresses=lambda name: _in_time(lambda: _addresses(name))[0])


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


def _addresses(host: str) -> tuple[list[str], str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return [], f"the name is not found ({getattr(error, 'strerror', None) or error})"
    return [str(one[4][0]).partition("%")[0] for one in found], ""


def _in_time(look: Callable[[], tuple[list[str], str]]) -> tuple[list[str], str]:
    """What ``look`` gives, or that DNS did not answer: getaddrinfo has no time limit of its own."""
    results: list[tuple[list[str], str]] = []
    thread = threading.Thread(target=lambda: results.append(look()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return results[0] if results else ([], "no answer from DNS")


def lookup_problem(host: HostPort) -> str:
    """Why a name cannot be found within a few seconds, or ""."""
    try:
        ip_address(host.host)
        return ""
    except ValueError:
        pass
    return _in_time(lambda: _addresses(host.host))[1]
