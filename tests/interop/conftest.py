"""Servers for the tests of this folder: one for each module that asks, so that a module starts with empty mailboxes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import dovecot
from tests.support.client_servers import Account, Far, Ours, Theirs
from tests.support.server import Server
from tests.support.sink import Sink

DOMAIN = "acme.example"
USERS = (f"ben@{DOMAIN}", f"carla@{DOMAIN}")


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """The primary of ``server``: down until a test starts it."""
    primary = Sink(up=False)
    yield primary
    primary.stop()


@pytest.fixture(scope="module")
def server(sink: Sink) -> Iterator[Server]:
    """A running server with one domain, two mailboxes, its primary (``sink``) down."""
    running = Server()
    try:
        running.cli("init")
        running.add_domain(DOMAIN, sink.address)
        running.add_mailboxes(*USERS)
        running.start()
        yield running
    finally:
        running.close()


@pytest.fixture(scope="session", params=["stratamail", "dovecot"])
def far(request: pytest.FixtureRequest) -> Iterator[Far]:
    """A server for clients: this one, and Dovecot as the check of the check. Mailboxes are made by each test."""
    if request.param == "dovecot":
        dovecot.required()
    running: Far = Ours() if request.param == "stratamail" else Theirs()
    yield running
    running.close()


@pytest.fixture
def account(far: Far) -> Account:
    """A new mailbox of its own."""
    return far.account()
