"""Group commit: order, isolation of a culprit, bounds, and what happens after an error of the disk."""

from __future__ import annotations

import os
import sqlite3
from typing import Any
from unittest import mock

from attrs import evolve
from sqlalchemy import text
from sqlalchemy.engine import Connection
from twisted.internet import defer, reactor, threads
from twisted.trial.unittest import TestCase

from stratamail.mail.reply import DiskFull, Failure, Unavailable
from stratamail.store import committer as committer_module
from stratamail.store import database, session
from stratamail.store.committer import Committer
from stratamail.store.layout import Layout
from stratamail.store.model import HELD, Message, NewDelivery
from stratamail.store.queue import messages
from tests.unit.store.rig import TRACE, new_message


class Faulty(sqlite3.Connection):
    """Fails the next statement that begins with ``fail_at``, before (``late`` False) or after it was carried out."""

    fail_at = ""
    code = sqlite3.SQLITE_IOERR
    late = False

    def execute(self, statement: str, *rest: Any) -> sqlite3.Cursor:
        if Faulty.fail_at and statement.startswith(Faulty.fail_at):
            if Faulty.late:
                super().execute(statement, *rest)
            Faulty.fail_at = ""
            error = sqlite3.OperationalError("injected")
            error.sqlite_errorcode = Faulty.code
            raise error
        return super().execute(statement, *rest)


def faulty(path: str) -> sqlite3.Connection:
    real = sqlite3.connect
    with mock.patch("sqlite3.connect", lambda *a, **k: real(*a, factory=Faulty, **k)):
        return database.connect(path)


class CommitterCase(TestCase):
    def setUp(self) -> None:
        state = os.path.abspath(self.mktemp())
        os.mkdir(state)
        self.layout = Layout(state)
        self.engine = database.open_queue(self.layout)
        database.migrate(self.engine, "queue")
        self.committer = self.make()
        self.told: list[list[Message]] = []
        self.committer.listeners.append(self.told.append)
        Faulty.fail_at, Faulty.code, Faulty.late = "", sqlite3.SQLITE_IOERR, False

    def make(self) -> Committer:
        committer = Committer(self.layout, reactor, connect=faulty)
        committer.start()
        self.addCleanup(committer.stop)
        return committer

    def rows(self, statement: str) -> list[Any]:
        with database.reading(self.engine) as conn:
            return list(conn.execute(text(statement)).scalars())

    async def refused(self, new: Any) -> Failure:
        try:
            await self.committer.commit(new)
        except Failure as failure:
            return failure
        raise AssertionError("it was accepted")


class Commits(CommitterCase):
    async def test_row(self) -> None:
        new = new_message(b"body", mailboxes=(3, 4), unclaimed=("k@example.test",))
        message = await self.committer.commit(new)
        self.assertEqual((message.seq, message.id, message.size, message.mailboxes), (1, new.id, 4, (3, 4)))
        self.assertEqual(message.sha256, new.sha256)
        with database.reading(self.engine) as conn:
            self.assertEqual(messages.by_id(conn, new.id), message)
            self.assertEqual(messages.by_seqs(conn, [1]), [message])
            self.assertEqual(messages.content(conn, 1), TRACE + b"body")
            self.assertEqual(messages.unfiled(conn), [message])
            source = messages.source(conn, 1)
            assert source is not None
            self.assertEqual((source.peer, source.helo), ("192.0.2.1", "elsewhere.test"))
        self.assertEqual(self.rows("SELECT recipient FROM deliveries"), ["user@example.test"])
        self.assertEqual(self.rows("SELECT state FROM deliveries"), ["queued"])
        self.assertEqual(self.rows("SELECT key FROM unclaimed"), ["k@example.test"])
        await self.committer.write(lambda conn: None)
        self.assertEqual(self.told, [[message]])

    async def test_held_from_the_start(self) -> None:
        loop = NewDelivery("a@b.test", "a@b.test", "b.test", "primary", "b.test", held="loop")
        new = evolve(new_message(), deliveries=(loop,))
        await self.committer.commit(new)
        self.assertEqual(self.rows("SELECT state FROM deliveries"), [HELD])
        self.assertEqual(self.rows("SELECT last_reply FROM deliveries"), ["loop"])

    async def test_many_at_once_are_few_commits(self) -> None:
        commits = []
        self.committer.listeners.append(lambda batch: commits.append(len(batch)))
        results = [self.committer.commit(new_message(b"%d" % i)) for i in range(500)]
        seqs = [(await result).seq for result in results]
        self.assertEqual(seqs, list(range(1, 501)))
        await self.committer.write(lambda conn: None)
        self.assertEqual(sum(commits), 500)
        self.assertLessEqual(len(commits), 3)

    async def test_seq_is_never_given_twice(self) -> None:
        message = await self.committer.commit(new_message())
        await self.committer.write(lambda conn: messages.remove(conn, [message.id]))
        self.assertEqual((await self.committer.commit(new_message())).seq, message.seq + 1)

    async def test_culprit_alone_is_refused(self) -> None:
        first = new_message(b"1")
        bad = new_message(b"2", id=first.id)
        results = [self.committer.commit(new) for new in (new_message(b"0"), first, bad, new_message(b"3"))]
        outcomes = await defer.DeferredList(results, consumeErrors=True)
        self.flushLoggedErrors(sqlite3.IntegrityError)
        self.assertEqual([ok for ok, _ in outcomes], [True, True, False, True])
        self.assertIsInstance(outcomes[2][1].value, Unavailable)
        self.assertEqual(len(self.rows("SELECT id FROM messages")), 3)
        self.assertEqual(self.committer.unfiled, 3)

    async def test_writes_join_and_fail_alone(self) -> None:
        def good(conn: Connection) -> int:
            conn.execute(text("INSERT INTO counters VALUES ('good', 1)"))
            return 5

        def bad(conn: Connection) -> None:
            conn.execute(text("INSERT INTO counters VALUES ('bad', 1)"))
            raise ValueError("not this one")

        results = [self.committer.write(bad), self.committer.write(good), self.committer.commit(new_message())]
        outcomes = await defer.DeferredList(results, consumeErrors=True)
        self.assertIsInstance(outcomes[0][1].value, ValueError)
        self.assertEqual(outcomes[1], (True, 5))
        self.assertTrue(outcomes[2][0])
        self.assertEqual(self.rows("SELECT name FROM counters"), ["good"])

    async def test_a_write_may_not_end_the_transaction(self) -> None:
        result = self.committer.write(lambda conn: conn.exec_driver_sql("COMMIT"))
        with self.assertRaises(Unavailable):
            await result
        self.flushLoggedErrors(sqlite3.OperationalError)
        await self.committer.commit(new_message())

    async def test_write_from_thread(self) -> None:
        value = await threads.deferToThread(
            self.committer.write_from_thread, lambda conn: conn.scalar(text("SELECT 7"))
        )
        self.assertEqual(value, 7)
        with self.assertRaises(ZeroDivisionError):
            await threads.deferToThread(self.committer.write_from_thread, lambda conn: 1 / 0)

    async def test_write_from_thread_while_it_ends(self) -> None:
        stopping = self.committer.stop()
        with self.assertRaises(Unavailable):
            await threads.deferToThread(self.committer.write_from_thread, lambda conn: 1)
        await stopping

    async def test_barrier(self) -> None:
        order: list[str] = []
        self.committer.commit(new_message()).addCallback(lambda _: order.append("commit"))
        passed = self.committer.barrier().addCallback(lambda _: order.append("barrier"))
        later = self.committer.commit(new_message()).addCallback(lambda _: order.append("later"))
        await passed
        self.assertEqual(order[:2], ["commit", "barrier"])
        await later
        await self.committer.barrier()

    async def test_stop(self) -> None:
        pending = self.committer.commit(new_message())
        await self.committer.stop()
        self.assertEqual((await pending).seq, 1)
        self.assertIsInstance(await self.refused(new_message()), Unavailable)
        with self.assertRaises(Unavailable):
            await self.committer.write(lambda conn: None)
        wal = self.layout.queue + "-wal"
        self.assertEqual(os.path.getsize(wal) if os.path.exists(wal) else 0, 0)

    async def test_refusing(self) -> None:
        self.committer.refuse("sync-failed")
        large = new_message(in_file=True)
        os.makedirs(self.layout.shard(large.id))
        with open(self.layout.message(large.id), "wb") as file:
            file.write(b"large")
        await self.refused(large)
        self.assertEqual(os.listdir(self.layout.shard(large.id)), [])
        failure = await self.refused(new_message())
        self.assertEqual((failure.reply.code, failure.reason), (451, "sync-failed"))
        self.committer.accept()
        await self.committer.commit(new_message())


class Bounds(CommitterCase):
    async def test_waits_before_its_commit_until_others_are_filed(self) -> None:
        self.patch(committer_module, "MAX_UNFILED", 2)
        first = await self.committer.commit(new_message())
        await self.committer.commit(new_message())
        third = self.committer.commit(new_message())
        await self.committer.write(lambda conn: None)
        self.assertFalse(third.called)
        self.assertEqual(self.rows("SELECT count(*) FROM messages"), [2])
        self.committer.filed([first.seq])
        self.assertEqual((await third).seq, 3)
        self.assertEqual(self.committer.unfiled, 2)

    async def test_octets_count(self) -> None:
        self.patch(committer_module, "MAX_UNFILED_BYTES", 1000)
        first = await self.committer.commit(new_message(b"x" * 900))
        second = self.committer.commit(new_message(b"x" * 900))
        await self.committer.write(lambda conn: None)
        self.assertFalse(second.called)
        self.committer.filed([first.seq])
        await second

    async def test_451_after_the_wait_and_nothing_is_kept(self) -> None:
        self.patch(committer_module, "MAX_UNFILED", 1)
        self.patch(committer_module, "WAIT_SECONDS", 0.01)
        await self.committer.commit(new_message())
        failure = await self.refused(new_message())
        self.assertEqual((failure.reply.code, failure.reason), (451, "filing-behind"))
        await self.committer.write(lambda conn: None)
        self.assertEqual(self.rows("SELECT count(*) FROM messages"), [1])


class Disks(CommitterCase):
    async def test_error_before_the_commit(self) -> None:
        await self.committer.commit(new_message())
        Faulty.fail_at = "INSERT INTO deliveries"
        failure = await self.refused(new_message())
        self.assertEqual((failure.reply.code, failure.reason), (451, "database-error"))
        self.assertEqual((await self.committer.commit(new_message())).seq, 2)
        self.assertEqual(self.committer.unfiled, 2)

    async def test_commit_that_is_there_all_the_same(self) -> None:
        Faulty.fail_at, Faulty.late = "COMMIT", True
        new = new_message()
        shard = self.layout.shard(new.id)
        os.makedirs(shard)
        with open(self.layout.message(new.id), "wb") as file:
            file.write(b"large")
        await self.refused(new)
        self.assertEqual(len(self.rows("SELECT id FROM messages")), 1)
        next_one = await self.committer.commit(new_message())
        self.assertEqual(self.rows("SELECT id FROM messages"), [next_one.id])
        self.assertEqual(self.rows("SELECT seq FROM deliveries"), [next_one.seq])
        self.assertEqual(self.rows("SELECT seq FROM journal"), [next_one.seq])
        self.assertFalse(os.path.exists(self.layout.message(new.id)))

    async def test_no_250_until_the_wal_is_home(self) -> None:
        Faulty.fail_at = "COMMIT"
        await self.refused(new_message())
        for _ in range(3):
            Faulty.fail_at = "PRAGMA wal_checkpoint(TRUNCATE)"
            failure = await self.refused(new_message())
            self.assertEqual(failure.reply.code, 451)
        await self.committer.commit(new_message())
        self.assertEqual(self.rows("SELECT count(*) FROM messages"), [1])

    async def test_full_disk(self) -> None:
        Faulty.fail_at, Faulty.code = "COMMIT", sqlite3.SQLITE_FULL
        failure = await self.refused(new_message())
        self.assertIsInstance(failure, DiskFull)
        self.assertEqual(failure.reply.code, 452)

    async def test_locked(self) -> None:
        Faulty.fail_at, Faulty.code = "BEGIN IMMEDIATE", sqlite3.SQLITE_BUSY
        failure = await self.refused(new_message())
        self.assertEqual((failure.reply.code, failure.reason), (451, "database-locked"))
        await self.committer.commit(new_message())

    async def test_failed_checkpoint(self) -> None:
        self.patch(session, "CHECKPOINT_PAGES", 1)
        Faulty.fail_at = "PRAGMA wal_checkpoint(PASSIVE)"
        await self.committer.commit(new_message())
        await self.committer.commit(new_message())
        self.assertEqual(self.rows("SELECT count(*) FROM messages"), [2])

    async def test_the_wal_does_not_grow(self) -> None:
        self.patch(session, "CHECKPOINT_PAGES", 50)
        for _ in range(60):
            await self.committer.commit(new_message(b"x" * 30_000))
        self.assertLess(os.path.getsize(self.layout.queue + "-wal"), 1_500_000)
