"""What the full-text index knows of the messages of a folder, for a search; runs in the disk pool, writes nothing.

The index finds documents; :class:`Numbers` remembers for a folder which message is which document.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence
from threading import Lock

from twisted.logger import Logger

from stratamail.imap.search import Body, Header, Text
from stratamail.store.findable import Findable
from stratamail.store.fulltext import Fulltext, Where, fold, key_of

_log = Logger()
_FEW = 1000

Known = tuple[frozenset[int], frozenset[int]]
"""The indexes of messages that match, and of those whose content must tell."""


class Numbers:
    """The documents of a folder's messages, by index; 0 for one that has none yet. For any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.release()

    def release(self) -> None:
        """Give the memory back; the next use looks everything up again."""
        self._generation = 0
        self._last = 0
        self._uids: array[int] = array("I")
        self._numbers: array[int] = array("I")

    def of(self, index: Fulltext, uids: array[int], bases: Sequence[str]) -> array[int]:
        """For the messages of a view, whose files are ``bases``."""
        with self._lock:
            if index.generation != self._generation:
                self.release()
                self._generation = index.generation
            if uids is not self._uids:
                self._align(index, uids, bases)
            last = index.last
            if last > self._last and 0 in self._numbers:
                # what was filled in meanwhile
                self._fill(index.after(self._last), bases)
            self._last = max(last, self._last)
            return self._numbers

    def _align(self, index: Fulltext, uids: array[int], bases: Sequence[str]) -> None:
        known = len(self._uids)
        if uids[:known] == self._uids:
            numbers = self._numbers + array("I", bytes(4 * (len(uids) - known)))
            new: Sequence[int] = range(known, len(uids))
        else:
            where = dict(zip(self._uids, self._numbers, strict=True))
            numbers = array("I", [where.get(uid, 0) for uid in uids])
            new = [i for i, uid in enumerate(uids) if uid not in where]
        self._uids, self._numbers = uids, numbers
        if new:
            # copies of messages that were filled in long ago
            few = len(new) <= _FEW
            self._fill(index.numbers(key_of(bases[i]) for i in new) if few else index.after(0), bases)

    def _fill(self, found: dict[str, int], bases: Sequence[str]) -> None:
        if not found:
            return
        numbers = self._numbers[:]
        for i, number in enumerate(numbers):
            if not number:
                numbers[i] = found.get(key_of(bases[i]), 0)
        self._numbers = numbers


def known_of(
    findable: Findable,
    address: str,
    numbers: Numbers,
    uids: array[int],
    bases: Sequence[str],
    keys: Sequence[Body | Text | Header],
) -> dict[Body | Text | Header, Known]:
    """What the index tells of each key about all messages of a view; nothing when there is no index."""
    try:
        with findable.reading(address) as index:
            if index is None:
                return {}
            documents = numbers.of(index, uids, bases)
            return {key: _known(index, documents, key) for key in keys}
    except sqlite3.Error:
        _log.failure("the full-text index of {address} cannot be read", address=address)
        return {}


def _known(index: Fulltext, documents: array[int], key: Body | Text | Header) -> Known:
    cut = index.cut()
    found = index.find(*_asked(key))
    if isinstance(key, Header):
        # it may stand in another field
        return frozenset(), frozenset(i for i, n in enumerate(documents) if not n or n in found or n in cut)
    hits = frozenset([i for i, n in enumerate(documents) if n in found])
    if not cut and 0 not in documents:
        return hits, frozenset()
    return hits, frozenset(i for i, n in enumerate(documents) if not n or (n in cut and n not in found))


def _asked(key: Body | Text | Header) -> tuple[str, Where]:
    if isinstance(key, Body):
        return key.text, "body"
    if isinstance(key, Text):
        return key.text, "text"
    # the longer of what is asked for and the field's name, as ``text.header_text`` writes it
    name = f"{key.name}: "
    return (key.text if len(fold(key.text)) >= min(3, len(name)) else name), "head"
