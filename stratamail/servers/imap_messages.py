"""IMAP commands that change the selected folder (RFC 3501 section 6.4, RFC 4315 UIDPLUS, RFC 6851 MOVE).

Writes nothing to disk itself: the view does.
"""

from __future__ import annotations

from stratamail.imap import render
from stratamail.imap.commands import Close, Copy, Expunge, Move, Store, Unselect
from stratamail.imap.sets import SequenceSet, compress
from stratamail.servers.imap_session import Done, Refusal, Session, refused
from stratamail.shadow.view import View
from stratamail.store.mailbox_values import Copied

SLICE = 1000


def chosen(view: View, numbers: SequenceSet, uid: bool) -> list[range]:
    """The index ranges that a client means. A number that no message has is its fault (RFC 3501 section 9), a UID is
    not."""
    if uid or numbers.saved:
        return numbers.positions(view.uids)
    if view.exists == 0 and all(0 in span for span in numbers.ranges):
        return []
    if numbers.beyond(view.exists):
        raise Refusal("No message has that number", state="BAD")
    return numbers.indexes(view.exists)


def uids_of(view: View, spans: list[range]) -> list[int]:
    return [uid for span in spans for uid in view.uids[span.start : span.stop]]


class MessageCommands:
    """Works on ``session.view``."""

    async def store(self, session: Session, tag: str, command: Store) -> Done:
        view = session.the_view()
        uids = uids_of(view, chosen(view, command.set, command.uid))
        for start in range(0, len(uids), SLICE):
            done = await refused(view.store(uids[start : start + SLICE], command.mode, command.flags))
            session.tell_keywords()
            if not command.silent:
                session.write(b"".join(_flags(view, uid, command.uid) for uid in done))
            await session.link.drain()
        if not uids:
            await refused(view.store([], command.mode, command.flags))
        return Done("Stored", expunges=command.uid)

    async def copy(self, session: Session, tag: str, command: Copy) -> Done:
        view = session.the_view()
        uids = uids_of(view, chosen(view, command.set, command.uid))
        return Done("Copied", _copyuid(await refused(view.copy(uids, command.mailbox))))

    async def move(self, session: Session, tag: str, command: Move) -> Done:
        """RFC 6851 section 4.3: COPYUID comes before the EXPUNGE responses, which stand before the OK."""
        view = session.the_view()
        uids = uids_of(view, chosen(view, command.set, command.uid))
        code = _copyuid(await refused(view.move(uids, command.mailbox)))
        if code:
            session.write(render.condition("*", "OK", "Moved", code))
        return Done("Move completed")

    async def expunge(self, session: Session, tag: str, command: Expunge) -> Done:
        view = session.the_view()
        uids = None if command.uids is None else uids_of(view, command.uids.positions(view.uids))
        await refused(view.expunge(uids))
        return Done("Expunged")

    async def close(self, session: Session, tag: str, command: Close) -> Done:
        """RFC 3501 section 6.4.2: expunges, and tells nothing."""
        view = session.the_view()
        if not view.read_only and view.alive:
            await refused(view.expunge())
        session.leave()
        return Done("Closed")

    async def unselect(self, session: Session, tag: str, command: Unselect) -> Done:
        session.leave()
        return Done("Unselected")


def _flags(view: View, uid: int, with_uid: bool) -> bytes:
    i = view.position(uid)
    if i is None:
        return b""
    flags = render.flag_list(view.flags(i))
    if with_uid:
        return b"* %d FETCH (UID %d FLAGS %b)\r\n" % (i + 1, uid, flags)
    return b"* %d FETCH (FLAGS %b)\r\n" % (i + 1, flags)


def _copyuid(copied: Copied) -> str:
    """RFC 4315 section 3; none when nothing was there to copy."""
    if not copied.sources:
        return ""
    return f"COPYUID {copied.uidvalidity} {compress(copied.sources)} {compress(copied.targets)}"
