"""FETCH responses that need a look at the messages, a batch at a time (RFC 3501 section 7.4.2). Writes nothing to
disk itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from stratamail.imap import body, render
from stratamail.imap.commands import Section
from stratamail.imap.dates import format_time
from stratamail.imap.grammar.fetch import LAZY
from stratamail.servers.imap_contents import RENDERED, Contents, Wanted
from stratamail.servers.imap_session import Session, refused
from stratamail.shadow.view import View

AT_ONCE = 256 * 1024
"""Octets that are handed to the transport before the client has to take some."""


def attribute(view: View, item: str, i: int) -> bytes:
    """An item that stands in the columns."""
    if item == "UID":
        return b"UID %d" % view.uids[i]
    if item == "FLAGS":
        return b"FLAGS " + render.flag_list(view.flags(i))
    if item == "INTERNALDATE":
        return b'INTERNALDATE "%b"' % format_time(view.date(i)).encode("ascii")
    if item == "MODSEQ":
        return b"MODSEQ (%d)" % view.modseq(i)
    if item == "SAVEDATE":
        return b'SAVEDATE "%b"' % format_time(view.saved(i)).encode("ascii")
    if item == "THREADID":
        return b"THREADID NIL"
    return b"RFC822.SIZE %d" % view.size(i)


def kept_item(item: str, found: bytes | None) -> bytes:
    """An item that is kept once made; a preview that is not at hand is NIL (RFC 8970 section 3.2)."""
    return ("PREVIEW" if item == LAZY else item).encode("ascii") + b" " + (b"NIL" if found is None else found)


class Rows:
    """Messages that are small enough to be held by the batch. ``unknown`` counts those that could not be decoded."""

    def __init__(self, session: Session, view: View, wanted: Wanted) -> None:
        self.unknown = 0
        self._session = session
        self._view = view
        self._wanted = wanted

    async def write(self, indexes: list[int], marked: frozenset[int]) -> int:
        """Writes the responses of a batch; how many messages were gone. ``marked`` UIDs have just become seen."""
        uids = [self._view.uids[i] for i in indexes]
        found = await self._gather(uids)
        missing = found.missing(uids)
        out: list[bytes] = []
        octets = 0
        for i, uid in zip(indexes, uids, strict=True):
            if uid in missing or uid in found.unknown:
                continue
            for piece in self._row(i, uid, found, uid in marked):
                out.append(piece)
                octets += len(piece)
                if octets >= AT_ONCE:
                    self._session.write(b"".join(out))
                    out, octets = [], 0
                    await self._session.link.drain()
        self._session.write(b"".join(out))
        await self._session.link.drain()
        return len(missing)

    async def _gather(self, uids: list[int]) -> Contents:
        view, wanted = self._view, self._wanted
        found = Contents(view, wanted)
        await found.load(uids)
        whole = [uid for uid in uids if wanted.content or found.lacking(wanted.structures, uid)]
        if whole:
            found.data = await refused(view.contents(whole))
        if wanted.header or any(found.lacking(("ENVELOPE",), uid) for uid in uids):
            await found.load_headers(uids)
        await found.load_starts(uids)
        scanned = [uid for uid in found.data if wanted.parts or found.lacking(wanted.structures, uid)]
        await found.make(uids, scanned)
        self.unknown += len(found.unknown)
        return found

    def _row(self, i: int, uid: int, found: Contents, marked: bool) -> Iterator[bytes]:
        """One response in pieces."""
        before = b"* %d FETCH (" % (i + 1)
        for item in self._wanted.items:
            yield before + self._item(i, uid, item, found)
            before = b" "
        if marked:
            for item in self._session.told_of_flags:
                if item not in self._wanted.items:
                    yield b" " + attribute(self._view, item, i)
        yield b")\r\n"

    def _item(self, i: int, uid: int, item: str | Section, found: Contents) -> bytes:
        if isinstance(item, str):
            if item in RENDERED:
                return kept_item(item, found.kept[item].get(uid))
            if item == "EMAILID":
                return b"EMAILID (%b)" % found.email_ids[uid]
            return attribute(self._view, item, i)
        if item.kind != "BODY":
            return body.binary(item, found.decoded[uid, item.part])
        content = found.data.get(uid)
        if content is None:
            content = found.headers[uid]
        return body.item(item, body.extract(content, found.trees.get(uid), item))
