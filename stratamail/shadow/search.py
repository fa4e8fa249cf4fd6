"""SEARCH over a view (RFC 3501 section 6.4.4): columns first, then what the indexes of headers and texts know, then the
headers and bodies of as few messages as possible.

Reads headers from the index and message files in the disk pool, in slices; writes nothing but what ``headers`` keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from stratamail.imap.search import And, Key, Not, Or
from stratamail.shadow import bits
from stratamail.shadow.by_columns import Source, Still, answers, leaves, select
from stratamail.shadow.by_content import Known, Match, compiled, matching, reads_body

_HEADERS_AT_ONCE = 500
_BODIES_AT_ONCE = 100
_OCTETS_AT_ONCE = 4_000_000

_LOOKS_IN_REACTOR = 20_000
"""Keys times messages: more than that would hold up all other sessions, and is done in the disk pool."""
_READ_RATHER = 20
"""So few messages are sooner read than looked up."""


class Searchable(Source, Protocol):
    """What a search needs of a view."""

    async def headers(self, uids: Sequence[int]) -> dict[int, bytes]: ...

    async def contents(self, uids: Sequence[int]) -> dict[int, bytes]: ...

    async def known(self, keys: Sequence[Key]) -> Mapping[Key, Known]: ...

    async def compute(self, function: Callable[..., Any], *arguments: Any) -> Any: ...


async def search(view: Searchable, key: Key) -> list[int]:
    """The indexes (sequence number - 1) of what matches, ascending."""
    still = Still(view, key)
    cheap, dear = _split(key)
    found: Sequence[int] = range(len(view.uids))
    beside = len(leaves(key)) * len(view.uids) > _LOOKS_IN_REACTOR
    if cheap:
        found = await view.compute(_all, still, cheap, found) if beside else _all(still, cheap, found)
    if not dear or not found:
        return list(found)
    rest = And(tuple(dear))
    known: Mapping[Key, Known] = {}
    if len(found) > _READ_RATHER:
        known = await view.known([leaf for leaf in dict.fromkeys(leaves(rest)) if not answers(leaf)])
    sure, open_, match = await view.compute(_sift, still, rest, found, known)
    out = list(sure)
    bodies = reads_body(rest)
    for some in _slices(view, open_, bodies):
        uids = [view.uids[i] for i in some]
        read = await (view.contents(uids) if bodies else view.headers(uids))
        blocks = [read.get(uid, b"") for uid in uids]
        items = [(i, b"", block) if bodies else (i, block, b"") for i, block in zip(some, blocks, strict=True)]
        out += await view.compute(matching, match, items)
    return sorted(out) if open_ else out


def _all(view: Still, keys: Sequence[Key], found: Sequence[int]) -> Sequence[int]:
    for key in keys:
        found = select(view, key, found)
    return found


def _split(key: Key) -> tuple[list[Key], list[Key]]:
    """What the columns answer, and what needs more; all of both must hold."""
    if isinstance(key, And):
        parts = [_split(part) for part in key.keys]
        return [k for cheap, _ in parts for k in cheap], [k for _, dear in parts for k in dear]
    return ([key], []) if answers(key) else ([], [key])


def _sift(
    view: Still, key: Key, found: Sequence[int], known: Mapping[Key, Known]
) -> tuple[list[int], list[int], Match | None]:
    """Of ``found`` the indexes that match for sure, those whose messages must be read, and the test of these."""
    sure, maybe = _bounds(view, key, bits.bits(found, len(view.uids)), found, known)
    open_ = bits.indexes(maybe & ~sure)
    return bits.indexes(sure), open_, compiled(view, key, open_, known) if open_ else None


def _bounds(view: Still, key: Key, all_: int, among: Sequence[int], known: Mapping[Key, Known]) -> tuple[int, int]:
    """What of ``all_`` (``among`` as bits) matches for sure, and what may match."""
    if answers(key):
        hit = bits.bits(select(view, key, among), len(view.uids))
        return hit, hit
    if isinstance(key, And):
        sure = maybe = all_
        for part in key.keys:
            some, more = _bounds(view, part, all_, among, known)
            sure, maybe = sure & some, maybe & more
        return sure, maybe
    if isinstance(key, Or):
        left, right = (_bounds(view, part, all_, among, known) for part in (key.left, key.right))
        return left[0] | right[0], left[1] | right[1]
    if isinstance(key, Not):
        sure, maybe = _bounds(view, key.key, all_, among, known)
        return all_ & ~maybe, all_ & ~sure
    if key not in known:
        return 0, all_
    hits, unsure = known[key]
    return all_ & hits, all_ & (hits | unsure)


def _slices(view: Searchable, found: Sequence[int], bodies: bool) -> Iterable[list[int]]:
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
