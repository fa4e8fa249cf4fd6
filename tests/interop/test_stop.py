"""A stop in the middle of giving back: what is on its way is finished, and nobody decides over it meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.support.server import Server, without_trace
from tests.support.sink import Sink
from tests.support.waiting import until

DOMAIN = "stop.example"
LETTER = b"Subject: on its way\r\n\r\nbody\r\n"


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    try:
        running.cli("init")
        running.start()
        yield running
    finally:
        running.close()


def test_return_waits_for_the_outcome_while_the_server_stops(server: Server) -> None:
    sink = Sink(script=lambda session, step, line: 3.0 if step == "dot" else None)
    server.add_domain(DOMAIN, sink.address)
    assert server.deliver(LETTER, [f"ben@{DOMAIN}"]).startswith(b"250")
    until(lambda: [row["attempts"] for row in server.queue(DOMAIN, "--all")] == [1], "it is on its way", 10, 0.05)
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)
    (row,) = server.queue(DOMAIN, "--all")
    assert row["state"] == "queued"
    (said,) = server.json("queue", "return", str(row["id"]))
    assert (said["outcome"], said["state"]) == ("already", "delivered")
    server.process.wait(40)
    server.process = None
    assert not (server.state / "running").exists(), "the stop was not clean"
    assert [without_trace(taken.data) for taken in sink.messages] == [LETTER]
    sink.stop()
