"""IMAP commands about folders: SELECT, LIST, CREATE … and IDLE (RFC 3501 section 6.3, RFC 2177, RFC 5258, RFC 6154).

Writes nothing to disk itself: the box does.
"""

from __future__ import annotations

from stratamail.imap import listing, render
from stratamail.imap.commands import (
    Create,
    Delete,
    Idle,
    List,
    Lsub,
    Rename,
    Select,
    Status,
    Subscribe,
    Unsubscribe,
)  # fmt: skip
from stratamail.imap.engine import Answer
from stratamail.servers.imap_session import Done, Refusal, Session, State, refused, render_flags
from stratamail.shadow.box import SPECIAL_USE
from stratamail.shadow.view import View
from stratamail.store.mailbox_values import FolderInfo


class FolderCommands:
    """``message_size`` is told by STATUS (APPENDLIMIT)."""

    def __init__(self, message_size: int) -> None:
        self._message_size = message_size

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

    async def create(self, session: Session, tag: str, command: Create) -> Done:
        if command.use and SPECIAL_USE.get(command.mailbox) != command.use:
            raise Refusal("Special uses belong to the folders of their name", "USEATTR")
        await refused(session.the_box().create(command.mailbox))
        return Done("Created")

    async def delete(self, session: Session, tag: str, command: Delete) -> Done:
        self._leave_if_open(session, command.mailbox)
        await refused(session.the_box().delete(command.mailbox))
        return Done("Deleted")

    async def rename(self, session: Session, tag: str, command: Rename) -> Done:
        self._leave_if_open(session, command.old)
        await refused(session.the_box().rename(command.old, command.new))
        return Done("Renamed")

    def _leave_if_open(self, session: Session, name: str) -> None:
        """A client that takes away the folder it has open knows that it is no more; others are told BYE."""
        view = session.view
        if view is not None and name != "INBOX" and (view.name == name or view.name.startswith(name + "/")):
            session.leave()

    async def subscribe(self, session: Session, tag: str, command: Subscribe) -> Done:
        await refused(session.the_box().subscribe(command.mailbox))
        return Done("Subscribed")

    async def unsubscribe(self, session: Session, tag: str, command: Unsubscribe) -> Done:
        await refused(session.the_box().unsubscribe(command.mailbox))
        return Done("Unsubscribed")

    async def listing(self, session: Session, tag: str, command: List) -> Done:
        folders = await refused(session.the_box().folders())
        entries = _entries(folders)
        lines = listing.select(command, entries, _subscribed(folders))
        exist = {entry.name for entry in entries}
        for line in lines:
            session.write(line.render())
            if command.status and line.name in exist:
                # RFC 5819: a folder that has just gone has no STATUS response
                try:
                    session.write(await self._status(session, line.name, command.status))
                except Refusal:
                    continue
        return Done("List completed")

    async def lsub(self, session: Session, tag: str, command: Lsub) -> Done:
        folders = await refused(session.the_box().folders())
        for line in listing.select_lsub(command.reference, command.pattern, _subscribed(folders)):
            session.write(line.render(b"LSUB"))
        return Done("Lsub completed")

    async def status(self, session: Session, tag: str, command: Status) -> Done:
        session.write(await self._status(session, command.mailbox, command.items))
        return Done("Status completed")

    async def _status(self, session: Session, name: str, items: tuple[str, ...]) -> bytes:
        status = await refused(session.the_box().status(name))
        values = {
            "MESSAGES": status.messages, "RECENT": status.recent, "UIDNEXT": status.uidnext,
            "UIDVALIDITY": status.uidvalidity, "UNSEEN": status.unseen, "APPENDLIMIT": self._message_size,
        }  # fmt: skip
        return render.status(name, {item: values[item] for item in items})

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


def _entries(folders: list[FolderInfo]) -> list[listing.Entry]:
    return [
        listing.Entry(each.name, SPECIAL_USE.get(each.name, "")) for each in folders if each.exists and each.selectable
    ]


def _subscribed(folders: list[FolderInfo]) -> frozenset[str]:
    return frozenset(each.name for each in folders if each.subscribed)
