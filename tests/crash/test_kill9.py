"""kill -9 of the whole server at random moments under load, 20 rounds: what got its 250 is shown, and is given back.

In every second round the primary is up, so that the flush is cut too.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import pytest

from tests.support.server import Server, without_trace
from tests.support.sink import Sink
from tests.support.sizes import sized
from tests.support.talk import Closed, Talk

DOMAIN = "acme.example"
USERS = tuple(f"user{n}@{DOMAIN}" for n in range(4))
ROUNDS = sized(20, 60)
CLIENTS = 6


class Load(threading.Thread):
    """One client that sends without pause, about 100 messages a second, and remembers what was acknowledged."""

    def __init__(self, port: int, name: str, large_every: int) -> None:
        super().__init__(daemon=True)
        self.acknowledged: dict[str, tuple[str, ...]] = {}
        self.error: BaseException | None = None
        self.ending = False
        self._port, self._prefix, self._large_every = port, name, large_every

    def run(self) -> None:
        try:
            with Talk(self._port) as talk:
                talk.greet()
                number = 0
                while True:
                    self._send(talk, number)
                    number += 1
                    time.sleep(0.01)
        except (Closed, OSError):
            return  # the server was killed: what the load is for
        except BaseException as error:
            if not self.ending:
                self.error = error

    def _send(self, talk: Talk, number: int) -> None:
        name = f"{self._prefix}.{number}"
        chance = random.Random(name)
        recipients = chance.sample(USERS, chance.choice((1, 1, 1, 2)))
        body = b"x" * chance.choice((10, 3000))
        if number % self._large_every == 0:
            body = (b"large line " * 6 + b"\r\n") * 1500  # beyond what the journal takes
        data = b"Subject: %s\r\n\r\n" % name.encode() + body + b"\r\n"
        if talk.deliver("anna@news.example", recipients, data).startswith(b"250"):
            self.acknowledged[name] = tuple(recipients)


def subject(message: bytes) -> str:
    return message.split(b"Subject: ", 1)[1].split(b"\r\n", 1)[0].decode()


def check_shown(server: Server, acknowledged: dict[str, tuple[str, ...]]) -> None:
    for user in USERS:
        expected = {name for name, recipients in acknowledged.items() if user in recipients}
        client = server.imap(user)
        client.select("INBOX", readonly=True)
        _, found = client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        client.logout()
        shown = Counter(subject(item[1]) for item in found if isinstance(item, tuple))
        missing = expected - set(shown)
        assert not missing, f"{user} lacks {len(missing)}, among them {sorted(missing)[:5]}"
        twice = [name for name, count in shown.items() if count > 1]
        assert not twice, f"{user} sees {twice[:5]} twice"


@pytest.mark.interop
def test_twenty_kills_under_load_lose_nothing() -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    sink = Sink(up=False)
    server = Server({"probe": {"every": "1s", "open": "2 of 3", "close": "1 of 1", "quiet": "1s"}})
    acknowledged: dict[str, tuple[str, ...]] = {}
    try:
        server.cli("init")
        server.add_domain(DOMAIN, sink.address)
        server.add_mailboxes(*USERS)
        server.start()
        for turn in range(ROUNDS):
            if turn % 2:
                sink.start()
            loads = [Load(server.ports["smtp"], f"r{turn}.c{client}", 12 + client) for client in range(CLIENTS)]
            for load in loads:
                load.start()
            time.sleep(chance.uniform(0.15, 0.8))
            server.kill()
            for load in loads:
                load.join(30)
                assert load.error is None, load.error
                acknowledged |= load.acknowledged
            sink.stop()
            server.start()
            if turn % 4 == 3 or turn == ROUNDS - 1:
                check_shown(server, acknowledged)
        check_shown(server, acknowledged)

        sink.start()
        server.wait_flushed(DOMAIN, 60)
        assert [row for row in server.queue() if row["state"] != "held"] == []
        arrived = Counter((subject(m.data), r) for m in sink.messages for r in m.recipients)
        owed = {(name, recipient) for name, recipients in acknowledged.items() for recipient in recipients}
        held = [row for row in server.queue() if row["state"] == "held"]
        assert held == []
        assert owed - set(arrived) == set()
        doubles = sum(count - 1 for count in arrived.values())
        print(f"{len(acknowledged)} acknowledged in {ROUNDS} rounds, {len(sink.messages)} arrived, {doubles} twice")
        # one message is outstanding in a lane: each kill can double one transaction (of up to two recipients)
        assert doubles <= 2 * ROUNDS
        _check_order(server, sink)
    finally:
        sink.stop()
        server.close()


def _check_order(server: Server, sink: Sink) -> None:
    """First arrivals at the primary, mailbox by mailbox, are in the order in which we took the messages."""
    shown = {user: [subject(message) for message in server.shown(user)] for user in USERS}
    for user in USERS:
        first = list(dict.fromkeys(subject(m.data) for m in sink.messages if user in m.recipients))
        assert first == shown[user], user
        assert all(without_trace(m.data).startswith(b"Subject: ") for m in sink.of(user))
