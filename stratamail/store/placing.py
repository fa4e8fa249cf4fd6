"""Putting committed messages where they belong: the spool file and the links. Runs in the thread of the pool ``files``.

Writes ``spool/<shard>/<id>`` (under a temporary name first) and, through ``store.mailboxes``, Maildirs. Everything here
may be done again: what is there already is left alone. Syncs nothing: see ``store.filing``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from attrs import define, field
from sqlalchemy.engine import Engine
from twisted.logger import Logger

from stratamail.store import database
from stratamail.store.layout import Layout
from stratamail.store.mailboxes import Arrival, Mailboxes
from stratamail.store.model import APPENDED, Message
from stratamail.store.queue import messages
from stratamail.store.spool import write_file

# so many of the messages that wait for one mailbox are placed at a time
PAGE = 200


@define
class Placed:
    """What became of a batch: ``done`` wait for their sync only, with ``folders``; ``waiting`` for a mailbox, ``stuck``
    tells which could not be filed (address → why); ``missing`` have neither file nor journal."""

    done: list[Message] = field(factory=list)
    folders: set[str] = field(factory=set)
    waiting: list[Message] = field(factory=list)
    stuck: dict[str, str] = field(factory=dict)
    missing: list[Message] = field(factory=list)


class Placing:
    """``address_of`` gives a mailbox's address by its id, None when it is gone; ``content_of`` the content of a message
    that is in memory still; ``make_shard`` makes the folder of an id."""

    def __init__(
        self,
        layout: Layout,
        engine: Engine,
        mailboxes: Mailboxes,
        address_of: Callable[[int], str | None],
        content_of: Callable[[int], bytes | None],
        make_shard: Callable[[str], str],
    ) -> None:
        self._layout = layout
        self._engine = engine
        self._mailboxes = mailboxes
        self._address_of = address_of
        self._content_of = content_of
        self._make_shard = make_shard
        # mailboxes that could not be filed: id → seqs that wait for it, in order
        self.stuck: dict[int, list[int]] = {}
        self._lacking: dict[int, set[int]] = {}
        self._log = Logger()

    def place(self, batch: Sequence[Message], verify: bool = False, linked: bool = False) -> Placed:
        """File ``batch`` (in order of seq). ``verify``: trust no name (replay). ``linked``: links are there already.

        Raises ``OSError`` when the spool cannot be written: then all of it is done again.
        """
        placed = Placed()
        arrivals: dict[int, list[Arrival]] = {}
        for message in batch:
            path = self._layout.message(message.id)
            if not self._spool(message, path, verify):
                placed.missing.append(message)
                continue
            placed.folders.add(os.path.dirname(path))
            self._lacking[message.seq] = set(message.mailboxes)
            for mailbox in message.mailboxes:
                arrivals.setdefault(mailbox, []).append(arrival(message, path))
        for mailbox, wanted in arrivals.items():
            self._deliver(mailbox, wanted, batch, placed, linked)
        gone = {message.seq for message in placed.missing}
        for message in batch:
            if message.seq in gone:
                continue
            if self._lacking.get(message.seq):
                placed.waiting.append(message)
            else:
                self._lacking.pop(message.seq, None)
                placed.done.append(message)
        return placed

    def retry(self) -> Placed:
        """Try again what waits for a mailbox, in order of seq."""
        placed = Placed()
        for mailbox in list(self.stuck):
            while mailbox in self.stuck:
                page = self.stuck[mailbox][:PAGE]
                with database.reading(self._engine) as conn:
                    batch = messages.by_seqs(conn, page)
                for message in batch:
                    self._spool(message, self._layout.message(message.id), verify=False)
                wanted = [arrival(message, self._layout.message(message.id)) for message in batch]
                rest = self.stuck.pop(mailbox)[len(page) :]
                self._deliver(mailbox, wanted, batch, placed, linked=False)
                if mailbox in self.stuck:
                    self.stuck[mailbox] = page + rest
                    break
                if rest:
                    self.stuck[mailbox] = rest
                for message in batch:
                    if not self._lacking.get(message.seq):
                        self._lacking.pop(message.seq, None)
                        placed.done.append(message)
                        placed.folders.add(self._layout.shard(message.id))
        return placed

    def write_anew(self, batch: Sequence[Message]) -> Placed:
        """A sync of these failed: new files under the old names, in the spool and in every Maildir."""
        placed = Placed()
        for message in batch:
            path = self._layout.message(message.id)
            content = self._content(message)
            if content is not None:
                self._write(message, path, content)
                self._relink(message, path)
            placed.done.append(message)
            placed.folders.add(os.path.dirname(path))
            for mailbox in message.mailboxes:
                address = self._address_of(mailbox)
                if address is not None:
                    placed.folders.update(self._mailboxes.folders_to_sync(address))
        return placed

    # -- the spool

    def _content(self, message: Message) -> bytes | None:
        content = self._content_of(message.seq)
        if content is None:
            with database.reading(self._engine) as conn:
                content = messages.content(conn, message.seq)
        return content

    def _spool(self, message: Message, path: str, verify: bool) -> bool:
        """Make sure of the spool file; False when there is nothing to make it from."""
        content = self._content_of(message.seq)
        if content is None:
            whole = _length(path) == message.trace_size + message.size
            if whole and not verify:
                return True
            content = self._content(message)
            if content is None:
                # it was large, and synced before its commit; or it was filed before and is claimed now
                return whole
        if verify:
            found = _read(path)
            if found == content:
                return True
            self._write(message, path, content)
            if found is not None:
                self._relink(message, path)
            return True
        self._write(message, path, content)
        return True

    def _write(self, message: Message, path: str, content: bytes) -> None:
        self._make_shard(message.id)
        write_file(path + ".new", content)
        os.rename(path + ".new", path)

    def _relink(self, message: Message, path: str) -> None:
        for mailbox in message.mailboxes:
            address = self._address_of(mailbox)
            if address is not None and os.path.isdir(self._layout.mailbox(address)):
                self._mailboxes.relink(address, message.id, path)

    # -- the mailboxes

    def _deliver(
        self, mailbox: int, wanted: Sequence[Arrival], batch: Sequence[Message], placed: Placed, linked: bool
    ) -> None:
        if mailbox in self.stuck:
            self.stuck[mailbox] += [one.seq for one in wanted]
            return
        address = self._address_of(mailbox)
        if address is not None:
            try:
                if not linked:
                    self._link(address, wanted, batch)
                placed.folders.update(self._mailboxes.folders_to_sync(address))
            except Exception as error:
                self._log.failure("{address} cannot be filed", address=address)
                placed.stuck[address] = f"{type(error).__name__}: {error}"
                self.stuck[mailbox] = [one.seq for one in wanted]
                return
        for one in wanted:
            lacking = self._lacking.get(one.seq)
            if lacking is not None:
                lacking.discard(mailbox)

    def _link(self, address: str, wanted: Sequence[Arrival], batch: Sequence[Message]) -> None:
        folders = {message.seq: message.folder for message in batch if message.kind == APPENDED}
        if not folders:
            self._mailboxes.deliver(address, wanted)
            return
        # only a replay comes here: what was appended and cut short goes where its writer wanted it
        for one in wanted:
            folder = folders.get(one.seq, "")
            if folder:
                self._mailboxes.deliver(address, [one], folder)
            else:
                self._mailboxes.deliver(address, [one])


def arrival(message: Message, path: str) -> Arrival:
    """What a mailbox is told of a message."""
    size = message.trace_size + message.size
    return Arrival(message.id, message.seq, path, size, message.date or message.arrived, frozenset(message.flags))


def _length(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
