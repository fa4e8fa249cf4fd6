"""Bodies on their way in: small ones in memory, large ones in a file of their own, none left behind."""

from __future__ import annotations

import hashlib
import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from stratamail.mail.reply import DiskFull, Failure, Unavailable
from stratamail.store import spool as spool_module
from stratamail.store.layout import Layout
from stratamail.store.pool import Pool
from stratamail.store.reserve import Reserve
from stratamail.store.spool import SMALL, Spool

NOW = 1_795_000_000_000_000


def bare_spool() -> Spool:
    layout = Layout("/nonexistent")
    return Spool(layout, Pool("disk", 1, reactor), Reserve(layout, 0, lambda: 0.0))  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 2**52), min_size=2, max_size=50))
def test_ids_are_unique_and_begin_with_their_time(times: list[int]) -> None:
    spool = bare_spool()
    ids = [spool.new_id(now) for now in times]
    assert len(set(ids)) == len(ids)
    assert all(len(one) == 16 and set(one) <= set("0123456789abcdefghijklmnopqrstuv") for one in ids)
    by_time = [one[:10] for one in sorted(ids, key=lambda one: times[ids.index(one)])]
    assert by_time == sorted(by_time)


def test_neighbours_in_time_share_a_folder() -> None:
    spool = bare_spool()
    assert spool.new_id(NOW)[:6] == spool.new_id(NOW + 1_000_000)[:6]
    assert spool.new_id(NOW)[:6] != spool.new_id(NOW + 300_000_000)[:6]


class SpoolCase(TestCase):
    def setUp(self) -> None:
        state = os.path.abspath(self.mktemp())
        os.mkdir(state)
        self.layout = Layout(state)
        self.disk = Pool("disk", 2, reactor)  # type: ignore[arg-type]
        self.disk.start()
        self.reserve = Reserve(self.layout, 0, reactor.seconds)  # type: ignore[attr-defined]
        self.spool = Spool(self.layout, self.disk, self.reserve)
        self.id = self.spool.new_id(NOW)

    async def tearDown(self) -> None:
        # what was asked of the disk has been done when this has
        for _ in range(4):
            await self.disk.run(lambda: None)
        self.disk.stop()
        self.assertEqual(self.reserve.in_flight, 0)

    def files(self) -> list[str]:
        return [name for _, _, names in os.walk(self.layout.spool) for name in names]

    async def test_small(self) -> None:
        body = self.spool.new_body(self.id, b"T: 1\r\n")
        self.assertIsNone(body.write(b"ab"))
        self.assertIsNone(body.write(b"cd"))
        self.assertTrue(body.small)
        sealed = body.seal_small()
        self.assertEqual((sealed.size, sealed.body), (4, b"abcd"))
        self.assertEqual(sealed.sha256, hashlib.sha256(b"abcd").hexdigest())
        self.assertEqual(self.files(), [])

    async def test_empty(self) -> None:
        sealed = await self.spool.new_body(self.id).seal()
        self.assertEqual((sealed.size, sealed.body), (0, b""))

    async def test_the_border(self) -> None:
        body = self.spool.new_body(self.id)
        body.write(b"x" * SMALL)
        self.assertTrue(body.small)
        body.write(b"y")
        self.assertFalse(body.small)
        sealed = await body.seal()
        self.assertIsNone(sealed.body)
        self.assertEqual(self.files(), [self.id])

    async def test_large(self) -> None:
        content = os.urandom(2_345_678)
        body = self.spool.new_body(self.id, b"T: 1\r\n")
        for start in range(0, len(content), 10_007):
            paused = body.write(content[start : start + 10_007])
            if paused is not None:
                await paused
        sealed = await body.seal()
        self.assertEqual((sealed.size, sealed.sha256), (len(content), hashlib.sha256(content).hexdigest()))
        self.assertEqual(self.files(), [self.id])
        with open(self.layout.message(self.id), "rb") as file:
            self.assertEqual(file.read(), b"T: 1\r\n" + content)
        self.assertEqual(os.stat(self.layout.message(self.id)).st_mode & 0o777, 0o440)

    async def test_small_in_a_file(self) -> None:
        body = self.spool.new_body(self.id, b"T: 1\r\n", in_file=True)
        body.write(b"draft")
        sealed = await body.seal()
        self.assertEqual((sealed.body, sealed.sha256), (None, hashlib.sha256(b"draft").hexdigest()))
        self.assertEqual(self.files(), [self.id])

    async def test_sender_is_paused_while_the_disk_is_behind(self) -> None:
        body = self.spool.new_body(self.id)
        paused: Deferred[None] | None = None
        written = 0
        while paused is None:
            paused = body.write(b"z" * 100_000)
            written += 1
        self.assertLess(written, 20)
        await paused
        sealed = await body.seal()
        self.assertEqual(sealed.size, written * 100_000)

    async def test_abandoned(self) -> None:
        body = self.spool.new_body(self.id)
        for _ in range(5):
            body.write(b"x" * 200_000)
        body.abandon()
        body.abandon()
        await self.spool.new_body(self.spool.new_id(NOW + 1), in_file=True).seal()
        # the file is removed behind our back, by a job of the pool
        for _ in range(200):
            if len(self.files()) == 1:
                break
            await deferLater(reactor, 0.05)
        self.assertEqual(len(self.files()), 1)

    async def test_abandoned_while_it_is_sealed(self) -> None:
        body = self.spool.new_body(self.id)
        body.write(b"x" * 200_000)
        sealing = Deferred.fromCoroutine(body.seal())
        body.abandon()
        with self.assertRaises(Unavailable):
            await sealing
        self.assertEqual(self.files(), [])

    async def test_below_the_reserve(self) -> None:
        self.reserve.reserve = 1 << 60
        body = self.spool.new_body(self.id)
        body.write(b"x" * 100_000)
        body.write(b"x" * 100_000)
        self.assertIsInstance(body.failure, DiskFull)
        with self.assertRaises(DiskFull):
            await body.seal()
        self.assertEqual(body.size, 200_000)
        self.assertEqual(self.files(), [])

    async def failing(self, code: int) -> Failure:
        def broken(fd: int, data: bytes) -> None:
            raise OSError(code, "injected")

        self.patch(spool_module, "_write_all", broken)
        body = self.spool.new_body(self.id)
        for _ in range(10):
            paused = body.write(b"x" * 200_000)
            if paused is not None:
                await paused
        try:
            await body.seal()
        except Failure as failure:
            return failure
        raise AssertionError("it was sealed")

    async def test_disk_is_full(self) -> None:
        self.assertEqual((await self.failing(28)).reply.code, 452)
        self.assertEqual(self.files(), [])

    async def test_disk_fails(self) -> None:
        failure = await self.failing(5)
        self.assertIsInstance(failure, Unavailable)
        self.assertEqual(failure.reply.code, 451)
        self.assertEqual(self.files(), [])

    async def test_failing_sync(self) -> None:
        def broken(fd: int) -> None:
            raise OSError(5, "injected")

        self.patch(spool_module, "sync_descriptor", broken)
        body = self.spool.new_body(self.id)
        body.write(b"x" * 100_000)
        with self.assertRaises(Unavailable):
            await body.seal()
        self.assertEqual(self.files(), [])


class Room(TestCase):
    """A trace that is known only when the body is over."""

    def setUp(self) -> None:
        self.layout = Layout(self.mktemp())
        os.makedirs(self.layout.spool)
        self.pool = Pool("disk", 1, reactor)
        self.pool.start()
        self.addCleanup(self.pool.stop)
        self.spool = Spool(self.layout, self.pool, Reserve(self.layout, 0, lambda: 0.0))

    async def test_it_stands_before_the_body_whenever_the_file_was_begun(self) -> None:
        for number, size in enumerate((SMALL + 1, 1_000_000)):
            body = self.spool.new_body(self.spool.new_id(NOW + number), b"Received: x\r\n")
            body.leave_room(6)
            for _ in range(2):
                paused = body.write(b"b" * (size // 2 + 1))
                if paused is not None:
                    await paused
            body.set_trace(b"Received: x\r\nA: b\r\n")
            sealed = await body.seal()
            with open(self.layout.message(body.id), "rb") as file:
                content = file.read()
            assert content == b"Received: x\r\nA: b\r\n" + b"b" * sealed.size
            assert hashlib.sha256(b"b" * sealed.size).hexdigest() == sealed.sha256

    def test_no_other_room_than_was_left(self) -> None:
        body = self.spool.new_body(self.spool.new_id(NOW), b"Received: x\r\n")
        body.leave_room(6)
        self.assertRaises(ValueError, body.set_trace, b"Received: x\r\nA: bcd\r\n")
        body.write(b"begun")
        self.assertRaises(ValueError, body.leave_room, 1)
