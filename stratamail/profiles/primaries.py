"""What kinds of primary there are and how each wants to be treated, as data: pacing, TLS, what to set up there, and how
to tell the kind by a host's name and banner. Starting values. Writes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from attrs import frozen

#: Not set by a person: the kind is told by the primary's name, then by its banner.
AUTO = "auto"


@frozen
class Profile:
    """``title`` for people. ``tls`` the policy when a domain names none; ``lanes`` connections to one host at a time,
    for all its domains together (a provider's domains have one each); ``per_mailbox`` messages a minute to one mailbox
    and ``per_pair`` from one sender to one mailbox, 0 = no limit; ``messages`` on one connection before a new one is
    opened; ``window`` messages on their way at once over it, 1 = each waits for its answer. ``provider``: one service
    that many domains share, "" when each has its own host; when it throttles us, all of them wait. ``asking``: whether
    an answer to RCPT tells who exists there, and costs the asker nothing. ``hosts`` are ends of host names, ``banner``
    a regular expression over the greeting, in any case. ``setup``: what to enter there, step by step."""

    name: str
    title: str
    tls: str = "may"
    lanes: int = 4
    per_mailbox: int = 0
    per_pair: int = 0
    messages: int = 100
    window: int = 64
    provider: str = ""
    asking: bool = True
    hosts: tuple[str, ...] = ()
    banner: str = ""
    setup: tuple[str, ...] = ()


# on one connection, where nothing is known to end it
_MANY = 10_000
# servers that by default end a connection after so many messages (Exim's smtp_accept_max_per_connection 1000,
# OpenSMTPD's max-mails 100), by their greeting
_ENDS = ((r"\bESMTP Exim\b", 900), (r"\bOpenSMTPD\b", 90))

_ALLOW = "allow-list our address for greylisting, SPF, block lists and rates"

_ALL = (
    Profile(
        "generic",
        "Postfix, Exim, Sendmail and others",
        messages=_MANY,
        setup=(
            (
                f"{_ALLOW} (Postfix: mynetworks or a check_client_access table; Exim: relay_from_hosts), "
                "and for checks of the HELO name."
            ),
            "Let its size limit be no lower than ours.",
        ),
    ),
    Profile(
        "m365",
        "Microsoft 365",
        lanes=2,
        tls="encrypt",
        per_mailbox=50,
        per_pair=15,
        messages=50,
        provider="m365",
        hosts=("mail.protection.outlook.com", "mx.microsoft"),
        banner=r"protection\.outlook\.com",
        setup=(
            "Primary: the tenant's own host, DOMAIN-WITH-DASHES.mail.protection.outlook.com, never the public MX.",
            (
                "Exchange admin centre, Mail flow, Connectors: add an inbound connector from your organisation's mail "
                "server, known by the name in our certificate (sent with its whole chain) or by our address."
            ),
            "Allow senders of your own domains on that connector: mail between colleagues comes from us in an outage.",
            "Enhanced filtering for that connector: skip the filter's addresses and ours (two hops).",
            "The largest message that it takes can be raised to 150 MB.",
        ),
    ),
    Profile(
        "google",
        "Google Workspace",
        lanes=2,
        tls="encrypt",
        per_mailbox=30,
        messages=50,
        provider="google",
        hosts=("google.com", "googlemail.com"),
        banner=r"\bmx\.google\.com\b|\bgsmtp\b",
        setup=(
            "Admin console, Gmail, Spam and phishing, Inbound gateway: list our addresses beside the filter's.",
            'Leave "Reject all mail not from gateway IPs" off when we are an MX of second preference.',
            "More than 60 messages a minute close a mailbox for about a day: we stay below by ourselves.",
        ),
    ),
    Profile(
        "exchange",
        "Exchange on premises",
        lanes=5,
        banner=r"Microsoft ESMTP MAIL Service",
        setup=(
            "Add a receive connector (Frontend Transport) scoped to our address, with anonymous users allowed.",
            "Set its MaxMessageSize no lower than ours (the default is 36 MB, 10 MB in old versions).",
            "It takes 20 connections from one source (MaxInboundConnectionPerSource); we open few.",
            (
                "Grant ms-exch-smtp-accept-authoritative-domain-sender there: mail between colleagues comes from us "
                "in an outage."
            ),
        ),
    ),
    Profile(
        "cpanel",
        "cPanel",
        lanes=2,
        messages=_MANY,
        hosts=("cpanel.net",),
        banner=r"We do not authorize the use of this system to transport unsolicited",
        setup=(
            'cPanel, Email Routing: "Local Mail Exchanger"; the automatic choice says Remote behind a filter.',
            "WHM, Exim Configuration Manager, Access Lists: our address under trusted SMTP IP addresses.",
        ),
    ),
    Profile(
        "plesk",
        "Plesk",
        lanes=2,
        messages=_MANY,
        asking=False,
        banner=r"\bplesk\b",
        setup=(
            "Tools & Settings, Mail Server Settings: white-list our address; exempt it from greylisting and SPF.",
            (
                "It accepts every recipient and bounces later: give us the list of mailboxes "
                "(stratamail mailbox import DOMAIN FILE.csv)."
            ),
        ),
    ),
    Profile(
        "zimbra",
        "Zimbra",
        lanes=2,
        messages=_MANY,
        banner=r"\bzimbra\b",
        setup=(
            "zmprov ms HOST +zimbraMtaMyNetworks OUR-ADDRESS/32, and put it on the lists of postscreen and cbpolicyd.",
        ),
    ),
    Profile(
        "kerio",
        "Kerio Connect",
        lanes=2,
        asking=False,
        banner=r"\bkerio\b",
        setup=(
            (
                "Configuration, SMTP Server, Security Options: put our address into the group that is exempt from "
                "limits; it blocks an address that asks for unknown recipients."
            ),
            "Spam Filter, Greylisting and SPF: exempt the same group.",
        ),
    ),
)
PROFILES = {profile.name: profile for profile in _ALL}
NAMES = (AUTO, *PROFILES)


def profile(name: str) -> Profile:
    """The profile called ``name``; the generic one for a name that is not known (any more)."""
    return PROFILES.get(name, PROFILES["generic"])


def per_connection(profile: Profile, banner: str) -> int:
    """Messages on one connection to a host that greets with ``banner``, before it would end it by itself."""
    return min([profile.messages, *(most for pattern, most in _ENDS if re.search(pattern, banner))])


@lru_cache(10_000)
def guess(host: str, banner: str = "") -> str:
    """The kind of primary at ``host`` (a name or IP literal) that greets with ``banner``: "generic" when neither tells.
    The name is believed before the banner."""
    name = host.lower().rstrip(".")
    for one in _ALL:
        if any(name == end or name.endswith("." + end) for end in one.hosts):
            return one.name
    for one in _ALL:
        if one.banner and re.search(one.banner, banner, re.IGNORECASE):
            return one.name
    return "generic"


def of(name: str, hosts: Iterable[str], banner: str = "") -> Profile:
    """The profile that a domain names; when that is :data:`AUTO`, the one that the first of its ``hosts`` that tells
    something, and ``banner``, point to."""
    if name != AUTO:
        return profile(name)
    kinds = (guess(host) for host in hosts)
    return profile(next((kind for kind in kinds if kind != "generic"), guess("", banner)))
