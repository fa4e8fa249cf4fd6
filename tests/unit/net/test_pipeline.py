"""Messages behind one another on one session, and what is known of each after a peer's refusals, lies and silence."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from stratamail.mail.envelope import Envelope, Recipient
from stratamail.net.pipeline import Pipeline
from stratamail.net.smtp import Timeouts
from stratamail.net.transaction import Sent
from tests.support.sink import DROP
from tests.unit.net.test_session import SessionCase

LATER = b"451 4.3.0 later\r\n"


def envelope(number: int) -> Envelope:
    to = (Recipient(f"u{number}@acme.test"),)
    return Envelope(f"s{number}@far.test", to, size=9)


class Case(SessionCase):
    async def begin(self, *extensions: str, seconds: float = 3.0) -> None:
        self.sink.extensions[:] = ["PIPELINING", *extensions]
        self.session = await self.open(seconds=seconds)
        self.pipeline = Pipeline(self.session, reactor, Timeouts.all(seconds))

    def give(self, number: int) -> Deferred[Sent]:
        one = envelope(number)
        return self.pipeline.send(one, one.recipients, b"n: %4d\r\n" % number)

    async def said(self, count: int) -> list[str]:
        """What became of ``count`` messages: stage and code, "?" when the outcome is unknown, "-" when none was
        delivered."""
        going = [self.give(number) for number in range(count)]
        found = []
        for one in going:
            (answer,) = (await one).answers
            code = answer.reply.code if answer.reply is not None else "?" if answer.unknown else "-"
            found.append(f"{answer.stage} {code}")
        self.session.close()
        assert self.pipeline.outstanding == 0
        return found

    def kept(self) -> list[tuple[str, tuple[str, ...], bytes]]:
        return [(one.sender, one.recipients, one.data) for one in self.sink.messages]


def message(number: int) -> tuple[str, tuple[str, ...], bytes]:
    return f"s{number}@far.test", (f"u{number}@acme.test",), b"n: %4d\r\n" % number


class Chunked(Case):
    async def test_in_order(self) -> None:
        await self.begin("CHUNKING")
        assert await self.said(20) == ["dot 250"] * 20
        assert self.kept() == [message(number) for number in range(20)]

    async def test_what_is_refused_becomes_no_part_of_the_next(self) -> None:
        await self.begin("CHUNKING")
        self.sink.script = lambda s, step, line: (
            b"550 5.1.1 no\r\n" if (step == "rcpt" and b"u1@" in line) or (step == "mail" and b"s3@" in line) else None
        )
        assert await self.said(5) == ["dot 250", "RCPT 550", "dot 250", "MAIL 550", "dot 250"]
        assert self.kept() == [message(number) for number in (0, 2, 4)]

    async def test_a_reset_that_is_refused_ends_it(self) -> None:
        await self.begin("CHUNKING")
        self.sink.script = lambda s, step, line: b"502 5.5.1 no\r\n" if step == "rset" else None
        assert await self.said(3) == ["dot 250", "dot ?", "dot ?"]

    async def test_all_behind_a_cut_is_unknown(self) -> None:
        await self.begin("CHUNKING")
        self.sink.script = lambda s, step, line: DROP if step == "mail" and b"s0@" in line else None
        assert await self.said(3) == ["dot ?"] * 3

    async def test_silence_ends(self) -> None:
        await self.begin("CHUNKING", seconds=0.3)
        self.sink.script = lambda s, step, line: 1.0 if step == "dot" else None
        assert await self.said(2) == ["dot ?"] * 2

    async def test_nothing_is_said_on_a_session_that_is_gone(self) -> None:
        await self.begin("CHUNKING")
        self.session.connection.give_up("gone")
        assert await self.said(2) == ["MAIL -"] * 2

    async def test_what_comes_after_it_finds_a_clean_session(self) -> None:
        await self.begin("CHUNKING")
        self.sink.script = lambda s, step, line: LATER if step == "dot" and b"   0" in s.body else None
        (answer,) = (await self.give(0)).answers
        assert answer.reply is not None
        assert answer.reply.code == 451
        assert self.session.connection.untidy


class Grouped(Case):
    async def test_in_order(self) -> None:
        await self.begin()
        assert await self.said(20) == ["dot 250"] * 20
        assert self.kept() == [message(number) for number in range(20)]

    async def test_what_is_refused_becomes_no_part_of_the_next(self) -> None:
        await self.begin()
        self.sink.script = lambda s, step, line: (
            b"550 5.1.1 no\r\n" if (step == "rcpt" and b"u1@" in line) or (step == "mail" and b"s3@" in line) else None
        )
        assert await self.said(5) == ["dot 250", "RCPT 550", "dot 250", "MAIL 550", "dot 250"]
        assert self.kept() == [message(number) for number in (0, 2, 4)]

    async def test_only_the_one_at_the_dot_is_unknown_after_a_cut(self) -> None:
        await self.begin()
        self.sink.script = lambda s, step, line: DROP if step == "dot" and b"   1" in s.body else None
        found = await self.said(4)
        assert found[:2] == ["dot 250", "dot ?"]
        assert [one.split()[1] for one in found[2:]] == ["-", "-"]

    async def test_an_answer_before_the_end_is_not_believed(self) -> None:
        await self.begin()
        self.sink.script = lambda s, step, line: b"354 go\r\n250 kept\r\n" if step == "data" else None
        found = await self.said(2)
        assert [one.split()[1] for one in found] == ["-", "-"]

    async def test_data_that_is_refused(self) -> None:
        await self.begin()
        self.sink.script = lambda s, step, line: (
            LATER if step == "data" and s.mail.startswith(b"MAIL FROM:<s1") else None
        )
        assert await self.said(3) == ["dot 250", "DATA 451", "dot 250"]
