"""The settings as typed values, with the defaults of the shipped ``etc/stratamail.toml``.

Durations are seconds, sizes are bytes. ``config.load`` reads the file; nothing here touches the disk.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from attrs import field, frozen

Network = IPv4Network | IPv6Network
MB = 1000 * 1000
GB = 1000 * MB


@frozen
class Server:
    hostname: str
    state: str = "/var/lib/stratamail"
    workers: int = 0
    user: str = ""


@frozen
class Listen:
    """Twisted endpoint strings per door; an empty tuple turns the door off."""

    smtp: tuple[str, ...] = ("tcp:25",)
    submission: tuple[str, ...] = ("tcp:587",)
    submissions: tuple[str, ...] = ("tcp:465",)
    imap: tuple[str, ...] = ("tcp:143",)
    imaps: tuple[str, ...] = ("tcp:993",)
    http: tuple[str, ...] = ("tcp:8080:interface=127.0.0.1",)
    proxy_trust: tuple[Network, ...] = ()


@frozen
class Tls:
    certificates: str = "/etc/stratamail/tls"


@frozen
class Catalog:
    url: str = ""


@frozen
class Relay:
    retry_every: float = 300.0
    smart_host: str = ""
    resolver: str = ""
    window: int = 64


@frozen
class Ratio:
    """ "3 of 4": ``count`` among the last ``among`` probes."""

    count: int
    among: int


@frozen
class Probe:
    """``quiet`` is None when the file leaves it empty: then it is twice ``every`` (``quiet_period``)."""

    every: float = 30.0
    open: Ratio = Ratio(3, 4)
    close: Ratio = Ratio(3, 3)
    quiet: float | None = None
    references: tuple[str, ...] = ()

    @property
    def quiet_period(self) -> float:
        return 2 * self.every if self.quiet is None else self.quiet


@frozen
class Limits:
    message_size: int = 150 * MB
    recipients: int = 1000
    connections: int = 2000
    connections_per_peer: int = 50
    disk_reserve: int = 2 * GB
    rate_per_peer: int = 0
    mailbox_room: int = 50 * GB


@frozen
class Alerts:
    """``smtp``, ``sms`` and ``webhook`` are the raw tables, read by the channel that they configure."""

    tell_users_after: float = 600.0
    heartbeat: str = ""
    smtp: dict[str, object] = field(factory=dict)
    sms: dict[str, object] = field(factory=dict)
    webhook: dict[str, object] = field(factory=dict)


@frozen
class Settings:
    server: Server
    listen: Listen = Listen()
    tls: Tls = Tls()
    catalog: Catalog = Catalog()
    relay: Relay = Relay()
    probe: Probe = Probe()
    limits: Limits = Limits()
    alerts: Alerts = Alerts()
