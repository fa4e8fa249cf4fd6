"""Several messages on their way at once: how many, in which order, and what a refusal or a cut in their midst does."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from stratamail.relay.window import FIRST, WIDEST, Window
from tests.support.sink import DROP, Session
from tests.unit.relay.rig import TRACE, RelayCase, state

BUSY = b"451 4.3.0 later\r\n"
REFUSED = b"550 5.1.1 no such user\r\n"


def test_it_is_earned_and_lost() -> None:
    window = Window()
    assert window.size == FIRST
    for _ in range(100):
        window.accepted()
    assert window.size == WIDEST
    window.shrink()
    assert window.size == 1
    window.accepted()
    assert window.size == 2


def test_a_profile_keeps_it_at_one() -> None:
    window = Window()
    window.limit(1)
    for _ in range(100):
        window.accepted()
    assert window.size == 1


class Windowed(RelayCase):
    """Forty mailboxes, so that a window can fill. ``doubles``: what a cut may bring twice, because it took the answers
    with it."""

    offers = ("PIPELINING", "CHUNKING", "8BITMIME")
    doubles = WIDEST

    def setUp(self) -> None:
        super().setUp()
        self.sink.extensions[:] = self.offers
        self.sent: dict[str, list[bytes]] = defaultdict(list)

    async def fill(self, rounds: int = 3, boxes: int = 40) -> None:
        for i in range(rounds):
            for box in range(boxes):
                body = b"Subject: %d for %d\r\n\r\n.dot\r\n" % (i, box)
                await self.put(f"user{box}@acme.test", body=body)
                self.sent[f"user{box}@acme.test"].append(TRACE + body)

    def came(self) -> dict[str, list[bytes]]:
        found = defaultdict(list)
        for taken in self.sink.messages:
            for who in taken.recipients:
                found[who].append(taken.data)
        return found

    def in_order(self, twice: int = 0) -> None:
        """Each mailbox got its messages in order, and not more than ``twice`` of them a second time."""
        came = self.came()
        for who, bodies in self.sent.items():
            assert list(dict.fromkeys(came[who])) == bodies, who
        doubles = sum(count - 1 for bodies in came.values() for count in Counter(bodies).values())
        assert doubles <= twice, doubles

    async def test_all_in_order_over_one_connection(self) -> None:
        await self.fill()
        self.relay.startService()
        rows = await self.until(state("delivered"), 30)
        self.in_order()
        assert self.sink.sessions == 1
        assert all(row.attempts == 1 for row in rows)

    async def test_one_mailbox_never_has_two_on_their_way(self) -> None:
        most = 0

        def script(session: Session, step: str, line: bytes) -> object:
            nonlocal most
            if step == "dot":
                # what the relay has marked is read from the database, as a crash would find it
                with self.engine.connect() as conn:
                    text = "SELECT max(n) FROM (SELECT count(*) AS n FROM deliveries WHERE trying GROUP BY key)"
                    most = max(most, conn.exec_driver_sql(text).scalar() or 0)
            return None

        await self.fill(rounds=6, boxes=3)
        self.sink.script = script
        self.relay.startService()
        await self.until(state("delivered"), 30)
        self.in_order()
        assert most == 1

    async def test_a_deferral_lets_nothing_of_its_mailbox_pass(self) -> None:
        times = 0

        def script(session: Session, step: str, line: bytes) -> object:
            nonlocal times
            if step == "dot" and b"Subject: 0 for 7" in session.body and times < 2:
                times += 1
                return BUSY
            return None

        await self.fill()
        self.sink.script = script
        self.relay.startService()
        await self.until(state("delivered"), 30)
        self.in_order()
        assert times == 2

    async def test_a_refused_recipient_leaves_its_neighbours_alone(self) -> None:
        await self.fill()
        self.sink.script = lambda s, step, line: REFUSED if step == "rcpt" and b"user9@" in line else None
        self.relay.startService()
        rows = await self.until(state("delivered", "held"), 30)
        assert {row.recipient for row in rows if row.state == "held"} == {"user9@acme.test"}
        del self.sent["user9@acme.test"]
        self.in_order()
        for taken in self.sink.messages:
            (who,) = taken.recipients
            assert taken.sender == "out@far.test"
            assert b"for %s\r\n" % who.split("@")[0][4:].encode() in taken.data

    async def test_a_throttle_in_the_window_stops_the_lane_and_holds_nothing(self) -> None:
        said = 0

        def script(session: Session, step: str, line: bytes) -> object:
            nonlocal said
            if step == "mail" and len(self.sink.messages) >= 30 and said < 1:
                said += 1
                return b"451 4.3.1 insufficient resources\r\n"
            return None

        await self.fill()
        self.sink.script = script
        self.relay.startService()
        rows = await self.until(state("delivered"), 30)
        self.in_order()
        assert said == 1
        assert not any(row.deferrals for row in rows)

    async def cut(self, at: str, reply: Any = DROP, keep: bool = False) -> None:
        """Cut once at step ``at`` with a full window on its way; what can come twice is bounded by it."""
        cuts = 0

        def script(session: Session, step: str, line: bytes) -> object:
            nonlocal cuts
            if step == at and len(self.sink.messages) >= 60 and not cuts:
                cuts += 1
                if keep:
                    self.sink._keep(session)
                return reply
            return None

        await self.fill(rounds=4)
        self.sink.script = script
        self.relay.startService()
        rows = await self.until(state("delivered"), 40)
        assert cuts == 1
        self.in_order(twice=self.doubles)
        again = {row.recipient for row in rows if row.attempts > 1}
        for who, bodies in self.came().items():
            assert len(bodies) == len(set(bodies)) or who in again

    async def test_cut_at_mail(self) -> None:
        await self.cut("mail")

    async def test_cut_at_rcpt(self) -> None:
        await self.cut("rcpt")

    async def test_cut_at_the_dot(self) -> None:
        await self.cut("dot")

    async def test_cut_behind_an_acceptance_that_nobody_heard(self) -> None:
        await self.cut("dot", keep=True)

    async def test_closing_in_the_window(self) -> None:
        await self.cut("mail", b"421 4.3.2 closing\r\n")

    async def test_garbage_in_the_window(self) -> None:
        await self.cut("rcpt", b"garbage\r\n")

    async def test_more_asked_after_the_dot(self) -> None:
        await self.cut("dot", b"354 more\r\n")

    async def test_a_stop_in_the_midst_leaves_no_mark_and_nothing_comes_twice(self) -> None:
        await self.fill(rounds=5)
        self.relay.startService()
        await self.until(lambda rows: sum(row.state == "delivered" for row in rows) >= 20)
        await self.relay.stopService()
        assert not any(row.trying for row in await self.rows())
        self.relay = self.make_relay()
        await self.relay.prepare()
        self.relay.startService()
        await self.until(state("delivered"), 30)
        self.in_order()


class Grouped(Windowed):
    """PIPELINING only: groups by RFC 2920."""

    offers = ("PIPELINING", "8BITMIME")
    doubles = 1

    async def test_cut_at_data(self) -> None:
        await self.cut("data")

    async def test_data_refused(self) -> None:
        await self.cut("data", BUSY)

    async def test_data_answered_by_250(self) -> None:
        await self.cut("data", b"250 what?\r\n")


class OneByOne(Windowed):
    """Without PIPELINING a window is one message."""

    offers = ("8BITMIME",)
    doubles = 1


class Kept(RelayCase):
    window = 1

    async def test_a_setting_keeps_it_at_one(self) -> None:
        self.sink.extensions[:] = ["PIPELINING", "CHUNKING"]
        most = 0

        def script(session: Session, step: str, line: bytes) -> object:
            nonlocal most
            if step == "dot":
                with self.engine.connect() as conn:
                    found = conn.exec_driver_sql("SELECT count(*) FROM deliveries WHERE trying").scalar()
                    most = max(most, found or 0)
            return None

        for box in range(20):
            await self.put(f"user{box}@acme.test")
        self.sink.script = script
        self.relay.startService()
        await self.until(state("delivered"))
        assert most == 1
