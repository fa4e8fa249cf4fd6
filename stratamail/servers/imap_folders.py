"""IMAP commands about folders: LIST, CREATE, STATUS … (RFC 3501 section 6.3, RFC 5258, RFC 5819, RFC 6154, RFC 8438).

Writes nothing to disk itself: the box does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from stratamail.imap import listing, render
from stratamail.imap.commands import (
    Create,
    Delete,
    List,
    Lsub,
    Rename,
    Status,
    Subscribe,
    Unsubscribe,
)  # fmt: skip
from stratamail.servers.imap_session import Done, Refusal, Session, refused
from stratamail.store.foldertree import SPECIAL_USE
from stratamail.store.mailbox_values import FolderInfo, MailboxError
from stratamail.store.maildir import INBOX, canonical

AT_ONCE = 200
"""So many folders are listed in one turn of the reactor; more patterns and folders are matched beside it."""
USES = {use.lower(): use for use in SPECIAL_USE.values()}
"""The special uses that a folder can have (RFC 6154 section 2). \\All and \\Flagged are no folders of ours."""


class FolderCommands:
    """``message_size`` is told by STATUS (APPENDLIMIT)."""

    def __init__(self, message_size: int) -> None:
        self._message_size = message_size

    async def create(self, session: Session, tag: str, command: Create) -> Done:
        uses = []
        for wanted in dict.fromkeys(command.use.lower().split()):
            use = USES.get(wanted)
            if use is None:
                # RFC 6154 section 3: nothing is made then
                raise Refusal(f"There is no special use {wanted} here", "USEATTR")
            uses.append(use)
        uidvalidity = await refused(session.the_box().create(command.mailbox, " ".join(uses)))
        return Done("Created", f"MAILBOXID {listing.mailbox_id(uidvalidity)}")  # RFC 8474 section 4.1

    async def delete(self, session: Session, tag: str, command: Delete) -> Done:
        with self._leaving(session, command.mailbox):
            await refused(session.the_box().delete(command.mailbox))
        return Done("Deleted")

    async def rename(self, session: Session, tag: str, command: Rename) -> Done:
        with self._leaving(session, command.old):
            await refused(session.the_box().rename(command.old, command.new))
        return Done("Renamed")

    @contextmanager
    def _leaving(self, session: Session, name: str) -> Iterator[None]:
        """A client that takes away the folder it has open knows that it is no more; others are told BYE. When it is
        refused, the folder stays open."""
        view, mine = session.view, False
        if view is not None:
            with suppress(MailboxError):
                box, inner = session.the_box().find(name)
                inner = canonical(inner)
                mine = view.box is box and inner != INBOX and (view.name + "/").startswith(inner + "/")
        yield
        if mine:
            session.leave()

    async def subscribe(self, session: Session, tag: str, command: Subscribe) -> Done:
        await refused(session.the_box().subscribe(command.mailbox))
        return Done("Subscribed")

    async def unsubscribe(self, session: Session, tag: str, command: Unsubscribe) -> Done:
        await refused(session.the_box().unsubscribe(command.mailbox))
        return Done("Unsubscribed")

    async def listing(self, session: Session, tag: str, command: List) -> Done:
        folders = await refused(session.the_box().folders())
        asked = command, _entries(folders), _subscribed(folders)
        if len(folders) * len(command.patterns) > AT_ONCE:
            lines = await session.the_box().compute(listing.select, *asked)
        else:
            lines = listing.select(*asked)
        for count, line in enumerate(lines, 1):
            session.write(line.render())
            if command.status and line.exists:
                # RFC 5819: a folder that has just gone has no STATUS response
                try:
                    session.write(await self._status(session, line.name, command.status))
                except Refusal:
                    continue
            if count % AT_ONCE == 0 or command.status:
                await session.link.drain()
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
        if "HIGHESTMODSEQ" in items:
            session.enable_condstore()
        values: dict[str, int | str] = {
            "MESSAGES": status.messages, "RECENT": status.recent, "UIDNEXT": status.uidnext,
            "UIDVALIDITY": status.uidvalidity, "UNSEEN": status.unseen, "APPENDLIMIT": self._message_size,
            "HIGHESTMODSEQ": max(1, status.highestmodseq),
            "SIZE": status.octets, "MAILBOXID": listing.mailbox_id(status.uidvalidity),
        }  # fmt: skip
        if "DELETED" in items or "DELETED-STORAGE" in items:
            deleted = await refused(session.the_box().deleted(name))
            values["DELETED"], values["DELETED-STORAGE"] = deleted
        return render.status(name, {item: values[item] for item in items})


def _entries(folders: list[FolderInfo]) -> list[listing.Entry]:
    return [listing.Entry(each.name, each.use) for each in folders if each.exists and each.selectable]


def _subscribed(folders: list[FolderInfo]) -> frozenset[str]:
    return frozenset(each.name for each in folders if each.subscribed)
