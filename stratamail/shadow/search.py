"""SEARCH over a view (RFC 3501 section 6.4.4): columns first, then headers and bodies of as few messages as possible.

Reads headers from the index and message files in the disk pool, in slices; writes nothing but what ``headers`` keeps.
"""

from __future__ import annotations

import datetime
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from stratamail.imap.search import (
    All,
    And,
    Body,
    HasFlag,
    Header,
    Internal,
    Key,
    Larger,
    ModSeq,
    Not,
    Numbers,
    Or,
    Sent,
    Smaller,
    Text,
    Uids,
)  # fmt: skip
from stratamail.shadow import text

_DAY = 86_400 * 1_000_000
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_HEADERS_AT_ONCE = 500
_BODIES_AT_ONCE = 100
_OCTETS_AT_ONCE = 4_000_000

_LOOKS_IN_REACTOR = 100_000
"""Keys times messages: more than that would hold up all other sessions, and is done in the disk pool."""

Match = Callable[["Candidate"], bool]


class Columnar(Protocol):
    """What a search needs of a view."""

    @property
    def uids(self) -> array[int]: ...

    @property
    def folder(self) -> Any: ...

    def column(self, name: str) -> Sequence[int]: ...

    def is_recent(self, uid: int) -> bool: ...

    async def headers(self, uids: Sequence[int]) -> dict[int, bytes]: ...

    async def contents(self, uids: Sequence[int]) -> dict[int, bytes]: ...

    async def compute(self, function: Callable[..., Any], *arguments: Any) -> Any: ...


class Candidate:
    """One message under test; what is decoded is decoded once."""

    def __init__(self, index: int, header: bytes, data: bytes) -> None:
        self.index = index
        self.header = header
        self._data = data
        self._texts: list[str] | None = None
        self._header_text: str | None = None

    def header_text(self) -> str:
        if self._header_text is None:
            self._header_text = text.header_text(self.header).casefold()
        return self._header_text

    def texts(self) -> list[str]:
        if self._texts is None:
            self._texts = [part.casefold() for part in text.body_texts(self._data)]
        return self._texts


class Still:
    """A view's columns as they are now, which another thread may read."""

    def __init__(self, view: Columnar, key: Key) -> None:
        self.uids = view.uids
        self.folder = view.folder
        self.is_recent = view.is_recent
        self._columns = {name: view.column(name) for name in sorted(_columns(key))}

    def column(self, name: str) -> Sequence[int]:
        return self._columns[name]


async def search(view: Columnar, key: Key) -> list[int]:
    """The indexes (sequence number - 1) of what matches, ascending."""
    still = Still(view, key)
    found: Sequence[int]
    match: Match | None
    if _leaves(key) * len(view.uids) > _LOOKS_IN_REACTOR:
        found, match = await view.compute(_prepare, still, key)
    else:
        found, match = _prepare(still, key)
    if match is None:
        return list(found)
    bodies = _reads_body(key)
    out: list[int] = []
    for some in _slices(view, found, bodies):
        uids = [view.uids[i] for i in some]
        if bodies:
            contents = await view.contents(uids)
            out += await view.compute(
                _run, match, [(i, b"", contents.get(uid, b"")) for i, uid in zip(some, uids, strict=True)]
            )
        else:
            headers = await view.headers(uids)
            out += await view.compute(
                _run, match, [(i, headers.get(uid, b""), b"") for i, uid in zip(some, uids, strict=True)]
            )
    return out


def _prepare(view: Still, key: Key) -> tuple[Sequence[int], Match | None]:
    """What the columns leave over, and the test of a message that is left to do, None when there is none."""
    cheap, dear = _split(key)
    found: Sequence[int] = range(len(view.uids))
    for part in cheap:
        found = _by_columns(view, part, found)
    return found, _compile(view, And(tuple(dear)), found) if dear and found else None


def _inner(key: Key) -> tuple[Key, ...]:
    if isinstance(key, And):
        return key.keys
    if isinstance(key, Or):
        return key.left, key.right
    return (key.key,) if isinstance(key, Not) else ()


def _leaves(key: Key) -> int:
    return sum(map(_leaves, _inner(key))) or 1


def _columns(key: Key) -> set[str]:
    """The columns that it takes to answer ``key``."""
    if isinstance(key, HasFlag):
        return {"flags"}
    if isinstance(key, (Larger, Smaller)):
        return {"sizes"}
    if isinstance(key, ModSeq):
        return {"modseqs"}
    if isinstance(key, Internal):
        return {"dates"}
    return {name for part in _inner(key) for name in _columns(part)}


def _run(match: Match, items: list[tuple[int, bytes, bytes]]) -> list[int]:
    out = []
    for index, header, data in items:
        if data:
            header = text.split(data)[0]
        if match(Candidate(index, header, data)):
            out.append(index)
    return out


def _slices(view: Columnar, found: Sequence[int], bodies: bool) -> Iterable[list[int]]:
    if not bodies:
        for i in range(0, len(found), _HEADERS_AT_ONCE):
            yield list(found[i : i + _HEADERS_AT_ONCE])
        return
    sizes = view.column("sizes")
    some: list[int] = []
    octets = 0
    for i in found:
        some.append(i)
        octets += sizes[i]
        if len(some) >= _BODIES_AT_ONCE or octets >= _OCTETS_AT_ONCE:
            yield some
            some, octets = [], 0
    if some:
        yield some


def _is_cheap(key: Key) -> bool:
    if isinstance(key, And):
        return all(_is_cheap(part) for part in key.keys)
    if isinstance(key, Or):
        return _is_cheap(key.left) and _is_cheap(key.right)
    if isinstance(key, Not):
        return _is_cheap(key.key)
    return not isinstance(key, (Sent, Header, Body, Text))


def _reads_body(key: Key) -> bool:
    if isinstance(key, And):
        return any(_reads_body(part) for part in key.keys)
    if isinstance(key, Or):
        return _reads_body(key.left) or _reads_body(key.right)
    if isinstance(key, Not):
        return _reads_body(key.key)
    return isinstance(key, (Body, Text))


def _split(key: Key) -> tuple[list[Key], list[Key]]:
    """What the columns answer, and what needs messages read; all of both must hold."""
    if isinstance(key, And):
        parts = [_split(part) for part in key.keys]
        return [k for cheap, _ in parts for k in cheap], [k for _, dear in parts for k in dear]
    return ([key], []) if _is_cheap(key) else ([], [key])


def _by_columns(view: Still, key: Key, among: Sequence[int]) -> Sequence[int]:
    if isinstance(key, All):
        return among
    if isinstance(key, And):
        for part in key.keys:
            among = _by_columns(view, part, among)
        return among
    if isinstance(key, Or):
        left = set(_by_columns(view, key.left, among))
        right = set(_by_columns(view, key.right, [i for i in among if i not in left]))
        return [i for i in among if i in left or i in right]
    if isinstance(key, Not):
        hit = set(_by_columns(view, key.key, among))
        return [i for i in among if i not in hit]
    if isinstance(key, Numbers):
        return _within(key.set.indexes(len(view.uids)), among)
    if isinstance(key, Uids):
        return _within(key.set.positions(view.uids), among)
    if isinstance(key, HasFlag):
        return _flagged(view, key, among)
    if isinstance(key, Larger):
        sizes = view.column("sizes")
        return [i for i in among if sizes[i] > key.size]
    if isinstance(key, Smaller):
        sizes = view.column("sizes")
        return [i for i in among if sizes[i] < key.size]
    if isinstance(key, ModSeq):
        modseqs = view.column("modseqs")
        return [i for i in among if modseqs[i] >= key.least]
    assert isinstance(key, Internal)
    dates = view.column("dates")
    start = (key.day.toordinal() - _EPOCH) * _DAY
    if key.when == "before":
        return [i for i in among if dates[i] < start]
    if key.when == "since":
        return [i for i in among if dates[i] >= start]
    return [i for i in among if start <= dates[i] < start + _DAY]


def _within(spans: list[range], among: Sequence[int]) -> Sequence[int]:
    if isinstance(among, range) and len(spans) == 1:
        return range(max(among.start, spans[0].start), max(min(among.stop, spans[0].stop), spans[0].start))
    if isinstance(among, range):
        return [i for span in spans for i in span if i in among]
    wanted: set[int] = set()
    for span in spans:
        wanted.update(span)
    return [i for i in among if i in wanted]


def _flagged(view: Still, key: HasFlag, among: Sequence[int]) -> Sequence[int]:
    if key.flag.lower() == "\\recent":
        uids = view.uids
        return [i for i in among if view.is_recent(uids[i]) == key.present]
    bit = view.folder.mask(key.flag)
    if not bit:
        return [] if key.present else among
    flags = view.column("flags")
    if key.present:
        return [i for i in among if flags[i] & bit]
    return [i for i in among if not flags[i] & bit]


def _compile(view: Still, key: Key, among: Sequence[int]) -> Match:
    """A test of one message."""
    if _is_cheap(key):
        hit = frozenset(_by_columns(view, key, among))
        return lambda message: message.index in hit
    if isinstance(key, And):
        every = [_compile(view, part, among) for part in key.keys]
        return lambda message: all(match(message) for match in every)
    if isinstance(key, Or):
        left, right = _compile(view, key.left, among), _compile(view, key.right, among)
        return lambda message: left(message) or right(message)
    if isinstance(key, Not):
        inner = _compile(view, key.key, among)
        return lambda message: not inner(message)
    if isinstance(key, Sent):
        return _sent(key)
    if isinstance(key, Header):
        return _header(key)
    assert isinstance(key, (Body, Text))
    needle, everywhere = key.text.casefold(), isinstance(key, Text)
    return lambda message: (everywhere and needle in message.header_text()) or any(needle in t for t in message.texts())


def _header(key: Header) -> Match:
    name, wanted = key.name, key.text.casefold()
    # its words (folds split at blanks only) must stand in the bytes, where these are ASCII without encoded words
    words = wanted.encode("ascii").split() if wanted.isascii() else []

    def match(message: Candidate) -> bool:
        block = message.header
        if words and block.isascii() and b"=?" not in block:
            lower = block.lower()
            if any(word not in lower for word in words):
                return False
        return any(wanted in found.casefold() for found in text.header_values(block, name))

    return match


def _sent(key: Sent) -> Match:
    day = key.day

    def match(message: Candidate) -> bool:
        found = text.sent_day(message.header)
        if found is None:
            return False
        return found < day if key.when == "before" else found >= day if key.when == "since" else found == day

    return match
