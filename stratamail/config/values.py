"""One value of the file at a time: read as the type that ``config.settings`` wants, or a ValueError that says the cure.

Every reader takes what TOML gave and returns the typed value. Pure; writes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from twisted.internet.endpoints import serverFromString

from stratamail.config.settings import Network, Ratio
from stratamail.mail import address
from stratamail.tenancy import hostport

T = TypeVar("T")

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|[kK]B|MB|GB|TB)?")
_BYTES = {None: 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_RATIO = re.compile(r"(\d+)\s+of\s+(\d+)")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError('must be a text in quotes, such as "name"')
    return value


def hostname(value: object) -> str:
    name = address.domain_key(text(value))
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError('must be a host name, such as "mx.example.net"')
    return name


def path(value: object) -> str:
    if not text(value):
        raise ValueError('must be a path, such as "/var/lib/stratamail"')
    return cast(str, value)


def integer(least: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be a whole number without quotes, such as {max(least, 10)}")
        if value < least:
            raise ValueError(f"must be at least {least}")
        return value

    return read


def duration(value: object) -> float:
    """Seconds of "30s", "5m", "1h", "2d", "500ms"."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a duration in quotes: a number and ms, s, m, h or d, such as "5m"')
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds <= 0:
        raise ValueError('must be longer than nothing, such as "5m"')
    return seconds


def maybe_duration(value: object) -> float | None:
    return None if value == "" else duration(value)


def size(value: object) -> int:
    """Bytes of "150MB", "2GB"; powers of 1000."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a size in quotes: a number and kB, MB or GB, such as "150MB"')
    return int(float(match[1]) * _BYTES[match[2]])


def positive_size(value: object) -> int:
    number = size(value)
    if number == 0:
        raise ValueError('must be more than nothing, such as "150MB"')
    return number


def ratio(value: object) -> Ratio:
    match = _RATIO.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be "N of M", such as "3 of 4"')
    count, among = int(match[1]), int(match[2])
    if not 1 <= count <= among <= 1000:
        raise ValueError('must be "N of M" with N from 1 to M, such as "3 of 4"')
    return Ratio(count, among)


def each(read: Callable[[object], T], example: str) -> Callable[[object], tuple[T, ...]]:
    """A list whose every item ``read`` takes."""

    def read_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise ValueError(f"must be a list, such as {example}")
        return tuple(read(item) for item in value)

    return read_all


def endpoint(value: object) -> str:
    """A Twisted server endpoint string; parsed here, listened on later."""
    given = text(value)
    try:
        # no parser of a server endpoint touches the reactor before it listens
        found: Any = serverFromString(cast(Any, None), given)
    except Exception as error:
        raise ValueError(
            f'"{given}" is no endpoint ({error}); write it as "tcp:25" or "tcp:25:interface=127.0.0.1"'
        ) from None
    port = getattr(found, "_port", 0)
    if isinstance(port, int) and not 0 <= port <= 65535:
        raise ValueError(f'"{given}": the port is not between 1 and 65535')
    interface = getattr(found, "_interface", "")
    if interface not in ("", "localhost"):
        try:
            ip_address(interface)
        except ValueError:
            raise ValueError(
                f'"{given}": the interface is an IP address, such as "tcp:25:interface=127.0.0.1"'
            ) from None
    return given


def collide(one: str, other: str) -> bool:
    """Whether two endpoints, each good, cannot be listened on at once: the same string, or one port of one address or
    of all. Port 0 is another each time."""
    first, second = _place(one), _place(other)
    if first is None or second is None:
        return one == other
    if first[:2] != second[:2] or first[1] == 0:
        return False
    return first[2] == second[2] or "" in (first[2], second[2])


def _place(given: str) -> tuple[str, int, str] | None:
    """Kind of address, port and interface ("" for all) of a TCP endpoint; None for any other."""
    found: Any = serverFromString(cast(Any, None), given)
    port = getattr(found, "_port", None)
    if not isinstance(port, int):
        return None
    interface = str(getattr(found, "_interface", ""))
    kind = "6" if ":" in interface or given.startswith("tcp6:") else "4"
    interface = {"localhost": "127.0.0.1", "0.0.0.0": "", "::": ""}.get(interface, interface)
    return kind, port, interface


def network(value: object) -> Network:
    given = text(value)
    try:
        return ip_network(given)
    except ValueError:
        raise ValueError(f'"{given}" is no network; write it as "192.0.2.0/24" or "192.0.2.7"') from None


def host_port(default: int) -> Callable[[object], str]:
    """ "" or HOST:PORT; comes back with its port."""

    def read(value: object) -> str:
        if value == "":
            return ""
        return str(hostport.parse(text(value), default))

    return read


def needed_host_port(value: object) -> str:
    return str(hostport.parse(text(value)))


def catalog_url(value: object) -> str:
    given = text(value)
    if given and not given.startswith(("postgresql+psycopg://", "sqlite:///")):
        raise ValueError(
            'must be empty (STATE/catalog.sqlite) or a URL such as "postgresql+psycopg://user@host/stratamail"'
        )
    return given


def web_url(value: object) -> str:
    given = text(value)
    parts = urlsplit(given)
    if given and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError('must be empty or a URL such as "https://watch.example.net/ping"')
    return given


def table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("must be a table of its own, such as [alerts.smtp]")
    return value
