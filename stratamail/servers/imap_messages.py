"""IMAP commands that change the selected folder (RFC 3501 section 6.4, RFC 4315 UIDPLUS, RFC 6851 MOVE).

Writes nothing to disk itself: the view does.
"""

from __future__ import annotations

from collections.abc import Sequence

from stratamail.imap import render
from stratamail.imap.commands import Close, Copy, Expunge, Move, Store, Unselect
from stratamail.imap.sets import SequenceSet, compress
from stratamail.servers.imap_rows import attribute
from stratamail.servers.imap_session import Done, Refusal, Session, refused
from stratamail.shadow.view import View
from stratamail.store.mailbox_values import Copied

SLICE = 1000


RANGES_IN_REACTOR = 500
"""A longer set is looked up in the disk pool."""


async def chosen(view: View, numbers: SequenceSet, uid: bool) -> list[range]:
    """The index ranges that a client means. A number that no message has is its fault (RFC 3501 section 9), a UID is
    not."""
    if len(numbers.ranges) > RANGES_IN_REACTOR:
        return list(await view.compute(_chosen, view.uids, numbers, uid))
    return _chosen(view.uids, numbers, uid)


async def chosen_uids(view: View, numbers: SequenceSet, uid: bool) -> list[int]:
    spans = await chosen(view, numbers, uid)
    if len(spans) > RANGES_IN_REACTOR:
        return list(await view.compute(_uids, view.uids, spans))
    return _uids(view.uids, spans)


def _chosen(uids: Sequence[int], numbers: SequenceSet, uid: bool) -> list[range]:
    if uid or numbers.saved:
        return numbers.positions(uids)
    if not uids and all(0 in span for span in numbers.ranges):
        return []
    if numbers.beyond(len(uids)):
        raise Refusal("No message has that number", state="BAD")
    return numbers.indexes(len(uids))


def _uids(uids: Sequence[int], spans: list[range]) -> list[int]:
    return [uid for span in spans for uid in uids[span.start : span.stop]]


class MessageCommands:
    """Works on ``session.view``."""

    async def store(self, session: Session, tag: str, command: Store) -> Done:
        view = session.the_view()
        uids = await chosen_uids(view, command.set, command.uid)
        if command.unchanged_since is not None:
            session.enable_condstore()
        modified: list[int] = []
        gone: list[int] = []
        items = _told(session, command)
        for start in range(0, len(uids), SLICE):
            some = uids[start : start + SLICE]
            work = view.store_unchanged(some, command.mode, command.flags, command.unchanged_since)
            done, changed = await refused(work)
            session.tell_keywords()
            if items:
                session.write(b"".join(_flags(view, uid, items) for uid in done))
            modified += changed
            if command.unchanged_since is not None and not command.uid:
                # by number a client names what is there: it hears when that is not so
                gone += [uid for uid in some if view.gone(uid)]
            await session.link.drain()
        if not uids:
            await refused(view.store([], command.mode, command.flags))
        if gone:
            failed = _modified(view, sorted({*modified, *gone}), command.uid)
            raise Refusal("Some of the messages are gone", failed)
        text = "Stored" if not modified else "Some messages had changed"
        return Done(text, _modified(view, modified, command.uid), expunges=command.uid, shifts=False)

    async def copy(self, session: Session, tag: str, command: Copy) -> Done:
        view = session.the_view()
        uids = await chosen_uids(view, command.set, command.uid)
        return Done("Copied", _copyuid(await refused(session.the_box().copy(view, uids, command.mailbox))))

    async def move(self, session: Session, tag: str, command: Move) -> Done:
        """RFC 6851 section 4.3: COPYUID comes before the EXPUNGE responses, which stand before the OK."""
        view = session.the_view()
        uids = await chosen_uids(view, command.set, command.uid)
        code = _copyuid(await refused(session.the_box().move(view, uids, command.mailbox)))
        if code:
            session.write(render.condition("*", "OK", "Moved", code))
        return Done("Move completed", highestmodseq=bool(code))

    async def expunge(self, session: Session, tag: str, command: Expunge) -> Done:
        view = session.the_view()
        uids = None if command.uids is None else await chosen_uids(view, command.uids, True)
        gone = await refused(view.expunge(uids))
        return Done("Expunged", highestmodseq=bool(gone))

    async def close(self, session: Session, tag: str, command: Close) -> Done:
        """RFC 3501 section 6.4.2: expunges, and tells nothing."""
        view = session.the_view()
        code = ""
        if not view.read_only and view.alive:
            highest = await refused(view.expunge_unseen())
            if session.qresync and highest is not None:
                code = f"HIGHESTMODSEQ {highest}"  # RFC 7162 section 3.2.8
        session.leave()
        return Done("Closed", code)

    async def unselect(self, session: Session, tag: str, command: Unselect) -> Done:
        session.leave()
        return Done("Unselected")


def _told(session: Session, command: Store) -> tuple[str, ...]:
    """The items of STORE's FETCH responses: with CONDSTORE a silent one, too, tells mod-sequences (RFC 7162 sections
    3.1.3 and 3.2.4)."""
    if command.silent:
        return ("UID", "MODSEQ") if session.condstore else ()
    return session.told_of_flags if session.condstore or not command.uid else ("UID", "FLAGS")


def _flags(view: View, uid: int, items: tuple[str, ...]) -> bytes:
    i = view.position(uid)
    if i is None:
        return b""
    return b"* %d FETCH (%b)\r\n" % (i + 1, b" ".join(attribute(view, item, i) for item in items))


def _modified(view: View, uids: list[int], by_uid: bool) -> str:
    """RFC 7162 section 3.1.3: what a conditional STORE has passed over."""
    if not uids:
        return ""
    numbers = (i + 1 for i in map(view.position, uids) if i is not None)
    return f"MODIFIED {compress(uids if by_uid else numbers)}"


def _copyuid(copied: Copied) -> str:
    """RFC 4315 section 3; none when nothing was there to copy."""
    if not copied.sources:
        return ""
    return f"COPYUID {copied.uidvalidity} {compress(copied.sources)} {compress(copied.targets)}"
