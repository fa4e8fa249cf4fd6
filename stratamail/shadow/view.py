"""One session's view of a selected folder: the sequence numbers that its client knows, until it is told better.

A view changes files and index only through the mailboxes' thread; reads message files in the disk pool.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from stratamail.imap.search import Key
from stratamail.shadow import reading
from stratamail.shadow.folder import Folder
from stratamail.shadow.search import search
from stratamail.shadow.updates import Exists, Expunged, Flags, Update
from stratamail.store import maildir
from stratamail.store.index import Columns
from stratamail.store.mailbox_values import Copied, MailboxError

SLICE = 250
"""So many messages are changed in one go: the mail of others waits that long in the mailboxes' thread."""


class Home(Protocol):
    """What a view needs of its mailbox (:class:`stratamail.shadow.box.Box`)."""

    async def within(self, folder: Folder, method: str, *arguments: Any) -> Any: ...

    async def within_named(self, name: str, uidvalidity: int, method: str, *arguments: Any) -> Any: ...

    async def read(
        self, paths: Mapping[int, str], how: Callable[[str], bytes]
    ) -> tuple[dict[int, bytes], list[int]]: ...

    async def compute(self, function: Callable[..., Any], *arguments: Any) -> Any: ...

    async def locate(self, folder: Folder, uid: int) -> str | None: ...

    def path(self, name: str) -> str: ...

    def spooled(self, base: str) -> str | None: ...

    def keep(self, folder: Folder, kind: str, data: list[tuple[int, bytes]]) -> None: ...

    def claim_recent(self, folder: Folder) -> None: ...


class Row(NamedTuple):
    """A message: ``flags`` as text with \\Recent, ``size`` in octets (RFC822.SIZE), ``date`` in microseconds (UTC)."""

    uid: int
    modseq: int
    flags: tuple[str, ...]
    size: int
    date: int


class View:
    """``uids[n - 1]`` is the UID of sequence number n; it changes in :meth:`updates` only. ``notify`` is called (in the
    reactor's thread) whenever ``updates`` has something to tell."""

    def __init__(self, box: Home, folder: Folder, read_only: bool, notify: Callable[[], None]) -> None:
        self.box = box
        self.name = folder.name
        self.read_only = read_only
        self.folder = folder
        self.uids: array[int] = folder.columns.uids
        self.closed = False
        self._columns: Columns = folder.columns
        self._notify = notify
        self._removed: set[int] = set()
        self._flagged: set[int] = set()
        self._mine: frozenset[int] = frozenset()
        # ranges of UIDs, first and last, that this session was the first to see
        self._recent: list[tuple[int, int]] = []
        # columns put together while an expunge waits to be told
        self._mixed: dict[str, tuple[int, list[int]]] = {}
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
        return self.folder.highestmodseq

    @property
    def unseen(self) -> int:
        """How many messages lack \\Seen."""
        return self.folder.unseen

    @property
    def first_unseen(self) -> int | None:
        """The sequence number of the first message without \\Seen."""
        for i, flags in enumerate(self._columns.flags):
            if not flags & maildir.SEEN:
                return i + 1 if i < len(self.uids) else None
        return None

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

    def size(self, i: int) -> int:
        columns, at = self._at(i)
        size: int = columns.sizes[at]
        return size

    def date(self, i: int) -> int:
        columns, at = self._at(i)
        date: int = columns.dates[at]
        return date

    def column(self, name: str) -> Sequence[int]:
        """ "flags" (bits), "sizes" or "dates" of all messages in view, by index."""
        columns = self.folder.columns
        if self._columns is columns:
            whole: array[int] = getattr(columns, name)
            return whole[: len(self.uids)]
        kept = self._mixed.get(name)
        if kept is None or kept[0] != self.folder.version:
            found = (self._at(i) for i in range(len(self.uids)))
            kept = self._mixed[name] = (self.folder.version, [getattr(columns, name)[at] for columns, at in found])
        return kept[1]

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
        at = self.folder.position(self.uids[i])
        return (self._columns, i) if at is None else (now, at)

    def _flags(self, uid: int, bits: int) -> tuple[str, ...]:
        names = self.folder.names(bits & ~maildir.IN_NEW)
        return (*names, "\\Recent") if self.is_recent(uid) else names

    # news

    def updates(self, expunges: bool = True) -> list[Update]:
        """What the client has not been told; from now on ``uids`` is as told. Without ``expunges`` nothing that would
        shift numbers is told, and new messages wait behind it."""
        out: list[Update] = []
        if self._removed and not expunges:
            return self._flag_updates()
        if self._removed:
            known = (self.position(uid) for uid in self._removed)
            out += [Expunged(i + 1) for i in sorted((i for i in known if i is not None), reverse=True)]
            self._flagged -= self._removed
            self._removed.clear()
        before = len(self.uids) - len(out)
        self._columns = self.folder.columns
        self.uids = self._columns.uids
        self._mixed.clear()
        if len(self.uids) > before:
            self._note_recent(self.uids, before)
            out.append(Exists(len(self.uids), self.recent))
        return out + self._flag_updates()

    def _flag_updates(self) -> list[Update]:
        out: list[Update] = []
        for uid in sorted(self._flagged):
            i = self.position(uid)
            if i is not None and uid not in self._removed:
                out.append(Flags(i + 1, uid, self.flags(i)))
        self._flagged.clear()
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
            self.box.claim_recent(self.folder)

    def heard(self, added: bool, flagged: tuple[int, ...], removed: tuple[int, ...]) -> None:
        self._removed.update(uid for uid in removed if self.position(uid) is not None)
        self._flagged.update(uid for uid in flagged if uid not in self._mine)
        self._notify()

    def lost(self) -> None:
        self._notify()

    def close(self) -> None:
        """The session leaves the folder; expunges nothing. Idempotent."""
        if not self.closed:
            self.closed = True
            self.folder.watchers.remove(self)

    # changes

    async def store(self, uids: Iterable[int], mode: str, flags: Iterable[str]) -> list[int]:
        """Add ("+"), remove ("-") or set ("=") flags; the UIDs that were there. MailboxError when read only."""
        self._writable()
        wanted, names = list(uids), sorted(flag for flag in flags if flag.lower() != "\\recent")
        done: list[int] = []
        self._mine = frozenset(wanted)
        try:
            for some in _slices(wanted):
                known = {uid: self._present(uid) for uid in some}
                rows = await self.box.within(self.folder, "set_flags", some, mode, names)
                done += [row.uid for row in rows]
                self._note_surprises(known, mode, names)
        finally:
            self._mine = frozenset()
        return done

    def _present(self, uid: int) -> int | None:
        """The flags of a message as they are now, None when it is gone."""
        at = self.folder.position(uid)
        return None if at is None else self.folder.columns.flags[at] & ~maildir.IN_NEW

    def _note_surprises(self, known: Mapping[int, int | None], mode: str, names: Sequence[str]) -> None:
        """What came out otherwise than the client computes it, another session having changed flags meanwhile, is told
        even after a silent STORE (RFC 3501 section 6.4.6)."""
        mask = 0
        for name in names:
            mask |= self.folder.mask(name)
        for uid, flags in known.items():
            if flags is not None:
                expected = flags | mask if mode == "+" else flags & ~mask if mode == "-" else mask
                if self._present(uid) not in (expected, None):
                    self._flagged.add(uid)

    async def expunge(self, uids: Iterable[int] | None = None) -> list[int]:
        """Remove what carries \\Deleted (of ``uids``); the next ``updates`` tells the numbers."""
        self._writable()
        if uids is None:
            columns = self.folder.columns
            uids = [uid for uid, flags in zip(columns.uids, columns.flags, strict=True) if flags & maildir.DELETED]
        gone: list[int] = []
        for some in _slices(list(uids)):
            gone += await self.box.within(self.folder, "expunge", some)
        return gone

    async def copy(self, uids: Iterable[int], target: str) -> Copied:
        """All or nothing: after a failure the copies made so far are taken back (RFC 3501 section 6.4.7)."""
        done: list[Copied] = []
        try:
            for some in _slices(list(uids)):
                done.append(await self.box.within(self.folder, "copy", some, target))
        except Exception:
            for part in done:
                into = target, part.uidvalidity
                await self.box.within_named(*into, "set_flags", part.targets, "+", ["\\Deleted"])
                await self.box.within_named(*into, "expunge", part.targets)
            raise
        return await self._joined(done, target)

    async def move(self, uids: Iterable[int], target: str) -> Copied:
        """RFC 6851; the next ``updates`` tells the numbers that are gone."""
        self._writable()
        done = [await self.box.within(self.folder, "move", some, target) for some in _slices(list(uids))]
        return await self._joined(done, target)

    async def _joined(self, parts: list[Copied], target: str) -> Copied:
        if not parts:
            parts = [await self.box.within(self.folder, "copy", [], target)]
        sources = tuple(uid for part in parts for uid in part.sources)
        targets = tuple(uid for part in parts for uid in part.targets)
        return Copied(parts[0].uidvalidity, sources, targets)

    def _writable(self) -> None:
        if self.read_only:
            raise MailboxError("The mailbox is open read-only", "READ-ONLY")

    # content

    async def content(self, uid: int) -> bytes:
        """The whole message as it is on disk. MailboxError when its file is gone."""
        found = await self.contents([uid])
        return self._found(found.get(uid))

    async def contents(self, uids: Sequence[int]) -> dict[int, bytes]:
        """Many at once; what has no file any more is missing. The caller bounds how much that is."""
        return await self._read(uids, reading.whole)

    async def headers(self, uids: Sequence[int]) -> dict[int, bytes]:
        """Header blocks with their empty line, from the index where it has them; read ones are kept there."""
        found = await self.cached("header", uids)
        missing = [uid for uid in uids if uid not in found]
        if missing:
            read = await self._read(missing, reading.header)
            self.keep("header", {uid: block for uid, block in read.items() if len(block) <= reading.KEPT})
            found.update(read)
        return found

    async def piece(self, uid: int, offset: int, length: int) -> bytes:
        """Part of a message's octets: what exists of [offset, offset + length)."""
        found = await self._read([uid], lambda path: reading.piece(path, offset, length))
        return self._found(found.get(uid))

    async def cached(self, kind: str, uids: Sequence[int]) -> dict[int, bytes]:
        """Rendered bytes kept under ``kind`` by UID, those that there are."""
        return dict(await self.box.within(self.folder, "cached", kind, list(uids)))

    def keep(self, kind: str, data: dict[int, bytes]) -> None:
        """Keep rendered bytes in the index. It is a cache: nobody waits, a failure is only logged."""
        if data and self.alive:
            self.box.keep(self.folder, kind, list(data.items()))

    async def search(self, key: Key) -> list[int]:
        """The indexes (sequence number - 1) of the messages that match, ascending."""
        return await search(self, key)

    async def compute(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Work that takes long, in the disk pool."""
        return await self.box.compute(function, *arguments)

    def path(self, uid: int) -> str | None:
        """Where a message's file should be; the spool's when it was expunged meanwhile. None for a UID not in view."""
        i = self.position(uid)
        if i is None:
            return None
        columns, at = self._at(i)
        if uid in self._removed:
            return self.box.spooled(columns.bases[at])
        below = maildir.relative(columns.bases[at], columns.flags[at])
        return os.path.join(self.box.path(self.name), below)

    async def _read(self, uids: Sequence[int], how: Callable[[str], bytes]) -> dict[int, bytes]:
        paths = {uid: path for uid, path in ((uid, self.path(uid)) for uid in uids) if path is not None}
        found, missing = await self.box.read(paths, how)
        for uid in missing:  # renamed by somebody this moment, or by another tool
            path = await self.box.locate(self.folder, uid)
            if path is None:
                i = self.position(uid)
                path = None if i is None else self.box.spooled(self._at(i)[0].bases[self._at(i)[1]])
            if path is not None:
                found.update((await self.box.read({uid: path}, how))[0])
        return found

    @staticmethod
    def _found(data: bytes | None) -> bytes:
        if data is None:
            raise MailboxError("The message is gone", "EXPUNGEISSUED")
        return data


def _slices(uids: list[int]) -> list[list[int]]:
    return [uids[i : i + SLICE] for i in range(0, len(uids), SLICE)]
