"""FETCH (RFC 3501 sections 6.4.5 and 7.4.2): columns by the thousand, small messages in bounded batches, large ones in
pieces. Writes nothing to disk itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stratamail.imap.commands import Fetch
from stratamail.imap.dates import format_time
from stratamail.servers.imap_large import LargeMessage
from stratamail.servers.imap_messages import chosen
from stratamail.servers.imap_rows import Rows, Wanted
from stratamail.servers.imap_session import Done, Refusal, Session, refused
from stratamail.shadow.folder import Folder
from stratamail.shadow.view import View
from stratamail.store import maildir

COLUMNS = {"UID": "%d", "FLAGS": "%s", "INTERNALDATE": '"%s"', "RFC822.SIZE": "%d"}
ROWS_AT_ONCE = 5000
MESSAGES_AT_ONCE = 100
HEADERS_AT_ONCE = 250
OCTETS_AT_ONCE = 1_000_000
LARGE = 512 * 1024
"""A larger message is not held in memory to be sent."""


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
        wanted = Wanted.of(items)
        small, large = Rows(session, view, wanted), LargeMessage(session, view, wanted)
        missing = 0
        for indexes in _batched(view, spans, wanted.reads):
            marked = await _mark_seen(view, indexes) if wanted.marks else frozenset()
            if wanted.reads and view.size(indexes[0]) > LARGE:
                missing += await large.write(indexes[0], marked)
            else:
                missing += await small.write(indexes, marked)
        if missing:
            raise Refusal("Some messages are gone", "EXPUNGEISSUED")
        return Done("Fetched", expunges=command.uid)


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


def _batched(view: View, spans: list[range], reads: bool) -> Iterator[list[int]]:
    """Indexes in batches bounded by count and, when the messages are to be read, by octets; a large message is then
    alone."""
    if not reads:
        for span in spans:
            for start in range(span.start, span.stop, HEADERS_AT_ONCE):
                yield list(range(start, min(start + HEADERS_AT_ONCE, span.stop)))
        return
    batch: list[int] = []
    octets = 0
    for span in spans:
        for i in span:
            size = view.size(i)
            if batch and (len(batch) >= MESSAGES_AT_ONCE or octets + size > OCTETS_AT_ONCE or size > LARGE):
                yield batch
                batch, octets = [], 0
            batch.append(i)
            # nothing joins a large one
            octets += size if size <= LARGE else OCTETS_AT_ONCE
    if batch:
        yield batch
