"""A running server for the attacks that need one: its primary is down, so that whatever gets in can be seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.server import Server
from tests.support.sink import Sink

OPEN = "open.example"  # takes mail from anybody
FILTERED = "filtered.example"  # trusts its filter, which is 127.0.0.2
TRUSTED = "127.0.0.2"


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    primary = Sink(up=False)
    yield primary
    primary.stop()


@pytest.fixture(scope="module")
def server(sink: Sink) -> Iterator[Server]:
    running = Server({"limits": {"disk-reserve": "10MB", "connections-per-peer": 500, "message-size": "1MB"}})
    try:
        running.cli("init")
        running.add_domain(OPEN, sink.address)
        running.add_domain(FILTERED, sink.address, "--trust", f"{TRUSTED}/32")
        running.add_mailboxes(f"ben@{OPEN}", f"carla@{OPEN}", f"ben@{FILTERED}")
        running.start()
        yield running
    finally:
        running.close()
