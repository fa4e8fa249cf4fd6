"""A primary that comes back badly: it refuses everybody, then throttles, then works. All arrives once, none is lost."""

from __future__ import annotations

from stratamail.store.queue import alerts
from tests.support.sink import Session
from tests.unit.relay.rig import RelayCase, state

NOBODY = b"550 5.1.1 User unknown\r\n"
BUSY = b"451 4.7.500 Server busy. Please try again later\r\n"
FULL = b"452 4.3.1 Insufficient system resources\r\n"


class Storm(RelayCase):
    async def test_refusals_then_throttles_then_all_once_in_order(self) -> None:
        names = ("ann", "bob", "cid", "dan")
        for number in range(12):
            await self.put(f"{names[number % 4]}@acme.test", body=b"Subject: %d\r\n\r\n" % number)
        asked: list[bytes] = []

        def script(session: Session, step: str, line: bytes) -> bytes | None:
            if step != "rcpt":
                return None
            asked.append(line)
            if len(asked) <= 5:
                return NOBODY
            return (BUSY, FULL)[len(asked) % 2] if len(asked) <= 9 else None

        self.sink.script = script
        self.relay.startService()
        rows = await self.until(state("delivered"))
        numbers = [int(body.split(b"Subject: ")[1].split()[0]) for body in self.bodies()]
        assert sorted(numbers) == list(range(12))
        for name in range(4):
            assert [number for number in numbers if number % 4 == name] == list(range(name, 12, 4))
        # neither refusals of a server that is not itself yet, nor throttles, count against a message
        assert {(row.deferrals, row.aside) for row in rows} == {(0, False)}
        assert self.reports == []
        told = await self.read(lambda conn: alerts.listing(None, conn))
        assert "held" not in {one.kind for one in told}
        assert {"canary", "paused"} <= {one.kind for one in told}
