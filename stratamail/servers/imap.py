"""The IMAP doors: ``imap`` (STARTTLS) and ``imaps`` (TLS from the first octet). Writes nothing to disk itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.protocol import Factory

from stratamail.config.settings import Settings
from stratamail.servers.imap_append import AppendCommand
from stratamail.servers.imap_commands import Commands
from stratamail.servers.imap_connection import GOING, SHUT_DOWN, Door, ImapConnection
from stratamail.servers.imap_folders import FolderCommands
from stratamail.servers.imap_quota import QuotaCommands
from stratamail.servers.imap_signin import CheckPassword, SignInCommands
from stratamail.shadow.namespaces import Namespaces
from stratamail.shadow.shadow import Shadow
from stratamail.tenancy.model import Mailbox

Network = IPv4Network | IPv6Network
KINDS = ("imap", "imaps")


class ImapFactory(Factory):
    """The connections of one listener. ``kind`` is "imap" or "imaps"; ``signin`` is ``async (user, password, peer) ->
    Mailbox | None``; ``tls`` None: no STARTTLS (and no "imaps"). ``shared`` gives what a mailbox reads now: names
    of shared mailboxes and their addresses."""

    noisy = False

    def __init__(
        self,
        kind: str,
        shadow: Shadow,
        settings: Settings,
        reactor: IReactorTime,
        tls: IOpenSSLServerConnectionCreator | None,
        signin: CheckPassword,
        shared: Callable[[Mailbox], Mapping[str, str]] = lambda mailbox: {},
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"no IMAP door is called {kind!r}")
        if kind == "imaps" and tls is None:
            raise ValueError("imaps needs TLS")
        size = settings.limits.message_size
        proxied = partial(in_networks, networks=settings.listen.proxy_trust)

        def open_box(mailbox: Mailbox) -> Namespaces:
            return shadow.namespaces(mailbox.address, partial(shared, mailbox))

        commands = Commands(
            SignInCommands(signin, open_box, proxied),
            FolderCommands(size),
            AppendCommand(size),
            QuotaCommands(settings.limits.mailbox_room),
            size,
        )
        hostname, most = settings.server.hostname, settings.limits.connections
        self._reactor = reactor
        self._door = Door(commands, reactor, hostname, tls, kind == "imaps", most, proxied, self._closed)
        self._empty: list[Deferred[None]] = []

    @property
    def sessions(self) -> Collection[ImapConnection]:
        """The connections that are open."""
        return self._door.open

    def buildProtocol(self, addr: IAddress | None) -> ImapConnection:
        protocol = ImapConnection(self._door)
        protocol.factory = self
        return protocol

    def _closed(self, protocol: ImapConnection) -> None:
        self._door.open.discard(protocol)
        if not self._door.open:
            waiting, self._empty = self._empty, []
            for each in waiting:
                each.callback(None)

    def shut_down(self) -> Deferred[None]:
        """BYE to everybody: at once to who waits, after the command in hand (30 s at most) to the others."""
        self._door.closing = True
        done: Deferred[None] = Deferred()
        if not self._door.open:
            done.callback(None)
            return done
        self._empty.append(done)
        for protocol in list(self._door.open):
            protocol.finish(GOING)
        last = self._reactor.callLater(SHUT_DOWN, self._abort)

        def over(result: None) -> None:
            if last.active():
                last.cancel()

        return done.addCallback(over)

    def _abort(self) -> None:
        for protocol in list(self._door.open):
            protocol.abort()

    def drop(self, mailbox_ids: Collection[int]) -> None:
        """End the sessions of these mailboxes now, and those that look at a shared mailbox which they read no more."""
        for protocol in list(self._door.open):
            session = protocol.session
            if session.mailbox is not None and session.mailbox.id in mailbox_ids:
                protocol.bye("Sign-in was withdrawn")
            elif session.view is not None and not session.the_box().permits(session.view):
                protocol.bye("The mailbox is not shared with you any more")


def in_networks(address: str, networks: Collection[Network]) -> bool:
    """Whether an IP address in text lies in one of ``networks``."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)
