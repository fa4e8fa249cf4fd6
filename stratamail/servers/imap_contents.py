"""What FETCH reads and makes of a batch of messages: octets, structures, and the items that are kept once made.

ENVELOPE, BODYSTRUCTURE, BODY and PREVIEW are kept in the index through the view. Writes nothing else.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from attrs import define, evolve, field, frozen

from stratamail.imap import body, render
from stratamail.imap.commands import Section
from stratamail.imap.grammar.fetch import LAZY
from stratamail.mail import preview
from stratamail.mail.structure import Part, scan
from stratamail.mail.summary import summarise
from stratamail.mail.transfer import decode
from stratamail.servers.imap_session import refused
from stratamail.shadow import reading
from stratamail.shadow.identity import email_ids
from stratamail.shadow.view import View

RENDERED = {
    "ENVELOPE": "envelope",
    "BODYSTRUCTURE": "bodystructure",
    "BODY": "body",
    "PREVIEW": "preview",
    LAZY: "preview",
}
"""Items that are made of content, and the kinds under which the index keeps them."""
OCTETS_IN_REACTOR = 64 * 1024
"""Messages or headers that are larger together are read through in the disk pool."""
BRIEF = "brief"
"""The kind of what is kept of a header for lists of messages."""
LARGE = 512 * 1024
"""A larger message is not held in memory to be sent."""


@frozen
class Wanted:
    """What the items of a FETCH ask for. ``reads``: octets of the message beyond its header; ``marks``: it becomes
    seen; ``rendered``: what is kept once made; ``structures``: those that take the whole message to be made;
    ``decoded``: sections without their transfer encoding."""

    items: tuple[str | Section, ...]
    sections: tuple[Section, ...]
    decoded: tuple[Section, ...]
    rendered: tuple[str, ...]
    structures: tuple[str, ...]
    reads: bool
    marks: bool

    @classmethod
    def of(cls, items: tuple[str | Section, ...]) -> Wanted:
        sections = tuple(item for item in items if isinstance(item, Section))
        decoded = tuple(section for section in sections if section.kind != "BODY")
        rendered = tuple(item for item in items if isinstance(item, str) and item in RENDERED)
        structures = tuple(item for item in rendered if item in ("BODYSTRUCTURE", "BODY"))
        reads = any(not body.header_only(section) for section in sections) or "PREVIEW" in rendered
        marks = any(not section.peek for section in sections)
        return cls(items, sections, decoded, rendered, structures, reads or bool(structures), marks)

    def without_decoded(self) -> Wanted:
        """The same, of which somebody else decodes what is asked for decoded."""
        return evolve(self, decoded=())

    def large(self, size: int) -> bool:
        """Whether a message of that size is read and answered in pieces: it is large, or so often asked for that its
        answer is."""
        if not self.reads:
            return False
        times = sum(not body.header_only(section) for section in self.sections)
        return size > LARGE or size * times > 8 * LARGE

    @property
    def made(self) -> tuple[str, ...]:
        """What is made when it is not kept."""
        return tuple(item for item in self.rendered if item != LAZY)

    @property
    def content(self) -> bool:
        """Whether octets of the body are asked for."""
        return any(not body.header_only(section) for section in self.sections)

    @property
    def header(self) -> bool:
        return any(map(body.header_only, self.sections))

    @property
    def brief(self) -> bool:
        """Whether of the header nothing is asked for but what a list of messages shows."""
        return "ENVELOPE" not in self.rendered and all(
            body.listed(section) for section in self.sections if body.header_only(section)
        )

    @property
    def parts(self) -> bool:
        """Whether a part is named, which takes the structure to be found."""
        return any(section.part for section in self.sections)


@define
class Contents:
    """What was found of a batch, by UID. ``decoded`` has the sections of :attr:`Wanted.decoded` (None: no such part)
    by UID and part; ``unknown`` the UIDs of messages where one has an encoding that nobody knows."""

    view: View
    wanted: Wanted
    kept: dict[str, dict[int, bytes]] = field(factory=dict)
    data: dict[int, bytes] = field(factory=dict)
    headers: dict[int, bytes] = field(factory=dict)
    starts: dict[int, bytes] = field(factory=dict)
    trees: dict[int, Part] = field(factory=dict)
    decoded: dict[tuple[int, tuple[int, ...]], bytes | None] = field(factory=dict)
    unknown: set[int] = field(factory=set)
    email_ids: dict[int, bytes] = field(factory=dict)

    async def load(self, uids: list[int]) -> None:
        """What is kept already."""
        for item in self.wanted.rendered:
            self.kept[item] = await refused(self.view.cached(RENDERED[item], uids))
        if "EMAILID" in self.wanted.items:
            self.email_ids = await refused(email_ids(self.view, uids))

    def lacking(self, items: tuple[str, ...], uid: int) -> bool:
        """Whether one of these is asked for and still to be made."""
        return any(item in self.kept and uid not in self.kept[item] for item in items)

    def missing(self, uids: list[int]) -> set[int]:
        """The messages of which something was not found: they are gone."""
        wanted = self.wanted
        out = {uid for uid in uids if self.lacking(wanted.made, uid)}
        if wanted.content:
            out.update(uid for uid in uids if uid not in self.data)
        elif wanted.header:
            out.update(uid for uid in uids if uid not in self.data and uid not in self.headers)
        if "EMAILID" in wanted.items:
            out.update(uid for uid in uids if uid not in self.email_ids)
        return out

    async def load_headers(self, uids: list[int]) -> None:
        """Header blocks, or what is listed of them, of messages that are not at hand as a whole."""
        missing = [uid for uid in uids if uid not in self.data]
        if not self.wanted.brief:
            self.headers = await refused(self.view.headers(missing))
            return
        self.headers = await refused(self.view.cached(BRIEF, missing))
        missing = [uid for uid in missing if uid not in self.headers]
        if missing:
            fresh = await refused(self.view.made(missing, _brief))
            self.view.keep(BRIEF, {uid: block for uid, block in fresh.items() if len(block) <= reading.KEPT})
            self.headers.update(fresh)

    async def load_starts(self, uids: list[int]) -> None:
        """What it takes to make the previews that are still to be made."""
        missing = [uid for uid in uids if uid not in self.data and self.lacking(("PREVIEW",), uid)]
        if missing:
            how = partial(reading.start, length=preview.OCTETS)
            self.starts = await refused(self.view.made(missing, how))

    async def make(self, uids: list[int], scanned: Collection[int] = ()) -> None:
        """Makes the structure of ``scanned`` messages, what the index does not have yet, and decodes; gives to the
        index what it keeps."""
        octets = sum(len(each) for found in (self.data, self.headers, self.starts) for each in found.values())
        fresh: dict[str, dict[int, bytes]]
        if octets > OCTETS_IN_REACTOR:
            fresh = await self.view.compute(self._make, uids, scanned)
        else:
            fresh = self._make(uids, scanned)
        for item, made in fresh.items():
            self.view.keep(RENDERED[item], made)
            self.kept[item].update(made)

    def _make(self, uids: list[int], scanned: Collection[int]) -> dict[str, dict[int, bytes]]:
        for uid in scanned:
            self.trees[uid] = scan(self.data[uid])
        for uid, data in self.data.items():
            self._decode(uid, data)
        out: dict[str, dict[int, bytes]] = {}
        for item, kept in self.kept.items():
            if item != LAZY:
                made = ((uid, self._item(item, uid)) for uid in uids if uid not in kept)
                out[item] = {uid: found for uid, found in made if found is not None}
        return out

    def _item(self, item: str, uid: int) -> bytes | None:
        """One item of one message, None when it takes what was not found."""
        if item == "ENVELOPE":
            block = self.headers.get(uid, self.data.get(uid))
            return None if block is None else body.envelope(summarise(block))
        if item == "PREVIEW":
            start = self.starts.get(uid, self.data.get(uid))
            return None if start is None else render.string(preview.preview(start).encode("utf-8"))
        if uid not in self.trees:
            return None
        return body.bodystructure(self.data[uid], self.trees[uid], item == "BODYSTRUCTURE")

    def _decode(self, uid: int, data: bytes) -> None:
        tree = self.trees.get(uid)
        for section in self.wanted.decoded:
            if (uid, section.part) in self.decoded or uid in self.unknown:
                continue
            found = body.span(section, len(data), 0, tree)
            content = None
            if found is not None:
                content = decode(data[found[0] : found[1]], body.encoding(tree, section))
                if content is None:
                    self.unknown.add(uid)
            self.decoded[uid, section.part] = content


def _brief(path: str) -> bytes:
    return body.brief(reading.header(path))
