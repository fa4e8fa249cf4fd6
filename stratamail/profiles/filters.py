"""What kinds of spam filter stand in front of a primary, as data: how each fails over to us, how it tests us, whether
it asks for recipients, what to enter in its console, and from where its mail comes.

Addresses change: each kind's carry the day on which they were looked up, and a file ``filters.toml`` in the state
replaces them. Writes nothing.
"""

from __future__ import annotations

import tomllib
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from attrs import evolve, frozen

Network = IPv4Network | IPv6Network
# days after which addresses are to be looked up again
OLD = 180
FILE = "filters.toml"


@frozen
class Filter:
    """``setup`` for its console, ``failover`` and ``tests``: how it fails over to us, how it tries us. ``asks``: it
    asks whether recipients exist, without sending. Its mail comes from ``networks``, or from hosts whose names end in
    one of ``names``; ``dated``: when these were looked up, None when there are none to know. ``by_experience``: not
    from the maker's own pages; said wherever it is shown."""

    name: str
    title: str
    setup: str
    failover: str = ""
    tests: str = ""
    asks: bool = False
    networks: tuple[Network, ...] = ()
    names: tuple[str, ...] = ()
    dated: date | None = None
    by_experience: bool = False

    def old(self, today: date) -> bool:
        """Whether its addresses should be looked up again."""
        return self.dated is not None and (today - self.dated).days > OLD


_LOOKED_UP = date(2026, 11, 24)

_ALL = (
    Filter(
        "none",
        "no filter",
        "make us the MX of second preference, and allow our address at the primary",
        failover="each sender by itself, by MX preference",
    ),
    Filter(
        "generic",
        "another filter",
        "enter our host as the next route after the primary",
        failover="routes in order; Symantec lets a route be promoted only after a check within 24 hours",
        asks=True,
    ),
    Filter(
        "spamweeder",
        "SpamWeeder, SpamExperts",
        "destination route 2 = our host; its delivery addresses change: trust them by name, not number",
        failover="routes in order, for each message, on any temporary failure; not when the primary's name cannot be "
        "resolved",
        tests="recipient call-outs: null sender, RCPT, QUIT, after one for a random address; a refusal is remembered "
        "for 2 hours, an acceptance up to 96",
        asks=True,
        networks=(ip_network("185.201.16.0/22"),),
        names=("antispamcloud.com",),
        dated=_LOOKED_UP,
    ),
    Filter(
        "proofpoint",
        "Proofpoint Essentials",
        "fail-over site of the domain = our host; its own Emergency Inbox stays empty while we take mail",
        failover="fail-over sites of the domain; they must be reachable at all times",
        tests="a connection test",
        names=("ppe-hosted.com", "pphosted.com"),
        dated=_LOOKED_UP,
    ),
    Filter(
        "mimecast",
        "Mimecast",
        "alternate route = our host, never a second equal route (that would be round robin)",
        failover="the alternate of a delivery route; it keeps mail for 4 days, and its queue monitor stays silent "
        "while we take it: our alert is the only one",
        tests='"Test connection", with strict or relaxed TLS',
        names=("mimecast.com", "mimecast.co.za"),
        dated=_LOOKED_UP,
    ),
    Filter(
        "barracuda",
        "Barracuda appliance",
        "destination servers: primary, a space, our host (a comma would be round robin)",
        failover="servers in order; the appliance stands at the customer, so trust its own address",
        tests="recipients are checked by LDAP or SMTP",
        asks=True,
    ),
    Filter(
        "defender",
        "Exchange Online Protection in front of a server on premises",
        "one host name with two MX preferences as smart host, ours the second",
        failover="several smart hosts in one connector are used in turn, so name one host with two preferences",
        tests="validation of the connector sends a real message",
        networks=tuple(
            ip_network(one)
            for one in (
                "40.92.0.0/15",
                "40.107.0.0/16",
                "52.100.0.0/14",
                "104.47.0.0/17",
                "2a01:111:f400::/48",
                "2a01:111:f403::/48",
            )
        ),
        names=("protection.outlook.com",),
        dated=_LOOKED_UP,
        by_experience=True,
    ),
)
FILTERS = {one.name: one for one in _ALL}
NAMES = tuple(FILTERS)


class Unreadable(ValueError):
    """What is wrong with the file, for a person."""


def with_file(text: str) -> dict[str, Filter]:
    """The filters, their addresses replaced by what ``text`` (TOML) says: a table for each kind, with ``dated`` (a
    date) and ``networks`` (CIDR) or ``names`` (ends of host names), or both. Raises :class:`Unreadable`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(f"this is not TOML: {error}") from None
    found = dict(FILTERS)
    for name, table in document.items():
        if name not in FILTERS or not isinstance(table, dict):
            raise Unreadable(f"[{name}] is no kind of filter; there are: {', '.join(NAMES)}")
        found[name] = _edited(found[name], table)
    return found


def _edited(one: Filter, table: dict[str, Any]) -> Filter:
    for key in table:
        if key not in ("dated", "networks", "names"):
            raise Unreadable(f"[{one.name}] {key} is not known: dated, networks and names are")
    dated = table.get("dated")
    # a datetime is a date too, and cannot be compared with one
    if type(dated) is not date:
        raise Unreadable(f"[{one.name}] needs the day on which its addresses were looked up: dated = 2026-11-24")
    networks, names = table.get("networks", []), table.get("names", [])
    for given in (networks, names):
        if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
            raise Unreadable(f'[{one.name}] networks and names are lists: networks = ["192.0.2.0/24"]')
    try:
        parsed = tuple(ip_network(item) for item in networks)
    except ValueError as error:
        raise Unreadable(f"[{one.name}] networks: {error}") from None
    return evolve(one, dated=dated, networks=parsed, names=tuple(item.lower().strip("*.") for item in names))
