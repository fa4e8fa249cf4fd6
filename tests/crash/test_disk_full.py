"""A file system without a free block: 452 or 451, never a loss, and everything goes on when there is room again."""

from __future__ import annotations

import os
import subprocess
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from stratamail.mail.reply import DiskFull, Failure
from stratamail.store import filing, reserve
from tests.unit.store.rig import TRACE, Rig, new_message

A = "user@example.test"
BODY = b"x" * 20_000


class Full(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.state = os.path.abspath(self.mktemp())
        os.mkdir(self.state)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", self.state], capture_output=True)
        if mounted.returncode:
            raise SkipTest("needs the right to mount")
        self.addCleanup(subprocess.run, ["umount", "-l", self.state], check=True)
        self.patch(reserve, "BALLAST", 1_000_000)
        self.patch(filing, "_DISK_AGAIN", 0.05)
        self.patch(filing, "_MAILBOX_AGAIN", 0.1)
        self.rig = Rig(self.state, reactor, {1: A})
        self.rig.start()
        self.rig.reserve.make_ballast()
        self.filler = os.path.join(self.state, "filler")

    async def tearDown(self) -> None:
        await self.rig.stop()

    def fill(self) -> None:
        with open(self.filler, "wb", buffering=0) as file:
            for size in (100_000, 1000, 1):
                try:
                    while file.write(b"f" * size) == size:
                        pass
                except OSError:
                    continue

    async def test_accepted_or_refused_and_never_lost(self) -> None:
        accepted = [await self.rig.committer.commit(new_message(b"0" + BODY))]
        await self.rig.filing.settled()
        self.fill()
        refusals: list[Failure] = []
        for number in range(1, 200):
            try:
                accepted.append(await self.rig.committer.commit(new_message(b"%d" % number + BODY)))
            except Failure as failure:
                refusals.append(failure)
                if len(refusals) == 5:
                    break
        self.assertEqual(len(refusals), 5)
        self.assertTrue(all(400 <= one.reply.code < 500 for one in refusals))
        self.assertTrue(any(isinstance(one, DiskFull) for one in refusals))
        self.assertFalse(os.path.exists(self.rig.layout.ballast))
        large = self.rig.spool.new_body(self.rig.spool.new_id(1_795_000_000_000_000))
        for _ in range(10):
            large.write(b"y" * 200_000)
        with self.assertRaises(Failure) as caught:
            await large.seal()
        self.assertEqual(caught.exception.reply.code, 452)

        os.unlink(self.filler)
        while True:
            try:
                accepted.append(await self.rig.committer.commit(new_message(b"last" + BODY)))
                break
            except Failure:
                continue
        await self.rig.filing.settled()
        # a mailbox whose index found no room is tried again, and does not keep the rest from being settled
        for _ in range(100):
            if not self.rig.filing.placing.stuck:
                break
            await deferLater(reactor, 0.1)
        await self.rig.filing.settled()
        contents = [content for _, content in self.rig.inbox(A)]
        self.assertEqual(len(contents), len(accepted))
        self.assertEqual(contents[0], TRACE + b"0" + BODY)
        self.assertEqual(contents[-1], TRACE + b"last" + BODY)
        self.assertEqual(self.rig.leftovers(), [])
        self.assertTrue(os.path.exists(self.rig.layout.ballast))
        self.flushLoggedErrors()
