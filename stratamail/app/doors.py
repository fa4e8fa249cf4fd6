"""The listeners: every door of ``[listen]`` with its factory, opened together and closed together.

Implicit TLS is wrapped around a factory here. AUTH in clear is offered on loopback listeners only. Writes nothing.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Collection
from typing import Protocol

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IOpenSSLServerConnectionCreator, IProtocolFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

_INTERFACE = re.compile(r"(?:^|:)interface=((?:\\:|[^:])+)")


class Door(Protocol):
    """What the SMTP and IMAP factories can do beside making protocols."""

    def shut_down(self) -> Deferred[None]: ...

    def drop(self, mailbox_ids: Collection[int]) -> None: ...


def loopback(endpoint: str) -> bool:
    """Whether an endpoint string names a listener that only this machine can reach."""
    if endpoint.startswith("unix:"):
        return True
    found = _INTERFACE.search(endpoint)
    if found is None:
        return False
    try:
        return ipaddress.ip_address(found.group(1).replace("\\:", ":")).is_loopback
    except ValueError:
        return False


class Doors:
    """``add`` what shall be opened, ``open`` it all, ``close`` it all."""

    log = Logger()

    def __init__(self, reactor: object) -> None:
        self._reactor = reactor
        self._planned: list[tuple[str, str, IProtocolFactory]] = []
        self._doors: list[Door] = []
        self._ports: list[IListeningPort] = []

    def add(
        self, name: str, endpoint: str, factory: IProtocolFactory, tls: IOpenSSLServerConnectionCreator | None = None
    ) -> None:
        """``tls`` wraps the connections from their first octet."""
        wrapped = factory if tls is None else TLSMemoryBIOFactory(tls, False, factory)
        if isinstance(wrapped, TLSMemoryBIOFactory):
            wrapped.noisy = False
        self._planned.append((name, endpoint, wrapped))

    def watch(self, door: Door) -> None:
        """A factory whose sessions are ended at a stop, and when their mailbox is disabled."""
        self._doors.append(door)

    async def open(self) -> None:
        """Raises ``CannotListenError`` and the like; then nothing stays open."""
        # a UNIX listener of ours is for this machine's own mail programs, not for everybody on it
        mask = os.umask(0o007)
        try:
            for name, endpoint, factory in self._planned:
                port = await serverFromString(self._reactor, endpoint).listen(factory)
                self._ports.append(port)
                self.log.info("{door} listens on {address}", door=name, address=port.getHost())
        except Exception:
            await self.stop_listening()
            raise
        finally:
            os.umask(mask)

    async def stop_listening(self) -> None:
        ports, self._ports = self._ports, []
        for port in ports:
            await _maybe(port.stopListening)

    async def close(self) -> None:
        """Stop listening, then let every session end in its own way (DATA in hand is finished)."""
        await self.stop_listening()
        await DeferredList([door.shut_down() for door in self._doors], consumeErrors=True)

    def drop(self, mailbox_ids: Collection[int]) -> None:
        for door in self._doors:
            door.drop(mailbox_ids)


async def _maybe(stop: Callable[[], Deferred[None] | None]) -> None:
    done = stop()
    if done is not None:
        await done
