"""A flood for one mailbox keeps nobody else waiting, and nothing is sent twice or out of its mailbox's order for it."""

from __future__ import annotations

from stratamail.relay.feed import woven
from tests.unit.relay.rig import RelayCase, state


class Fairness(RelayCase):
    async def test_the_others_come_in_between(self) -> None:
        for number in range(250):
            await self.put("ann@acme.test", body=b"Subject: %d\r\n\r\n" % number)
        for number in range(3):
            await self.put("bob@acme.test", body=b"Subject: %d\r\n\r\n" % number)
            await self.put("cid@acme.test", "dan@acme.test", body=b"Subject: %d\r\n\r\n" % number)
        self.relay.startService()
        rows = await self.until(state("delivered"), 45.0)
        assert {row.attempts for row in rows} == {1}
        order = [name for taken in self.sink.messages for name in taken.recipients]
        assert len(order) == len(rows)
        # each page of a hundred brings the oldest of each other mailbox along
        assert order.index("bob@acme.test") < 100
        assert order.index("cid@acme.test") < 100
        for name in ("ann", "bob", "cid", "dan"):
            bodies = [taken.data for taken in self.sink.messages if f"{name}@acme.test" in taken.recipients]
            numbers = [int(body.split(b"Subject: ")[1].split()[0]) for body in bodies]
            assert numbers == list(range(250 if name == "ann" else 3))
        together = [taken for taken in self.sink.messages if "cid@acme.test" in taken.recipients]
        assert {taken.recipients for taken in together} == {("cid@acme.test", "dan@acme.test")}


def test_one_of_each_in_turn() -> None:
    first, second = [["a"], ["b"], ["c"]], [["x"]]
    assert woven(first, second) == [["a"], ["x"], ["b"], ["c"]]  # type: ignore[arg-type, comparison-overlap]
    assert woven([], second) == [["x"]]  # type: ignore[arg-type, comparison-overlap]
