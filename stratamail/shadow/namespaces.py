"""What one person may open, under the names it knows: its own mailbox, and ``Shared/NAME`` for each that it reads.

Writes nothing itself: the boxes do. Who reads what is asked anew for every name, so that access which is withdrawn ends
at once. A shared mailbox has one set of folders, flags and UIDs for all of its readers; what a reader subscribes to is
its own. Its INBOX is ``Shared/NAME``, its other folders are ``Shared/NAME/FOLDER`` (RFC 2342 section 5).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from attrs import evolve

from stratamail.shadow.box import Box, Upload
from stratamail.shadow.view import SLICE, View
from stratamail.store import durable, maildir
from stratamail.store.mailbox_values import Appended, Copied, FolderInfo, MailboxError, Status, joined

T = TypeVar("T")
SHARED = "Shared"
PREFIX = SHARED + "/"
AT_ONCE = 20
"""So many shared mailboxes are listed in one turn of the files' thread."""


class Namespaces:
    """``shared`` gives the addresses of the shared mailboxes that the owner of ``own`` reads now, by name; ``box`` the
    box of an address. Every method raises ``MailboxError`` as :class:`stratamail.shadow.box.Box` does."""

    def __init__(
        self,
        own: Box,
        box: Callable[[str], Box],
        shared: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.own = own
        self._box = box
        self._shared = shared

    def find(self, name: str, code: str = "NONEXISTENT") -> tuple[Box, str]:
        """The box that has the folder ``name``, and its name there. MailboxError ``code`` when no shared mailbox can
        have it; a folder of one's own that was called so before stays reachable."""
        if not name.startswith(PREFIX):
            return self.own, name
        head, slash, rest = name[len(PREFIX) :].partition("/")
        address = self._shared().get(head)
        if address is None:
            return self.own, name
        if not slash:
            return self._box(address), maildir.INBOX
        if not rest or maildir.canonical(rest) == maildir.INBOX:
            # its INBOX has one name only
            raise MailboxError(f"No such mailbox: {name[:200]}", code)
        return self._box(address), rest

    def root(self, name: str) -> str:
        """The quota root that a folder belongs to (RFC 9208 section 3.2): "" for one's own, ``Shared/NAME`` else."""
        box, _ = self.find(name)
        return "" if box is self.own else PREFIX + name[len(PREFIX) :].partition("/")[0]

    def permits(self, view: View) -> bool:
        """Whether the folder that a session has open is still its own, or one that it may read."""
        return self._reads(view.box)

    def _reads(self, box: object) -> bool:
        if box is self.own:
            return True
        # another mailbox that has the address by now has a box of its own
        return isinstance(box, Box) and box.address in self._shared().values() and self._box(box.address) is box

    # folders

    async def folders(self) -> list[FolderInfo]:
        """All folders by the names that the person knows, INBOX first; subscriptions are the person's own. A shared
        mailbox that is seen for the first time is subscribed to: nobody looks for what it does not know of."""
        shared = {PREFIX + name: address for name, address in sorted(self._shared().items())}
        own = await self.own.folders(offered=list(shared))
        subscribed = {info.name for info in own if info.subscribed}
        there: list[FolderInfo] = []
        roots = list(shared.items())
        for start in range(0, len(roots), AT_ONCE):
            some = roots[start : start + AT_ONCE]
            found = await self.own.names([address for _, address in some])
            for root, address in some:
                for inner in found[address]:
                    name = root if inner == maildir.INBOX else f"{root}/{inner}"
                    there.append(FolderInfo(name, subscribed=name in subscribed))
        names = {info.name for info in there}
        # a folder of one's own below such a name cannot be opened by it (RENAME of what is above it makes it reachable)
        hidden = tuple(f"{root}/" for root in shared)
        kept = [
            evolve(info, exists=False, selectable=False) if f"{info.name}/".startswith(hidden) else info
            for info in own
            if info.name not in names
        ]
        return kept + there

    async def create(self, name: str, use: str = "") -> int:
        """Its UIDVALIDITY."""
        box, inner = self.find(name, "CANNOT")
        if box is not self.own:
            if inner == maildir.INBOX:
                raise MailboxError("The mailbox exists already", "ALREADYEXISTS")
            if use:
                raise MailboxError("Special uses are for folders of your own", "USEATTR")
        else:
            _not_reserved(name)
        return await box.create(inner, use)

    async def delete(self, name: str) -> None:
        box, inner = self.find(name)
        if box is not self.own and inner == maildir.INBOX:
            raise MailboxError("A shared mailbox stays", "CANNOT")
        await box.delete(inner)

    async def rename(self, old: str, new: str) -> None:
        box, inner = self.find(old)
        into, target = self.find(new, "CANNOT")
        if into is self.own:
            _not_reserved(new)
        if box is not into:
            raise MailboxError("A folder stays in its mailbox: copy its messages", "CANNOT")
        if box is not self.own and maildir.INBOX in (inner, target):
            raise MailboxError("A shared mailbox keeps its name", "CANNOT")
        await box.rename(inner, target)
        if box is not self.own:
            # as in one's own mail, the subscriptions of who renames go along
            for info in await self.own.folders():
                if info.subscribed and (info.name == old or info.name.startswith(old + "/")):
                    await self.own.unsubscribe(info.name)
                    await self.own.subscribe(new + info.name[len(old) :])

    async def subscribe(self, name: str) -> None:
        await self.own.subscribe(name)

    async def unsubscribe(self, name: str) -> None:
        await self.own.unsubscribe(name)

    async def status(self, name: str) -> Status:
        box, inner = self.find(name)
        return await box.status(inner)

    async def deleted(self, name: str) -> tuple[int, int]:
        """(messages, octets) that an EXPUNGE of the folder would remove."""
        box, inner = self.find(name)
        return await box.deleted(inner)

    async def usage(self, name: str) -> tuple[int, int]:
        """(messages, octets) of the whole mailbox that the folder ``name`` belongs to."""
        box, _ = self.find(name)
        return await box.usage()

    async def select(self, name: str, read_only: bool, notify: Callable[[], None]) -> View:
        box, inner = self.find(name)
        view = await box.select(inner, read_only, notify)
        if not self.permits(view):
            # withdrawn while the folder was loaded
            view.close()
            raise MailboxError(f"No such mailbox: {name[:200]}", "NONEXISTENT")
        return view

    async def compute(self, function: Callable[..., T], *arguments: Any) -> T:
        """Work that takes long, in the disk pool."""
        done: T = await self.own.compute(function, *arguments)
        return done

    # messages

    def upload(self, flags: Iterable[str] = (), date: int | None = None) -> Upload:
        return self.own.upload(flags, date)

    async def require(self, name: str) -> None:
        """MailboxError "TRYCREATE" unless the folder exists."""
        box, inner = self.find(name, "TRYCREATE")
        await box.require(inner)

    async def append(self, name: str, uploads: Sequence[Upload]) -> Appended:
        try:
            box, inner = self.find(name, "TRYCREATE")
        except BaseException:
            for upload in uploads:
                upload.body.withdraw()
            raise
        return await box.append(inner, uploads)

    async def copy(self, view: View, uids: Iterable[int], target: str) -> Copied:
        """From the folder of ``view`` to any other, all or nothing (RFC 3501 section 6.4.7)."""
        box, inner = self.find(target, "TRYCREATE")
        if box is view.box:
            return await view.copy(uids, inner)
        done: list[Copied] = []
        try:
            async for part in self._across(view, list(uids), box, inner, move=False):
                done.append(part)
        except Exception:
            await box.take_back(inner, done)
            raise
        return joined(done)

    async def move(self, view: View, uids: Iterable[int], target: str) -> Copied:
        """RFC 6851. Into another mailbox a message is there, durably, before it leaves here: what a crash cuts is seen
        twice, never lost."""
        box, inner = self.find(target, "TRYCREATE")
        if box is view.box:
            return await view.move(uids, inner)
        if view.read_only:
            raise MailboxError("The mailbox is open read-only", "READ-ONLY")
        return joined([part async for part in self._across(view, list(uids), box, inner, move=True)])

    async def _across(self, view: View, uids: list[int], box: Box, inner: str, move: bool) -> AsyncIterator[Copied]:
        for start in range(0, max(len(uids), 1), SLICE):
            some = uids[start : start + SLICE]
            # a file that a power cut could still tear would be mended in the mailboxes it was delivered to only
            await view.compute(durable.sync_files, [path for path in map(view.path, some) if path is not None])
            if not (self._reads(view.box) and self._reads(box)):
                raise MailboxError("Access to the mailbox was withdrawn", "NOPERM")
            yield await view.box.within(view.folder, "copy_to", some, box.address, inner, move)


def _not_reserved(name: str) -> None:
    if name == SHARED or name.startswith(PREFIX):
        raise MailboxError(f"Names below {PREFIX} are those of shared mailboxes", "CANNOT")
