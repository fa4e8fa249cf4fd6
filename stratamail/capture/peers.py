"""Who connects, and how much: connections in all, connections and messages a minute for each untrusted peer.

An IPv6 peer is its /64. Kept in memory only: a restart forgets, nothing carries over to another connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from stratamail.config.settings import Limits
from stratamail.mail.reply import Reply
from stratamail.tenancy.model import Domain, Network

IPAddress = IPv4Address | IPv6Address

FULL = Reply(421, "4.3.2", "Too many connections, please try again later")
TOO_MANY = Reply(421, "4.7.0", "Too many connections from your address")
TOO_FAST = Reply(451, "4.7.1", "Too many messages from your address, please slow down")
# addresses whose rate is remembered; above it those idle for a minute are dropped
_REMEMBERED = 10_000


def parse_ip(text: str) -> IPAddress | None:
    """``text`` as an address, IPv4-mapped IPv6 as IPv4; None when it is none (a UNIX socket)."""
    try:
        ip = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return mapped or ip


class Networks:
    """Many networks, asked at the cost of one set lookup for each prefix length in use."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._sets: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for network in networks:
            shift = network.max_prefixlen - network.prefixlen
            self._sets[network.version].setdefault(shift, set()).add(int(network.network_address) >> shift)

    @classmethod
    def of_domains(cls, domains: Iterable[Domain]) -> Networks:
        """Every network that some domain trusts."""
        return cls(network for domain in domains for network in domain.trust)

    def __contains__(self, ip: IPAddress | None) -> bool:
        if ip is None:
            return False
        number = int(ip)
        return any(number >> shift in found for shift, found in self._sets[ip.version].items())


class Peers:
    """Counts at the doors. ``seconds`` is the clock."""

    def __init__(self, limits: Limits, seconds: Callable[[], float]) -> None:
        self._limits = limits
        self._seconds = seconds
        self._open = 0
        self._connections: dict[object, int] = {}
        self._rates: dict[object, tuple[float, int]] = {}

    @property
    def open(self) -> int:
        return self._open

    def connected(self, ip: IPAddress | None, bound: bool) -> Reply | None:
        """Count a connection; a reply refuses it (it counts until :meth:`gone` all the same). ``bound``: the limit for
        each peer applies."""
        self._open += 1
        peer = _peer(ip)
        count = self._connections[peer] = self._connections.get(peer, 0) + 1
        if self._open > self._limits.connections:
            return FULL
        if bound and ip is not None and count > self._limits.connections_per_peer:
            return TOO_MANY
        return None

    def gone(self, ip: IPAddress | None) -> None:
        self._open -= 1
        peer = _peer(ip)
        left = self._connections.get(peer, 1) - 1
        if left > 0:
            self._connections[peer] = left
        else:
            self._connections.pop(peer, None)

    def message(self, ip: IPAddress | None) -> Reply | None:
        """Count a message begun by an untrusted peer; a reply when it is over its rate."""
        limit = self._limits.rate_per_peer
        if not limit or ip is None:
            return None
        now = self._seconds()
        peer = _peer(ip)
        start, count = self._rates.get(peer, (now, 0))
        if now - start >= 60:
            start, count = now, 0
        if count >= limit:
            return TOO_FAST
        if len(self._rates) >= _REMEMBERED:
            self._rates = {name: rate for name, rate in self._rates.items() if now - rate[0] < 60}
            if len(self._rates) >= _REMEMBERED:
                self._rates.clear()
        self._rates[peer] = (start, count + 1)
        return None


def _peer(ip: IPAddress | None) -> object:
    return int(ip) >> 64 | 1 << 70 if isinstance(ip, IPv6Address) else ip
