"""Giving back, on a real queue and towards a sink that keeps every byte."""

from __future__ import annotations

import os
import time

from stratamail.outage.declare import declare, end
from stratamail.store.queue import alerts, deliveries, lanes
from tests.support.sink import DROP
from tests.unit.relay.rig import TRACE, RelayCase, state

REFUSED = b"550 5.1.1 no such user\r\n"


class Flush(RelayCase):
    async def test_in_order_byte_for_byte_once(self) -> None:
        sent = []
        for i in range(40):
            body = b"Subject: %d\r\n\r\n.dot\r\n..two\r\n\xff\xfe bare\nline %d\r\n" % (i, i)
            await self.put(f"{'ann' if i % 2 else 'bob'}@acme.test", body=body)
            sent.append(TRACE + body)
        self.relay.startService()
        await self.until(state("delivered"))
        assert self.bodies() == sent
        assert any(one.proof for one in self.evidence)

    async def test_several_recipients_in_one_transaction_after_the_canary(self) -> None:
        await self.put("ann@acme.test")
        await self.put("ann@acme.test", "bob@acme.test", "cid@acme.test")
        self.relay.startService()
        await self.until(state("delivered"))
        assert [taken.recipients for taken in self.sink.messages] == [
            ("ann@acme.test",),
            ("ann@acme.test", "bob@acme.test", "cid@acme.test"),
        ]

    async def test_new_mail_goes_at_once(self) -> None:
        self.relay.startService()
        await self.put("ann@acme.test")
        self.relay.wake()
        rows = await self.until(state("delivered"))
        assert rows[0].attempts == 1

    async def test_primary_down_then_up(self) -> None:
        self.sink.stop()
        for _ in range(3):
            await self.put("ann@acme.test")
        self.relay.startService()
        rows = await self.until(lambda rows: rows[0].attempts > 0 and not rows[0].trying)
        assert [row.state for row in rows] == ["queued"] * 3
        assert "connect" in rows[0].last_reply
        assert not self.evidence[0].alive
        self.sink.start()
        await self.until(state("delivered"))

    async def test_recovered_attempts_at_once(self) -> None:
        self.retry_every = 3600.0
        self.relay = self.make_relay()
        self.sink.stop()
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(lambda rows: rows[0].attempts > 0 and not rows[0].trying)
        self.sink.start()
        self.relay.recovered("acme.test")
        await self.until(state("delivered"))

    async def test_chunking_is_used_when_offered(self) -> None:
        self.sink.extensions.append("CHUNKING")
        await self.put("ann@acme.test", body=b"a\n.\nb\r\n")
        self.relay.startService()
        await self.until(state("delivered"))
        assert self.sink.messages[0].how == "BDAT"
        assert self.bodies() == [TRACE + b"a\n.\nb\r\n"]

    async def test_lone_dot_without_chunking_is_held(self) -> None:
        await self.put("ann@acme.test", body=b"a\n.\r\nb\r\n")
        await self.put("bob@acme.test")
        self.relay.startService()
        rows = await self.until(state("delivered", "held"))
        assert [row.state for row in rows] == ["held", "delivered"]
        assert "CHUNKING" in rows[0].last_reply

    async def test_without_pipelining(self) -> None:
        self.sink.extensions.remove("PIPELINING")
        await self.put("ann@acme.test", "bob@acme.test")
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(state("delivered"))
        assert len(self.sink.messages) == 3

    async def test_large_body(self) -> None:
        body = b"Subject: big\r\n\r\n" + os.urandom(700_000).hex().encode() + b"\r\n.\r\nend\r\n"
        self.sink.extensions.append("CHUNKING")
        await self.put("ann@acme.test", body=body)
        self.sink.extensions.remove("CHUNKING")
        await self.put("bob@acme.test", body=body)
        self.relay.startService()
        await self.until(state("delivered"))
        assert self.bodies() == [TRACE + body] * 2

    async def test_parameters_are_passed_on(self) -> None:
        self.sink.extensions += ["DSN"]
        await self.put("ann@acme.test", body=b"\xc3\xa9\r\n", ret="HDRS", envid="e1")
        self.relay.startService()
        await self.until(state("delivered"))
        assert b"RET=HDRS" in self.sink.messages[0].mail
        assert b"ENVID=e1" in self.sink.messages[0].mail
        assert b"SIZE=" in self.sink.messages[0].mail

    async def test_too_large_for_the_primary_is_held(self) -> None:
        self.sink.extensions[:] = ["PIPELINING", "SIZE 100"]
        await self.put("ann@acme.test", body=b"x" * 200 + b"\r\n")
        await self.put("bob@acme.test", body=b"x\r\n")
        self.relay.startService()
        rows = await self.until(state("delivered", "held"))
        assert [row.state for row in rows] == ["held", "delivered"]
        assert "SIZE" in rows[0].last_reply

    async def test_needs_smtputf8(self) -> None:
        self.sink.extensions.remove("SMTPUTF8")
        await self.put("ann\u00e9@acme.test", smtputf8=True)
        await self.put("bob@acme.test", sender="out@b\u00fccher.test", smtputf8=True)
        self.relay.startService()
        rows = await self.until(state("delivered", "held"))
        assert [row.state for row in rows] == ["held", "delivered"]
        assert self.sink.messages[0].sender == "out@xn--bcher-kva.test"

    async def test_who_needs_smtputf8_is_held_and_the_others_of_the_message_are_served(self) -> None:
        self.sink.extensions.remove("SMTPUTF8")
        await self.put("bob@acme.test")
        await self.put("ann\u00e9@acme.test", "bob@acme.test", "cid@acme.test", smtputf8=True)
        self.relay.startService()
        rows = await self.until(state("delivered", "held"))
        assert [row.state for row in rows] == ["delivered", "held", "delivered", "delivered"]
        assert "SMTPUTF8" in rows[1].last_reply
        assert self.sink.messages[1].recipients == ("bob@acme.test", "cid@acme.test")

    async def test_a_broken_store_holds_that_delivery_only(self) -> None:
        message = await self.put("ann@acme.test")
        await self.put("bob@acme.test")
        self.committer.contents[message.seq] = TRACE + b"Subject: x\r\n\r\nHELLO\r\n"
        self.relay.startService()
        rows = await self.until(state("delivered", "held"))
        assert [row.state for row in rows] == ["held", "delivered"]
        assert "SHA-256" in rows[0].last_reply
        assert len(self.sink.messages) == 1


class Refusals(RelayCase):
    async def test_refused_after_a_canary_is_held_and_others_go_on(self) -> None:
        self.sink.script = lambda s, step, line: REFUSED if step == "rcpt" and b"bob" in line else None
        await self.put("ann@acme.test")
        await self.put("bob@acme.test")
        await self.put("cid@acme.test", "bob@acme.test")
        self.relay.startService()
        rows = await self.until(state("delivered", "held"))
        assert [row.state for row in rows] == ["delivered", "held", "delivered", "held"]
        found = await self.read(lambda conn: alerts.listing(None, conn))
        assert [one.kind for one in found] == ["held"]

    async def test_a_primary_that_knows_nobody_holds_nothing(self) -> None:
        self.retry_every = 3600.0
        self.relay = self.make_relay()
        self.sink.script = lambda s, step, line: REFUSED if step == "rcpt" else None
        for name in ("ann", "bob", "cid", "dan"):
            await self.put(f"{name}@acme.test")
        self.relay.startService()
        await self.until(lambda rows: sum(row.attempts for row in rows) == 3 and not any(row.trying for row in rows))
        assert await self.states() == ["queued"] * 4
        self.sink.script = None
        self.relay.recovered("acme.test")
        await self.until(state("delivered"))

    async def test_three_rounds_hold(self) -> None:
        self.sink.script = lambda s, step, line: REFUSED if step == "rcpt" else None
        await self.put("ann@acme.test")
        self.relay.startService()
        rows = await self.until(state("held"))
        assert rows[0].attempts == 3

    async def test_refused_canary_is_held_once_another_was_accepted(self) -> None:
        self.sink.script = lambda s, step, line: REFUSED if step == "rcpt" and b"ann" in line else None
        await self.put("ann@acme.test")
        await self.put("bob@acme.test")
        self.relay.startService()
        rows = await self.until(state("delivered", "held"))
        assert [(row.state, row.attempts) for row in rows] == [("held", 2), ("delivered", 1)]

    async def test_three_refusals_in_a_row_go_back(self) -> None:
        gone = False

        def script(session: object, step: str, line: bytes) -> object:
            return REFUSED if gone and step == "rcpt" else None

        self.sink.script = script
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(state("delivered"))
        gone = True
        for name in ("bob", "cid", "dan", "eve"):
            await self.put(f"{name}@acme.test")
        self.relay.wake()
        await self.until(lambda rows: sum(row.attempts for row in rows) >= 4 + 3)
        rows = await self.rows()
        assert all(row.state == "queued" for row in rows[1:]), [row.state for row in rows]
        gone = False
        await self.until(state("delivered"))

    async def test_a_refusal_about_us_pauses_and_tells(self) -> None:
        self.sink.script = lambda s, step, line: (
            b"550 5.7.51 TenantInboundAttribution; you are not known\r\n" if step == "rcpt" else None
        )
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(lambda rows: rows[0].attempts >= 2)
        rows = await self.rows()
        assert rows[0].state == "queued"
        found = await self.read(lambda conn: alerts.listing(None, conn))
        assert [one.kind for one in found] == ["paused"]
        assert "connector" in found[0].text

    async def test_a_deferred_mailbox_waits_and_the_lane_goes_on(self) -> None:
        busy = True

        def script(session: object, step: str, line: bytes) -> object:
            return b"450 4.2.1 busy\r\n" if busy and step == "rcpt" and b"ann" in line else None

        self.sink.script = script
        await self.put("ann@acme.test", body=b"1\r\n")
        await self.put("bob@acme.test", body=b"2\r\n")
        await self.put("ann@acme.test", body=b"3\r\n")
        await self.put("bob@acme.test", body=b"4\r\n")
        self.relay.startService()
        await self.until(lambda rows: [row.state for row in rows].count("delivered") == 2)
        rows = await self.rows()
        assert [row.state for row in rows] == ["deferred", "delivered", "queued", "delivered"]
        assert rows[2].attempts == 0
        busy = False
        await self.until(state("delivered"))
        assert self.bodies() == [TRACE + b"%d\r\n" % i for i in (2, 4, 1, 3)]

    async def test_a_message_deferred_three_times_steps_aside(self) -> None:
        self.sink.script = lambda s, step, line: (
            b"451 4.6.0 not this one\r\n" if step == "dot" and b"poison" in s.body else None
        )
        await self.put("ann@acme.test", body=b"poison\r\n")
        await self.put("ann@acme.test", body=b"fine\r\n")
        self.relay.startService()
        rows = await self.until(lambda rows: rows[1].state == "delivered")
        assert rows[0].aside
        assert rows[0].deferrals >= 3


class Cuts(RelayCase):
    async def test_cut_after_the_dot_is_tried_again(self) -> None:
        cuts = 0

        def script(session: object, step: str, line: bytes) -> object:
            nonlocal cuts
            if step == "dot" and cuts < 2:
                cuts += 1
                return DROP
            return None

        self.sink.script = script
        await self.put("ann@acme.test")
        self.relay.startService()
        rows = await self.until(state("delivered"))
        assert rows[0].attempts == 3
        assert rows[0].unknown_outcomes == 0

    async def test_garbage_and_early_close_lose_nothing(self) -> None:
        answers: list[object] = [b"hello there\r\n", DROP, b"554 go away\r\n", b"421 later\r\n"]

        def script(session: object, step: str, line: bytes) -> object:
            return answers.pop(0) if step == "connect" and answers else None

        self.sink.script = script
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(state("delivered"))
        assert len(self.sink.messages) == 1

    async def test_a_third_unknown_outcome_holds_when_others_were_accepted(self) -> None:
        def script(session: object, step: str, line: bytes) -> object:
            body = getattr(session, "body", b"")
            return DROP if step == "dot" and b"cut me" in body else None

        self.sink.script = script
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(state("delivered"))
        await self.put("bob@acme.test", body=b"cut me\r\n")
        self.relay.wake()
        await self.until(lambda rows: rows[1].attempts >= 1)
        for _ in range(6):
            await self.put("cid@acme.test")
        rows = await self.until(lambda rows: rows[1].state == "held", 30)
        assert "may be there already" in rows[1].last_reply

    async def test_marks_left_by_a_crash_are_unknown_outcomes(self) -> None:
        await self.put("ann@acme.test")
        await self.committer.write(lambda conn: lanes.mark(conn, [1]))
        await self.relay.prepare()
        rows = await self.rows()
        assert (rows[0].trying, rows[0].unknown_outcomes, rows[0].state) == (False, 1, "deferred")
        self.relay.startService()
        await self.until(state("delivered"))

    async def test_stop_finishes_the_message_in_hand(self) -> None:
        self.sink.script = lambda s, step, line: 0.5 if step == "dot" else None
        for _ in range(3):
            await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(lambda rows: rows[0].trying)
        await self.relay.stopService()
        rows = await self.rows()
        assert [row.state for row in rows] == ["delivered", "queued", "queued"]
        assert not any(row.trying for row in rows)


class ByHand(RelayCase):
    async def test_a_declared_hold_gives_nothing_back_until_its_end(self) -> None:
        now = int(time.time() * 1_000_000)
        await self.committer.write(lambda conn: declare(conn, "acme.test", "move", True, now))
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.pause(0.7)
        assert await self.states() == ["queued"]
        await self.committer.write(lambda conn: end(conn, "acme.test", now + 1))
        self.relay.recovered("acme.test")
        await self.until(state("delivered"))

    async def test_flush_goes_whatever_the_pause(self) -> None:
        self.retry_every = 3600.0
        self.relay = self.make_relay()
        self.sink.stop()
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(lambda rows: rows[0].attempts > 0 and not rows[0].trying)
        self.sink.start()
        self.relay.flush("acme.test")
        await self.until(state("delivered"))

    async def test_release_gives_a_held_one_back(self) -> None:
        self.sink.script = lambda s, step, line: REFUSED if step == "rcpt" else None
        await self.put("ann@acme.test")
        self.relay.startService()
        await self.until(state("held"))
        self.sink.script = None
        done = await self.committer.write(lambda conn: deliveries.release(conn, [1]))
        assert done[0].outcome == "changed"
        self.relay.wake()
        await self.until(state("delivered"))

    async def test_return_writes_a_report(self) -> None:
        await self.put("ann@acme.test")
        now = int(time.time() * 1_000_000)
        await self.committer.write(lambda conn: deliveries.return_(conn, [1], now))
        self.relay.startService()
        end_at = time.monotonic() + 5
        while not self.reports and time.monotonic() < end_at:
            await self.pause(0.02)
        recipient, domain, content = self.reports[0]
        assert (recipient, domain) == ("out@far.test", "acme.test")
        assert b"Subject: x" in content
        assert b"Final-Recipient: rfc822; ann@acme.test" in content
        assert not self.sink.messages


class World(RelayCase):
    async def test_a_refusal_comes_back_as_a_report(self) -> None:
        self.sink.script = lambda s, step, line: REFUSED if step == "rcpt" and b"bad" in line else None
        await self.put("good@far.test", "bad@far.test", sender="ann@acme.test", world=True)
        self.relay.startService()
        rows = await self.until(state("delivered", "returned"))
        assert [row.state for row in rows] == ["delivered", "returned"]
        self.relay.wake()
        end_at = time.monotonic() + 5
        while not self.reports and time.monotonic() < end_at:
            await self.pause(0.02)
        assert self.reports[0][0] == "ann@acme.test"
        assert b"550 5.1.1 no such user" in self.reports[0][2]

    async def test_our_own_report_is_dropped_when_it_is_refused(self) -> None:
        self.sink.script = lambda s, step, line: REFUSED if step == "rcpt" else None
        await self.put("bad@far.test", sender="", world=True)
        self.relay.startService()
        await self.until(state("returned"))
        await self.pause(0.2)
        assert not self.reports

    async def test_given_up_after_five_days(self) -> None:
        self.sink.stop()
        old = int((time.time() - 6 * 86400) * 1_000_000)
        await self.put("good@far.test", sender="ann@acme.test", world=True, arrived=old)
        self.relay.startService()
        rows = await self.until(state("returned"))
        assert "5 days" in rows[0].last_reply

    async def test_a_smart_host_that_does_not_know_us_pauses(self) -> None:
        self.sink.script = lambda s, step, line: b"554 5.7.1 Relay access denied\r\n" if step == "rcpt" else None
        await self.put("good@far.test", sender="ann@acme.test", world=True)
        self.relay.startService()
        await self.until(lambda rows: rows[0].attempts >= 2)
        assert await self.states() == ["queued"]
        assert not self.reports
        found = await self.read(lambda conn: alerts.listing(None, conn))
        assert [one.kind for one in found] == ["paused"]
