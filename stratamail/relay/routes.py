"""Where a lane's mail goes: the primaries of a domain, the smart host, or the exchangers of a recipient's domain."""

from __future__ import annotations

from attrs import evolve, frozen

from stratamail.net.resolver import Exchanger, NotResolved, Resolver
from stratamail.net.smtp import Unreachable
from stratamail.profiles.primaries import AUTO, Profile, of, profile
from stratamail.relay.kinds import Kinds
from stratamail.tenancy import hostport
from stratamail.tenancy.model import Domain, HostPort

# messages on one connection to a host of the world
_WORLD = 100


@frozen
class Route:
    """``hosts`` to try in order, with their TLS policy. ``smart``: a smart host, which must know us."""

    hosts: tuple[HostPort, ...]
    tls: str
    profile: Profile
    smart: bool = False


class Undeliverable(Exception):
    """The world's domain takes no mail or does not exist: no later attempt can help. ``status`` is the enhanced
    code."""

    def __init__(self, text: str, status: str) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


def to_primary(domain: Domain, kinds: Kinds) -> Route:
    chosen = kinds.profile(domain)
    return Route(domain.primaries, domain.tls or chosen.tls, chosen)


async def to_world(name: str, smart_host: str, resolver: Resolver) -> Route:
    """Raises :class:`Undeliverable`, or ``Unreachable`` when the DNS does not answer now."""
    chosen = profile("generic")
    if smart_host:
        return Route((hostport.parse(smart_host),), "may", chosen, smart=True)
    if name.startswith("["):
        # an address literal (RFC 5321 section 4.1.3)
        return Route((HostPort(name.strip("[]").removeprefix("ipv6:")),), "may", chosen)
    try:
        found: list[Exchanger] = await resolver.exchangers(name)
    except NotResolved as error:
        if error.permanent:
            raise Undeliverable(error.text, "5.1.2") from error
        raise Unreachable("resolve", error.text) from error
    kind = of(AUTO, [one.host for one in found])
    return Route(tuple(HostPort(one.host) for one in found), "may", evolve(kind, messages=min(kind.messages, _WORLD)))
