"""FETCH (RFC 3501 sections 6.4.5 and 7.4.2): columns by the thousand, small messages in bounded batches, large ones in
pieces. Writes nothing to disk itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import TypeVar

from stratamail.imap import render
from stratamail.imap.commands import Fetch
from stratamail.imap.dates import format_time
from stratamail.servers.imap_contents import Wanted
from stratamail.servers.imap_large import LargeMessage
from stratamail.servers.imap_messages import chosen
from stratamail.servers.imap_rows import Rows
from stratamail.servers.imap_session import Done, Refusal, Session, refused
from stratamail.shadow.folder import Folder
from stratamail.shadow.view import View
from stratamail.store import maildir

COLUMNS = {
    "UID": "%d",
    "FLAGS": "%s",
    "INTERNALDATE": '"%s"',
    "RFC822.SIZE": "%d",
    "MODSEQ": "(%d)",
    "SAVEDATE": '"%s"',
    "THREADID": "%s",
}
T = TypeVar("T")
ROWS_AT_ONCE = 5000
MESSAGES_AT_ONCE = 100
HEADERS_AT_ONCE = 250
OCTETS_AT_ONCE = 1_000_000
HEADER_OCTETS = 32_000_000


class FetchCommand:
    """Works on ``session.view``."""

    async def fetch(self, session: Session, tag: str, command: Fetch) -> Done:
        view = session.the_view()
        # a flag has a name before a message has it (RFC 3501 section 7.2.6)
        session.tell_keywords()
        spans = await chosen(view, command.set, command.uid)
        if command.changed_since is not None:
            spans = await self._changed(session, view, spans, command)
        items = command.items
        if "MODSEQ" in items:
            session.enable_condstore()
        if command.uid and "UID" not in items:
            items = ("UID", *items)
        if all(item in COLUMNS for item in items):
            await write_columns(session, view, spans, [str(item) for item in items])
            return Done("Fetched", expunges=command.uid, shifts=False)
        wanted = Wanted.of(items)
        small, large = Rows(session, view, wanted), LargeMessage(session, view, wanted)
        missing = 0
        for indexes in _batched(view, spans, wanted):
            marked = await _mark_seen(view, indexes) if wanted.marks else frozenset()
            if wanted.large(view.size(indexes[0])):
                missing += await large.write(indexes[0], marked)
            else:
                missing += await small.write(indexes, marked)
        if missing:
            raise Refusal("Some messages are gone", "EXPUNGEISSUED")
        if small.unknown or large.unknown:
            raise Refusal("The content-transfer-encoding is unknown", "UNKNOWN-CTE")
        return Done("Fetched", expunges=command.uid, shifts=False)

    async def _changed(self, session: Session, view: View, spans: list[range], command: Fetch) -> list[range]:
        """RFC 7162 sections 3.1.4.1 and 3.2.6: what is gone is told before what has changed."""
        assert command.changed_since is not None
        if command.vanished:
            if not session.qresync:
                raise Refusal("Enable QRESYNC first", state="BAD")
            gone = await refused(view.vanished(command.changed_since, command.set))
            if gone:
                session.write(render.vanished(gone, earlier=True))
        return await view.changed_since(spans, command.changed_since)


async def _mark_seen(view: View, indexes: list[int]) -> frozenset[int]:
    """BODY[...] sets \\Seen, and tells so in the same response; the UIDs that were unseen."""
    if view.read_only:
        return frozenset()
    unseen = [view.uids[i] for i in indexes if not view.bits(i) & maildir.SEEN]
    if not unseen:
        return frozenset()
    return frozenset(await refused(view.store(unseen, "+", ("\\Seen",))))


class _FlagText(dict[int, str]):
    """Rendered flags by their bits."""

    def __init__(self, folder: Folder) -> None:
        super().__init__()
        self._folder = folder

    def __missing__(self, bits: int) -> str:
        text = self[bits] = "(" + " ".join(self._folder.names(bits & ~maildir.IN_NEW)) + ")"
        return text


async def write_columns(session: Session, view: View, spans: list[range], items: list[str]) -> None:
    """What stands in the columns needs no look at any message: one format for each row."""
    template = "* %d FETCH (" + " ".join(f"{item} {COLUMNS[item]}" for item in items) + ")\r\n"
    for rows in _grouped(spans, ROWS_AT_ONCE):
        columns: list[Iterable[object]] = [_column(view, item, rows) for item in items]
        numbers = [i + 1 for i in rows]
        text = "".join([template % row for row in zip(numbers, *columns, strict=True)])
        session.write(text.encode("ascii", "replace"))
        await session.link.drain()


def _grouped(spans: list[range], most: int) -> Iterator[Sequence[int]]:
    """Indexes in groups of ``most``: a range, or a list where single messages were picked."""
    few: list[int] = []
    for span in spans:
        if len(span) + len(few) < most:
            few += span
            continue
        if few:
            yield few
            few = []
        for start in range(span.start, span.stop, most):
            yield range(start, min(start + most, span.stop))
    if few:
        yield few


def _picked(column: Sequence[T], rows: Sequence[int]) -> Sequence[T]:
    return column[rows.start : rows.stop] if isinstance(rows, range) else [column[i] for i in rows]


def _column(view: View, item: str, rows: Sequence[int]) -> Iterable[object]:
    if item == "UID":
        return _picked(view.uids, rows)
    if item == "FLAGS":
        texts = _FlagText(view.folder)
        found = [texts[bits] for bits in _picked(view.column("flags"), rows)]
        if view.recent:
            for i, uid in enumerate(_picked(view.uids, rows)):
                if view.is_recent(uid):
                    found[i] = "(\\Recent)" if found[i] == "()" else found[i][:-1] + " \\Recent)"
        return found
    if item in ("INTERNALDATE", "SAVEDATE"):
        return map(format_time, _picked(view.column("saves" if item == "SAVEDATE" else "dates"), rows))
    if item == "THREADID":
        return repeat("NIL", len(rows))
    return _picked(view.column("modseqs" if item == "MODSEQ" else "sizes"), rows)


def _headers(view: View, spans: list[range], wanted: Wanted) -> Iterator[list[int]]:
    """Batches bounded by count, and by what their headers could be at most."""
    for rows in _grouped(spans, HEADERS_AT_ONCE):
        if not (wanted.header or "ENVELOPE" in wanted.rendered):
            yield list(rows)
            continue
        batch: list[int] = []
        octets = 0
        for i in rows:
            octets += view.size(i)
            if batch and octets > HEADER_OCTETS:
                yield batch
                batch, octets = [], view.size(i)
            batch.append(i)
        yield batch


def _batched(view: View, spans: list[range], wanted: Wanted) -> Iterator[list[int]]:
    """Indexes in batches bounded by count and, when the messages are to be read, by octets; a large message is then
    alone."""
    if not wanted.reads:
        yield from _headers(view, spans, wanted)
        return
    batch: list[int] = []
    octets = 0
    for span in spans:
        for i in span:
            size = view.size(i)
            alone = wanted.large(size)
            if batch and (len(batch) >= MESSAGES_AT_ONCE or octets + size > OCTETS_AT_ONCE or alone):
                yield batch
                batch, octets = [], 0
            batch.append(i)
            # nothing joins a large one
            octets += OCTETS_AT_ONCE if alone else size
    if batch:
        yield batch
