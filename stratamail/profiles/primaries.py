"""What kinds of primary there are and how each wants to be treated: pacing and TLS, as data. Starting values."""

from __future__ import annotations

from attrs import frozen


@frozen
class Profile:
    """``tls`` the policy when a domain names none; ``per_mailbox`` messages a minute to one mailbox, 0 = no limit;
    ``messages`` on one connection before a new one is opened; ``cure`` what to set up there, for a person."""

    name: str
    tls: str = "may"
    per_mailbox: int = 0
    messages: int = 100
    cure: str = "allow-list our address for greylisting, SPF and block lists"


_ALL = (
    Profile("generic"),
    Profile(
        "m365",
        tls="encrypt",
        per_mailbox=50,
        messages=50,
        cure="an inbound connector for our certificate or address; "
        "enhanced filtering skips the filter's and our addresses",
    ),
    Profile(
        "google",
        tls="encrypt",
        per_mailbox=30,
        messages=50,
        cure='list our addresses as an inbound gateway, with "reject all mail not from gateway IPs" off',
    ),
    Profile("exchange", cure="a receive connector scoped to our address; its size limit not below ours"),
    Profile("cpanel", cure='set "Local Mail Exchanger", and name our address as a trusted SMTP address'),
    Profile("plesk"),
    Profile("zimbra"),
    Profile("kerio", cure="exempt our address from its limits: it blocks who asks for unknown recipients"),
)
PROFILES = {profile.name: profile for profile in _ALL}
NAMES = tuple(PROFILES)


def profile(name: str) -> Profile:
    """The profile called ``name``; the generic one for a name that is not known (any more)."""
    return PROFILES.get(name, PROFILES["generic"])
