"""One session's view of a selected folder: the sequence numbers that its client knows, until it is told better.

A view changes files and index only through the mailboxes' thread; reads message files in the disk pool.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from stratamail.imap.search import Key
from stratamail.imap.sets import SequenceSet
from stratamail.shadow import by_index, reading, resync
from stratamail.shadow.by_content import Known
from stratamail.shadow.folder import Folder
from stratamail.shadow.identity import resolve
from stratamail.shadow.picture import Picture, Row
from stratamail.shadow.search import search
from stratamail.store import maildir
from stratamail.store.findable import Findable
from stratamail.store.mailbox_values import Copied, MailboxError, joined

__all__ = ["SLICE", "Row", "View"]

SLICE = 250
"""So many messages are changed in one go: the mail of others waits that long in the mailboxes' thread."""
IN_REACTOR = 10_000
"""More messages than that are looked through in the disk pool."""


class Home(Protocol):
    """What a view needs of its mailbox (:class:`stratamail.shadow.box.Box`)."""

    async def within(self, folder: Folder, method: str, *arguments: Any) -> Any: ...

    async def take_back(self, name: str, copies: Sequence[Copied]) -> None: ...

    async def read(
        self, paths: Mapping[int, str], how: Callable[[str], bytes]
    ) -> tuple[dict[int, bytes], list[int]]: ...

    async def compute(self, function: Callable[..., Any], *arguments: Any) -> Any: ...

    async def locate(self, folder: Folder, uid: int) -> str | None: ...

    async def look(self, name: str) -> None: ...

    @property
    def address(self) -> str: ...

    @property
    def findable(self) -> Findable | None: ...

    @property
    def now(self) -> int: ...

    def path(self, name: str) -> str: ...

    def spooled(self, base: str) -> str | None: ...

    def keep(self, folder: Folder, kind: str, data: list[tuple[int, bytes]]) -> None: ...

    def keep_summaries(self, folder: Folder, data: list[tuple[int, bytes]]) -> None: ...

    def in_use(self) -> None: ...

    def claim_recent(self, folder: Folder) -> None: ...


class View(Picture):
    """A :class:`Picture` of a folder of ``box``, and what its session can do there."""

    def __init__(self, box: Home, folder: Folder, read_only: bool, notify: Callable[[], None]) -> None:
        super().__init__(folder, read_only, notify, box.claim_recent)
        self.box = box

    def close(self) -> None:
        if not self.closed:
            self.box.in_use()
        super().close()

    # what a client missed

    async def vanished(
        self, since: int, wanted: SequenceSet, sample: tuple[SequenceSet, SequenceSet] | None = None
    ) -> str:
        """The UIDs of ``wanted`` that were expunged since the mod-sequence, as a set (RFC 7162 section 3.2.6); all that
        are gone when the folder does not remember that long. ``sample`` are numbers and UIDs that the client knows."""
        if since >= self.folder.highestmodseq:
            return ""
        uids, uidnext = self.uids, self.told_uidnext
        expunged, complete = await self.box.within(self.folder, "vanished", since)
        return str(await self.box.compute(_vanished, uids, uidnext, wanted, sample, expunged if complete else None))

    async def changed_since(self, spans: Sequence[range], modseq: int) -> list[range]:
        """The messages of these index ranges with a higher mod-sequence (RFC 7162 section 3.1.4.1)."""
        if modseq >= self.folder.highestmodseq:
            return []
        modseqs = self.column("modseqs")
        if len(modseqs) <= IN_REACTOR:
            return _changed(modseqs, spans, modseq)
        changed: list[range] = await self.box.compute(_changed, modseqs, spans, modseq)
        return changed

    # changes

    async def store(self, uids: Iterable[int], mode: str, flags: Iterable[str]) -> list[int]:
        """Add ("+"), remove ("-") or set ("=") flags; the UIDs that were there. MailboxError when read only."""
        return (await self.store_unchanged(uids, mode, flags, None))[0]

    async def store_unchanged(
        self, uids: Iterable[int], mode: str, flags: Iterable[str], unchanged_since: int | None
    ) -> tuple[list[int], list[int]]:
        """The same for those messages that have not changed since (RFC 7162 section 3.1.3): the UIDs that were there,
        and the UIDs of those that had changed. What these are like now is told by the next ``updates``."""
        self._writable()
        wanted, names = list(uids), sorted(flag for flag in flags if flag.lower() != "\\recent")
        done: list[int] = []
        modified: list[int] = []
        self._mine = frozenset(wanted)
        try:
            for some in _slices(wanted):
                known = {uid: self._present(uid) for uid in some}
                if unchanged_since is None:
                    rows = await self.box.within(self.folder, "set_flags", some, mode, names)
                else:
                    call = "set_flags_unchanged", some, mode, names, unchanged_since
                    rows, changed = await self.box.within(self.folder, *call)
                    modified += changed
                    self._flagged.update(changed)
                done += [row.uid for row in rows]
                self._note_surprises({row.uid: known.get(row.uid) for row in rows}, mode, names)
        finally:
            self._mine = frozenset()
        return done, modified

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

    async def expunge_unseen(self) -> int | None:
        """What CLOSE does: :meth:`expunge`, of which the client is told nothing. The mod-sequence up to which it knows
        all then (RFC 7162 section 3.2.8), None when nothing was expunged."""
        before = self._behind
        self._behind = None
        gone = set(await self.expunge())
        others = self._flagged or self._removed - gone or self.folder.uidnext > self.told_uidnext
        if before is None and others:
            before = self._behind
        return None if not gone else max(1, self.folder.highestmodseq if before is None else before)

    async def copy(self, uids: Iterable[int], target: str) -> Copied:
        """All or nothing: after a failure the copies made so far are taken back (RFC 3501 section 6.4.7)."""
        done: list[Copied] = []
        try:
            for some in _slices(list(uids)):
                done.append(await self.box.within(self.folder, "copy", some, target))
        except Exception:
            await self.box.take_back(target, done)
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
        return joined(parts)

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

    async def made(self, uids: Sequence[int], how: Callable[[str], bytes]) -> dict[int, bytes]:
        """What ``how`` makes of each message's file, in the disk pool; what has no file any more is missing."""
        return await self._read(uids, how)

    async def summarised(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The kept digests (``mail.digest``) by UID, those that there are."""
        return dict(await self.box.within(self.folder, "summaries", list(uids)))

    def keep_summaries(self, data: dict[int, bytes]) -> None:
        """Keep digests, as :meth:`keep` does."""
        if data and self.alive:
            self.box.keep_summaries(self.folder, list(data.items()))

    async def known(self, keys: Sequence[Key]) -> Mapping[Key, Known]:
        """What the indexes know of these keys of a search, without a look at any message."""
        return await by_index.ask(self, keys)

    @property
    def now(self) -> int:
        """Microseconds since the epoch."""
        return self.box.now

    async def search(self, key: Key) -> list[int]:
        """The indexes (sequence number - 1) of the messages that match, ascending."""
        return await search(self, await resolve(self, key))

    async def look(self) -> None:
        """Take note now of what other tools did to the folder; the next ``updates`` tells it."""
        if self.alive:
            await self.box.look(self.name)

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


def _vanished(
    uids: Sequence[int],
    uidnext: int,
    wanted: SequenceSet,
    sample: tuple[SequenceSet, SequenceSet] | None,
    expunged: Sequence[int] | None,
) -> str:
    above = resync.matched(uids, *sample) if sample else 0
    return resync.vanished(uids, uidnext, wanted, above, expunged)


def _changed(modseqs: Sequence[int], spans: Sequence[range], modseq: int) -> list[range]:
    out: list[range] = []
    start = stop = -1
    for span in spans:
        for i in span:
            if modseqs[i] > modseq:
                if i != stop:
                    if start >= 0:
                        out.append(range(start, stop))
                    start = i
                stop = i + 1
    if start >= 0:
        out.append(range(start, stop))
    return out
