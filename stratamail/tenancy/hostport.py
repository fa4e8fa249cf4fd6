"""``HOST:PORT`` as people write it, read into a value. Pure; writes nothing."""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from stratamail.tenancy.model import HostPort

_HOST = re.compile(r"[^\W_](?:[\w.-]{0,253}\w)?\.?")


def parse(text: str, default: int = 25) -> HostPort:
    """``HOST:PORT``, ``[IPv6]:PORT``, or either without a port. Raises ValueError that says what is wrong."""
    given = text.strip()
    host, port = given, str(default)
    if given.startswith("["):
        host, bracket, rest = given[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f'"{text}" is not [IPv6]:PORT')
        port = rest[1:] if rest else port
        try:
            host = str(IPv6Address(host))
        except ValueError:
            raise ValueError(f'"{text}" holds no IPv6 address') from None
    else:
        if given.count(":") > 1:
            raise ValueError(f'"{text}" is not HOST:PORT (an IPv6 address is written in brackets)')
        if ":" in given:
            host, _, port = given.partition(":")
        if _HOST.fullmatch(host) is None:
            raise ValueError(f'"{text}" is not HOST:PORT')
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise ValueError(f'"{text}": the port is not a number between 1 and 65535')
    return HostPort(host.lower(), int(port))
