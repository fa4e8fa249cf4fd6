"""FETCH (RFC 3501 sections 6.4.5 and 7.4.2): columns by the thousand, content in bounded batches, large messages in
pieces.

What is rendered from content (ENVELOPE, BODYSTRUCTURE) is kept in the index through the view. Writes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stratamail.imap import body, render
from stratamail.imap.commands import Fetch, Section
from stratamail.imap.dates import format_time
from stratamail.mail.structure import Part, scan
from stratamail.mail.summary import summarise
from stratamail.servers.imap_messages import chosen
from stratamail.servers.imap_session import Done, Refusal, Session, refused
from stratamail.shadow.folder import Folder
from stratamail.shadow.view import View
from stratamail.store import maildir

COLUMNS = {"UID": "%d", "FLAGS": "%s", "INTERNALDATE": '"%s"', "RFC822.SIZE": "%d"}
RENDERED = {"ENVELOPE": "envelope", "BODYSTRUCTURE": "bodystructure", "BODY": "body"}
"""Kinds of rendered bytes in the index."""
ROWS_AT_ONCE = 5000
MESSAGES_AT_ONCE = 100
OCTETS_AT_ONCE = 1_000_000
LARGE = 4_000_000
"""A whole message larger than this is never held in memory."""
PIECE = 256 * 1024
SLOW_TO_SCAN = 512 * 1024


class FetchCommand:
    """Works on ``session.view``."""

    async def fetch(self, session: Session, tag: str, command: Fetch) -> Done:
        view = session.the_view()
        spans = chosen(view, command.set, command.uid)
        items = command.items
        if command.uid and "UID" not in items:
            items = ("UID", *items)
        if all(item in COLUMNS for item in items):
            await _columns(session, view, spans, [str(item) for item in items])
            return Done("Fetched", expunges=command.uid)
        missing = 0
        batches = _Batches(session, view, items)
        for indexes in _batched(view, spans):
            missing += await batches.run(indexes)
        if missing:
            raise Refusal("Some messages are gone", "EXPUNGEISSUED")
        return Done("Fetched", expunges=command.uid)


class _FlagText(dict[int, str]):
    """Rendered flags by their bits."""

    def __init__(self, folder: Folder) -> None:
        super().__init__()
        self._folder = folder

    def __missing__(self, bits: int) -> str:
        text = self[bits] = "(" + " ".join(self._folder.names(bits & ~maildir.IN_NEW)) + ")"
        return text


async def _columns(session: Session, view: View, spans: list[range], items: list[str]) -> None:
    """What stands in the columns needs no look at any message: one format for each row."""
    template = "* %d FETCH (" + " ".join(f"{item} {COLUMNS[item]}" for item in items) + ")\r\n"
    for span in spans:
        for start in range(span.start, span.stop, ROWS_AT_ONCE):
            stop = min(start + ROWS_AT_ONCE, span.stop)
            columns: list[Iterable[object]] = [_column(view, item, start, stop) for item in items]
            rows = zip(range(start + 1, stop + 1), *columns, strict=True)
            session.write("".join([template % row for row in rows]).encode("ascii", "replace"))
            await session.link.drain()


def _column(view: View, item: str, start: int, stop: int) -> Iterable[object]:
    if item == "UID":
        return view.uids[start:stop]
    if item == "FLAGS":
        texts = _FlagText(view.folder)
        found = [texts[bits] for bits in view.column("flags")[start:stop]]
        if view.recent:
            for i, uid in enumerate(view.uids[start:stop]):
                if view.is_recent(uid):
                    found[i] = "(\\Recent)" if found[i] == "()" else found[i][:-1] + " \\Recent)"
        return found
    if item == "INTERNALDATE":
        return map(format_time, view.column("dates")[start:stop])
    return view.column("sizes")[start:stop]


def _batched(view: View, spans: list[range]) -> Iterator[list[int]]:
    """Indexes in batches bounded by count and octets."""
    batch: list[int] = []
    octets = 0
    for span in spans:
        for i in span:
            size = view.size(i)
            if batch and (len(batch) >= MESSAGES_AT_ONCE or octets + size > OCTETS_AT_ONCE):
                yield batch
                batch, octets = [], 0
            batch.append(i)
            octets += size
    if batch:
        yield batch


class _Batches:
    """One FETCH of items that need more than columns."""

    def __init__(self, session: Session, view: View, items: tuple[str | Section, ...]) -> None:
        self._session = session
        self._view = view
        self._items = items
        self._sections = [item for item in items if isinstance(item, Section)]
        self._rendered = [item for item in items if isinstance(item, str) and item in RENDERED]
        self._marks = not view.read_only and any(not section.peek for section in self._sections)
        pieces = [section for section in self._sections if not section.part and not section.text]
        self._whole = bool(pieces) and len(pieces) == len(self._sections) and not self._rendered
        self._content = any(not body.header_only(section) for section in self._sections)

    async def run(self, indexes: list[int]) -> int:
        """Writes the responses of a batch; how many messages were gone."""
        view = self._view
        uids = [view.uids[i] for i in indexes]
        marked = await self._mark_seen(indexes, uids)
        if self._whole and (len(uids) == 1 and (view.size(indexes[0]) > LARGE or self._partial_only())):
            return await self._in_pieces(indexes[0], uids[0], uids[0] in marked)
        kept = {item: await refused(view.cached(RENDERED[item], uids)) for item in self._rendered}
        structures = [item for item in self._rendered if item != "ENVELOPE"]
        without = [uid for uid in uids if self._content or any(uid not in kept[item] for item in structures)]
        data = await refused(view.contents(without)) if without else {}
        headers: dict[int, bytes] = {}
        if any(map(body.header_only, self._sections)) or any(
            uid not in kept["ENVELOPE"] for uid in uids if "ENVELOPE" in kept
        ):
            headers = await refused(view.headers([uid for uid in uids if uid not in data]))
        trees = await self._trees(data, structures, kept)
        self._render(uids, kept, data, headers, trees)
        missing = 0
        for i, uid in zip(indexes, uids, strict=True):
            row = self._row(i, uid, uid in marked, kept, data, headers, trees)
            if row is None:
                missing += 1
            else:
                await self._write(row)
        await self._session.link.drain()
        return missing

    def _partial_only(self) -> bool:
        return all(section.partial is not None for section in self._sections)

    async def _mark_seen(self, indexes: list[int], uids: list[int]) -> frozenset[int]:
        """BODY[...] sets \\Seen, and tells so in the same response."""
        if not self._marks:
            return frozenset()
        unseen = [uid for i, uid in zip(indexes, uids, strict=True) if not self._view.bits(i) & maildir.SEEN]
        if not unseen:
            return frozenset()
        return frozenset(await refused(self._view.store(unseen, "+", ("\\Seen",))))

    async def _trees(
        self, data: dict[int, bytes], structures: list[str], kept: dict[str, dict[int, bytes]]
    ) -> dict[int, Part]:
        parts = any(section.part for section in self._sections)
        trees = {}
        for uid, content in data.items():
            if parts or any(uid not in kept[item] for item in structures):
                slow = len(content) > SLOW_TO_SCAN
                trees[uid] = await self._view.compute(scan, content) if slow else scan(content)
        return trees

    def _render(
        self,
        uids: list[int],
        kept: dict[str, dict[int, bytes]],
        data: dict[int, bytes],
        headers: dict[int, bytes],
        trees: dict[int, Part],
    ) -> None:
        """Makes what the index does not have yet, and gives it to the index."""
        for item in self._rendered:
            fresh: dict[int, bytes] = {}
            for uid in uids:
                if uid in kept[item]:
                    continue
                if item == "ENVELOPE":
                    block = headers.get(uid, data.get(uid))
                    if block is not None:
                        fresh[uid] = body.envelope(summarise(block))
                elif uid in trees:
                    fresh[uid] = body.bodystructure(data[uid], trees[uid], item == "BODYSTRUCTURE")
            if fresh:
                self._view.keep(RENDERED[item], fresh)
                kept[item] = {**kept[item], **fresh}

    def _row(
        self,
        i: int,
        uid: int,
        marked: bool,
        kept: dict[str, dict[int, bytes]],
        data: dict[int, bytes],
        headers: dict[int, bytes],
        trees: dict[int, Part],
    ) -> list[bytes] | None:
        """One response in pieces, None when the message is gone."""
        out: list[bytes] = []
        for item in self._items:
            if isinstance(item, Section):
                content = headers.get(uid, data.get(uid)) if body.header_only(item) else data.get(uid)
                if content is None:
                    return None
                out.append(body.item(item, body.extract(content, trees.get(uid), item)))
            elif item in RENDERED:
                rendered = kept[item].get(uid)
                if rendered is None:
                    return None
                out.append(item.encode("ascii") + b" " + rendered)
            else:
                out.append(self._attribute(item, i))
        return self._assembled(i, out, marked)

    def _attribute(self, item: str, i: int) -> bytes:
        view = self._view
        if item == "UID":
            return b"UID %d" % view.uids[i]
        if item == "FLAGS":
            return b"FLAGS " + render.flag_list(view.flags(i))
        if item == "INTERNALDATE":
            return b'INTERNALDATE "%b"' % format_time(view.date(i)).encode("ascii")
        return b"RFC822.SIZE %d" % view.size(i)

    def _assembled(self, i: int, parts: list[bytes], marked: bool) -> list[bytes]:
        if marked and "FLAGS" not in self._items:
            parts.append(self._attribute("FLAGS", i))
        out = [b"* %d FETCH (" % (i + 1)]
        for part in parts:
            out += (part, b" ")
        out[-1] = b")\r\n"
        return out

    async def _write(self, pieces: list[bytes]) -> None:
        """Small responses in one write; of a large one no more at a time than the client takes."""
        if sum(map(len, pieces)) <= PIECE:
            self._session.write(b"".join(pieces))
            return
        for piece in pieces:
            for start in range(0, len(piece), PIECE):
                self._session.write(piece[start : start + PIECE])
                if len(piece) > PIECE:
                    await self._session.link.drain()

    async def _in_pieces(self, i: int, uid: int, marked: bool) -> int:
        """BODY[] of one large message, or ranges of it: read as the client takes it."""
        view = self._view
        size = view.size(i)
        first = True
        for item in self._items:
            self._session.write(b"* %d FETCH (" % (i + 1) if first else b" ")
            first = False
            if not isinstance(item, Section):
                self._session.write(self._attribute(item, i))
                continue
            start, count = item.partial or (0, size)
            count = max(0, min(count, size - start))
            self._session.write(body.item(item, b"").removesuffix(b"{0}\r\n") + b"{%d}\r\n" % count)
            while count:
                piece = await refused(view.piece(uid, start, min(PIECE, count)))
                if not piece:
                    # a literal was promised: nothing but the end of the connection can be said now
                    self._session.link.abort()
                    return 1
                self._session.write(piece)
                start += len(piece)
                count -= len(piece)
                await self._session.link.drain()
        if marked and "FLAGS" not in self._items:
            self._session.write(b" " + self._attribute("FLAGS", i))
        self._session.write(b")\r\n")
        return 0
