"""What stands between us and the disk: syncs, pools, the reserve, counters."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from stratamail.mail.reply import DiskFull
from stratamail.store import database, durable, reserve
from stratamail.store.layout import Layout
from stratamail.store.pool import Pool, PoolStopped
from stratamail.store.queue import counters
from stratamail.store.reserve import Reserve


class Pools(TestCase):
    def make(self, size: int = 1) -> Pool:
        pool = Pool("test", size, reactor)  # type: ignore[arg-type]
        pool.start()
        self.addCleanup(pool.stop)
        return pool

    async def test_order_and_results(self) -> None:
        pool, seen = self.make(), []
        results = [pool.run(lambda i=i: seen.append(i) or i) for i in range(50)]  # type: ignore[misc,func-returns-value]
        self.assertEqual([await one for one in results], list(range(50)))
        self.assertEqual(seen, list(range(50)))

    async def test_errors(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            await self.make().run(lambda: 1 / 0)

    async def test_in_parallel(self) -> None:
        pool, both = self.make(2), threading.Barrier(2, timeout=10)
        results = [pool.run(both.wait), pool.run(both.wait)]
        self.assertEqual({await one for one in results}, {0, 1})

    async def test_stop_finishes_what_was_asked_for(self) -> None:
        pool, seen = self.make(), []
        results = [pool.run(seen.append, i) for i in range(20)]
        pool.stop()
        self.assertEqual(seen, list(range(20)))
        for one in results:
            await one
        with self.assertRaises(PoolStopped):
            await pool.run(seen.append, 1)


def test_make_folder(tmp_path: Path) -> None:
    durable.make_folder(str(tmp_path / "a" / "b" / "c"))
    assert (tmp_path / "a" / "b" / "c").is_dir()
    durable.make_folder(str(tmp_path / "a" / "b" / "c"))


@pytest.mark.parametrize(("count", "one_by_one"), [(2, 3), (20, 0)])
def test_sync_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, one_by_one: int) -> None:
    synced: list[int] = []
    monkeypatch.setattr(durable.os, "fsync", synced.append)
    names = [str(tmp_path / f"{i}") for i in range(count)]
    for name in names:
        Path(name).write_text("x")
    durable.sync_many(str(tmp_path), names, [str(tmp_path)])
    assert len(synced) == one_by_one


def test_sync_many_tells_of_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        durable.sync_many(str(tmp_path), [str(tmp_path / "gone")], [])


def test_shared_sync_is_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running, go, count = threading.Event(), threading.Event(), []

    def slow(path: str) -> None:
        count.append(path)
        running.set()
        assert go.wait(10)

    monkeypatch.setattr(durable, "sync_folder", slow)
    shared = durable.SharedFolderSync()
    first = threading.Thread(target=shared.sync, args=("x",))
    first.start()
    assert running.wait(10)
    rest = [threading.Thread(target=shared.sync, args=("x",)) for _ in range(8)]
    for thread in rest:
        thread.start()
    while not shared._rounds:
        pass
    for thread in rest:
        thread.join(0.01)
    go.set()
    for thread in [first, *rest]:
        thread.join(10)
    assert 2 <= len(count) <= 3


def test_shared_sync_tells_everybody_of_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: str) -> None:
        raise OSError(5, "injected")

    monkeypatch.setattr(durable, "sync_folder", broken)
    shared = durable.SharedFolderSync()
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output"):
            shared.sync("x")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 10_000
    monkeypatch.setattr(reserve, "free_space", lambda path: free)
    clock = Clock()
    one = Reserve(Layout(str(tmp_path)), 4_000, clock)
    one.check(6_000)
    with pytest.raises(DiskFull) as caught:
        one.check(6_001)
    assert (caught.value.reply.code, caught.value.reply.status) == (452, "4.3.1")
    one.in_flight = 5_000
    assert one.allows(1_000)
    assert not one.allows(1_001)
    told: list[int] = []
    one.on_low = lambda: told.append(free)
    for free in (3_000, 2_000, 9_000, 1_000):
        clock.now += 1.0
        assert one.allows() == (free == 9_000)
    assert told == [3_000, 1_000]


def test_ballast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserve, "BALLAST", 1_000_000)
    one = Reserve(Layout(str(tmp_path)), 0, Clock())
    assert one.make_ballast()
    assert not one.make_ballast()
    found = os.stat(tmp_path / "ballast")
    assert found.st_size == 1_000_000
    assert found.st_blocks * 512 >= 1_000_000
    assert one.release_ballast()
    assert not one.release_ballast()
    one.reserve = 1 << 60
    assert not one.make_ballast()


def test_ballast_where_space_cannot_be_reserved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*args: Any) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(reserve, "BALLAST", 2_000_000)
    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    assert Reserve(Layout(str(tmp_path)), 0, Clock()).make_ballast()
    assert os.stat(tmp_path / "ballast").st_size == 2_000_000


def test_counters(tmp_path: Path) -> None:
    engine = database.open_queue(Layout(str(tmp_path)))
    database.migrate(engine, "queue")
    with database.writing(engine) as conn:
        assert counters.reserve(conn, "n", 10) == 1
        assert counters.reserve(conn, "n", 1) == 11
        assert counters.reserve(conn, "n", 1, floor=500) == 500
        assert counters.reserve(conn, "n", 1, floor=2) == 501
        counters.add(conn, "c")
        counters.add(conn, "c", 4)
        assert counters.value(conn, "c") == 5
        assert counters.value(conn, "never") == 0


def test_uidvalidity_is_never_given_twice(tmp_path: Path) -> None:
    engine = database.open_queue(Layout(str(tmp_path)))
    database.migrate(engine, "queue")
    commits = []

    class Direct:
        def write_from_thread(self, function: Any) -> int:
            commits.append(1)
            with database.writing(engine) as conn:
                return int(function(conn))

    clock = Clock()
    clock.now = 1_795_000_000.5
    first, second = counters.UidValidity(Direct(), clock), counters.UidValidity(Direct(), clock)
    drawn = [one.draw() for _ in range(400) for one in (first, second)]
    assert len(set(drawn)) == 800
    assert min(drawn) >= 1_795_000_000
    assert max(drawn) < 1 << 32
    assert len(commits) == 4
