"""What ``store.index`` gives and takes: a message's row, a folder's counters, a folder as columns. Touches no disk."""

from __future__ import annotations

import sys
from array import array
from typing import NamedTuple

from attrs import define, field


class Row(NamedTuple):
    """One message of a folder. ``flags`` are bits (``maildir``'s and the folder's keywords); ``date`` (INTERNALDATE)
    and ``saved`` (when it came into this folder, RFC 8514) are microseconds."""

    uid: int
    modseq: int
    flags: int
    size: int
    date: int
    base: str
    saved: int = 0


@define(eq=False)
class Folder:
    """A folder's counters as they stand in the index. ``recent`` is the first UID no session was told of as recent;
    ``use`` its special uses (RFC 6154), divided by spaces; expunges up to the mod-sequence ``unmarked`` are not all
    remembered. ``total`` is (messages, octets) once they were counted."""

    id: int
    name: str
    uidvalidity: int
    uidnext: int
    reserved: int
    modseq: int
    recent: int
    use: str = ""
    unmarked: int = 0
    keywords: list[str | None] = field(factory=list)
    total: tuple[int, int] | None = None
    seen: str = ""
    """When ``new`` and ``cur`` had changed last when the rows agreed with them; "" when nobody knows."""
    doubtful: bool = False
    """Whether another tool may have changed them at the very time of ``seen``."""


class Columns:
    """A folder's messages in ascending UID, as columns: arrays of uid, modseq, flags, size, date, saved; file names."""

    __slots__ = ("bases", "dates", "flags", "modseqs", "saves", "sizes", "uids")

    def __init__(self) -> None:
        self.uids = array("I")
        self.modseqs = array("Q")
        self.flags = array("Q")
        self.sizes = array("Q")
        self.dates = array("q")
        self.bases: list[str] = []
        self.saves = array("q")

    def extend(self, numbers: str, bases: str) -> None:
        """Messages above those before: ``numbers`` are uid, modseq, flags, size, date, saved of each, in 16 hexadecimal
        digits; ``bases`` their names, divided by slashes, which no name has."""
        words = array("Q", bytes.fromhex(numbers))
        if sys.byteorder == "little":
            words.byteswap()
        signed = array("q", words.tobytes())
        self.uids.extend(words[::6].tolist())
        self.modseqs += words[1::6]
        self.flags += words[2::6]
        self.sizes += words[3::6]
        self.dates += signed[4::6]
        self.saves += signed[5::6]
        self.bases += bases.split("/")
