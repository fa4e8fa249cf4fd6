"""All shadow mailboxes that sessions look at, and what remains of them in memory for the next session.

Writes nothing itself. Webmail opens a connection for every click: a mailbox stays loaded until others need the room.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol
from weakref import WeakValueDictionary

from twisted.internet.interfaces import IDelayedCall

from stratamail.shadow.box import Box, Workers
from stratamail.shadow.namespaces import Namespaces
from stratamail.shadow.outside import Outside
from stratamail.store.findable import Findable
from stratamail.store.mailbox_values import Change
from stratamail.store.mailboxes import Mailboxes
from stratamail.store.model import Message, NewMessage
from stratamail.store.pool import Pool
from stratamail.store.spool import Spool

ROWS_KEPT = 300_000
BOXES_KEPT = 256


class Reactor(Protocol):
    def seconds(self) -> float: ...

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> IDelayedCall: ...

    def callFromThread(self, callable: Callable[..., object], *args: object) -> None: ...


class Shadow:
    """Takes the place of ``mailboxes.listener``. ``commit`` makes the row of an appended message durable, ``spool``
    takes its bytes; without them nothing can be appended. ``rows_kept`` bounds the messages that stay in memory;
    ``outside`` notices what other tools do, at once."""

    def __init__(
        self,
        mailboxes: Mailboxes,
        files: Pool,
        disk: Pool,
        reactor: Reactor,
        spool: Spool | None = None,
        commit: Callable[[NewMessage], Awaitable[Message]] | None = None,
        appended: Callable[[Iterable[int]], None] = lambda seqs: None,
        rows_kept: int = ROWS_KEPT,
        outside: Outside | None = None,
    ) -> None:
        self._workers = Workers(
            mailboxes, files, disk, reactor, spool, commit, appended, Findable(mailboxes.layout), outside
        )
        self._reactor = reactor
        self._rows_kept = rows_kept
        self._boxes: WeakValueDictionary[str, Box] = WeakValueDictionary()
        # the ones that outlive their sessions, least recently used first
        self._kept: OrderedDict[str, Box] = OrderedDict()
        mailboxes.listener = self._told

    async def open(self, address: str) -> Box:
        """As :meth:`box`."""
        return self.box(address)

    def namespaces(self, address: str, shared: Callable[[], Mapping[str, str]] | None = None) -> Namespaces:
        """What the person with the mailbox ``address`` may open: it, and what ``shared`` (name → address) gives at that
        moment."""
        return Namespaces(self.box(address), self.box, shared or dict)

    def box(self, address: str) -> Box:
        """The box of a mailbox (its main address in key form). A session may hold it as long as it likes."""
        box = self._boxes.get(address)
        if box is None:
            box = self._boxes[address] = Box(address, self._workers)
        self._kept[address] = box
        self._kept.move_to_end(address)
        self._make_room()
        return box

    async def forget(self, is_mailbox: Callable[[str], bool]) -> None:
        """Let go of removed mailboxes, whose folders are about to be set aside: whoever gets such an address later
        starts anew."""
        for address in [address for address in list(self._boxes) if not is_mailbox(address)]:
            self._boxes.pop(address, None)
            self._kept.pop(address, None)
        if self._workers.outside is not None:
            self._workers.outside.forget(is_mailbox)
        await self._workers.files.run(self._workers.mailboxes.forget, is_mailbox)

    def stop(self) -> None:
        """The end: what waits to let go of memory need not."""
        for box in list(self._boxes.values()):
            box.stop()

    def _told(self, address: str, folder: str, change: Change) -> None:
        # in the mailboxes' thread: a box that is made this moment has not loaded anything yet
        if address in self._boxes:
            self._reactor.callFromThread(self._apply, address, folder, change)

    def _apply(self, address: str, folder: str, change: Change) -> None:
        box = self._boxes.get(address)
        if box is not None:
            box.heard(folder, change)

    def _make_room(self) -> None:
        total = sum(box.weight for box in self._kept.values())
        while len(self._kept) > 1 and (total > self._rows_kept or len(self._kept) > BOXES_KEPT):
            _, box = self._kept.popitem(last=False)
            total -= box.weight
