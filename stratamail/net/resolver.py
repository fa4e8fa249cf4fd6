"""Names to addresses, mail exchangers and texts, by ``twisted.names``, kept for their time to live. Writes nothing.

The server is the one of the configuration, or the system's; the hosts file is asked first.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.names import client, dns, error, hosts, resolve
from twisted.names.common import ResolverBase

# one question, with its repetitions, in seconds
_PATIENCE = (1, 3, 6)
_RESOLV_CONF = "/etc/resolv.conf"
# answers kept, and the longest that one is believed, in seconds
_MOST = 10_000
_LONGEST = 3600


class NotResolved(Exception):
    """``permanent``: the name does not exist, or has no such record; otherwise it may be answered later."""

    def __init__(self, text: str, permanent: bool) -> None:
        super().__init__(text)
        self.text = text
        self.permanent = permanent


class NoMail(NotResolved):
    """RFC 7505: the domain says that it takes no mail."""

    def __init__(self, domain: str) -> None:
        super().__init__(f"{domain} takes no mail (null MX)", True)


@frozen
class Exchanger:
    host: str
    preference: int


class Resolver:
    """``server`` "HOST:PORT" (an IP address) or "" for the system's. ``shuffle`` orders exchangers of one
    preference."""

    def __init__(self, reactor: IReactorTime, server: str = "", shuffle: random.Random | None = None) -> None:
        servers = None
        if server:
            host, _, port = server.rpartition(":")
            if not host or not port.isdigit():
                host, port = server, "53"
            servers = [(host.strip("[]"), int(port))]
        questions = client.Resolver(None if servers else _RESOLV_CONF, servers, reactor=reactor)
        self._chain: ResolverBase = resolve.ResolverChain([hosts.Resolver(), questions])
        self._seconds = reactor.seconds
        # answers by name and kind, with the time at which they end; the chain keeps none by itself
        self._known: dict[tuple[bytes, int], tuple[float, list[Any]]] = {}
        self._shuffle = shuffle or random.Random()

    async def addresses(self, host: str) -> list[str]:
        """The IP addresses of ``host``, IPv4 first; itself when it is one. Raises :class:`NotResolved`."""
        literal = host.strip("[]")
        literal = literal[5:] if literal.lower().startswith("ipv6:") else literal
        try:
            return [str(ipaddress.ip_address(literal))]
        except ValueError:
            pass
        found: list[str] = []
        failure: NotResolved | None = None
        for kind in (dns.A, dns.AAAA):
            try:
                found += await self._ask(host, kind)
            except NotResolved as caught:
                failure = caught if failure is None or not caught.permanent else failure
        if found:
            return list(dict.fromkeys(found))
        if failure is not None and not failure.permanent:
            raise failure
        raise NotResolved(f"{host} has no address", True)

    async def exchangers(self, domain: str) -> list[Exchanger]:
        """Where mail for ``domain`` goes, best first; the domain itself when it has no MX (RFC 5321 section 5.1).
        Raises :class:`NotResolved`, :class:`NoMail`."""
        try:
            found: list[Exchanger] = await self._ask(domain, dns.MX)
        except NotResolved as caught:
            if not caught.permanent:
                raise
            found = []
        if not found:
            await self.addresses(domain)
            return [Exchanger(domain, 0)]
        if [one.host for one in found] == [""]:
            raise NoMail(domain)
        self._shuffle.shuffle(found)
        return sorted((one for one in found if one.host), key=lambda one: one.preference)

    async def texts(self, name: str) -> list[bytes]:
        """The TXT records of ``name``, each with its strings joined. Raises :class:`NotResolved`."""
        found: list[bytes] = await self._ask(name, dns.TXT)
        return found

    async def _ask(self, name: str, kind: int) -> list[Any]:
        asked = name.rstrip(".")
        try:
            raw = asked.encode("ascii") if asked.isascii() else asked.encode("idna")
        except UnicodeError:
            raise NotResolved(f"{name} is no host name", True) from None
        key = (raw.lower(), kind)
        ends, known = self._known.get(key, (0.0, []))
        if ends > self._seconds():
            return list(known)
        query = dns.Query(raw, kind, dns.IN)
        try:
            answers, _, _ = await self._chain.query(query, timeout=_PATIENCE)
        except CancelledError:
            raise
        except error.DNSNameError as caught:
            raise NotResolved(f"{name} does not exist", True) from caught
        except Exception as caught:
            # time-outs, SERVFAIL, REFUSED, a server that cannot be reached: another time. (Only NXDOMAIN is for good:
            # SERVFAIL and its like are DomainErrors too, and mail must not come back for a sick DNS server)
            raise NotResolved(f"{name}: {type(caught).__name__} from the DNS", False) from caught
        found = [_value(answer.payload) for answer in answers if answer.type == kind]
        self._keep(key, min((answer.ttl for answer in answers), default=0), found)
        return found

    def _keep(self, key: tuple[bytes, int], ttl: int, found: list[Any]) -> None:
        if ttl <= 0 or not found:
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = (self._seconds() + min(ttl, _LONGEST), list(found))


def _value(payload: Any) -> Any:
    if isinstance(payload, dns.Record_A):
        return payload.dottedQuad()
    if isinstance(payload, dns.Record_AAAA):
        return str(ipaddress.IPv6Address(payload.address))
    if isinstance(payload, dns.Record_MX):
        return Exchanger(payload.name.name.decode("ascii", "replace").rstrip(".").lower(), payload.preference)
    if isinstance(payload, dns.Record_TXT):
        data: Sequence[bytes] = payload.data
        return b"".join(data)
    return payload
