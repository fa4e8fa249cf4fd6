"""A primary that fails at any step in any way, and a relay that is stopped at any moment: what always holds."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

from tests.support.sink import DROP, Session
from tests.support.sizes import sized
from tests.unit.relay.rig import TRACE, RelayCase

NAMES = ("ann", "bob", "cid", "dan")
# each may happen so often in one course
FAULTS = {
    "connect": (DROP, b"421 4.3.2 not yet\r\n", b"554 5.3.2 half started\r\n", b"\x00garbage\r\n"),
    "ehlo": (DROP, b"550 5.3.2 half started\r\n", b"250-no end\r\n350 other\r\n"),
    "mail": (DROP, b"421 4.3.2 closing\r\n", b"451 4.3.2 busy\r\n", b"550 5.7.1 go away\r\n", b"huh\r\n"),
    "rcpt": (DROP, b"450 4.2.1 busy\r\n", b"450 4.7.1 greylisted\r\n", b"421 4.3.2 closing\r\n"),
    "data": (DROP, b"451 4.3.0 no\r\n", b"250 what?\r\n", b"421 4.3.2 closing\r\n"),
    "bdat": (DROP,),
    "dot": (DROP, b"451 4.3.0 later\r\n", b"354 more\r\n", b"garbage\r\n", b"421 4.3.2 closing\r\n", 3.0),
    "rset": (DROP, b"421 4.3.2 closing\r\n"),
}


class Chaos(RelayCase):
    retry_every = 0.05
    timeout = 110
    # long enough for a busy machine: a silence that nobody scripted would be a cut that nobody counted
    timeouts = type(RelayCase.timeouts).all(2.0)

    async def course(self, seed: int) -> None:
        chance = random.Random(seed)
        left = Counter(dict.fromkeys(FAULTS, 4))
        cuts: Counter[bytes] = Counter()

        def script(session: Session, step: str, line: bytes) -> object:
            if left[step] <= 0 or chance.random() > 0.25:
                return None
            fault = chance.choice(FAULTS[step])
            if step == "dot":
                if cuts[session.body] == 2:
                    return None
                if not (isinstance(fault, bytes) and fault[:1] == b"4"):
                    cuts[session.body] += 1
                if fault in (DROP, b"354 more\r\n", b"garbage\r\n") and chance.random() < 0.5:
                    # it has kept the message, and nobody hears of it
                    self.sink._keep(session)
            left[step] -= 1
            return fault

        self.sink.extensions[:] = [
            word for word in ("PIPELINING", "CHUNKING", "8BITMIME", "SIZE 100000") if chance.random() < 0.5
        ]
        self.sink.script = script  # type: ignore[assignment]
        sent: dict[str, list[bytes]] = defaultdict(list)
        for i in range(24):
            to = chance.sample(NAMES, chance.choice((1, 1, 1, 2, 4)))
            body = b"Subject: %d\r\n\r\n.x\r\n" % i
            for name in to:
                sent[f"{name}@acme.test"].append(TRACE + body)
            await self.put(*(f"{name}@acme.test" for name in to), body=body)
        self.relay.startService()
        for _ in range(3):
            await self.pause(chance.random())
            await self.relay.stopService()
            assert not any(row.trying for row in await self.rows())
            self.relay = self.make_relay()
            await self.relay.prepare()
            self.relay.startService()
        rows = await self.until(lambda rows: all(row.state == "delivered" for row in rows), 90)
        assert all(row.finished for row in rows)
        for who, bodies in sent.items():
            came = [taken.data for taken in self.sink.messages if who in taken.recipients]
            assert list(dict.fromkeys(came)) == bodies, (seed, who)
            for data, count in Counter(came).items():
                assert count <= 1 + cuts[data], (seed, who, data)


def _add(seed: int) -> None:
    async def test(self: Chaos) -> None:
        await self.course(seed)

    setattr(Chaos, f"test_course_{seed}", test)


for _seed in range(sized(4, 40)):
    _add(_seed)
