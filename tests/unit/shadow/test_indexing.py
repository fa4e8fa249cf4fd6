"""The background work on the full-text index: what it does, in what order, and that it never loses its place."""

from __future__ import annotations

import os
import sqlite3
from array import array
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from stratamail.imap.search import Body, Text
from stratamail.shadow.by_index import Numbers
from stratamail.shadow.filling import Work, document
from stratamail.shadow.indexing import BUSY, EASY, LOOK, PAUSE, SWEEP_AFTER, Indexing
from stratamail.store.findable import count_searchable
from stratamail.store.fulltext import NAME, Document, Fulltext, fold, remove_file
from stratamail.store.mailbox_values import Added, Flagged
from tests.unit.shadow.rig import InlinePool, Rig, now
from tests.unit.store.boxes import ADDRESS


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


class Filling:
    """An :class:`Indexing` on a clock that the test moves."""

    def __init__(self, rig: Rig, room: bool = True) -> None:
        self.clock = Clock()
        self.room = room
        self.pool: Any = InlinePool()
        self.indexing = Indexing(rig.layout, self.pool, self.clock, lambda: self.room)
        sessions = rig.mailboxes.listener

        def told(*change: Any) -> None:
            sessions(*change)
            self.indexing.told(*change)

        rig.mailboxes.listener = told

    def turn(self, seconds: float, steps: int = 1000) -> None:
        self.clock.pump([seconds / steps] * steps)


def searchable(rig: Rig) -> int:
    return count_searchable(rig.layout, ADDRESS)


def index_of(rig: Rig) -> Fulltext:
    return Fulltext(os.path.join(rig.root, NAME))


def finished(rig: Rig) -> None:
    work = Work(rig.root, rig.layout.message)
    while work.step(0):
        pass
    work.close()


def test_what_comes_is_indexed(rig: Rig) -> None:
    filling = Filling(rig)
    filling.indexing.start()
    rig.deliver(3)
    assert searchable(rig) == 0
    filling.turn(20)
    assert searchable(rig) == 3
    rig.deliver(2)
    filling.turn(20)
    assert searchable(rig) == 5
    assert len(index_of(rig).find("body", "body")) == 5


def test_what_was_there_before_is_indexed(rig: Rig) -> None:
    rig.deliver(120)
    filling = Filling(rig)
    filling.indexing.start(iter([ADDRESS, "nobody@example.org"]))
    filling.turn(60)
    assert searchable(rig) == 120


def test_what_another_tool_left_is_indexed_once_it_is_taken_in(rig: Rig) -> None:
    filling = Filling(rig)
    rig.mailboxes.on_mended(filling.indexing.note)
    cur = Path(rig.root) / "cur"
    cur.mkdir(parents=True)
    for n in range(3):
        (cur / f"1700000000.M{n}.host:2,").write_bytes(b"Subject: s\r\n\r\nforeign words\r\n")
    filling.indexing.start(iter([ADDRESS]))
    filling.turn(20)
    assert searchable(rig) == 0
    rig.mailboxes.status(ADDRESS, "INBOX")
    filling.turn(20)
    assert searchable(rig) == 3


def test_it_goes_on_where_it_was(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.deliver(10)
    monkeypatch.setattr("stratamail.shadow.filling.AT_ONCE", 4)
    for done in (1, 2, 3):
        work = Work(rig.root, rig.layout.message)
        assert work.step(0)
        work.close()
        assert searchable(rig) == done
    read: list[str] = []
    real = document
    monkeypatch.setattr("stratamail.shadow.filling.document", lambda key, data: read.append(key) or real(key, data))
    finished(rig)
    assert searchable(rig) == 10
    assert len(read) == len(set(read)) == 7


def test_copies_and_moves_are_the_same_document(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.deliver(3)
    finished(rig)
    rig.mailboxes.copy(ADDRESS, "INBOX", [1], "Archive")
    rig.mailboxes.move(ADDRESS, "INBOX", [2], "Archive")
    monkeypatch.setattr("stratamail.shadow.filling.document", lambda key, data: pytest.fail("it was read again"))
    assert searchable(rig) == 2
    view = rig.select("Archive")
    monkeypatch.setattr("stratamail.shadow.search._READ_RATHER", 0)
    monkeypatch.setattr(view, "contents", lambda uids: pytest.fail("it was read"))
    assert now(view.search(Body("body"))) == [0, 1]
    finished(rig)
    assert searchable(rig) == 4
    assert index_of(rig).count() == 3


def test_what_was_expunged_leaves_it_later(rig: Rig) -> None:
    filling = Filling(rig)
    filling.indexing.start()
    rig.deliver(3)
    filling.turn(20)
    rig.mailboxes.copy(ADDRESS, "INBOX", [1], "Archive")
    rig.mailboxes.set_flags(ADDRESS, "INBOX", [1, 2], "+", ["\\Deleted"])
    rig.mailboxes.expunge(ADDRESS, "INBOX", [1, 2])
    filling.turn(20)
    assert index_of(rig).count() == 3
    filling.turn(SWEEP_AFTER + 20)
    assert index_of(rig).count() == 2
    assert len(index_of(rig).find("body", "body")) == 2


def test_what_was_expunged_while_nobody_looked_leaves_it_too(rig: Rig) -> None:
    rig.deliver(3)
    finished(rig)
    rig.mailboxes.set_flags(ADDRESS, "INBOX", [2], "+", ["\\Deleted"])
    rig.mailboxes.expunge(ADDRESS, "INBOX", [2])
    finished(rig)
    assert index_of(rig).count() == 2


def test_a_deleted_folder_leaves_it(rig: Rig) -> None:
    filling = Filling(rig)
    filling.indexing.start()
    rig.deliver(2)
    rig.mailboxes.create(ADDRESS, "X")
    rig.mailboxes.move(ADDRESS, "INBOX", [1], "X")
    filling.turn(20)
    assert index_of(rig).count() == 2
    rig.mailboxes.delete(ADDRESS, "X")
    filling.turn(SWEEP_AFTER + 20)
    assert index_of(rig).count() == 1


def test_a_message_that_is_gone_does_not_stop_it(rig: Rig) -> None:
    arrivals = rig.deliver(3)
    view = rig.select()
    path = view.path(2)
    assert path is not None
    os.unlink(path)
    os.unlink(arrivals[1].path)
    finished(rig)
    assert searchable(rig) == 3
    assert index_of(rig).count() == 2


def test_files_of_other_tools_are_found_whatever_their_flags_became(rig: Rig) -> None:
    rig.deliver(1)
    cur = Path(rig.root) / "cur"
    (cur / "1700000000.M1.host:2,").write_bytes(b"Subject: s\r\n\r\nforeign words\r\n")
    rig.reopen(unclean=True)
    rig.mailboxes.status(ADDRESS, "INBOX")
    (cur / "1700000000.M1.host:2,").rename(cur / "1700000000.M1.host:2,FS")
    finished(rig)
    assert index_of(rig).find("foreign", "body") == {
        index_of(rig).numbers(["1700000000.M1.host"])["1700000000.M1.host"]
    }


def test_one_message_that_cannot_be_read_does_not_stop_the_others(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.deliver(3)
    real = document

    def fragile(key: str, data: bytes) -> Document:
        if b"Subject: 1" in data:
            raise RecursionError
        return real(key, data)

    monkeypatch.setattr("stratamail.shadow.filling.document", fragile)
    finished(rig)
    assert searchable(rig) == 3
    monkeypatch.setattr("stratamail.shadow.search._READ_RATHER", 0)
    assert now(rig.select().search(Body("body"))) == [0, 1, 2]


def test_a_broken_index_is_made_again(rig: Rig) -> None:
    rig.deliver(3)
    finished(rig)
    path = Path(rig.root) / NAME
    for damage in (b"", b"rubbish" * 5000):
        remove_file(str(path))
        path.write_bytes(damage)
        finished(rig)
        assert len(index_of(rig).find("body", "body")) == 3


def test_damage_inside_is_noticed_and_mended(rig: Rig) -> None:
    filling = Filling(rig)
    filling.indexing.start()
    rig.deliver(50)
    filling.turn(20)
    path = Path(rig.root) / NAME
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    data = bytearray(path.read_bytes())
    data[8192:] = bytes(len(data) - 8192)
    remove_file(str(path))
    path.write_bytes(data)
    view = rig.select()
    assert now(view.search(Text("body"))) == list(range(50))
    rig.deliver(1)
    filling.turn(300)
    assert searchable(rig) == 51
    assert len(index_of(rig).find("body", "body")) == 51


def test_an_index_of_messages_made_anew_begins_anew(rig: Rig) -> None:
    rig.deliver(3)
    finished(rig)
    rig.mailboxes.close()
    for name in ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm"):
        Path(rig.root, name).unlink(missing_ok=True)
    rig.reopen()
    rig.mailboxes.status(ADDRESS, "INBOX")
    assert searchable(rig) == 0
    finished(rig)
    assert searchable(rig) == 3
    assert index_of(rig).count() == 3


def test_it_rests_long_while_mail_comes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    filling = Filling(rig)
    indexing_ = filling.indexing
    rests: list[float] = []
    real = filling.clock.callLater
    monkeypatch.setattr(filling.clock, "callLater", lambda delay, *call: rests.append(delay) or real(delay, *call))
    filling.pool.run = lambda function, *arguments: _already((True, 0.01, {}))
    indexing_.note(ADDRESS)
    indexing_.start()
    filling.clock.advance(LOOK)
    assert rests[-1] < 0.01
    for _ in range(10):
        indexing_.told(ADDRESS, "INBOX", Added((), ()))
    filling.clock.advance(rests[-1])
    assert rests[-1] == pytest.approx(0.01 * BUSY)
    indexing_.told(ADDRESS, "INBOX", Added((), ()))
    filling.clock.advance(1.0)
    assert rests[-1] == pytest.approx(0.01 * (EASY + 1.0), rel=0.6)
    indexing_.told(ADDRESS, "INBOX", Flagged((), ()))
    filling.clock.advance(rests[-1])
    assert rests[-1] < 0.01


def _already(value: Any) -> Deferred[Any]:
    done: Deferred[Any] = Deferred()
    done.callback(value)
    return done


def test_it_stops_at_the_disk_reserve(rig: Rig) -> None:
    filling = Filling(rig, room=False)
    filling.indexing.start()
    rig.deliver(1)
    filling.turn(30)
    assert not os.path.exists(os.path.join(rig.root, NAME))
    filling.room = True
    filling.turn(2 * PAUSE)
    assert searchable(rig) == 1


def test_stop_waits_for_the_step_in_hand(rig: Rig) -> None:
    filling = Filling(rig)
    filling.indexing.start()
    rig.deliver(1)
    filling.pool.held = True
    filling.turn(5)
    stopped: list[None] = []
    Deferred.fromCoroutine(filling.indexing.stop()).addCallback(stopped.append)
    assert not stopped
    filling.pool.release()
    assert stopped == [None]
    assert not filling.clock.getDelayedCalls()


def test_long_texts_are_cut_and_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratamail.shadow.filling.LONGEST", 30)
    whole = document("k", b"Subject: x\r\n\r\n" + b"y" * 30)
    assert whole.whole and whole.body == "Y" * 30 and whole.head == fold("subject: x")
    assert not document("k", b"Subject: x\r\n\r\n" + b"y" * 31).whole
    assert not document("k", b"Subject: " + b"x" * 40 + b"\r\n\r\ny").whole
    parts = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n%b\r\n--b\r\n\r\nsecond\r\n--b--\r\n"
    monkeypatch.setattr("stratamail.shadow.filling.LONGEST", 60)
    assert document("k", parts % b"first").body == "FIRST\x01SECOND"
    assert not document("k", parts % (b"z" * 60)).whole


def test_numbers_follow_the_folder(rig: Rig) -> None:
    rig.deliver(4)
    numbers, index = Numbers(), Fulltext(os.path.join(rig.root, NAME), write=True)
    index.close()
    columns = rig.select().folder.columns

    def of(uids: array[int], bases: list[str]) -> list[int]:
        with_index = index_of(rig)
        try:
            return list(numbers.of(with_index, uids, bases))
        finally:
            with_index.close()

    assert of(columns.uids, columns.bases) == [0, 0, 0, 0]
    finished(rig)
    assert of(columns.uids, columns.bases) == [1, 2, 3, 4]
    fewer, names = columns.uids[1:3], columns.bases[1:3]
    assert of(fewer, names) == [2, 3]
    assert of(columns.uids, columns.bases) == [1, 2, 3, 4]
    rig.deliver(1)
    more = rig.select().folder.columns
    assert of(more.uids, more.bases) == [1, 2, 3, 4, 0]
    finished(rig)
    assert of(more.uids, more.bases) == [1, 2, 3, 4, 5]
    numbers.release()
    assert of(more.uids, more.bases) == [1, 2, 3, 4, 5]
    remove_file(os.path.join(rig.root, NAME))
    Fulltext(os.path.join(rig.root, NAME), write=True).close()
    assert of(more.uids, more.bases) == [0, 0, 0, 0, 0]
