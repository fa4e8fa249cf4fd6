"""The values of the tenancy: frozen, comparable, without behaviour that needs disk or clock."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from attrs import field, frozen

Network = IPv4Network | IPv6Network

MODES = ("both", "relay-only", "mirror", "migration")
UNKNOWN = ("accept", "reject", "learn")
TLS = ("none", "may", "encrypt", "verify")
KINDS = ("operator", "reseller", "customer")


@frozen
class Account:
    id: int
    name: str
    kind: str
    parent: int | None


@frozen
class HostPort:
    """A host name or IP literal and a port; ``str()`` gives "host:port" (IPv6 in brackets)."""

    host: str
    port: int = 25

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@frozen
class Domain:
    """A protected domain. ``name`` is the A-label in lower case; ``alias_of`` names the id of the main domain;
    ``tls`` "" means the profile's; ``profile`` "auto": told by the primary's name and banner; an empty ``trust`` takes
    mail from anybody and trusts nobody. ``return_after`` seconds held mail to an unknown user goes back to a sender
    whose domain is proven, 0 never."""

    id: int
    account: int
    name: str
    primaries: tuple[HostPort, ...] = ()
    mode: str = "both"
    tls: str = ""
    trust: tuple[Network, ...] = ()
    unknown: str = "accept"
    profile: str = "auto"
    filter: str = "none"
    alias_of: int | None = None
    return_after: int = 3 * 86_400


@frozen
class Mailbox:
    """A shadow mailbox. ``address`` is its main address (key form: lower case, A-label domain). ``kind`` is "mailbox",
    or "shared" for that of a shared address, which nobody signs in to."""

    id: int
    account: int
    domain: int
    address: str
    name: str = ""
    state: str = "enabled"
    alternate: str = ""
    mobile: str = ""
    kind: str = "mailbox"


@frozen
class Address:
    """A listed address that is not a mailbox's own: kind "alias" (one target mailbox address), "group" (members are
    addresses, inside or outside), "shared" (readers are mailbox addresses; its mail is in a mailbox of its own).
    ``send_as`` are mailbox addresses."""

    id: int
    account: int
    domain: int
    address: str
    kind: str
    members: tuple[str, ...] = ()
    send_as: tuple[str, ...] = ()


@frozen
class Resolution:
    """What an envelope recipient means today. ``domain`` None: not ours. ``listed``: the address list names it (or it
    is postmaster, or a plus-address of a listed one). ``mailboxes``: ids that get a shadow copy, each once, in order.
    ``unclaimed``: the address key to keep for enrolment when nobody claims it, else ""."""

    domain: Domain | None
    listed: bool = False
    mailboxes: tuple[int, ...] = ()
    unclaimed: str = field(default="")
