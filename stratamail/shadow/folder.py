"""One folder in memory, shared by all sessions that have it open: columns, kept true by what the mailboxes tell.

Touches no disk. Everything here happens in the reactor's thread.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.logger import Logger

from stratamail.shadow.by_index import Numbers
from stratamail.shadow.summaries import Headers
from stratamail.store import maildir
from stratamail.store.index import KEYWORDS, Columns
from stratamail.store.mailbox_values import Added, Change, Flagged, Keywords, Loaded, Removed

_log = Logger()
_LOWEST = 0 if sys.byteorder == "little" else 7
_SEEN = bytes(byte & maildir.SEEN for byte in range(256))
_SYSTEM = [(bit, name) for name, bit in maildir.BUILT_IN.items()]


class Watcher(Protocol):
    """A session's side of a folder."""

    def heard(self, added: bool, flagged: tuple[int, ...], removed: tuple[int, ...]) -> None: ...

    def lost(self) -> None: ...


class Folder:
    """``columns`` hold the messages of now. ``columns.uids`` is never changed in place, so that a session may hold the
    one it was told of; an expunge makes new columns. ``recent`` is the first UID that no session was told
    of; ``version`` counts changes; ``before`` is the highest mod-sequence before the last change."""

    def __init__(self, loaded: Loaded) -> None:
        self.name = loaded.name
        self.uidvalidity = loaded.uidvalidity
        self.uidnext = loaded.uidnext
        self.highestmodseq = self.before = loaded.modseq
        self.recent = loaded.recent
        self.columns = loaded.columns
        self.alive = True
        self.version = 0
        self.watchers: list[Watcher] = []
        self.headers = Headers()
        self.numbers = Numbers()
        self._keywords: Keywords = loaded.keywords
        self._names: dict[int, tuple[str, ...]] = {}
        self._unseen: int | None = None
        self._octets: int | None = None

    @property
    def keywords(self) -> tuple[str, ...]:
        return tuple(word for word in self._keywords if word is not None)

    @property
    def full(self) -> bool:
        """Whether no keyword can be added: the messages have all that a folder can hold."""
        if len(self.keywords) < KEYWORDS:
            return False
        used = 0
        for flags in set(self.columns.flags):
            used |= flags
        return used >> maildir.FIRST_KEYWORD == (1 << KEYWORDS) - 1

    @property
    def unseen(self) -> int:
        if self._unseen is None:
            self._unseen = self._read().count(b"\0")
        return self._unseen

    @property
    def octets(self) -> int:
        """What the messages take together."""
        if self._octets is None:
            self._octets = sum(self.columns.sizes)
        return self._octets

    @property
    def first_unseen(self) -> int | None:
        """Where the first message without \\Seen stands."""
        found = self._read().find(b"\0") if self.unseen else -1
        return None if found < 0 else found

    def _read(self) -> bytes:
        """A byte for each message, zero when it is unseen: no loop over messages holds up the reactor."""
        return self.columns.flags.tobytes()[_LOWEST :: self.columns.flags.itemsize].translate(_SEEN)

    def release(self) -> None:
        """Give back the memory that can be filled again."""
        self.headers.release()
        self.numbers.release()

    def names(self, flags: int) -> tuple[str, ...]:
        """The flags behind the bits, as a client reads them."""
        found = self._names.get(flags)
        if found is None:
            words = enumerate(self._keywords, maildir.FIRST_KEYWORD)
            system = [name for bit, name in _SYSTEM if flags & bit]
            found = (*system, *(word for bit, word in words if word is not None and flags & 1 << bit))
            if len(self._names) > 5000:
                self._names.clear()
            self._names[flags] = found
        return found

    def mask(self, flag: str) -> int:
        """The bit of a flag's name in any case; 0 when no message can have it."""
        wanted = flag.lower()
        for bit, name in _SYSTEM:
            if name.lower() == wanted:
                return bit
        for bit, word in enumerate(self._keywords, maildir.FIRST_KEYWORD):
            if word is not None and word.lower() == wanted:
                return 1 << bit
        return 0

    def position(self, uid: int) -> int | None:
        """Where a UID stands in the columns of now."""
        uids = self.columns.uids
        i = bisect_left(uids, uid)
        return i if i < len(uids) and uids[i] == uid else None

    def apply(self, change: Change) -> None:
        """Take note of a change that is committed, and wake the sessions."""
        if not self.alive:
            return
        self.version += 1
        self.before = self.highestmodseq
        if isinstance(change, Added):
            self._words(change.keywords)
            self._add(change)
            self._tell(True, (), ())
        elif isinstance(change, Flagged):
            self._words(change.keywords)
            self._flag(change)
            self._tell(False, tuple(uid for uid, _, _ in change.changes), ())
        elif isinstance(change, Removed):
            self._remove(change)
            self._tell(False, (), change.uids)
        else:
            self.alive = False
            self._each(lambda watcher: watcher.lost())

    def _tell(self, added: bool, flagged: tuple[int, ...], removed: tuple[int, ...]) -> None:
        self._each(lambda watcher: watcher.heard(added, flagged, removed))

    def _each(self, tell: Callable[[Watcher], None]) -> None:
        for watcher in list(self.watchers):
            try:
                tell(watcher)
            except Exception:
                # one session's trouble is not the others'
                _log.failure("a session of {name} could not be told", name=self.name)

    def _words(self, keywords: Keywords) -> None:
        if keywords and keywords != self._keywords:
            self._keywords = keywords
            self._names.clear()

    def _add(self, change: Added) -> None:
        columns = self.columns
        # what was loaded after its commit is in the columns already
        rows = [row for row in change.rows if row.uid >= self.uidnext]
        if not rows:
            return
        for row in rows:
            columns.modseqs.append(row.modseq)
            columns.flags.append(row.flags)
            columns.sizes.append(row.size)
            columns.dates.append(row.date)
            columns.bases.append(row.base)
            columns.saves.append(row.saved)
        columns.uids = columns.uids + array("I", [row.uid for row in rows])
        self.uidnext = rows[-1].uid + 1
        self.highestmodseq = max(self.highestmodseq, rows[-1].modseq)
        if self._unseen is not None:
            self._unseen += sum(not row.flags & maildir.SEEN for row in rows)
        if self._octets is not None:
            self._octets += sum(row.size for row in rows)

    def _flag(self, change: Flagged) -> None:
        for uid, modseq, flags in change.changes:
            i = self.position(uid)
            if i is not None:
                if self._unseen is not None:
                    self._unseen += (self.columns.flags[i] & maildir.SEEN) - (flags & maildir.SEEN)
                self.columns.flags[i] = flags
                self.columns.modseqs[i] = modseq
            self.highestmodseq = max(self.highestmodseq, modseq)

    def _remove(self, change: Removed) -> None:
        old = self.columns
        gone = [i for i in map(self.position, change.uids) if i is not None]
        self.highestmodseq = max(self.highestmodseq, change.modseq)
        if not gone:
            return
        if self._unseen is not None:
            self._unseen -= sum(not old.flags[i] & maildir.SEEN for i in gone)
        if self._octets is not None:
            self._octets -= sum(old.sizes[i] for i in gone)
        self.columns = without(old, gone)


def without(old: Columns, gone: Sequence[int]) -> Columns:
    """The columns less the messages at ``gone``, which ascend."""
    new = Columns()
    for name in Columns.__slots__:
        setattr(new, name, shortened(getattr(old, name), gone))
    return new


def shortened(column: Any, gone: Sequence[int]) -> Any:
    """A new array or list, less what stands at ``gone``, which ascend."""
    kept = column[:0]
    start = 0
    for i in gone:
        if i > start:
            kept += column[start:i]
        start = i + 1
    kept += column[start:]
    return kept
