"""Sessions on a whole store, threads and all: what is captured shows, what is appended is kept, a cut append comes
back."""

from __future__ import annotations

import tempfile

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from stratamail.shadow.shadow import Shadow
from stratamail.shadow.updates import Exists
from stratamail.shadow.view import View
from stratamail.store.model import Message, NewMessage
from tests.unit.store.rig import TRACE, Rig, new_message

USER = "user@example.test"
LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 100_000


class WholeStore(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.state = self.folder.name
        self.start(False)

    def start(self, unclean: bool) -> None:
        self.rig = Rig(self.state, reactor, {1: USER}, unclean)
        self.rig.start()
        rig = self.rig

        def commit(new: NewMessage) -> Deferred[Message]:
            return rig.committer.commit(evolve(new, mailboxes=(1,)))

        self.shadow = Shadow(
            rig.mailboxes,
            rig.files,
            rig.disk,
            reactor,
            rig.spool,
            commit,
            rig.filing.appended,  # type: ignore[arg-type]
        )

    async def tearDown(self) -> None:
        self.shadow.stop()
        await self.rig.stop()
        self.folder.cleanup()

    async def news(self, name: str = "INBOX") -> tuple[View, list[Deferred[None]]]:
        """A view, and the Deferred that fires at its next news."""
        waiting: list[Deferred[None]] = []
        box = await self.shadow.open(USER)

        def notify() -> None:
            while waiting:
                waiting.pop().callback(None)

        return await box.select(name, False, notify), waiting

    async def test_a_committed_message_reaches_an_idle_session(self) -> None:
        view, waiting = await self.news()
        told: Deferred[None] = Deferred()
        waiting.append(told)
        await self.rig.committer.commit(new_message())
        await told
        assert view.updates() == [Exists(1, 1)]
        assert await view.content(view.uids[0]) == TRACE + b"Subject: hello\r\n\r\nworld\r\n"
        assert (await view.headers([1]))[1] == TRACE + b"Subject: hello\r\n\r\n"

    async def test_many_sessions_and_messages_agree(self) -> None:
        views = [(await self.news())[0] for _ in range(5)]
        commits = [self.rig.committer.commit(new_message()) for _ in range(200)]
        for commit in commits:
            await commit
        await self.rig.filing.settled()
        await self.rig.files.run(lambda: None)
        for view in views:
            view.updates()
            assert list(view.uids) == list(range(1, 201))
        assert sum(view.recent for view in views) == 200

    async def test_append_small_and_large(self) -> None:
        box = await self.shadow.open(USER)
        view, _ = await self.news("Sent")
        for body in (b"Subject: s\r\n\r\nsmall", LARGE):
            upload = box.upload(["\\Seen"])
            for start in range(0, len(body), 300_000):
                paused = upload.body.write(body[start : start + 300_000])
                if paused is not None:
                    await paused
            await box.append("Sent", [upload])
        view.updates()
        assert await view.content(1) == b"Subject: s\r\n\r\nsmall"
        assert await view.content(2) == LARGE
        assert await view.piece(2, 17, 4) == LARGE[17:21]
        await self.rig.filing.settled()
        await self.restart()
        view, _ = await self.news("Sent")
        assert [view.flags(i) for i in range(2)] == [("\\Seen",), ("\\Seen",)]

    async def restart(self) -> None:
        self.shadow.stop()
        await self.rig.stop()
        self.start(True)
        await self.rig.replay()

    async def test_an_append_cut_between_commit_and_link_is_filed_at_the_next_start(self) -> None:
        box = await self.shadow.open(USER)
        upload = box.upload(["\\Draft", "$label"], 1_600_000_000_000_000)
        upload.body.write(b"Subject: cut\r\n\r\n")
        await box._commit("Drafts", upload, await upload.body.seal())
        assert (await box.status("Drafts")).messages == 0
        await self.restart()
        view, _ = await self.news("Drafts")
        assert view.exists == 1
        assert set(view.flags(0)) >= {"\\Draft", "$label"}
        assert view.date(0) == 1_600_000_000_000_000
        assert await view.content(view.uids[0]) == b"Subject: cut\r\n\r\n"
        await self.restart()
        view, _ = await self.news("Drafts")
        assert view.exists == 1

    async def test_an_abandoned_upload_leaves_nothing(self) -> None:
        box = await self.shadow.open(USER)
        upload = box.upload()
        upload.body.write(LARGE)
        upload.body.abandon()
        for _ in range(1000):
            await self.rig.disk.run(lambda: None)
            if upload.body._writer is None and not upload.body._running and not self.rig.disk.waiting:
                break
        await self.restart()
        assert self.rig.leftovers() == []
        assert (await (await self.shadow.open(USER)).status("INBOX")).messages == 0
