"""FETCH of one large message: its octets are read as the client takes them, its structure is read once a session.

A client that takes an attachment in slices (``BODY[2]<0.65536>``, ``<65536.65536>`` …, ``BINARY`` too) costs a slice
each. Writes nothing but rendered bytes into the index, through the view.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from stratamail.imap import body
from stratamail.imap.commands import Section
from stratamail.mail.structure import Part, scan
from stratamail.mail.transfer import decoder
from stratamail.servers.imap_contents import RENDERED, Contents, Wanted
from stratamail.servers.imap_rows import attribute, kept_item
from stratamail.servers.imap_session import Decoding, Refusal, Session, refused
from stratamail.shadow.view import View

PIECE = 256 * 1024
HELD = 1024 * 1024
"""Decoded octets that are held from their count to their answer; more is decoded twice."""


class LargeMessage:
    """One FETCH's way to write large messages. ``unknown`` counts those that could not be decoded."""

    def __init__(self, session: Session, view: View, wanted: Wanted) -> None:
        self.unknown = 0
        self._session = session
        self._view = view
        self._wanted = wanted

    async def write(self, i: int, marked: frozenset[int]) -> int:
        """Writes one response; 1 when the message was gone, else 0."""
        view, session = self._view, self._session
        uid = view.uids[i]
        try:
            found = await self._prepare(uid)
            await refused(view.piece(uid, 0, 1))
        except Refusal:
            return 1
        tree = session.trees.get(uid)
        if any(decoder(body.encoding(tree, section)) is None for section in self._wanted.decoded):
            self.unknown += 1
            return 0
        before = b"* %d FETCH (" % (i + 1)
        for item in self._wanted.items:
            session.write(before)
            before = b" "
            if isinstance(item, Section):
                await self._section(item, uid, view.size(i), found.headers[uid], tree)
                await session.link.drain()
            elif item in RENDERED:
                session.write(kept_item(item, found.kept[item].get(uid)))
            elif item == "EMAILID":
                session.write(b"EMAILID (%b)" % found.email_ids[uid])
            else:
                session.write(attribute(view, item, i))
        if uid in marked:
            for item in session.told_of_flags:
                if item not in self._wanted.items:
                    session.write(b" " + attribute(view, item, i))
        session.write(b")\r\n")
        return 0

    async def _prepare(self, uid: int) -> Contents:
        """Header block and kept items; the session has the structure when a part is asked for."""
        wanted, view = self._wanted, self._view
        # what is decoded goes out in pieces
        found = Contents(view, wanted.without_decoded())
        found.headers = await refused(view.headers([uid]))
        await found.load([uid])
        if uid not in found.headers or ("EMAILID" in wanted.items and uid not in found.email_ids):
            raise Refusal("The message is gone", "EXPUNGEISSUED")
        lacking = found.lacking(wanted.structures, uid)
        if lacking or (uid not in self._session.trees and wanted.parts):
            data = await refused(view.content(uid))
            tree: Part = await view.compute(scan, data)
            self._session.remember(uid, tree)
            if lacking:
                found.data[uid], found.trees[uid] = data, tree
        await found.load_starts([uid])
        await found.make([uid])
        found.data.clear()
        if found.lacking(wanted.made, uid):
            raise Refusal("The message is gone", "EXPUNGEISSUED")
        return found

    async def _section(self, item: Section, uid: int, size: int, header: bytes, tree: Part | None) -> None:
        session = self._session
        if body.header_only(item):
            session.write(body.item(item, body.extract(header, None, item)))
            return
        span = body.span(item, size, len(header), tree)
        if item.kind != "BODY":
            await self._decoded(item, uid, span, body.encoding(tree, item))
            return
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
        session.write(body.label(item) + body.announced(end - start, False))
        async for piece in self._pieces(uid, (start, end)):
            session.write(piece)
            await session.link.drain()

    async def _pieces(self, uid: int, span: tuple[int, int]) -> AsyncIterator[bytes]:
        """The octets of a span. They were promised: without them nothing but the end of the connection can be said."""
        start, end = span
        while start < end:
            try:
                piece = await refused(self._view.piece(uid, start, min(PIECE, end - start)))
            except Refusal:
                piece = b""
            if not piece:
                self._session.link.abort()
                return
            yield piece
            start += len(piece)

    async def _decoded(self, item: Section, uid: int, span: tuple[int, int] | None, encoding: bytes) -> None:
        """A part without its transfer encoding: its size has to be known before its first octet goes out."""
        session = self._session
        if span is None:
            session.write(body.binary(item, None))
            return
        size, nul = 0, False
        held: list[bytes] | None = None if item.kind == "BINARY.SIZE" else []
        async for piece in self._decode(item, uid, span, encoding):
            size += len(piece)
            nul = nul or b"\0" in piece
            if held is not None:
                held.append(piece)
                held = held if size <= HELD else None
        if item.kind == "BINARY.SIZE":
            session.write(body.label(item) + b" %d" % size)
            return
        session.write(body.label(item) + body.announced(size, nul))
        if held is not None:
            session.write(b"".join(held))
            return
        async for piece in self._decode(item, uid, span, encoding):
            session.write(piece)
            await session.link.drain()

    async def _decode(self, item: Section, uid: int, span: tuple[int, int], encoding: bytes) -> AsyncIterator[bytes]:
        """The decoded octets within the partial range, in pieces. What comes behind the last slice that the session
        took goes on from there."""
        first, left = item.partial or (0, span[1] - span[0])
        key = uid, item.part
        state = self._session.decoding
        if state is None or state.key != key or state.at > first:
            found = decoder(encoding)
            assert found is not None
            state = Decoding(key, found, span[0])
        self._session.decoding = None
        while left:
            skip = max(0, first - state.at)
            piece = state.piece[skip : skip + left]
            yield piece
            left -= len(piece)
            if not left or state.ended:
                break
            state.at += len(state.piece)
            raw = b"".join([raw async for raw in self._pieces(uid, (state.next, min(span[1], state.next + PIECE)))])
            state.next += len(raw)
            state.ended = not raw
            state.piece = await self._view.compute(state.decoder.feed, raw) if raw else state.decoder.end()
        self._session.decoding = state
