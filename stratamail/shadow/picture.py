"""What a client knows of its selected folder: the sequence numbers it was told, and what it must be told next.

Touches no disk; lives in the reactor's thread.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from stratamail.shadow.folder import Folder, shortened
from stratamail.shadow.updates import Exists, Expunged, Flags, Update
from stratamail.store import maildir
from stratamail.store.index import Columns

AT_ONCE = 1000
"""So many messages' news are told in one go: the other sessions have their turn in between."""


class Row(NamedTuple):
    """A message: ``flags`` as text with \\Recent, ``size`` in octets (RFC822.SIZE), ``date`` in microseconds (UTC)."""

    uid: int
    modseq: int
    flags: tuple[str, ...]
    size: int
    date: int


class Picture:
    """``uids[n - 1]`` is the UID of sequence number n; it changes in :meth:`updates` only. ``notify`` is called (in the
    reactor's thread) whenever ``updates`` has something to tell; ``claim`` when \\Recent was given to messages."""

    def __init__(
        self, folder: Folder, read_only: bool, notify: Callable[[], None], claim: Callable[[Folder], None]
    ) -> None:
        self.name = folder.name
        self.read_only = read_only
        self.folder = folder
        self.uids: array[int] = folder.columns.uids
        self.told_uidnext = folder.uidnext
        self.closed = False
        self._columns: Columns = folder.columns
        self._notify = notify
        self._claim = claim
        self._removed: set[int] = set()
        self._flagged: set[int] = set()
        self._mine: frozenset[int] = frozenset()
        # the highest mod-sequence before the first thing that is still to be told
        self._behind: int | None = None
        # ranges of UIDs, first and last, that this session was the first to see
        self._recent: list[tuple[int, int]] = []
        # columns put together while an expunge waits to be told
        self._mixed: dict[str, tuple[int, Any]] = {}
        self._note_recent(self.uids, 0)
        folder.watchers.append(self)

    # what SELECT tells

    @property
    def exists(self) -> int:
        return len(self.uids)

    @property
    def recent(self) -> int:
        return sum(bisect_right(self.uids, last) - bisect_left(self.uids, first) for first, last in self._recent)

    @property
    def uidvalidity(self) -> int:
        return self.folder.uidvalidity

    @property
    def uidnext(self) -> int:
        return self.folder.uidnext

    @property
    def highestmodseq(self) -> int:
        """The client knows of all changes up to this mod-sequence (RFC 7162 section 3.1.2.1); positive."""
        return max(1, self.folder.highestmodseq if self._behind is None else self._behind)

    @property
    def unseen(self) -> int:
        """How many messages lack \\Seen."""
        return self.folder.unseen

    @property
    def first_unseen(self) -> int | None:
        """The sequence number of the first message without \\Seen."""
        if self._columns is self.folder.columns:
            i = self.folder.first_unseen
            return None if i is None or i >= len(self.uids) else i + 1
        return next((i + 1 for i, flags in enumerate(self.column("flags")) if not flags & maildir.SEEN), None)

    @property
    def keywords(self) -> tuple[str, ...]:
        """The keywords in use in the folder."""
        return self.folder.keywords

    @property
    def alive(self) -> bool:
        """False when the folder was deleted, renamed or rebuilt under the session: its client must select again."""
        return self.folder.alive

    # rows

    def row(self, i: int) -> Row:
        """The message with sequence number i + 1, even when it was expunged meanwhile."""
        columns, at = self._at(i)
        return Row(
            self.uids[i], columns.modseqs[at], self._flags(self.uids[i], columns.flags[at]), columns.sizes[at],
            columns.dates[at],
        )  # fmt: skip

    def flags(self, i: int) -> tuple[str, ...]:
        """Its flags."""
        columns, at = self._at(i)
        return self._flags(self.uids[i], columns.flags[at])

    def bits(self, i: int) -> int:
        """Its flags as bits of ``store.maildir`` and of the folder's keywords."""
        columns, at = self._at(i)
        bits: int = columns.flags[at]
        return bits

    def modseq(self, i: int) -> int:
        """Its mod-sequence: the one before its expunge when it is gone."""
        columns, at = self._at(i)
        modseq: int = columns.modseqs[at]
        return modseq

    def size(self, i: int) -> int:
        columns, at = self._at(i)
        size: int = columns.sizes[at]
        return size

    def date(self, i: int) -> int:
        columns, at = self._at(i)
        date: int = columns.dates[at]
        return date

    def saved(self, i: int) -> int:
        """When it came into this folder (RFC 8514), in microseconds."""
        columns, at = self._at(i)
        saved: int = columns.saves[at]
        return saved

    def base(self, i: int) -> str:
        """The lasting part of its file's name."""
        columns, at = self._at(i)
        return columns.bases[at]

    def bases(self) -> list[str]:
        """Those of all messages in view, by index."""
        bases: list[str] = self._whole("bases")
        return bases

    def column(self, name: str) -> Sequence[int]:
        """ "flags" (bits), "modseqs", "sizes", "dates" or "saves" of all messages in view, by index."""
        column: array[int] = self._whole(name)
        return column

    def _whole(self, name: str) -> Any:
        now = getattr(self.folder.columns, name)
        if self._columns is self.folder.columns:
            return now[: len(self.uids)]
        kept = self._mixed.get(name)
        if kept is None or kept[0] != self.folder.version:
            kept = self._mixed[name] = self.folder.version, self._merged(getattr(self._columns, name), now)
        return kept[1]

    def _merged(self, old: Any, now: Any) -> Any:
        """A column of now, with the old values of what is gone and still counted, in the order of the client."""
        out = now[:0]
        start = taken = 0
        for gone in sorted(i for i in map(self.position, self._removed) if i is not None):
            out += now[taken : taken + gone - start]
            taken += gone - start
            out.append(old[self._before(self.uids[gone])])
            start = gone + 1
        return out + now[taken : taken + len(self.uids) - start]

    def is_recent(self, uid: int) -> bool:
        return any(first <= uid <= last for first, last in self._recent)

    def position(self, uid: int) -> int | None:
        """The index (sequence number - 1) of a UID in this view."""
        i = bisect_left(self.uids, uid)
        return i if i < len(self.uids) and self.uids[i] == uid else None

    def gone(self, uid: int) -> bool:
        """Whether the message was expunged and the client not yet told."""
        return uid in self._removed

    def _at(self, i: int) -> tuple[Columns, int]:
        now = self.folder.columns
        if self._columns is now:
            return now, i
        uid = self.uids[i]
        at = self.folder.position(uid)
        return (self._columns, self._before(uid)) if at is None else (now, at)

    def _before(self, uid: int) -> int:
        """Where a message that is gone stands in the columns that the client was told of."""
        return bisect_left(self._columns.uids, uid)

    def _flags(self, uid: int, bits: int) -> tuple[str, ...]:
        names = self.folder.names(bits & ~maildir.IN_NEW)
        return (*names, "\\Recent") if self.is_recent(uid) else names

    # news

    def updates(self, expunges: bool = True, limit: int = AT_ONCE) -> list[Update]:
        """What the client has not been told; from now on ``uids`` is as told. Without ``expunges`` nothing that would
        shift numbers is told, and new messages wait behind it. About ``limit`` messages at most are told of: then
        :meth:`more` says so."""
        out: list[Update] = []
        if self._removed and expunges:
            out += self._expunge_updates(limit)
        if not self._removed:
            out += self._exists_updates(len(self.uids) - len(out))
        out += self._flag_updates(max(0, limit - len(out)))
        if not self._removed and not self._flagged:
            self._behind = None
        return out

    def more(self, expunges: bool = True) -> bool:
        """Whether :meth:`updates` has still something to tell."""
        return bool(self._flagged or (expunges and self._removed))

    @property
    def behind(self) -> bool:
        """Whether the client does not know all that has happened."""
        return self._behind is not None

    def _expunge_updates(self, limit: int) -> list[Update]:
        some = [self._removed.pop() for _ in range(min(limit, len(self._removed)))]
        self._flagged.difference_update(some)
        gone = sorted(i for i in map(self.position, some) if i is not None)
        out: list[Update] = [Expunged(i + 1, self.uids[i]) for i in reversed(gone)]
        if self._removed:
            self.uids = shortened(self.uids, gone)
            self._mixed.clear()
        return out

    def _exists_updates(self, before: int) -> list[Update]:
        """Nothing that shifts numbers is left to tell: the folder of now. ``before`` messages were told of."""
        self._columns = self.folder.columns
        self.uids = self._columns.uids
        self.told_uidnext = self.folder.uidnext
        self._mixed.clear()
        if len(self.uids) <= before:
            return []
        self._note_recent(self.uids, before)
        return [Exists(len(self.uids), self.recent)]

    def _flag_updates(self, limit: int) -> list[Update]:
        out: list[Update] = []
        some = sorted(self._flagged.pop() for _ in range(min(limit, len(self._flagged))))
        for uid in some:
            i = self.position(uid)
            if i is not None and uid not in self._removed:
                out.append(Flags(i + 1, uid, self.flags(i), self.modseq(i)))
        return out

    def _note_recent(self, uids: Sequence[int], start: int) -> None:
        """Messages from index ``start`` on are shown to this session: the first to see them calls them recent."""
        first = max(bisect_left(uids, self.folder.recent), start)
        if first >= len(uids):
            return
        if self._recent and first and uids[first - 1] == self._recent[-1][1]:
            self._recent[-1] = (self._recent[-1][0], uids[-1])
        else:
            self._recent.append((uids[first], uids[-1]))
        if not self.read_only:
            self.folder.recent = uids[-1] + 1
            self._claim(self.folder)

    def heard(self, added: bool, flagged: tuple[int, ...], removed: tuple[int, ...]) -> None:
        gone = [uid for uid in removed if self.position(uid) is not None]
        changed = [uid for uid in flagged if uid not in self._mine]
        self._removed.update(gone)
        self._flagged.update(changed)
        if self._behind is None and (added or changed or gone):
            self._behind = self.folder.before
        self._notify()

    def lost(self) -> None:
        self._notify()

    def close(self) -> None:
        """The session leaves the folder; expunges nothing. Idempotent."""
        if not self.closed:
            self.closed = True
            self.folder.watchers.remove(self)
