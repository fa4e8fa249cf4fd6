"""Watching Maildirs: events gathered, own changes passed over, a look each second where there are no events."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from stratamail.shadow import outside
from stratamail.shadow.box import Box
from stratamail.shadow.notices import CREATE, MOVED_TO, OVERFLOW, Notices
from stratamail.shadow.outside import GATHER, IDLE_TICKS, MOST, TICK, Outside
from stratamail.shadow.shadow import Shadow
from stratamail.shadow.view import View
from tests.unit.shadow.rig import InlinePool
from tests.unit.store.boxes import ADDRESS, Boxes


class Reactor(Clock):
    """Reads descriptors when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)

    def callFromThread(self, callable: Any, *args: Any) -> None:
        callable(*args)

    def later(self, seconds: float = 0.5) -> None:
        """Events are read, and time goes by in small steps."""
        for _ in range(round(seconds / GATHER) + 1):
            for reader in self.readers:
                reader.doRead()
            self.advance(GATHER)


class House(Boxes):
    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self.reactor = Reactor()
        pool: Any = InlinePool()
        self.outside = Outside(self.reactor, self.mailboxes, pool)
        self.shadow = Shadow(self.mailboxes, pool, pool, self.reactor, outside=self.outside)
        self.deliver(2)
        self.box: Box = self.shadow.box(ADDRESS)

    def select(self, name: str = "INBOX") -> View:
        found: list[View] = []
        opened: Deferred[View] = ensureDeferred(self.box.select(name, False, lambda: None))
        opened.addCallback(found.append)
        return found[0]

    def put(self, name: str, old: bool = True) -> None:
        written = f"{self.root}/tmp/1"
        Path(written).write_bytes(b"Subject: s\r\n\r\n")
        if old:
            os.utime(written, (1, 1))
        os.rename(written, f"{self.root}/{name}")


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.outside.start()
    return house


@pytest.fixture
def deaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """No inotify."""

    def none(*_: object) -> Notices:
        raise OSError("none left")

    monkeypatch.setattr(outside, "Notices", none)
    house = House(tmp_path)
    house.outside.start()
    return house


def test_a_session_hears_of_a_file_after_a_moment(house: House) -> None:
    view = house.select()
    house.put("new/1.x")
    house.reactor.later(0.1)
    view.updates()
    assert list(view.uids) == [1, 2, 3]


def test_a_removed_file_is_told_when_no_other_name_shows_up(house: House) -> None:
    view = house.select()
    [first, _] = sorted(house.files())
    os.unlink(f"{house.root}/{first}")
    house.reactor.later(0.1)
    assert not view.gone(1)
    house.reactor.later(0.5)
    assert view.gone(1)


def test_own_changes_and_what_is_told_of_them_scan_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.select()
    monkeypatch.setattr("stratamail.store.maildir.scan", None)
    house.deliver(3)
    house.mailboxes.set_flags(ADDRESS, "INBOX", [1, 2], "+", ["\\Deleted"])
    house.mailboxes.expunge(ADDRESS, "INBOX")
    house.heard.clear()
    house.reactor.later(1.0)
    view = house.select()
    assert list(view.uids) == [3, 4, 5]


def test_a_folder_that_nobody_has_open_is_not_watched_for_long(house: House) -> None:
    view = house.select()
    folder = view.folder
    assert house.outside.watches(ADDRESS, folder)
    view.close()
    house.reactor.later(TICK * 3)
    assert house.outside.watches(ADDRESS, folder)
    for _ in range(IDLE_TICKS):
        house.reactor.advance(TICK)
    assert not house.outside.watches(ADDRESS, folder)
    # what happens then is seen by who opens it next
    house.put("cur/2.x:2,")
    again = house.select()
    assert list(again.uids) == [1, 2, 3]
    assert house.outside.watches(ADDRESS, again.folder)


def test_two_folders_of_one_mailbox_share_the_watch_of_its_directory(house: House) -> None:
    first, second = house.select(), house.select("Archive")
    second.close()
    for _ in range(IDLE_TICKS + 2):
        house.reactor.advance(TICK)
    assert not house.outside.watches(ADDRESS, second.folder)
    os.makedirs(f"{house.root}/.Tool/cur")
    house.reactor.later(0.2)
    assert "Tool" in house.mailboxes._indexes._open[ADDRESS].folders
    assert first.alive


def test_lost_events_and_floods_of_them_end_in_a_look(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    view = house.select()
    house.put("cur/1.x:2,S")
    monkeypatch.setattr(house.mailboxes, "noticed", None)
    house.outside._told(-1, OVERFLOW, "")
    house.reactor.advance(GATHER)
    view.updates()
    assert len(view.uids) == 3
    [watch, *_] = house.outside._watches
    for i in range(MOST + 1):
        house.outside._told(watch, CREATE, f"{i}.y")
    house.reactor.advance(GATHER)
    assert not next(iter(house.outside._folders.values())).entries


def test_without_events_a_look_each_second(deaf: House) -> None:
    view = deaf.select()
    assert not deaf.outside.watches(ADDRESS, view.folder)
    deaf.put("cur/1.x:2,S")
    deaf.reactor.advance(TICK / 2)
    view.updates()
    assert len(view.uids) == 2
    deaf.reactor.advance(TICK / 2)
    deaf.reactor.advance(0)
    view.updates()
    assert len(view.uids) == 3


def test_a_failure_is_tried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    view = house.select()
    noticed = house.mailboxes.noticed

    def fail(*_: object) -> dict[str, int]:
        monkeypatch.setattr(house.mailboxes, "noticed", noticed)
        raise OSError("for once")

    monkeypatch.setattr(house.mailboxes, "noticed", fail)
    house.put("cur/1.x:2,S")
    house.reactor.later(TICK + 0.2)
    view.updates()
    assert len(view.uids) == 3


def test_removed_mailboxes_are_not_looked_at_again(house: House) -> None:
    view = house.select()
    forgotten: Deferred[None] = ensureDeferred(house.shadow.forget(lambda address: False))
    assert forgotten.called
    assert not house.outside.watches(ADDRESS, view.folder)


def test_stop_ends_everything(house: House) -> None:
    mine = {call.func.__name__ for call in house.reactor.getDelayedCalls()}
    house.select()
    house.outside.stop()
    assert house.reactor.readers == []
    # what is left lets go of a mailbox that nobody has open, and belongs to that
    assert {call.func.__name__ for call in house.reactor.getDelayedCalls()} - mine == {"_idle"}
    house.outside.stop()


def test_notices_tell_names_in_order(tmp_path: Path) -> None:
    reactor = Reactor()
    told: list[tuple[int, int, str]] = []
    notices = Notices(reactor, lambda *event: told.append(event))
    watch = notices.add(str(tmp_path))
    os.mkdir(tmp_path / "tmp")
    (tmp_path / "tmp" / "a").write_text("x")
    os.rename(tmp_path / "tmp" / "a", tmp_path / "bü")
    os.link(tmp_path / "bü", tmp_path / "c")
    notices.doRead()
    assert [(at, mask & (CREATE | MOVED_TO), name) for at, mask, name in told] == [
        (watch, CREATE, "tmp"),
        (watch, MOVED_TO, "bü"),
        (watch, CREATE, "c"),
    ]
    notices.doRead()  # nothing more, and no wait
    with pytest.raises(OSError, match="No such file"):
        notices.add(str(tmp_path / "missing"))
    notices.close()
    notices.close()
