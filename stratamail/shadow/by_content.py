"""The part of a search that needs messages read: headers, bodies, the day of the Date field.

Reads what it is given; touches no disk. Runs in the disk pool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from stratamail.imap.search import And, Body, Header, Key, Not, Or, Sent, Text
from stratamail.mail.collation import casemap
from stratamail.mail.structure import Part, scan
from stratamail.shadow import bits, text
from stratamail.shadow.by_columns import Source, answers, leaves, select

Match = Callable[["Candidate"], bool]
Known = tuple[int, int]
"""The messages that match, and those whose content must tell (``shadow.bits``)."""


class Candidate:
    """One message under test; what is decoded is decoded once."""

    def __init__(self, index: int, header: bytes, data: bytes) -> None:
        self.index = index
        self.header = header
        self._data = data
        self._root: Part | None = None
        self._texts: list[str] | None = None
        self._headers: list[str] | None = None

    def _structure(self) -> Part:
        if self._root is None:
            self._root = scan(self._data)
        return self._root

    def headers(self) -> list[str]:
        """The message's own and those of its parts."""
        if self._headers is None:
            parts = text.part_headers(self._data, self._structure())
            self._headers = [casemap(text.header_text(self.header)), *map(casemap, parts)]
        return self._headers

    def texts(self) -> list[str]:
        if self._texts is None:
            self._texts = [casemap(part) for part in text.body_texts(self._data, self._structure())]
        return self._texts


def reads_body(key: Key) -> bool:
    return any(isinstance(leaf, (Body, Text)) for leaf in leaves(key))


def matching(match: Match, items: list[tuple[int, bytes, bytes]]) -> list[int]:
    """The indexes of those messages, (index, header, all of it or nothing), that match."""
    out = []
    for index, header, data in items:
        if data:
            header = text.split(data)[0]
        if match(Candidate(index, header, data)):
            out.append(index)
    return out


def compiled(view: Source, key: Key, among: Sequence[int], known: Mapping[Key, Known]) -> Match:
    """A test of one message of ``among``."""
    if answers(key):
        hit = bits.among(bits.bits(select(view, key, among), len(view.uids)), among)
        return lambda message: bits.holds(hit, message.index)
    if isinstance(key, And):
        every = [compiled(view, part, among, known) for part in key.keys]
        return lambda message: all(match(message) for match in every)
    if isinstance(key, Or):
        left, right = compiled(view, key.left, among, known), compiled(view, key.right, among, known)
        return lambda message: left(message) or right(message)
    if isinstance(key, Not):
        inner = compiled(view, key.key, among, known)
        return lambda message: not inner(message)
    test = _test(key)
    if key not in known:
        return test
    hits, unsure = (bits.among(mask, among) for mask in known[key])
    return lambda message: bits.holds(hits, message.index) or (bits.holds(unsure, message.index) and test(message))


def _test(key: Key) -> Match:
    if isinstance(key, Sent):
        return _sent(key)
    if isinstance(key, Header):
        return _header(key)
    assert isinstance(key, (Body, Text))
    needle, everywhere = casemap(key.text), isinstance(key, Text)
    blank = needle.replace("\t", " ")  # as headers are read
    if not needle:
        return lambda message: True
    return lambda message: (
        (everywhere and any(blank in header for header in message.headers()))
        or any(needle in part for part in message.texts())
    )


def _header(key: Header) -> Match:
    name, wanted = key.name, casemap(key.text.replace("\t", " "))
    # its words (folds split at blanks only) must stand in the bytes, where these are ASCII without encoded words
    words = wanted.encode("ascii").split() if wanted.isascii() else []

    def match(message: Candidate) -> bool:
        block = message.header
        if words and block.isascii() and b"=?" not in block:
            upper = block.upper()
            if any(word not in upper for word in words):
                return False
        return any(wanted in casemap(found) for found in text.header_values(block, name))

    return match


def _sent(key: Sent) -> Match:
    day = key.day

    def match(message: Candidate) -> bool:
        found = text.sent_day(message.header)
        if found is None:
            return False
        return found < day if key.when == "before" else found >= day if key.when == "since" else found == day

    return match
