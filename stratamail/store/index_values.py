"""What ``store.index`` gives and takes: a message's row, a folder's counters, a folder as columns. Touches no disk."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
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
    summarised: int = 1
    """Every message with a lower UID has a summary."""
    seen: str = ""
    """When ``new`` and ``cur`` had changed last when the rows agreed with them; "" when nobody knows."""
    doubtful: bool = False
    """Whether another tool may have changed them at the very time of ``seen``."""


class Columns:
    """A folder's messages in ascending UID, as columns: arrays of uid, modseq, flags, size, date, saved; file names."""

    __slots__ = ("bases", "dates", "flags", "modseqs", "saves", "sizes", "uids")

    def __init__(self, rows: Iterable[Row | tuple[int, int, int, int, int, str, int]] = ()) -> None:
        columns = list(zip(*rows, strict=True)) or [()] * 7
        self.uids = array("I", columns[0])
        self.modseqs = array("Q", columns[1])
        self.flags = array("Q", columns[2])
        self.sizes = array("Q", columns[3])
        self.dates = array("q", columns[4])
        self.bases: list[str] = list(columns[5])
        self.saves = array("q", columns[6])
