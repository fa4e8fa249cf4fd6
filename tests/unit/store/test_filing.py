"""From the commit to the mailbox, out of the journal, and again after every kind of end."""

from __future__ import annotations

import os
import shutil
from typing import IO

from sqlalchemy import text
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from stratamail.store import database, durable
from stratamail.store.bodies import MissingBody
from stratamail.store.mailboxes import Arrival
from stratamail.store.model import APPENDED
from stratamail.store.placing import arrival
from stratamail.store.queue import messages
from tests.unit.store.rig import TRACE, Rig, new_message

A, B = "user@example.test", "other@example.test"


class FilingCase(TestCase):
    def setUp(self) -> None:
        self.state = os.path.abspath(self.mktemp())
        os.mkdir(self.state)
        self.rig = self.make()

    def make(self, unclean: bool = False) -> Rig:
        rig = Rig(self.state, reactor, {1: A, 2: B}, unclean)
        rig.start()
        self.live = rig
        return rig

    async def again(self, unclean: bool = True) -> Rig:
        """A new life of the store on the same folder."""
        await self.live.stop()
        return self.make(unclean)

    async def tearDown(self) -> None:
        await self.live.stop()

    def journal(self) -> int:
        with database.reading(self.live.engine) as conn:
            return int(conn.execute(text("SELECT count(*) FROM journal")).scalar_one())

    def unfiled(self) -> int:
        with database.reading(self.live.engine) as conn:
            return len(messages.unfiled(conn))

    def mark_unfiled(self, *contents: tuple[int, bytes | None]) -> None:
        """As if the server had ended before these were taken out of the journal."""
        with database.writing(self.live.engine) as conn:
            for seq, content in contents:
                conn.execute(text("UPDATE messages SET unfiled = 1 WHERE seq = :seq"), {"seq": seq})
                if content is not None:
                    conn.execute(text("INSERT INTO journal VALUES (:seq, :c)"), {"seq": seq, "c": content})


class Filed(FilingCase):
    async def test_small(self) -> None:
        new = new_message(b"one\r\n", mailboxes=(1, 2))
        message = await self.rig.committer.commit(new)
        self.assertEqual(self.rig.bodies.read(message), TRACE + b"one\r\n")
        await self.rig.filing.settled()
        self.assertEqual(self.rig.spooled(message), TRACE + b"one\r\n")
        self.assertEqual(self.rig.inbox(A), [(1, TRACE + b"one\r\n")])
        self.assertEqual(self.rig.inbox(B), [(1, TRACE + b"one\r\n")])
        self.assertEqual(os.stat(self.rig.layout.message(new.id)).st_nlink, 3)
        self.assertEqual(os.stat(self.rig.layout.message(new.id)).st_mode & 0o777, 0o440)
        self.assertEqual((self.journal(), self.unfiled()), (0, 0))
        self.assertEqual((self.rig.committer.unfiled, self.rig.committer.unfiled_bytes), (0, 0))
        self.assertEqual(self.rig.committer.contents, {})
        self.assertEqual(self.rig.bodies.read(message), TRACE + b"one\r\n")

    async def test_large(self) -> None:
        body = os.urandom(3_000_000)
        new = await self.rig.large(body)
        message = await self.rig.committer.commit(new)
        await self.rig.filing.settled()
        self.assertEqual(self.rig.inbox(A), [(1, TRACE + body)])
        self.assertEqual(self.rig.leftovers(), [])
        self.assertEqual(self.rig.bodies.read(message), TRACE + body)

    async def test_uids_follow_seq(self) -> None:
        bodies = [b"%d\r\n" % i for i in range(300)]
        results = [self.rig.committer.commit(new_message(body)) for body in bodies]
        seqs = [(await one).seq for one in results]
        self.assertEqual(seqs, sorted(seqs))
        await self.rig.filing.settled()
        self.assertEqual(self.rig.inbox(A), [(i + 1, TRACE + body) for i, body in enumerate(bodies)])

    async def test_without_mailboxes(self) -> None:
        message = await self.rig.committer.commit(new_message(mailboxes=(), unclaimed=("x@example.test",)))
        await self.rig.filing.settled()
        self.assertEqual(self.unfiled(), 0)
        self.assertTrue(os.path.exists(self.rig.layout.message(message.id)))

    async def test_claim(self) -> None:
        for i in range(3):
            new = new_message(b"%d" % i, mailboxes=(), unclaimed=("user@example.test", "alias@example.test"))
            await self.rig.committer.commit(new)
        await self.rig.committer.commit(new_message(b"foreign", mailboxes=(), unclaimed=("third@example.test",)))
        await self.rig.filing.settled()
        self.assertEqual(await self.rig.filing.claim(1, ["user@example.test", "alias@example.test"]), 3)
        await self.rig.filing.settled()
        self.assertEqual([content[-1:] for _, content in self.rig.inbox(A)], [b"0", b"1", b"2"])
        self.assertEqual(await self.rig.filing.claim(1, ["user@example.test"]), 0)
        self.assertEqual(self.unfiled(), 0)

    async def test_mailbox_is_gone(self) -> None:
        await self.rig.committer.commit(new_message(mailboxes=(99,)))
        await self.rig.filing.settled()
        self.assertEqual(self.unfiled(), 0)

    async def test_stuck_mailbox_lets_others_go_on(self) -> None:
        real = self.rig.mailboxes.deliver
        broken = True

        def deliver(address: str, arrivals: list[Arrival], name: str = "INBOX") -> None:
            if broken and address == A:
                raise OSError(5, "broken")
            real(address, arrivals, name)

        self.patch(self.rig.mailboxes, "deliver", deliver)
        for i in range(4):
            await self.rig.committer.commit(new_message(b"%d" % i, mailboxes=(1, 2)))
        await self.rig.filing.settled()
        await self.rig.committer.barrier()
        self.flushLoggedErrors(OSError)
        self.assertEqual([c[-1:] for _, c in self.rig.inbox(B)], [b"0", b"1", b"2", b"3"])
        self.assertEqual(self.unfiled(), 4)
        self.assertEqual(self.rig.committer.unfiled, 0)
        with database.reading(self.rig.engine) as conn:
            told = conn.execute(text("SELECT kind FROM alerts")).scalars().all()
        self.assertEqual(told, ["mailbox-unfiled"])
        broken = False
        self.rig.filing.placed(await self.rig.files.run(self.rig.placing.retry))
        await self.rig.filing.settled()
        self.assertEqual([c[-1:] for _, c in self.rig.inbox(A)], [b"0", b"1", b"2", b"3"])
        self.assertEqual((self.journal(), self.unfiled()), (0, 0))

    async def test_failed_sync_writes_anew(self) -> None:
        message = await self.rig.committer.commit(new_message(b"sync me"))
        real = durable.sync_many
        failures = [OSError(5, "lost"), OSError(5, "lost again")]
        inodes = []
        held: list[IO[bytes]] = []
        self.addCleanup(lambda: [file.close() for file in held])

        def sync_many(root: str, files: list[str], folders: set[str]) -> None:
            # held open, so that no inode number comes twice
            held.append(open(files[0], "rb"))  # noqa: SIM115
            inodes.append(os.fstat(held[-1].fileno()).st_ino)
            if failures:
                raise failures.pop()
            real(root, files, folders)

        self.patch(durable, "sync_many", sync_many)
        self.patch(__import__("stratamail.store.filing", fromlist=["x"]), "_DISK_AGAIN", 0.01)
        await self.rig.filing.settled()
        self.assertEqual(len(set(inodes)), 3)
        self.assertEqual(self.unfiled(), 0)
        self.assertEqual(self.rig.inbox(A), [(1, TRACE + b"sync me")])
        self.assertEqual(os.stat(self.rig.layout.message(message.id)).st_nlink, 2)
        await self.rig.committer.commit(new_message(b"accepted again"))

    async def test_missing_body(self) -> None:
        message = await self.rig.committer.commit(new_message())
        await self.rig.filing.settled()
        os.unlink(self.rig.layout.message(message.id))
        with self.assertRaises(MissingBody):
            self.rig.bodies.open(message)

    async def test_damaged_body(self) -> None:
        message = await self.rig.committer.commit(new_message())
        await self.rig.filing.settled()
        os.truncate(self.rig.layout.message(message.id), 5)
        with self.assertRaises(MissingBody):
            self.rig.bodies.open(message)


class Appending(FilingCase):
    async def test_linked_by_its_writer(self) -> None:
        new = await self.rig.large(b"draft", mailboxes=(1,), kind=APPENDED, folder="Drafts", recipients=())
        message = await self.rig.committer.commit(new)
        await self.rig.filing.settled()
        self.assertEqual(self.unfiled(), 1)
        one = arrival(message, self.rig.layout.message(message.id))
        await self.rig.files.run(self.rig.mailboxes.append, A, "Drafts", [one])
        self.rig.filing.appended([message.seq])
        await self.rig.filing.settled()
        self.assertEqual(self.unfiled(), 0)
        self.assertEqual(len(self.rig.mailboxes.load(A, "Drafts").columns.uids), 1)

    async def test_cut_short(self) -> None:
        new = await self.rig.large(b"draft", mailboxes=(1,), kind=APPENDED, folder="Drafts", recipients=())
        await self.rig.committer.commit(new)
        rig = await self.again()
        self.assertEqual((await rig.replay()).messages, 1)
        self.assertEqual(len(rig.mailboxes.load(A, "Drafts").columns.uids), 1)
        self.assertEqual(len(rig.mailboxes.load(A, "INBOX").columns.uids), 0)
        self.assertEqual(self.unfiled(), 0)


class Replaying(FilingCase):
    async def test_nothing(self) -> None:
        self.assertEqual((await self.rig.replay()).messages, 0)

    async def test_everything_was_lost_but_the_journal(self) -> None:
        kept = [await self.rig.committer.commit(new_message(b"%d" % i)) for i in range(5)]
        await self.rig.filing.settled()
        self.mark_unfiled(*[(m.seq, TRACE + b"%d" % i) for i, m in enumerate(kept)])
        await self.rig.files.run(self.rig.mailboxes.close)
        shutil.rmtree(self.rig.layout.spool)
        shutil.rmtree(self.rig.layout.mail)
        rig = await self.again()
        self.assertEqual((await rig.replay()).messages, 5)
        self.assertEqual([c[-1:] for _, c in rig.inbox(A)], [b"0", b"1", b"2", b"3", b"4"])
        self.assertEqual((self.journal(), self.unfiled()), (0, 0))

    async def test_torn_spool_file_is_replaced_under_every_name(self) -> None:
        message = await self.rig.committer.commit(new_message(b"whole message", mailboxes=(1, 2)))
        await self.rig.filing.settled()
        await self.rig.files.run(self.rig.mailboxes.set_flags, A, "INBOX", [1], "+", ["\\Seen"])
        self.mark_unfiled((message.seq, TRACE + b"whole message"))
        path = self.rig.layout.message(message.id)
        for name in (path,):
            os.chmod(name, 0o640)
            with open(name, "r+b") as file:
                file.write(b"\0" * 20)
        rig = await self.again()
        await rig.replay()
        self.assertEqual(rig.inbox(A), [(1, TRACE + b"whole message")])
        self.assertEqual(rig.inbox(B), [(1, TRACE + b"whole message")])
        self.assertEqual(rig.spooled(message), TRACE + b"whole message")
        self.assertEqual(os.stat(path).st_nlink, 3)
        self.assertIn(":2,S", "".join(os.listdir(os.path.join(rig.layout.mailbox(A), "cur"))))

    async def test_half_linked(self) -> None:
        message = await self.rig.committer.commit(new_message(b"x", mailboxes=(1, 2)))
        await self.rig.filing.settled()
        self.mark_unfiled((message.seq, TRACE + b"x"))
        await self.rig.files.run(self.rig.mailboxes.close)
        shutil.rmtree(self.rig.layout.mailbox(B))
        rig = await self.again()
        await rig.replay()
        self.assertEqual(len(rig.inbox(A)), 1)
        self.assertEqual(len(rig.inbox(B)), 1)

    async def test_expunged_before_it_was_durable(self) -> None:
        message = await self.rig.committer.commit(new_message(b"x"))
        await self.rig.filing.settled()
        await self.rig.files.run(self.rig.mailboxes.set_flags, A, "INBOX", [1], "+", ["\\Deleted"])
        await self.rig.files.run(self.rig.mailboxes.expunge, A, "INBOX", None)
        self.mark_unfiled((message.seq, TRACE + b"x"))
        rig = await self.again()
        await rig.replay()
        self.assertEqual(rig.inbox(A), [])

    async def test_large_file_is_gone(self) -> None:
        message = await self.rig.committer.commit(await self.rig.large(b"y" * 100_000))
        await self.rig.filing.settled()
        self.mark_unfiled((message.seq, None))
        os.unlink(self.rig.layout.message(message.id))
        await self.rig.committer.commit(new_message(b"next"))
        rig = await self.again()
        await rig.replay()
        await rig.committer.barrier()
        with database.reading(rig.engine) as conn:
            self.assertIn("message-missing", conn.execute(text("SELECT kind FROM alerts")).scalars().all())
        self.assertEqual([c[-4:] for _, c in rig.inbox(A)][-1], b"next")

    async def test_sweep(self) -> None:
        message = await self.rig.committer.commit(new_message(b"kept"))
        await self.rig.filing.settled()
        shard = os.path.dirname(self.rig.layout.message(message.id))
        stray = message.id[:6] + "zzz"
        for name in (message.id[:-1] + "v.part", message.id[:-1] + "u.new", message.id[:-3] + "0v0", stray):
            with open(os.path.join(shard, name), "wb") as file:
                file.write(b"complete")
        rig = await self.again()
        replayed = await rig.replay()
        self.assertEqual(replayed.lost, (message.id[:-3] + "0v0",))
        self.assertEqual(os.listdir(rig.layout.lost), [message.id[:-3] + "0v0"])
        self.assertEqual(sorted(os.listdir(shard)), sorted([message.id, stray]))
        self.assertEqual(rig.leftovers(), [])
