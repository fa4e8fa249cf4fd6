"""Ways in which a lane could jam, hold what nobody refused, or lose track of what is on its way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from attrs import evolve

from stratamail.mail.reply import Unavailable
from stratamail.outage.declare import declare, end
from stratamail.relay.attempt import Caller
from stratamail.store import database
from stratamail.store.queue import alerts, deliveries
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import HostPort
from tests.support.sink import Sink
from tests.unit.relay.rig import TRACE, RelayCase, state

REFUSED = b"550 5.1.1 no such user\r\n"


def refuses(*names: bytes, step: str = "rcpt", reply: bytes = REFUSED) -> Callable[..., object]:
    return lambda session, at, line: reply if at == step and any(name in line for name in names) else None


class Jams(RelayCase):
    async def proven(self) -> None:
        """A lane whose primary has accepted something."""
        await self.put("bob@acme.test")
        self.relay.startService()
        await self.until(state("delivered"))

    async def test_one_that_stepped_aside_does_not_stop_its_mailbox(self) -> None:
        self.sink.script = lambda s, step, line: (
            b"451 4.6.0 not this one\r\n" if step == "dot" and b"poison" in s.body else None
        )
        await self.proven()
        await self.put("ann@acme.test", body=b"poison\r\n")
        await self.put("ann@acme.test", body=b"fine\r\n")
        await self.put("ann@acme.test", body=b"fine too\r\n")
        self.relay.wake()
        rows = await self.until(lambda rows: [row.state for row in rows[2:]] == ["delivered"] * 2)
        assert rows[1].aside
        assert self.bodies()[1:] == [TRACE + b"fine\r\n", TRACE + b"fine too\r\n"]

    async def test_a_sender_that_is_turned_away_at_mail_does_not_stop_the_lane(self) -> None:
        self.sink.script = refuses(b"bad@far.test", step="mail", reply=b"550 5.7.1 not from you\r\n")
        await self.put("ann@acme.test", sender="bad@far.test")
        for name in ("bob", "cid", "dan", "ann"):
            await self.put(f"{name}@acme.test")
        self.relay.startService()
        rows = await self.until(lambda rows: [row.state for row in rows[1:]] == ["delivered"] * 4, 30)
        assert rows[0].state == "deferred"
        assert rows[0].aside

    async def test_mail_refused_to_all_holds_and_defers_nothing(self) -> None:
        self.sink.script = refuses(b"", step="mail", reply=b"550 5.7.1 not you\r\n")
        for name in ("ann", "bob"):
            await self.put(f"{name}@acme.test")
        self.relay.startService()
        await self.until(lambda rows: sum(row.attempts for row in rows) >= 5)
        rows = await self.rows()
        assert [(row.state, row.deferrals) for row in rows] == [("queued", 0)] * 2
        self.sink.script = None
        await self.until(state("delivered"))

    async def test_strangers_by_the_hundred_do_not_hide_a_listed_one(self) -> None:
        self.retry_every = 3600.0
        self.relay = self.make_relay()
        self.sink.script = refuses(b"stranger")
        for start in range(0, 450, 90):
            await self.put(*(f"stranger{start + i}@acme.test" for i in range(90)))
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(lambda rows: rows[-1].state == "delivered")

    async def test_a_listed_one_that_is_gone_does_not_hide_a_stranger(self) -> None:
        self.sink.script = refuses(b"ann")
        await self.put("ann@acme.test")
        await self.put("stranger@acme.test")
        self.relay.startService()
        rows = await self.until(state("delivered", "held"))
        assert [row.state for row in rows] == ["held", "delivered"]

    async def test_a_fault_of_ours_leaves_no_mark_behind(self) -> None:
        good = Caller.attempt
        calls = []

        async def bad(caller: Caller, *args: Any, **more: Any) -> Any:
            calls.append(args)
            if len(calls) == 1:
                raise KeyError("a bug")
            return await good(caller, *args, **more)

        self.patch(Caller, "attempt", bad)
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(state("delivered"))
        assert len(self.flushLoggedErrors(KeyError)) == 1

    async def test_a_commit_that_failed_and_was_made_all_the_same(self) -> None:
        write, lies = self.committer.write, [True, False, True, True]

        async def lying(work: Callable[..., Any]) -> Any:
            done = await write(work)
            if lies and lies.pop(0):
                raise Unavailable(reason="database-error")
            return done

        self.committer.write = lying  # type: ignore[method-assign,assignment]
        self.relay = self.make_relay()
        await self.put("ann@acme.test")
        await self.put("ann@acme.test")
        self.relay.startService()
        rows = await self.until(state("delivered"))
        assert [row.attempts for row in rows] == [1, 1]
        assert len(self.sink.messages) == 2
        assert self.flushLoggedErrors(Unavailable)

    async def test_a_database_that_somebody_keeps_locked(self) -> None:
        """A result waits in memory, and nothing else goes out meanwhile."""
        lock = database.connect(self.layout.queue)
        self.addCleanup(lock.close)
        seen: list[int] = []

        def script(session: object, step: str, line: bytes) -> object:
            if step == "dot" and not seen:
                lock.execute("BEGIN IMMEDIATE")
                seen.append(1)
            return None

        self.sink.script = script
        for _ in range(3):
            await self.put("ann@acme.test")
        self.relay.startService()
        await self.pause(6.5)
        assert len(self.sink.messages) == 1
        lock.execute("ROLLBACK")
        rows = await self.until(state("delivered"))
        assert [row.attempts for row in rows] == [1, 1, 1]
        assert len(self.sink.messages) == 3
        assert self.flushLoggedErrors(Unavailable)

    async def test_a_spool_file_that_cannot_be_read_is_held_alone(self) -> None:
        message = await self.put("ann@acme.test")
        await self.put("bob@acme.test")
        os.makedirs(self.layout.message(message.id))
        self.committer.contents.pop(message.seq)
        self.relay.startService()
        rows = await self.until(state("delivered", "held"))
        assert [row.state for row in rows] == ["held", "delivered"]
        assert "cannot be read" in rows[0].last_reply

    async def test_a_missing_file_of_mail_to_the_world_is_held_and_not_bounced(self) -> None:
        message = await self.put("good@far.test", sender="ann@acme.test", world=True)
        os.makedirs(self.layout.message(message.id))
        self.committer.contents.pop(message.seq)
        self.relay.startService()
        await self.until(state("held"))
        assert not self.reports

    async def test_a_report_that_fails_keeps_no_other_waiting(self) -> None:
        for sender in ("one@far.test", "two@far.test"):
            await self.put("ann@acme.test", sender=sender)
        now = int(time.time() * 1_000_000)
        await self.committer.write(lambda conn: deliveries.return_(conn, [1, 2], now))
        submit = self.relay._notices._submit

        async def picky(recipient: str, domain: str, content: bytes) -> object:
            if recipient.startswith("one"):
                raise ValueError(recipient)
            return await submit(recipient, domain, content)

        self.relay._notices._submit = picky
        self.relay.startService()
        end_at = time.monotonic() + 5
        while not self.reports and time.monotonic() < end_at:
            await self.pause(0.02)
        assert [one[0] for one in self.reports] == ["two@far.test"]
        assert self.flushLoggedErrors(ValueError)


class Proof(RelayCase):
    async def test_three_in_a_row_over_several_streams_go_back(self) -> None:
        await self.put("eve@acme.test")
        self.relay.startService()
        await self.until(state("delivered"))
        self.sink.script = refuses(b"")
        for i, name in enumerate(("ann", "bob", "cid"), 1):
            await self.put(f"{name}@acme.test")
            self.relay.wake()
            await self.until(lambda rows, i=i: rows[i].attempts >= 1 and not rows[i].trying)
        rows = await self.until(lambda rows: not any(row.trying for row in rows))
        assert [row.state for row in rows] == ["delivered", "queued", "queued", "queued"]

    async def test_what_was_true_before_an_outage_is_not_believed_after_it(self) -> None:
        await self.put("eve@acme.test")
        self.relay.startService()
        await self.until(state("delivered"))
        # a lane still at work goes by its own proof
        await self.until(lambda _: all(lane.idle for lane in self.relay._lanes.values()))
        # nothing was owed while it was away; it comes back as a fresh installation that knows nobody
        await self.put("ann@acme.test")
        self.sink.script = refuses(b"")
        self.relay.recovered("acme.test")
        self.relay.wake()
        rows = await self.until(lambda rows: rows[1].attempts >= 1 and not rows[1].trying)
        assert rows[1].state == "queued"

    async def test_recovered_with_nothing_owed_ends_the_pause(self) -> None:
        self.retry_every = 3600.0
        self.relay = self.make_relay()
        self.sink.stop()
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(lambda rows: rows[0].attempts > 0 and not rows[0].trying)
        now = int(time.time() * 1_000_000)
        await self.committer.write(lambda conn: deliveries.return_(conn, [1], now))
        self.sink.start()
        self.relay.recovered("acme.test")
        await self.pause(0.2)
        await self.put("bob@acme.test")
        self.relay.wake()
        await self.until(lambda rows: rows[1].state == "delivered")

    async def test_nothing_is_held_while_another_only_waits(self) -> None:
        def script(session: object, step: str, line: bytes) -> object:
            if step != "rcpt":
                return None
            return b"450 4.2.0 later\r\n" if b"ann" in line else REFUSED

        self.sink.script = script
        await self.put("ann@acme.test")
        await self.put("bob@acme.test")
        self.relay.startService()
        rows = await self.until(lambda rows: rows[1].attempts >= 5)
        assert rows[1].state == "queued"

    async def test_more_after_the_dot_is_no_acceptance(self) -> None:
        answers = [b"354 go on\r\n"]
        self.sink.script = lambda s, step, line: answers.pop() if step == "dot" and answers else None
        await self.put("ann@acme.test")
        self.relay.startService()
        rows = await self.until(state("delivered"))
        assert rows[0].attempts == 2
        assert len(self.sink.messages) == 1


class Changes(RelayCase):
    async def test_a_flush_during_a_hanging_attempt_is_not_swallowed_by_its_pause(self) -> None:
        self.retry_every = 3600.0
        self.relay = self.make_relay()
        hung: list[bool] = []

        def script(session: object, step: str, line: bytes) -> object:
            if step != "connect" or hung:
                return None
            hung.append(True)
            time.sleep(1.0)
            return b"421 4.3.2 no\r\n"

        self.sink.script = script
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(lambda rows: rows[0].trying)
        self.relay.flush("acme.test")
        await self.until(state("delivered"))

    async def test_a_primary_that_is_moved_during_a_flush(self) -> None:
        other = Sink()
        other.start()
        self.addCleanup(other.stop)
        before, moved = self.directory, []

        def directory() -> Directory:
            found = before()
            if not moved:
                return found
            domain = evolve(found.domains()[0], primaries=(HostPort("127.0.0.1", other.port),))
            return Directory([domain], found.mailboxes())

        self.directory = directory  # type: ignore[method-assign]
        self.relay = self.make_relay()

        def script(session: object, step: str, line: bytes) -> object:
            if step == "dot" and len(self.sink.messages) == 4:
                moved.append(True)
            return None

        self.sink.script = script
        for _ in range(20):
            await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(state("delivered"))
        assert len(self.sink.messages) in (5, 6)
        assert len(self.sink.messages) + len(other.messages) == 20

    async def test_a_domain_that_is_gone_keeps_its_mail_and_tells(self) -> None:
        gone: list[bool] = []
        before = self.directory
        self.directory = lambda: Directory() if gone else before()  # type: ignore[method-assign]
        self.relay = self.make_relay()
        gone.append(True)
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.pause(0.5)
        assert await self.states() == ["queued"]
        found = await self.read(lambda conn: alerts.listing(None, conn))
        assert [one.kind for one in found] == ["no-primary"]
        gone.clear()
        self.relay.wake()
        await self.until(state("delivered"))

    async def test_a_hold_that_is_declared_during_a_flush_is_in_force_at_once(self) -> None:
        self.sink.script = lambda s, step, line: 0.1 if step == "dot" else None
        for _ in range(40):
            await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(lambda rows: rows[2].state == "delivered")
        now = int(time.time() * 1_000_000)
        await self.committer.write(lambda conn: declare(conn, "acme.test", "stop", True, now))
        self.relay.wake()
        await self.pause(0.8)
        count = len(self.sink.messages)
        assert count < 12
        await self.pause(0.5)
        assert len(self.sink.messages) == count
        assert not any(row.trying for row in await self.rows())
        self.sink.script = None
        await self.committer.write(lambda conn: end(conn, "acme.test", now + 1))
        self.relay.wake()
        await self.until(state("delivered"))

    async def test_a_hold_of_the_main_domain_holds_its_alias_domains_too(self) -> None:
        before = self.directory

        def directory() -> Directory:
            found = before()
            (alias,) = found.domains()
            main = evolve(alias, id=9, name="main.test")
            return Directory([main, evolve(alias, primaries=(), alias_of=9)], found.mailboxes())

        self.directory = directory  # type: ignore[method-assign]
        self.relay = self.make_relay()
        now = int(time.time() * 1_000_000)
        await self.committer.write(lambda conn: declare(conn, "main.test", "move", True, now))
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.pause(0.5)
        assert await self.states() == ["queued"]
        await self.committer.write(lambda conn: end(conn, "main.test", now + 1))
        self.relay.resume()
        await self.until(state("delivered"))
