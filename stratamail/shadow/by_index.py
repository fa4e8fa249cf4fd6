"""What the indexes know of the messages of a folder, for a search: decoded headers in memory, texts on disk.

The full-text index finds documents; :class:`Numbers` remembers for a folder which message is which document. Writes
nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple, Protocol

from twisted.logger import Logger

from stratamail.imap.search import Body, Header, Key, Sent, Text
from stratamail.mail.digest import FIELDS
from stratamail.shadow.bits import bits, chosen
from stratamail.shadow.by_content import Known
from stratamail.shadow.summaries import Summaries
from stratamail.store.findable import Findable
from stratamail.store.fulltext import Fulltext, Unusable, Where, fold, key_of

_log = Logger()
_FEW = 1000
_AT_ONCE = 4
"""Keys looked up in one go: others want the pool's threads too."""
_LOOKED_UP = (Body, Text, Header)
_ODD = frozenset("\0\x01\ufffd")
"""What the indexes write between texts or for what they cannot hold: messages are read for a word with it."""


class Asking(Protocol):
    """What is needed of a view."""

    @property
    def uids(self) -> array[int]: ...

    @property
    def folder(self) -> Any: ...

    @property
    def box(self) -> Any: ...

    def bases(self) -> Sequence[str]: ...

    async def compute(self, function: Callable[..., Any], *arguments: Any) -> Any: ...


async def ask(view: Asking, keys: Sequence[Key]) -> Mapping[Key, Known]:
    """What is known of those of ``keys`` that anything is known of, about all messages in view."""
    known: dict[Key, Known] = {}
    keys = [key for key in keys if not (isinstance(key, _LOOKED_UP) and _ODD.intersection(key.text))]
    columns = [key for key in keys if isinstance(key, Sent) or (isinstance(key, Header) and key.name in FIELDS)]
    if columns:
        summaries = await view.folder.headers.summaries(view)
        for i in range(0, len(columns), _AT_ONCE):
            known.update(await view.compute(_by_summaries, summaries, view.uids, columns[i : i + _AT_ONCE]))
    texts = [key for key in keys if isinstance(key, _LOOKED_UP) and key not in known and _asked(key)[0]]
    if texts and view.box.findable is not None:
        box = view.box
        box.in_use()
        arguments = box.findable, box.address, view.folder.numbers, view.uids, view.bases()
        for i in range(0, len(texts), _AT_ONCE):
            known.update(await view.compute(_by_texts, *arguments, texts[i : i + _AT_ONCE]))
    return known


def _by_summaries(summaries: Summaries, uids: array[int], keys: Sequence[Sent | Header]) -> dict[Key, Known]:
    found: dict[Key, Known] = {}
    for key in keys:
        if isinstance(key, Header):
            hits = bits(summaries.find(key.name, key.text.replace("\t", " "), uids), len(uids))
            found[key] = hits, bits(summaries.unsure(key.name, uids), len(uids)) & ~hits
        else:
            found[key] = _sent(summaries, uids, key)
    return found


def _sent(summaries: Summaries, uids: array[int], key: Sent) -> Known:
    days, day, whens = summaries.days, key.day.toordinal(), {"before": -1, "on": 0, "since": 1}
    when = whens[key.when]
    hits, unsure = [], []
    for i, position in enumerate(summaries.positions(uids)):
        if position < 0:
            unsure.append(i)
            continue
        written = days[position]
        if written and (written < day if when < 0 else written >= day if when else written == day):
            hits.append(i)
    return bits(hits, len(uids)), bits(unsure, len(uids))


class _Aligned(NamedTuple):
    """``numbers`` of the messages ``uids``; of documents above ``last`` nothing is known yet."""

    generation: int
    last: int
    uids: array[int]
    numbers: array[int]


_NOTHING = _Aligned(0, 0, array("I"), array("I"))


class Numbers:
    """The documents of a folder's messages, by index; 0 for one that has none yet. For any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known = _NOTHING

    def release(self) -> None:
        """Give the memory back; the next use looks everything up again."""
        self._known = _NOTHING

    def of(self, index: Fulltext, uids: array[int], bases: Sequence[str]) -> array[int]:
        """For the messages of a view, whose files are ``bases``."""
        with self._lock:
            known = self._known
            if index.generation != known.generation:
                known = _NOTHING
            last, numbers = index.last, known.numbers
            if uids is not known.uids:
                numbers = _aligned(index, known, uids, bases)
            if last > known.last and 0 in numbers:
                # what was filled in meanwhile
                numbers = _filled(numbers, index.after(known.last), bases)
            self._known = _Aligned(index.generation, last, uids, numbers)
            return numbers


def _aligned(index: Fulltext, known: _Aligned, uids: array[int], bases: Sequence[str]) -> array[int]:
    """The same for other messages."""
    size = len(known.uids)
    if uids[:size] == known.uids:
        numbers = known.numbers + array("I", bytes(4 * (len(uids) - size)))
        new: Sequence[int] = range(size, len(uids))
    else:
        where = dict(zip(known.uids, known.numbers, strict=True))
        numbers = array("I", [where.get(uid, 0) for uid in uids])
        new = [i for i, uid in enumerate(uids) if uid not in where]
    if not new:
        return numbers
    # they may be copies of messages that were filled in long ago
    few = len(new) <= _FEW
    return _filled(numbers, index.numbers(key_of(bases[i]) for i in new) if few else index.after(0), bases)


def _filled(numbers: array[int], found: Mapping[str, int], bases: Sequence[str]) -> array[int]:
    if not found:
        return numbers
    return array("I", [n or found.get(key_of(bases[i]), 0) for i, n in enumerate(numbers)])


def _by_texts(
    findable: Findable,
    address: str,
    numbers: Numbers,
    uids: array[int],
    bases: Sequence[str],
    keys: Sequence[Body | Text | Header],
) -> dict[Key, Known]:
    """Nothing when there is no index."""
    try:
        with findable.reading(address) as index:
            if index is None:
                return {}
            documents = numbers.of(index, uids, bases)
            return {key: _in_texts(index, documents, key) for key in keys}
    except Unusable:
        _log.failure("the full-text index of {address} cannot be read", address=address)
        return {}


def _in_texts(index: Fulltext, documents: array[int], key: Body | Text | Header) -> Known:
    cut = index.cut()
    found = index.find(*_asked(key))
    if isinstance(key, Header):
        # it may stand in another field
        return 0, chosen([not n or n in found or n in cut for n in documents])
    hits = chosen([n in found for n in documents])
    if not cut and 0 not in documents:
        return hits, 0
    return hits, chosen([not n or n in cut for n in documents]) & ~hits


def _asked(key: Body | Text | Header) -> tuple[str, Where]:
    if isinstance(key, Body):
        return key.text, "body"
    if isinstance(key, Text):
        return key.text, "text"
    # the longer of what is asked for and the field's name, as ``text.header_text`` writes it
    name = f"{key.name}: "
    return (key.text if len(fold(key.text)) >= min(3, len(name)) else name), "head"
