"""One mailbox, shared by all its sessions: its folders by name, and the way to the thread that changes them.

An append writes a spool file and a message row, both durable, before the copy is linked into its folder and synced.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol
from weakref import ref

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from stratamail.mail.envelope import Envelope
from stratamail.mail.reply import DiskFull
from stratamail.shadow import reading
from stratamail.shadow.folder import Folder
from stratamail.shadow.outside import Outside
from stratamail.shadow.view import Row, View
from stratamail.store import foldertree, maildir, memory
from stratamail.store.findable import Findable
from stratamail.store.mailbox_values import Appended, Arrival, Change, Copied, FolderInfo, MailboxError, Status
from stratamail.store.mailboxes import Mailboxes
from stratamail.store.model import APPENDED, Message, NewMessage, Source
from stratamail.store.pool import Pool, PoolStopped
from stratamail.store.spool import Body, Sealed, Spool

__all__ = ["Box", "FolderInfo", "MailboxError", "Row", "Status", "Upload", "View", "Workers"]

_log = Logger()


IDLE = 300.0
"""Seconds after which what is in memory is let go: headers that nobody asks for, folders that nobody has open."""
HEADERS_WEIGH = 4
"""A message whose headers are in memory takes so many times the room of one that is a row only."""


class Clock(Protocol):
    def seconds(self) -> float: ...

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> IDelayedCall: ...


def _nobody_files(seqs: Iterable[int]) -> None:
    """Nothing waits to hear of it."""


@frozen
class Workers:
    """What every box works with. ``commit`` makes a message row durable and knows the mailbox by its address in
    ``source.user``; ``appended`` is told the seqs of messages that are linked into their folder."""

    mailboxes: Mailboxes
    files: Pool
    disk: Pool
    clock: Clock
    spool: Spool | None = None
    commit: Callable[[NewMessage], Awaitable[Message]] | None = None
    appended: Callable[[Iterable[int]], None] = _nobody_files
    findable: Findable | None = None
    outside: Outside | None = None


@frozen
class Upload:
    """A message to be appended: ``body`` is filled with ``write``; ``date`` microseconds, None for now."""

    body: Body
    flags: frozenset[str] = frozenset()
    date: int | None = None


class Box:
    """Made by :class:`stratamail.shadow.shadow.Shadow` only, one for each mailbox."""

    def __init__(self, address: str, workers: Workers) -> None:
        self.address = address
        self._workers = workers
        self._loaded: dict[str, Folder] = {}
        self._root = workers.mailboxes.layout.mailbox(address)
        self._used = 0.0
        self._rest: IDelayedCall | None = None

    # folders

    async def folders(self, offered: Sequence[str] = ()) -> list[FolderInfo]:
        """All folders by name, INBOX first; also parents without mail, and subscribed names without a folder. Names
        ``offered`` for the first time are subscribed to."""
        found: list[FolderInfo] = await self._files(self._workers.mailboxes.folders, offered)
        return found

    async def names(self, addresses: Iterable[str]) -> dict[str, list[str]]:
        """The folders of other mailboxes, INBOX first."""
        found: dict[str, list[str]] = await self._workers.files.run(self._workers.mailboxes.names, addresses)
        return found

    async def create(self, name: str, use: str = "") -> int:
        """Its UIDVALIDITY. ``use``: special uses, divided by spaces."""
        uidvalidity: int = await self._files(self._workers.mailboxes.create, name, use)
        return uidvalidity

    async def delete(self, name: str) -> None:
        await self._files(self._workers.mailboxes.delete, name)
        self._aside(self._workers.disk.run(foldertree.sweep, self._root))

    async def rename(self, old: str, new: str) -> None:
        await self._files(self._workers.mailboxes.rename, old, new)

    async def subscribe(self, name: str) -> None:
        await self._files(self._workers.mailboxes.subscribe, name, True)

    async def unsubscribe(self, name: str) -> None:
        await self._files(self._workers.mailboxes.subscribe, name, False)

    async def deleted(self, name: str) -> tuple[int, int]:
        """(messages, octets) of what carries \\Deleted in a folder."""
        found: tuple[int, int] = await self._files(self._workers.mailboxes.deleted, name)
        return found

    async def usage(self) -> tuple[int, int]:
        """(messages, octets) of the whole mailbox."""
        found: tuple[int, int] = await self._files(self._workers.mailboxes.usage)
        return found

    async def status(self, name: str) -> Status:
        """Counts without opening it; MailboxError "NONEXISTENT"."""
        name = maildir.canonical(name)
        folder = self._loaded.get(name)
        if folder is None or not folder.alive:
            found: Status = await self._files(self._workers.mailboxes.status, name)
            return found
        if not self._watched(folder):
            await self.look(name)
            if not folder.alive:
                return await self.status(name)
        uids = folder.columns.uids
        recent = sum(1 for uid in reversed(uids) if uid >= folder.recent) if uids and uids[-1] >= folder.recent else 0
        return Status(
            len(uids), recent, folder.unseen, folder.uidnext, folder.uidvalidity, folder.highestmodseq,
            folder.octets,
        )  # fmt: skip

    async def select(self, name: str, read_only: bool, notify: Callable[[], None]) -> View:
        """Open a folder for a session; MailboxError "NONEXISTENT". The caller closes the view."""
        name = maildir.canonical(name)
        # so that it is not let go before the view holds it
        self.in_use()
        folder = await self._folder(name)
        if not self._watched(folder):
            if self._workers.outside is not None:
                self._workers.outside.watch(self.address, folder)
            await self.look(name)
            if not folder.alive:
                folder = await self._folder(name)
        return View(self, folder, read_only, notify)

    def _watched(self, folder: Folder) -> bool:
        outside = self._workers.outside
        return outside is not None and outside.watches(self.address, folder)

    async def look(self, name: str) -> None:
        """Take note now of what other tools did in a folder. A failure is logged only: what is known is served."""
        try:
            await self._files(self._workers.mailboxes.look, name)
        except (MailboxError, PoolStopped, CancelledError):
            pass
        except Exception:
            _log.failure("looking at {name} of {address} failed", name=name, address=self.address)

    async def _folder(self, name: str) -> Folder:
        folder = self._loaded.get(name)
        while folder is None or not folder.alive:
            # what changes after the load's turn in the mailboxes' thread is heard after its answer
            loaded = await self._files(self._workers.mailboxes.load, name)
            folder = self._loaded.get(name)
            if folder is None or not folder.alive:
                folder = self._loaded[name] = Folder(loaded)
        return folder

    # append

    def upload(self, flags: Iterable[str] = (), date: int | None = None) -> Upload:
        """Begin a message to append: write into its ``body``, then :meth:`append`, or ``body.abandon()``."""
        spool = self._workers.spool
        if spool is None:
            raise MailboxError("Nothing can be appended here", "CANNOT")
        if not spool.reserve.allows():
            raise MailboxError("The disk is nearly full, please try again later", "LIMIT")
        return Upload(spool.new_body(spool.new_id(self._now()), in_file=True), frozenset(flags), date)

    async def append(self, name: str, uploads: Sequence[Upload]) -> Appended:
        """Seal, commit and file what was uploaded, all of it or nothing (RFC 3502); durable when it returns: the rows
        are marked unfiled until the links are synced. MailboxError "TRYCREATE" or another."""
        try:
            await self.require(name)
            sealed = [await upload.body.seal() for upload in uploads]
        except BaseException:
            for upload in uploads:
                upload.body.withdraw()
            raise
        # asked for in one turn of the reactor, the rows are one transaction: a crash keeps all of them or none
        commits = [
            Deferred.fromCoroutine(self._commit(name, upload, found))
            for upload, found in zip(uploads, sealed, strict=True)
        ]
        results = await DeferredList(commits, consumeErrors=True)
        arrivals: list[Arrival] = [result for success, result in results if success]
        failures: list[Any] = [result for success, result in results if not success]
        seqs = [arrival.seq for arrival in arrivals]
        if failures:
            self._workers.appended(seqs)
            failures[0].raiseException()
        try:
            appended: Appended = await self._files(self._workers.mailboxes.append, name, arrivals)
        except MailboxError:
            # the client hears NO: no replay may bring it back
            self._workers.appended(seqs)
            raise
        self._workers.appended(seqs)
        return appended

    async def require(self, name: str) -> None:
        """MailboxError "TRYCREATE" unless the folder exists."""
        name = maildir.canonical(name)
        folder = self._loaded.get(name)
        if folder is not None and folder.alive:
            return
        try:
            await self._files(self._workers.mailboxes.status, name)
        except MailboxError as error:
            raise MailboxError(error.text, "TRYCREATE") from error

    async def _commit(self, name: str, upload: Upload, sealed: Sealed) -> Arrival:
        workers = self._workers
        assert workers.commit is not None
        body = upload.body
        now = self._now()
        date = now if upload.date is None else upload.date
        message = await workers.commit(
            NewMessage(
                id=body.id,
                arrived=now,
                kind=APPENDED,
                envelope=Envelope(self.address, ()),
                source=Source(user=self.address),
                size=sealed.size,
                sha256=sealed.sha256,
                trace=b"",
                body=None,
                folder=maildir.canonical(name),
                flags=tuple(sorted(upload.flags)),
                date=date,
            )
        )
        path = workers.mailboxes.layout.message(body.id)
        return Arrival(body.id, message.seq, path, sealed.size, date, upload.flags)

    def _now(self) -> int:
        return int(self._workers.clock.seconds() * 1_000_000)

    # for the views

    async def within(self, folder: Folder, method: str, *arguments: Any) -> Any:
        """Call a method of the mailboxes in their thread, on this very folder and no other that has its name now."""
        return await self._files(self._workers.mailboxes.within, folder.name, folder.uidvalidity, method, *arguments)

    async def take_back(self, name: str, copies: Sequence[Copied]) -> None:
        """Remove copies that were made in the folder ``name``: others failed."""
        within = self._workers.mailboxes.within
        for made in copies:
            await self._files(within, name, made.uidvalidity, "set_flags", made.targets, "+", ["\\Deleted"])
            await self._files(within, name, made.uidvalidity, "expunge", made.targets)

    async def read(self, paths: Mapping[int, str], how: Callable[[str], bytes]) -> tuple[dict[int, bytes], list[int]]:
        """Read files in the disk pool: what was found, and the keys of what was not."""
        if not paths:
            return {}, []
        return await self._workers.disk.run(reading.many, paths, how)

    async def compute(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Work that reads files or takes long, in the disk pool."""
        return await self._workers.disk.run(function, *arguments)

    async def locate(self, folder: Folder, uid: int) -> str | None:
        try:
            path: str | None = await self.within(folder, "locate", uid)
        except MailboxError:
            return None
        return path

    def path(self, name: str) -> str:
        return os.path.join(self._root, maildir.directory(name))

    def spooled(self, base: str) -> str | None:
        """The spool file behind a name, which outlives an expunge."""
        message = maildir.message_id(base)
        return self._workers.mailboxes.layout.message(message) if message else None

    def keep(self, folder: Folder, kind: str, data: list[tuple[int, bytes]]) -> None:
        """Keep rendered bytes in the index, while there is room: a cache is the first to stop at the disk reserve."""
        spool = self._workers.spool
        if spool is not None and not spool.reserve.allows():
            return
        self._aside(self.within(folder, "keep", kind, data))

    def keep_summaries(self, folder: Folder, data: list[tuple[int, bytes]]) -> None:
        """Keep digests of headers in the index, while there is room."""
        spool = self._workers.spool
        if spool is None or spool.reserve.allows():
            self._aside(self.within(folder, "keep_summaries", data))

    def in_use(self) -> None:
        """Somebody opens or leaves a folder, or asks for headers or words; when nobody does for a while, what they take
        is given back."""
        clock = self._workers.clock
        self._used = clock.seconds()
        if self._rest is None:
            self._rest = clock.callLater(IDLE, _idle, ref(self))

    def stop(self) -> None:
        """No timer stays behind."""
        if self._rest is not None and self._rest.active():
            self._rest.cancel()
        self._rest = None

    def idle(self) -> None:
        """The end of a while."""
        left = self._used + IDLE - self._workers.clock.seconds()
        if left > 0:
            self._rest = self._workers.clock.callLater(left, _idle, ref(self))
            return
        self._rest = None
        for folder in self._loaded.values():
            folder.release()
        self._loaded = {name: folder for name, folder in self._loaded.items() if folder.watchers}
        self._aside(self._workers.disk.run(memory.give_back))

    @property
    def findable(self) -> Findable | None:
        """The full-text indexes, for threads."""
        return self._workers.findable

    @property
    def now(self) -> int:
        """Microseconds since the epoch."""
        return self._now()

    def claim_recent(self, folder: Folder) -> None:
        self._aside(self.within(folder, "claim_recent", folder.recent))

    def _aside(self, work: Awaitable[Any]) -> None:
        """Nobody waits for it; a failure is logged."""
        done: Deferred[Any] = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)  # type: ignore[arg-type]

        def failed(failure: Failure) -> None:
            if not failure.check(MailboxError, CancelledError, DiskFull, PoolStopped):
                _log.failure("background work on {address} failed", failure, address=self.address)

        done.addErrback(failed)

    def _files(self, method: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        return self._workers.files.run(method, self.address, *arguments)

    # for the shadow

    def heard(self, name: str, change: Change) -> None:
        """A change was committed; "" names every folder."""
        for key in [name] if name else list(self._loaded):
            folder = self._loaded.get(key)
            if folder is not None:
                folder.apply(change)
                if not folder.alive:
                    del self._loaded[key]

    @property
    def weight(self) -> int:
        """How many messages are in memory, those with headers counted more."""
        return sum(
            len(folder.columns.uids) * (HEADERS_WEIGH if folder.headers.now else 1) for folder in self._loaded.values()
        )


def _idle(box: ref[Box]) -> None:
    """A timer does not keep in memory what others have made room for."""
    found = box()
    if found is not None:
        found.idle()
