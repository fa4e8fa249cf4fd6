"""FETCH responses that need a look at the messages, a batch at a time (RFC 3501 section 7.4.2). Writes nothing to
disk itself.
"""

from __future__ import annotations

from stratamail.imap import body, render
from stratamail.imap.commands import Section
from stratamail.imap.dates import format_time
from stratamail.imap.grammar.fetch import LAZY
from stratamail.servers.imap_contents import RENDERED, Contents, Wanted
from stratamail.servers.imap_session import Session, refused
from stratamail.shadow.view import View


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


def kept_item(item: str, found: bytes | None) -> bytes | None:
    """An item that is kept once made; a preview that is not at hand is NIL (RFC 8970 section 3.2)."""
    if item == LAZY:
        return b"PREVIEW " + (b"NIL" if found is None else found)
    return None if found is None else item.encode("ascii") + b" " + found


class Rows:
    """Messages that are small enough to be held by the batch. ``unknown`` counts those that could not be decoded."""

    def __init__(self, session: Session, view: View, wanted: Wanted) -> None:
        self.unknown = 0
        self._session = session
        self._view = view
        self._wanted = wanted

    async def write(self, indexes: list[int], marked: frozenset[int]) -> int:
        """Writes the responses of a batch; how many messages were gone. ``marked`` UIDs have just become seen."""
        found = await self._gather([self._view.uids[i] for i in indexes])
        missing = 0
        out: list[bytes] = []
        for i in indexes:
            if self._view.uids[i] in found.unknown:
                continue
            row = self._row(i, found, self._view.uids[i] in marked)
            if row is None:
                missing += 1
            else:
                out += row
        for start in range(0, len(out), 1000):
            self._session.write(b"".join(out[start : start + 1000]))
        await self._session.link.drain()
        return missing

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

    def _row(self, i: int, found: Contents, marked: bool) -> list[bytes] | None:
        """One response in pieces, None when the message is gone."""
        uid = self._view.uids[i]
        out = [b"* %d FETCH (" % (i + 1)]
        for item in self._wanted.items:
            if isinstance(item, Section):
                text = self._section(item, uid, found)
            elif item in RENDERED:
                text = kept_item(item, found.kept[item].get(uid))
            elif item == "EMAILID":
                name = found.email_ids.get(uid)
                text = None if name is None else b"EMAILID (%b)" % name
            else:
                text = attribute(self._view, item, i)
            if text is None:
                return None
            out += (text, b" ")
        if marked:
            for item in self._session.told_of_flags:
                if item not in self._wanted.items:
                    out += (attribute(self._view, item, i), b" ")
        out[-1] = b")\r\n"
        return out

    @staticmethod
    def _section(item: Section, uid: int, found: Contents) -> bytes | None:
        content = found.data.get(uid)
        if content is None and body.header_only(item):
            content = found.headers.get(uid)
        if content is None:
            return None
        if item.kind != "BODY":
            return body.binary(item, found.decoded[uid, item.part])
        return body.item(item, body.extract(content, found.trees.get(uid), item))
