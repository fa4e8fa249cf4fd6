"""A mailbox cut anywhere: between any two steps on disk, or by a power cut that takes what the index had not synced.

What must hold afterwards: no captured message is missing unless it was expunged, no UID ever names two messages, and
the mailbox and its folders agree.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stratamail.store import maildir
from stratamail.store.index import Index
from stratamail.store.mailbox_values import Arrival, MailboxError
from tests.support.sizes import sized
from tests.unit.store.boxes import ADDRESS, Boxes

FOLDERS = ("INBOX", "Trash", "Archive")


class Cut(BaseException):
    """The process is gone."""


class Cutter:
    """Raises :class:`Cut` before or after the ``at``-th change of the disk."""

    def __init__(self, at: int, after: bool) -> None:
        self.left, self.after, self.done = at, after, False

    def wrap(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            if self.done:
                raise Cut
            self.left -= 1
            if self.left == 0:
                self.done = True
                if self.after:
                    act(*args, **kwargs)
                raise Cut
            return act(*args, **kwargs)

        return step


class Story:
    """Does random things to a mailbox and remembers what a client was told."""

    def __init__(self, boxes: Boxes, seed: int) -> None:
        self.boxes = boxes
        self.random = random.Random(seed)
        self.delivered: list[Arrival] = []
        self.under_way: list[Arrival] = []
        self.removing: set[str] = set()
        self.removed: set[str] = set()
        self.names: dict[tuple[int, int], str] = {}

    def look(self) -> None:
        """What a client sees: each UID under its UIDVALIDITY is one message, for ever."""
        for folder in self.boxes.mailboxes.folders(ADDRESS):
            if not folder.selectable:
                continue
            loaded = self.boxes.mailboxes.load(ADDRESS, folder.name)
            for uid, base in zip(loaded.columns.uids, loaded.columns.bases, strict=True):
                assert uid < loaded.uidnext
                message = maildir.message_id(base)
                assert self.names.setdefault((loaded.uidvalidity, uid), message) == message

    def step(self) -> None:
        mailboxes = self.boxes.mailboxes
        what = self.random.choice(
            ["deliver", "deliver", "flags", "move", "copy", "expunge", "rename", "delete", "empty", "tool"]
        )
        folder = self.random.choice(FOLDERS)
        if what == "deliver":
            self.under_way = [self.boxes.arrival() for _ in range(self.random.randint(1, 3))]
            mailboxes.deliver(ADDRESS, self.under_way)
            self.delivered += self.under_way
            self.under_way = []
            return
        if what == "rename":
            if not any(each.name == "Moved" for each in mailboxes.folders(ADDRESS)):
                mailboxes.create(ADDRESS, "Moved/x")
            mailboxes.rename(ADDRESS, "Moved", f"Moved{self.random.randint(1, 10**9)}")
            return
        if what == "empty":
            mailboxes.rename(ADDRESS, "INBOX", f"Old{self.random.randint(1, 10**9)}")
            return
        if what == "tool":
            self.another_tool(folder)
            return
        if what == "delete":
            try:
                mailboxes.create(ADDRESS, "Gone")
                mailboxes.delete(ADDRESS, "Gone")
            except MailboxError:
                mailboxes.delete(ADDRESS, "Gone")
            return
        columns = mailboxes.load(ADDRESS, folder).columns
        if not columns.uids:
            return
        uids = self.random.sample(list(columns.uids), min(2, len(columns.uids)))
        if what == "flags":
            mailboxes.set_flags(ADDRESS, folder, uids, self.random.choice("+-"), ["\\Seen", "$k"])
        elif what == "move":
            mailboxes.move(ADDRESS, folder, uids, self.random.choice(FOLDERS))
        elif what == "copy":
            mailboxes.copy(ADDRESS, folder, uids, self.random.choice(FOLDERS))
        else:
            self.removing = {maildir.message_id(columns.bases[columns.uids.index(uid)]) for uid in uids}
            mailboxes.set_flags(ADDRESS, folder, uids, "+", ["\\Deleted"])
            mailboxes.expunge(ADDRESS, folder)
            self.removed |= self.removing
            self.removing = set()

    def another_tool(self, folder: str) -> None:
        """Removes, moves or marks a file."""
        path = os.path.join(self.boxes.root, maildir.directory(folder))
        found = sorted(below for _, _, below in maildir.scan(path))
        if not found:
            return
        below = self.random.choice(found)
        base, flags = maildir.parse(below.partition("/")[2])
        what = self.random.choice(["rm", "mv", "flag"])
        if what == "rm":
            self.removed.add(maildir.message_id(base))
            os.unlink(os.path.join(path, below))
        else:
            other = path if what == "flag" else os.path.join(self.boxes.root, ".Archive")
            target = os.path.join(other, maildir.relative(base, flags ^ maildir.FLAGGED))
            os.rename(os.path.join(path, below), target)

    def check(self) -> None:
        """After a restart and its replay."""
        mailboxes = self.boxes.mailboxes
        mailboxes.deliver(ADDRESS, self.under_way)
        self.delivered += self.under_way
        self.under_way = []
        self.look()
        shown: set[str] = set()
        for folder in mailboxes.folders(ADDRESS):
            if folder.selectable:
                columns = mailboxes.load(ADDRESS, folder.name).columns
                shown |= {maildir.message_id(base) for base in columns.bases}
                path = os.path.join(self.boxes.root, maildir.directory(folder.name))
                on_disk = {below for _, _, below in maildir.scan(path)}
                flags = zip(columns.bases, columns.flags, strict=True)
                assert on_disk == {maildir.relative(base, bits) for base, bits in flags}
        missing = {arrival.id for arrival in self.delivered} - shown - self.removed - self.removing
        assert not missing
        self.removed |= self.removing
        self.removing = set()


@contextmanager
def cutting(monkeypatch: pytest.MonkeyPatch, cutter: Cutter) -> Iterator[None]:
    with monkeypatch.context() as patch:
        for name in ("link", "unlink", "rename", "mkdir"):
            patch.setattr(os, name, cutter.wrap(getattr(os, name)))
        change = Index.change

        @contextmanager
        def commit(self: Index, durable: bool = False) -> Iterator[None]:
            if cutter.done:
                raise Cut
            with change(self, durable):
                yield
                cutter.left -= 1
                if cutter.left == 0:
                    cutter.done = True
                    if not cutter.after:
                        raise Cut
            if cutter.done:
                raise Cut

        patch.setattr(Index, "change", commit)
        yield


@pytest.mark.parametrize("seed", range(sized(12, 80)))
def test_killed_between_any_two_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    boxes = Boxes(tmp_path)
    story = Story(boxes, seed)
    chance = random.Random(seed)
    for _ in range(15):
        cutter = Cutter(chance.randint(1, 25), chance.random() < 0.5)
        with cutting(monkeypatch, cutter):
            try:
                while True:
                    story.step()
                    story.look()
            except Cut:
                pass
        boxes.reopen(unclean=True)
        story.check()


@pytest.mark.parametrize("seed", range(sized(12, 80)))
def test_a_power_cut_takes_what_the_index_had_not_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The index falls back to its last durable transaction; the folders keep everything (the file system's journal)."""
    boxes = Boxes(tmp_path / "state")
    story = Story(boxes, seed)
    saved = tmp_path / "saved"
    change = Index.change

    @contextmanager
    def remembering(self: Index, durable: bool = False) -> Iterator[None]:
        with change(self, durable):
            yield
        if durable:
            shutil.rmtree(saved, ignore_errors=True)
            saved.mkdir()
            for suffix in ("", "-wal"):
                shutil.copy(self.path + suffix, saved)

    monkeypatch.setattr(Index, "change", remembering)
    boxes.deliver(2)
    boxes.mailboxes.close()
    for _ in range(8):
        for _ in range(random.Random(seed).randint(1, 12)):
            story.step()
            story.look()
        boxes.mailboxes.close()
        for name in os.listdir(boxes.root):
            if name.startswith("index.sqlite"):
                os.unlink(os.path.join(boxes.root, name))
        for name in os.listdir(saved):
            shutil.copy(saved / name, boxes.root)
        boxes.reopen(unclean=True)
        story.check()


def test_a_move_cut_before_its_commit_leaves_the_message_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = Boxes(tmp_path)
    boxes.deliver(2)
    boxes.mailboxes.copy(ADDRESS, "INBOX", [2], "Archive")
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise Cut

        patch.setattr(Index, "add", die)
        with pytest.raises(Cut):
            boxes.mailboxes.move(ADDRESS, "INBOX", [1, 2], "Trash")
    assert len(os.listdir(os.path.join(boxes.root, ".Trash", "new")) + _cur(boxes, ".Trash")) == 2
    boxes.reopen(unclean=True)
    assert (boxes.uids(), boxes.uids("Trash"), len(boxes.uids("Archive"))) == ([1, 2], [], 1)
    assert _cur(boxes, ".Trash") == os.listdir(os.path.join(boxes.root, ".Trash", "new")) == []


def test_what_was_moved_stays_when_the_index_is_lost(tmp_path: Path) -> None:
    boxes = Boxes(tmp_path)
    boxes.deliver(1)
    boxes.mailboxes.copy(ADDRESS, "INBOX", [1], "Archive")
    boxes.mailboxes.move(ADDRESS, "INBOX", [1], "Trash")
    boxes.mailboxes.close()
    for name in os.listdir(boxes.root):
        if name.startswith("index.sqlite"):
            os.unlink(os.path.join(boxes.root, name))
    boxes.reopen(unclean=True)
    assert [len(boxes.uids(name)) for name in ("INBOX", "Archive", "Trash")] == [0, 1, 1]


def _cur(boxes: Boxes, folder: str) -> list[str]:
    return os.listdir(os.path.join(boxes.root, folder, "cur"))
