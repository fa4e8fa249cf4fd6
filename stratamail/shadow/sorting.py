"""Messages of a folder in a wished order (RFC 5256 SORT), from its decoded headers in memory.

The orders that were asked for last are kept with the headers and take in new messages, so that the next time only the
answer has to be written. Runs in the disk pool; touches no disk.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stratamail.shadow.summaries import Summaries

ORDERS_KEPT = 4
INSERTED = 200
"""More new messages than that, and the whole is sorted again."""
AT_ONCE = 8_192
"""So many are sorted in one go: no other thread runs meanwhile."""

_TEXTS = {
    "SUBJECT": "base", "FROM": "from-mailbox", "TO": "to-mailbox", "CC": "cc-mailbox",
    "DISPLAYFROM": "from-display", "DISPLAYTO": "to-display",
}  # fmt: skip
_NUMBERS = {"ARRIVAL": "dates", "DATE": "sents", "SIZE": "sizes"}

Criteria = tuple[tuple[str, bool], ...]
"""Names of RFC 5256 (and 5957) with "in reverse", the weightiest first. What is equal stays in mailbox order."""


def sort(summaries: Summaries, criteria: Criteria, uids: array[int], found: Sequence[int]) -> Sequence[int]:
    """The UIDs of the messages at the indexes ``found`` (ascending) of a view's ``uids``, sorted. What the summaries do
    not have comes last."""
    if len(found) * 8 < len(uids):
        return _few(summaries, criteria, uids, found)
    order = whole(summaries, criteria)
    if len(found) == len(uids) and uids == summaries.uids:
        return order
    wanted = {uids[i] for i in found}
    out = [uid for uid in order if uid in wanted]
    return out if len(out) == len(wanted) else out + sorted(wanted.difference(out))


def plain(criteria: Criteria) -> bool:
    """Whether it takes no look at any header."""
    return all(name in ("ARRIVAL", "SIZE") for name, _ in criteria)


def by_columns(
    columns: Mapping[str, Sequence[int]], criteria: Criteria, uids: Sequence[int], found: Sequence[int]
) -> list[int]:
    """As :func:`sort`, for criteria that are :func:`plain`, from a view's columns "dates" (microseconds), "sizes"."""
    dates, sizes = columns["dates"], columns["sizes"]
    getters: dict[str, Callable[[int], int]] = {
        "ARRIVAL": lambda i: dates[i] // 1_000_000,
        "SIZE": sizes.__getitem__,
    }
    return [uids[i] for i in stable(found, criteria, getters.__getitem__)]


def whole(summaries: Summaries, criteria: Criteria) -> array[int]:
    """The UIDs of all messages, sorted. Never changed in place."""
    orders = summaries.orders
    kept = orders.pop(criteria, None)
    count = len(summaries.uids)
    if kept is None or count - len(kept) > INSERTED:
        positions = stable(range(count), criteria, lambda name: _column(summaries, name))
        uids = summaries.uids
        kept = array("I", [uids[position] for position in positions])
    elif len(kept) < count:
        kept = kept[:]
        before = _before(summaries, criteria)
        for position in range(len(kept), count):
            _insert(summaries, kept, position, before)
    orders[criteria] = kept
    while len(orders) > ORDERS_KEPT:
        orders.pop(next(iter(orders)), None)
    return kept


def stable(items: Sequence[int], criteria: Criteria, column: Callable[[str], Callable[[int], Any]]) -> list[int]:
    """``items`` (in mailbox order) sorted by what ``column(name)`` gives of each."""
    out = list(items)
    for name, reverse in reversed(criteria):
        out = _sorted(out, column(name), reverse)
    return out


def _few(summaries: Summaries, criteria: Criteria, uids: array[int], found: Sequence[int]) -> list[int]:
    places = summaries.positions(uids)
    known = [places[i] for i in found if places[i] >= 0]
    mine = summaries.uids
    out = stable(known, criteria, lambda name: _getter(summaries, name))
    return [mine[position] for position in out] + [uids[i] for i in found if places[i] < 0]


def _sorted(items: list[int], key: Callable[[int], Any], reverse: bool) -> list[int]:
    """As ``sorted`` does, in portions by key: each call is short."""
    if len(items) <= AT_ONCE:
        return sorted(items, key=key, reverse=reverse)
    count = len(items) * 2 // AT_ONCE + 1
    sample = sorted(map(key, items[:: max(len(items) // (count * 16), 1)]))
    pivots = sample[len(sample) // count :: max(len(sample) // count, 1)]
    portions: list[list[int]] = [[] for _ in range(len(pivots) + 1)]
    for item in items:
        # equal ones come into one portion
        portions[bisect_right(pivots, key(item))].append(item)
    if reverse:
        portions.reverse()
    return [item for portion in portions for item in sorted(portion, key=key, reverse=reverse)]


def _column(summaries: Summaries, name: str) -> Callable[[int], Any]:
    """Every value at hand."""
    text = _TEXTS.get(name)
    return summaries.texts[text].all().__getitem__ if text else _getter(summaries, name)


def _getter(summaries: Summaries, name: str) -> Callable[[int], Any]:
    text = _TEXTS.get(name)
    column: Any = summaries.texts[text] if text else getattr(summaries, _NUMBERS[name])
    getter: Callable[[int], Any] = column.__getitem__
    return getter


def _before(summaries: Summaries, criteria: Criteria) -> Callable[[int, int], bool]:
    """Whether one position comes before another, lower one."""
    getters = [(_getter(summaries, name), reverse) for name, reverse in criteria]

    def before(position: int, other: int) -> bool:
        for getter, reverse in getters:
            mine, its = getter(position), getter(other)
            if mine != its:
                return bool(mine > its) if reverse else bool(mine < its)
        return False

    return before


def _insert(summaries: Summaries, order: array[int], position: int, before: Callable[[int, int], bool]) -> None:
    """Behind all that come before it or are equal: it is the newest."""
    uids = summaries.uids
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        if before(position, bisect_left(uids, order[middle])):
            high = middle
        else:
            low = middle + 1
    order.insert(low, uids[position])
