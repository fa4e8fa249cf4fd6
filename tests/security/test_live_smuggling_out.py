"""Smuggling outward: a kept message with a lone dot between bare line ends never reaches a lenient primary by DATA."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.server import Server, without_trace
from tests.support.sink import Sink

HIDDEN = [
    b"Subject: a\r\n\r\nx\n.\nMAIL FROM:<evil@x.example>\r\n",
    b"Subject: b\r\n\r\nx\r.\rQUIT\r\n",
    b"S: c\r\n\r\nx\n.\r\ny\r\n",
]
PLAIN = b"Subject: plain\r\n\r\n.dots\r\n..\r\n.\r\n. \r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server({"relay": {"retry-every": "1s"}})
    try:
        running.cli("init")
        running.start()
        yield running
    finally:
        running.close()


def give(server: Server, domain: str) -> None:
    for data in (PLAIN, *HIDDEN, PLAIN):
        assert server.deliver(data, [f"ben@{domain}"]).startswith(b"250")


def test_a_primary_with_chunking_gets_it_by_length(server: Server) -> None:
    with Sink(extensions=("PIPELINING", "CHUNKING", "8BITMIME")) as sink:
        server.add_domain("chunks.example", sink.address, "--trust", "127.0.0.0/8")
        give(server, "chunks.example")
        server.wait_flushed("chunks.example")
        assert [without_trace(m.data) for m in sink.messages] == [PLAIN, *HIDDEN, PLAIN]
        assert {m.how for m in sink.messages if without_trace(m.data) in HIDDEN} == {"BDAT"}


def test_a_primary_without_it_gets_the_others_and_these_are_held(server: Server) -> None:
    with Sink(extensions=("PIPELINING", "8BITMIME")) as sink:
        server.add_domain("lines.example", sink.address, "--trust", "127.0.0.0/8")
        give(server, "lines.example")
        server.wait_flushed("lines.example")
        assert [without_trace(m.data) for m in sink.messages] == [PLAIN, PLAIN]
        held = server.queue("lines.example")
        assert {row["state"] for row in held} == {"held"}
        assert len(held) == len(HIDDEN)
        assert all(row["last_reply"] for row in held)
