"""FETCH of one large message: its octets are read as the client takes them, its structure is read once a session.

A client that takes an attachment in slices (``BODY[2]<0.65536>``, ``<65536.65536>`` …) costs a slice each. Writes
nothing but rendered bytes into the index, through the view.
"""

from __future__ import annotations

from stratamail.imap import body
from stratamail.imap.commands import Section
from stratamail.mail.structure import Part, scan
from stratamail.servers.imap_rows import RENDERED, Contents, Wanted, attribute
from stratamail.servers.imap_session import Refusal, Session, refused
from stratamail.shadow.view import View

PIECE = 256 * 1024


class LargeMessage:
    """One FETCH's way to write large messages."""

    def __init__(self, session: Session, view: View, wanted: Wanted) -> None:
        self._session = session
        self._view = view
        self._wanted = wanted

    async def write(self, i: int, marked: frozenset[int]) -> int:
        """Writes one response; 1 when the message was gone, else 0."""
        view, session = self._view, self._session
        uid = view.uids[i]
        try:
            header, tree, kept = await self._prepare(uid)
            await refused(view.piece(uid, 0, 1))
        except Refusal:
            return 1
        before = b"* %d FETCH (" % (i + 1)
        for item in self._wanted.items:
            session.write(before)
            before = b" "
            if isinstance(item, Section):
                await self._section(item, uid, view.size(i), header, tree)
            elif item in RENDERED:
                session.write(item.encode("ascii") + b" " + kept[item][uid])
            else:
                session.write(attribute(view, item, i))
        if uid in marked and "FLAGS" not in self._wanted.items:
            session.write(b" " + attribute(view, "FLAGS", i))
        session.write(b")\r\n")
        return 0

    async def _prepare(self, uid: int) -> tuple[bytes, Part | None, dict[str, dict[int, bytes]]]:
        """Header block, structure when a part is asked for, and rendered items."""
        wanted = self._wanted
        found = Contents(self._view)
        found.headers = await refused(self._view.headers([uid]))
        if uid not in found.headers:
            raise Refusal("The message is gone", "EXPUNGEISSUED")
        await found.load_rendered(wanted.rendered, [uid])
        tree = self._session.trees.get(uid)
        lacking = found.lacking(tuple(item for item in wanted.rendered if item != "ENVELOPE"), uid)
        if lacking or (tree is None and any(section.part for section in wanted.sections)):
            data = await refused(self._view.content(uid))
            tree = await self._view.compute(scan, data)
            assert tree is not None
            self._session.remember(uid, tree)
            if lacking:
                found.data[uid], found.trees[uid] = data, tree
        await found.render([uid])
        return found.headers[uid], tree, found.kept

    async def _section(self, item: Section, uid: int, size: int, header: bytes, tree: Part | None) -> None:
        session = self._session
        if body.header_only(item):
            session.write(body.item(item, body.extract(header, None, item)))
            return
        span = body.span(item, size, len(header), tree)
        if span is None:
            session.write(body.item(item, None))
            return
        start, end = span
        if item.text.startswith("HEADER.FIELDS"):
            block = await refused(self._view.piece(uid, start, end - start))
            session.write(body.item(item, body.chosen_fields(block, item)))
            return
        if item.partial is not None:
            start = min(start + item.partial[0], end)
            end = min(start + item.partial[1], end)
        session.write(body.label(item) + b" {%d}\r\n" % (end - start))
        while start < end:
            try:
                piece = await refused(self._view.piece(uid, start, min(PIECE, end - start)))
            except Refusal:
                piece = b""
            if not piece:
                # a literal was promised: nothing but the end of the connection can be said now
                session.link.abort()
                return
            session.write(piece)
            start += len(piece)
            await session.link.drain()
