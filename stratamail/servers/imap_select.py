"""SELECT, EXAMINE and IDLE: opening a folder and watching it (RFC 3501 section 6.3.1, RFC 2177, RFC 7162 CONDSTORE and
QRESYNC). Writes nothing to disk itself.
"""

from __future__ import annotations

from stratamail.imap import render
from stratamail.imap.commands import Idle, Resync, Select
from stratamail.imap.engine import Answer
from stratamail.imap.listing import mailbox_id
from stratamail.imap.sets import SequenceSet
from stratamail.servers.imap_fetch import write_columns
from stratamail.servers.imap_session import Done, Refusal, Session, State, refused, render_flags
from stratamail.shadow.view import View


class SelectCommands:
    """Sets ``session.view``."""

    async def select(self, session: Session, tag: str, command: Select) -> Done:
        if command.resync is not None and not session.qresync:
            raise Refusal("Enable QRESYNC first", state="BAD")  # RFC 7162 section 3.2.3
        # a failed SELECT leaves nothing selected (RFC 3501 section 6.3.1)
        if session.view is not None:
            session.leave()
            session.write(render.condition("*", "OK", "Previous mailbox closed", "CLOSED"))  # RFC 7162 section 3.2.11
        if command.condstore:
            session.enable_condstore()
        box = session.the_box()
        view = await refused(box.select(command.mailbox, command.read_only, session.changed))
        if session.state is State.OVER:
            view.close()
            raise Refusal("Too late")
        session.view = view
        session.known_keywords = view.keywords
        session.state = State.SELECTED
        session.write(_opened(view))
        resync = command.resync
        if resync is not None and resync.uidvalidity == view.uidvalidity:
            await _resynchronise(session, view, resync)
        return Done("Selected", "READ-ONLY" if command.read_only else "READ-WRITE")

    async def idle(self, session: Session, tag: str, command: Idle) -> Done:
        """RFC 2177: news goes out as it comes, until the client says DONE."""
        session.link.expect_answer(b"idling")

        def push() -> None:
            # what is left of a great change follows in the next turn; what a slow client has no room for, later
            if session.on_change is not None and not session.link.full and session.tell():
                session.link.soon(push)

        session.on_change = push
        push()
        try:
            event = await session.link.event()
        finally:
            session.on_change = None
        if not isinstance(event, Answer) or event.line.strip().upper() != b"DONE":
            raise Refusal("Expected DONE", state="BAD")
        return Done("Idle completed")


async def _resynchronise(session: Session, view: View, known: Resync) -> None:
    """What has happened while the client was away (RFC 7162 section 3.2.5): first what is gone, then flags."""
    if view.told_uidnext == 1:
        return
    wanted = known.known or SequenceSet(((1, view.told_uidnext - 1),))
    sample = (known.numbers, known.uids) if known.numbers and known.uids else None
    gone = await refused(view.vanished(known.modseq, wanted, sample))
    if gone:
        session.write(render.vanished(gone, earlier=True))
    changed = await view.changed_since(wanted.positions(view.uids), known.modseq)
    await write_columns(session, view, changed, ["UID", "FLAGS", "MODSEQ"])


def _opened(view: View) -> bytes:
    """The untagged responses of SELECT (RFC 3501 section 6.3.1)."""
    lines = [
        render_flags(view),
        b"* %d EXISTS\r\n* %d RECENT\r\n" % (view.exists, view.recent),
    ]
    unseen = view.first_unseen
    if unseen is not None:
        lines.append(render.condition("*", "OK", "First unseen", f"UNSEEN {unseen}"))
    lines.append(render.condition("*", "OK", "UIDs valid", f"UIDVALIDITY {view.uidvalidity}"))
    lines.append(render.condition("*", "OK", "Object", f"MAILBOXID {mailbox_id(view.uidvalidity)}"))
    lines.append(render.condition("*", "OK", "Predicted next UID", f"UIDNEXT {view.uidnext}"))
    lines.append(render.condition("*", "OK", "Highest", f"HIGHESTMODSEQ {view.highestmodseq}"))
    return b"".join(lines)
