"""Notices within moments what other tools do to the Maildirs that sessions look at, and lets idle indexes go.

Writes nothing itself: what it hears goes to ``mailboxes.noticed`` and ``mailboxes.look``, in their thread. Where the
kernel tells no more (no inotify, its limits reached) the directories' times are looked at each second instead.

Our own changes are heard too, and found to be in the index already: that costs some microseconds for each message.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from stratamail.mail.reply import DiskFull
from stratamail.shadow.folder import Folder
from stratamail.shadow.notices import CLOSE_WRITE, IS_DIRECTORY, MOVED_TO, OVERFLOW, Notices, Readers
from stratamail.store import maildir
from stratamail.store.mailbox_outside import COMPLETE
from stratamail.store.mailbox_values import MailboxError
from stratamail.store.mailboxes import Mailboxes
from stratamail.store.pool import Pool, PoolStopped

GATHER, AGAIN_AFTER, TICK = 0.02, 0.25, 1.0
"""Seconds: over which events are gathered; after which what is unsure is told again; between two looks where no event
tells anything."""
MOST = 5000
"""With more events than that the folder is looked through instead."""
IDLE, IDLE_TICKS = 60.0, 15
"""Seconds after which an unused index is closed; ticks between two times that this is done, and after which a folder
that nobody has open is not watched any more."""
_log = Logger()


class Timer(Readers, Protocol):
    """The part of a reactor that this needs."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> IDelayedCall: ...


class _Watched:
    """A folder that sessions look at. ``entries`` are to be told; ``whole``: it is to be looked through."""

    def __init__(self, address: str, folder: Folder) -> None:
        self.address = address
        self.folder = folder
        self.watches: list[int] = []
        self.entries: dict[str, int] = {}
        self.whole = False
        self.busy = False
        self.idle = 0
        self.call: IDelayedCall | None = None


class Outside:
    """``start`` needs a reactor with descriptors; without it (and before it) nothing is watched."""

    def __init__(self, reactor: Timer, mailboxes: Mailboxes, files: Pool) -> None:
        self._reactor = reactor
        self._mailboxes = mailboxes
        self._files = files
        self._folders: dict[tuple[str, str], _Watched] = {}
        # watch → the folder and the place below it ("new", "cur")
        self._watches: dict[int, tuple[_Watched, str]] = {}
        # watch → the mailbox whose directory it is
        self._roots: dict[int, str] = {}
        self._ticks = 0
        self._notices: Notices | None = None
        self._tick: IDelayedCall | None = None

    def start(self) -> None:
        try:
            self._notices = Notices(self._reactor, self._told)
        except OSError as error:
            _log.warn("no inotify ({error}): Maildirs are looked at each second", error=str(error))
        self._tick = self._reactor.callLater(TICK, self._ticked)

    def stop(self) -> None:
        for watched in list(self._folders.values()):
            self._drop(watched)
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if self._notices is not None:
            self._notices.close()
            self._notices = None

    def watch(self, address: str, folder: Folder) -> None:
        """A session opens the folder: from now on until nobody has it open, what changes is noticed. What happened
        before, the caller looks for."""
        watched = self._folders.get((address, folder.name))
        if self._tick is None or (watched is not None and watched.folder is folder):
            return
        if watched is not None:
            self._drop(watched)
        watched = self._folders[address, folder.name] = _Watched(address, folder)
        self._add_watches(watched)

    def watches(self, address: str, folder: Folder) -> bool:
        """Whether the kernel tells what happens in the folder."""
        watched = self._folders.get((address, folder.name))
        return watched is not None and watched.folder is folder and bool(watched.watches)

    def forget(self, is_mailbox: Callable[[str], bool]) -> None:
        """Mailboxes that are removed are not looked at again."""
        for watched in [one for one in self._folders.values() if not is_mailbox(one.address)]:
            self._drop(watched)

    # watches

    def _add_watches(self, watched: _Watched) -> None:
        root = self._mailboxes.layout.mailbox(watched.address)
        path = os.path.join(root, maildir.directory(watched.folder.name))
        if self._notices is None:
            return
        try:
            for place in ("new", "cur"):
                watch = self._notices.add(os.path.join(path, place))
                watched.watches.append(watch)
                self._watches[watch] = (watched, place)
            self._roots[self._notices.add(root)] = watched.address
        except OSError as error:
            _log.info("{path} cannot be watched ({error})", path=path, error=str(error))
            self._remove_watches(watched)

    def _remove_watches(self, watched: _Watched) -> None:
        mine = [watch for watch in watched.watches if self._watches.pop(watch, None) is not None]
        if not any(one.address == watched.address for one in self._folders.values()):
            mine += [watch for watch, address in self._roots.items() if address == watched.address]
        for watch in mine:
            self._roots.pop(watch, None)
            if self._notices is not None:
                self._notices.remove(watch)
        watched.watches = []

    def _drop(self, watched: _Watched) -> None:
        self._folders.pop((watched.address, watched.folder.name), None)
        self._remove_watches(watched)
        if watched.call is not None:
            watched.call.cancel()
            watched.call = None

    def _ticked(self) -> None:
        self._tick = self._reactor.callLater(TICK, self._ticked)
        for watched in list(self._folders.values()):
            watched.idle = 0 if watched.folder.watchers else watched.idle + 1
            if not watched.folder.alive or watched.idle > IDLE_TICKS:
                self._drop(watched)
            elif not watched.watches:
                watched.whole = True
                self._soon(watched, 0)
        self._ticks += 1
        if self._ticks % IDLE_TICKS == 0:
            self._files.run(self._mailboxes.release, IDLE).addErrback(self._logged)

    # events

    def _told(self, watch: int, mask: int, name: str) -> None:
        if mask & OVERFLOW:
            self._look_soon(lambda watched: True)
            return
        if watch in self._roots:
            if mask & IS_DIRECTORY and name.startswith("."):
                self._look_soon(lambda watched: watched.address == self._roots[watch])
            return
        watched, place = self._watches.get(watch, (None, ""))
        if watched is None:
            return
        if not name:  # the directory itself is gone
            watched.whole = True
        else:
            bits = COMPLETE if mask & (CLOSE_WRITE | MOVED_TO) else 0
            entry = f"{place}/{name}"
            watched.entries[entry] = watched.entries.get(entry, 0) | bits
        self._soon(watched, GATHER)

    def _look_soon(self, which: Callable[[_Watched], bool]) -> None:
        for watched in filter(which, self._folders.values()):
            watched.whole = True
            self._soon(watched, GATHER)

    def _soon(self, watched: _Watched, delay: float) -> None:
        if watched.call is None and not watched.busy:
            watched.call = self._reactor.callLater(delay, self._flush, watched)

    def _flush(self, watched: _Watched) -> None:
        watched.call = None
        entries, watched.entries = watched.entries, {}
        whole, watched.whole = watched.whole or len(entries) > MOST, False
        watched.busy = True
        address, name = watched.address, watched.folder.name
        done: Deferred[dict[str, int]]
        if whole:
            done = self._files.run(self._whole, address, name)
        else:
            done = self._files.run(self._mailboxes.noticed, address, name, entries)
        done.addCallbacks(self._flushed, self._failed, callbackArgs=(watched,), errbackArgs=(watched,))

    def _whole(self, address: str, name: str) -> dict[str, int]:
        """In the mailboxes' thread: "" stands for a look that is to be repeated."""
        return {"": 0} if self._mailboxes.look(address, name) else {}

    def _flushed(self, later: dict[str, int], watched: _Watched) -> None:
        watched.busy = False
        if "" in later:
            watched.whole = True
        else:
            for entry, bits in later.items():
                watched.entries[entry] = watched.entries.get(entry, 0) | bits
        if self._folders.get((watched.address, watched.folder.name)) is not watched:
            return
        if later:
            self._soon(watched, AGAIN_AFTER)
        elif watched.entries or watched.whole:
            self._soon(watched, GATHER)

    def _failed(self, failure: Failure, watched: _Watched) -> None:
        watched.busy = False
        self._logged(failure)
        if self._tick is not None and self._folders.get((watched.address, watched.folder.name)) is watched:
            watched.whole = True
            self._soon(watched, TICK)

    @staticmethod
    def _logged(failure: Failure) -> None:
        if not failure.check(MailboxError, PoolStopped, CancelledError, DiskFull):
            _log.failure("noticing changes of Maildirs failed", failure)
