"""The decoded headers of a folder in memory, as columns that its sessions share: what SEARCH, SORT and THREAD look at.

Comes from ``summaries`` in the mailbox's index (``mail.digest``); what is missing there is read from the messages in
the disk pool and kept. Memory, a few hundred octets a message, is given back by :meth:`Headers.release`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, compress
from typing import Any, Protocol

from twisted.internet.defer import DeferredLock

from stratamail.mail.collation import casemap
from stratamail.mail.digest import FIELDS, NO_DATE, TEXTS, VERSION, digest, unpack
from stratamail.shadow import reading
from stratamail.shadow.texts import Texts
from stratamail.store.index_values import Columns

AT_ONCE = 2_000
"""Messages in one turn of the mailboxes' thread."""
READ_AT_ONCE = 200
_ANSWER = 1 << 8
_VERSION = bytes((VERSION,))

Digested = tuple[int, int, int, bytes]
"""(UID, INTERNALDATE in microseconds, size, bytes of a digest)."""


class Summaries:
    """Columns by position, ascending UID. They only grow, in one thread at a time; positions of messages that are gone
    stay until :meth:`without` makes a copy. ``dates`` are seconds (UTC) of INTERNALDATE, ``sents`` of the Date field,
    or else of INTERNALDATE; ``days`` the written day of the Date field (``date.toordinal``), 0 without one; ``ids``
    hashes of message ids, 0 for none; ``orders`` belongs to ``shadow.sorting``."""

    def __init__(self) -> None:
        self.uids = array("I")
        self.dates = array("q")
        self.sizes = array("Q")
        self.sents = array("q")
        self.days = array("i")
        self.ids = array("Q")
        self.references = array("Q")
        self.reference_ends = array("I")
        self.texts = {name: Texts() for name in TEXTS}
        self.orders: dict[Any, array[int]] = {}
        self._bits = array("I")
        # the positions whose field is longer than what is kept of it
        self._cut: dict[str, list[int]] = {name: [] for name in FIELDS}
        self._places: tuple[array[int], Sequence[int]] | None = None

    # what it is asked

    def find(self, field: str, needle: str, uids: array[int]) -> list[int]:
        """The indexes in ``uids`` (a view's) of the messages whose ``field`` ("subject", "from", "to", "cc", "bcc")
        holds ``needle``, compared by i;unicode-casemap; "" is in every message that has the field. Those of
        :meth:`unsure` may hold it too."""
        wanted = casemap(needle).encode("utf-8", "replace")
        found = self.texts[field].find(wanted) if wanted else self._with(1 << FIELDS.index(field))
        return self._indexes(found, uids)

    def unsure(self, field: str, uids: array[int]) -> list[int]:
        """The indexes in ``uids`` of the messages whose ``field`` is longer than what is kept of it, and of those that
        are not here: their headers tell. Nearly always none."""
        found = self._indexes(self._cut[field], uids)
        lacking = {i for i, position in enumerate(self.positions(uids)) if position < 0} if self._lacks(uids) else ()
        return sorted({*found, *lacking})

    def positions(self, uids: array[int]) -> Sequence[int]:
        """The position of each of a view's UIDs, -1 of one that is not here. Takes milliseconds for a large folder when
        the view is not as the columns are."""
        if uids == self.uids:
            return range(len(uids))
        kept = self._places
        if kept is None or kept[0] is not uids:
            where: dict[int, int] = {}
            for start in range(0, len(self.uids), AT_ONCE):
                where.update(zip(self.uids[start : start + AT_ONCE], range(start, start + AT_ONCE), strict=False))
            kept = self._places = (uids, array("i", [where.get(uid, -1) for uid in uids]))
        return kept[1]

    def answer(self, position: int) -> bool:
        """Whether its subject is a reply's or a forward's (RFC 5256 section 2.1)."""
        return bool(self._bits[position] & _ANSWER)

    def referred(self, position: int) -> array[int]:
        """The hashes of the message ids it refers to, oldest first."""
        start = self.reference_ends[position - 1] if position else 0
        return self.references[start : self.reference_ends[position]]

    def _with(self, bit: int) -> list[int]:
        return [position for position, bits in enumerate(self._bits) if bits & bit]

    def _lacks(self, uids: array[int]) -> bool:
        return uids != self.uids and -1 in self.positions(uids)

    def _indexes(self, positions: Sequence[int], uids: array[int]) -> list[int]:
        mine = self.uids
        known = len(mine)
        if uids == mine:
            return [position for position in positions if position < known]
        out = []
        size = len(uids)
        for position in positions:
            if position < known:
                uid = mine[position]
                i = bisect_left(uids, uid)
                if i < size and uids[i] == uid:
                    out.append(i)
        return out

    # keeping it true

    def extend(self, found: Iterable[Digested]) -> None:
        """Messages with UIDs above all before, ascending. Takes some microseconds a message."""
        rows = list(found)
        if not rows:
            return
        uids, dates, sizes, digests = zip(*rows, strict=True)
        new = unpack(digests)
        for name, column in zip(TEXTS, new.texts, strict=True):
            self.texts[name].extend(column)
        arrivals = [date // 1_000_000 for date in dates]
        self.dates.extend(arrivals)
        self.sizes.extend(sizes)
        self.sents.extend([b if a == NO_DATE else a for a, b in zip(new.seconds, arrivals, strict=True)])
        self.days.extend(new.days)
        self.ids.extend(new.ids)
        self._bits.extend([a | b << 8 for a, b in zip(new.present, new.answers, strict=True)])
        before = len(self.references)
        self.references.frombytes(b"".join(new.references))
        self.reference_ends.extend(accumulate([len(one) // 8 for one in new.references], initial=before))
        del self.reference_ends[len(self.uids)]
        for position, cut in enumerate(new.cut, len(self.uids)):
            for bit, name in enumerate(FIELDS if cut else ()):
                if cut >> bit & 1:
                    self._cut[name].append(position)
        # last: who reads meanwhile goes by it
        self.uids.extend(uids)

    def without(self, gone: Sequence[int]) -> Summaries:
        """A copy without the positions ``gone`` (ascending)."""
        kept = bytearray(b"\1") * len(self.uids)
        for position in gone:
            kept[position] = 0
        new = Summaries()
        for name in ("uids", "dates", "sizes", "sents", "days", "ids", "_bits"):
            column = getattr(self, name)
            setattr(new, name, array(column.typecode, compress(column, kept)))
        for position in compress(range(len(kept)), kept):
            new.references.extend(self.referred(position))
            new.reference_ends.append(len(new.references))
        new.texts = {name: texts.only(kept) for name, texts in self.texts.items()}
        lost = {self.uids[position] for position in gone}
        new.orders = {key: array("I", [u for u in order if u not in lost]) for key, order in self.orders.items()}
        new._cut = {
            name: [position - bisect_left(gone, position) for position in positions if kept[position]]
            for name, positions in self._cut.items()
        }
        return new


class Rows(Protocol):
    """What is needed of a folder."""

    columns: Columns


class Room(Protocol):
    """What is needed of a mailbox: it gives the memory back when nobody asks any more."""

    def in_use(self) -> None: ...


class ViewLike(Protocol):
    """What is needed of ``shadow.view.View``."""

    uids: array[int]

    @property
    def folder(self) -> Rows: ...

    @property
    def box(self) -> Room: ...

    def column(self, name: str) -> Sequence[int]: ...

    async def summarised(self, uids: Sequence[int]) -> dict[int, bytes]: ...

    async def made(self, uids: Sequence[int], how: Callable[[str], bytes]) -> dict[int, bytes]: ...

    def keep_summaries(self, data: dict[int, bytes]) -> None: ...

    async def compute(self, function: Callable[..., Any], *arguments: Any) -> Any: ...


class Headers:
    """A folder's :class:`Summaries`, loaded when somebody asks; ``answers`` are (UIDs in question, answer) of questions
    about all messages, which do not change while these are the same."""

    def __init__(self) -> None:
        self.lock = DeferredLock()
        self.now: Summaries | None = None
        self.answers: dict[Any, tuple[array[int], bytes]] = {}

    def release(self) -> None:
        """Give the memory back; the next use loads it again."""
        self.now = None
        self.answers.clear()

    async def summaries(self, view: ViewLike) -> Summaries:
        """At least the messages that a view shows. One of them may be missing when it was expunged before others came
        to be known."""
        view.box.in_use()
        uids = view.uids
        if self.now is not None and _covers(self.now, uids):
            return self.now
        async with self.lock:
            now = self.now or Summaries()
            if not _covers(now, uids):
                now = await _grown(view, now, uids)
            self.now = now
            return now


def _covers(now: Summaries, uids: array[int]) -> bool:
    return not uids or (len(now.uids) > 0 and uids[-1] <= now.uids[-1])


async def _grown(view: ViewLike, now: Summaries, uids: array[int]) -> Summaries:
    """With the messages of ``uids`` above those that are there, and without the dead ones if they are many."""
    dates, sizes = view.column("dates"), view.column("sizes")
    if now.uids:
        alive = view.folder.columns.uids
        dead = len(now.uids) - bisect_right(alive, now.uids[-1])
        if dead > 100 + len(now.uids) // 8:
            now = await view.compute(_compacted, now, alive)
    for start in range(bisect_right(uids, now.uids[-1]) if now.uids else 0, len(uids), AT_ONCE):
        some = uids[start : start + AT_ONCE]
        found = await view.summarised(some)
        missing = [uid for uid in some if uid not in found or found[uid][:1] != _VERSION]
        for few in (missing[i : i + READ_AT_ONCE] for i in range(0, len(missing), READ_AT_ONCE)):
            made = await view.made(few, digest_of)
            view.keep_summaries(made)
            found.update(made)
        stop = start + len(some)
        rows = zip(some, dates[start:stop], sizes[start:stop], [found.get(uid, b"") for uid in some], strict=True)
        await view.compute(now.extend, rows)
    return now


def digest_of(path: str) -> bytes:
    """The digest of a message file, as bytes."""
    return digest(reading.header(path)).to_bytes()


def _compacted(now: Summaries, uids: array[int]) -> Summaries:
    alive = set(uids)
    return now.without([position for position, uid in enumerate(now.uids) if uid not in alive])
