"""The listeners: every door of ``[listen]`` with its factory, opened together and closed together.

What a door may offer to whom is its factory's business. Writes nothing but a UNIX listener's socket.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import Protocol

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger


class Door(Protocol):
    """What the SMTP and IMAP factories can do beside making protocols."""

    def shut_down(self) -> Deferred[None]: ...

    def drop(self, mailbox_ids: Collection[int]) -> None: ...


class Doors:
    """``add`` what shall be opened, ``open`` it all, ``close`` it all."""

    log = Logger()

    def __init__(self, reactor: object) -> None:
        self._reactor = reactor
        self._planned: list[tuple[str, str, IProtocolFactory]] = []
        self._doors: list[Door] = []
        self._ports: list[IListeningPort] = []

    def add(self, name: str, endpoint: str, factory: IProtocolFactory, door: Door | None = None) -> None:
        """``door``: the factory again, when its sessions end at a stop and when their mailbox is disabled."""
        self._planned.append((name, endpoint, factory))
        if door is not None:
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
