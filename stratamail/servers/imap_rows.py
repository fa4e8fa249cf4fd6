"""FETCH responses that need a look at the messages, a batch at a time (RFC 3501 section 7.4.2).

What is rendered from content (ENVELOPE, BODYSTRUCTURE) is kept in the index through the view. Writes nothing else.
"""

from __future__ import annotations

from collections.abc import Collection

from attrs import define, field, frozen

from stratamail.imap import body, render
from stratamail.imap.commands import Section
from stratamail.imap.dates import format_time
from stratamail.mail.structure import Part, scan
from stratamail.mail.summary import summarise
from stratamail.servers.imap_session import Session, refused
from stratamail.shadow.view import View

RENDERED = {"ENVELOPE": "envelope", "BODYSTRUCTURE": "bodystructure", "BODY": "body"}
"""Kinds of rendered bytes in the index."""
OCTETS_IN_REACTOR = 64 * 1024
"""Messages or headers that are larger together are read through in the disk pool."""


@frozen
class Wanted:
    """What the items of a FETCH ask for. ``reads``: octets of the message beyond its header; ``marks``: it becomes
    seen."""

    items: tuple[str | Section, ...]
    sections: tuple[Section, ...]
    rendered: tuple[str, ...]
    reads: bool
    marks: bool

    @classmethod
    def of(cls, items: tuple[str | Section, ...]) -> Wanted:
        sections = tuple(item for item in items if isinstance(item, Section))
        rendered = tuple(item for item in items if isinstance(item, str) and item in RENDERED)
        reads = any(not body.header_only(section) for section in sections)
        marks = any(not section.peek for section in sections)
        return cls(items, sections, rendered, reads or bool(set(rendered) - {"ENVELOPE"}), marks)


def attribute(view: View, item: str, i: int) -> bytes:
    """An item that stands in the columns."""
    if item == "UID":
        return b"UID %d" % view.uids[i]
    if item == "FLAGS":
        return b"FLAGS " + render.flag_list(view.flags(i))
    if item == "INTERNALDATE":
        return b'INTERNALDATE "%b"' % format_time(view.date(i)).encode("ascii")
    return b"RFC822.SIZE %d" % view.size(i)


@define
class Contents:
    """What was found of a batch, by UID."""

    view: View
    kept: dict[str, dict[int, bytes]] = field(factory=dict)
    data: dict[int, bytes] = field(factory=dict)
    headers: dict[int, bytes] = field(factory=dict)
    trees: dict[int, Part] = field(factory=dict)

    async def load_rendered(self, rendered: tuple[str, ...], uids: list[int]) -> None:
        for item in rendered:
            self.kept[item] = await refused(self.view.cached(RENDERED[item], uids))

    def lacking(self, rendered: tuple[str, ...], uid: int) -> bool:
        """Whether one of these is still to be made."""
        return any(uid not in self.kept[item] for item in rendered)

    async def render(self, uids: list[int], scanned: Collection[int] = ()) -> None:
        """Makes the structure of ``scanned`` messages and what the index does not have yet, and gives that to the
        index."""
        fresh: dict[str, dict[int, bytes]]
        if sum(map(len, self.data.values())) + sum(map(len, self.headers.values())) > OCTETS_IN_REACTOR:
            fresh = await self.view.compute(self._make, uids, scanned)
        else:
            fresh = self._make(uids, scanned)
        for item, made in fresh.items():
            self.view.keep(RENDERED[item], made)
            self.kept[item].update(made)

    def _make(self, uids: list[int], scanned: Collection[int]) -> dict[str, dict[int, bytes]]:
        for uid in scanned:
            self.trees[uid] = scan(self.data[uid])
        out: dict[str, dict[int, bytes]] = {}
        for item, kept in self.kept.items():
            fresh = out[item] = {}
            for uid in uids:
                if uid in kept:
                    continue
                block = self.headers.get(uid, self.data.get(uid))
                if item == "ENVELOPE" and block is not None:
                    fresh[uid] = body.envelope(summarise(block))
                elif item != "ENVELOPE" and uid in self.trees:
                    fresh[uid] = body.bodystructure(self.data[uid], self.trees[uid], item == "BODYSTRUCTURE")
        return out


class Rows:
    """Messages that are small enough to be held by the batch."""

    def __init__(self, session: Session, view: View, wanted: Wanted) -> None:
        self._session = session
        self._view = view
        self._wanted = wanted
        self._structures = tuple(item for item in wanted.rendered if item != "ENVELOPE")
        self._content = any(not body.header_only(section) for section in wanted.sections)
        self._header = any(map(body.header_only, wanted.sections))
        self._parts = any(section.part for section in wanted.sections)

    async def write(self, indexes: list[int], marked: frozenset[int]) -> int:
        """Writes the responses of a batch; how many messages were gone. ``marked`` UIDs have just become seen."""
        found = await self._gather([self._view.uids[i] for i in indexes])
        missing = 0
        out: list[bytes] = []
        for i in indexes:
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
        view = self._view
        found = Contents(view)
        await found.load_rendered(self._wanted.rendered, uids)
        whole = [uid for uid in uids if self._content or found.lacking(self._structures, uid)]
        if whole:
            found.data = await refused(view.contents(whole))
        envelopes = tuple(item for item in self._wanted.rendered if item == "ENVELOPE")
        if self._header or any(found.lacking(envelopes, uid) for uid in uids):
            found.headers = await refused(view.headers([uid for uid in uids if uid not in found.data]))
        scanned = [uid for uid in found.data if self._parts or found.lacking(self._structures, uid)]
        await found.render(uids, scanned)
        return found

    def _row(self, i: int, found: Contents, marked: bool) -> list[bytes] | None:
        """One response in pieces, None when the message is gone."""
        uid = self._view.uids[i]
        out = [b"* %d FETCH (" % (i + 1)]
        for item in self._wanted.items:
            if isinstance(item, Section):
                content = found.data.get(uid)
                if content is None and body.header_only(item):
                    content = found.headers.get(uid)
                if content is None:
                    return None
                out.append(body.item(item, body.extract(content, found.trees.get(uid), item)))
            elif item in RENDERED:
                rendered = found.kept[item].get(uid)
                if rendered is None:
                    return None
                out.append(item.encode("ascii") + b" " + rendered)
            else:
                out.append(attribute(self._view, item, i))
            out.append(b" ")
        if marked and "FLAGS" not in self._wanted.items:
            out += (attribute(self._view, "FLAGS", i), b" ")
        out[-1] = b")\r\n"
        return out
