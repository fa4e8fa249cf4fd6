"""SELECT, EXAMINE and IDLE: opening a folder and watching it (RFC 3501 section 6.3.1, RFC 2177).

Writes nothing to disk itself.
"""

from __future__ import annotations

from stratamail.imap import render
from stratamail.imap.commands import Idle, Select
from stratamail.imap.engine import Answer
from stratamail.servers.imap_session import Done, Refusal, Session, State, refused, render_flags
from stratamail.shadow.view import View


class SelectCommands:
    """Sets ``session.view``."""

    async def select(self, session: Session, tag: str, command: Select) -> Done:
        # a failed SELECT leaves nothing selected (RFC 3501 section 6.3.1)
        session.leave()
        box = session.the_box()
        view = await refused(box.select(command.mailbox, command.read_only, session.changed))
        if session.state is State.OVER:
            view.close()
            raise Refusal("Too late")
        session.view = view
        session.known_keywords = view.keywords
        session.state = State.SELECTED
        session.write(_opened(view))
        return Done("Selected", "READ-ONLY" if command.read_only else "READ-WRITE")

    async def idle(self, session: Session, tag: str, command: Idle) -> Done:
        """RFC 2177: news goes out as it comes, until the client says DONE."""
        session.link.expect_answer(b"idling")
        session.tell()
        session.on_change = session.tell
        try:
            event = await session.link.event()
        finally:
            session.on_change = None
        if not isinstance(event, Answer) or event.line.strip().upper() != b"DONE":
            raise Refusal("Expected DONE", state="BAD")
        return Done("Idle completed")


def _opened(view: View) -> bytes:
    """The untagged responses of SELECT (RFC 3501 section 6.3.1)."""
    lines = [
        render_flags(view),
        b"* %d EXISTS\r\n* %d RECENT\r\n" % (view.exists, view.recent),
    ]
    if view.first_unseen:
        lines.append(render.condition("*", "OK", "First unseen", f"UNSEEN {view.first_unseen}"))
    lines.append(render.condition("*", "OK", "UIDs valid", f"UIDVALIDITY {view.uidvalidity}"))
    lines.append(render.condition("*", "OK", "Predicted next UID", f"UIDNEXT {view.uidnext}"))
    return b"".join(lines)
