"""A primary that has lost what it had accepted is given it again, and the proof tells both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.server import Server, without_trace
from tests.support.sink import Sink

LETTERS = [b"Subject: letter %d\r\nMessage-ID: <%d@news.example>\r\n\r\n.line\r\nlast\r\n" % (n, n) for n in range(4)]
BEN, EVE = "ben@acme.example", "eve@acme.example"


@pytest.fixture(scope="module")
def primary() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def server(primary: Sink) -> Iterator[Server]:
    running = Server({"relay": {"retry-every": "1s"}})
    try:
        running.cli("init")
        running.add_domain("acme.example", primary.address)
        running.add_mailboxes(BEN, EVE)
        running.start()
        yield running
    finally:
        running.close()


def test_given_again_in_order_the_same_octets_and_no_double(server: Server, primary: Sink) -> None:
    for letter in LETTERS:
        assert server.deliver(letter, [BEN]).startswith(b"250")
    assert server.deliver(LETTERS[0], [EVE]).startswith(b"250")
    server.wait_flushed("acme.example")
    assert len(primary.messages) == 5
    primary.messages.clear()
    found = server.json("replay", "--user", BEN)
    assert (found["found"], len(found["deliveries"])) == (4, 4)
    server.wait_flushed("acme.example")
    assert [without_trace(one.data) for one in primary.of(BEN)] == LETTERS
    assert primary.of(EVE) == []
    assert server.json("replay", "--user", BEN)["passed_over"]["before"] == 4
    server.wait_flushed("acme.example")
    assert len(primary.messages) == 4
    message = server.queue(str(found["deliveries"][0]), "--all")[0]["message"]
    first, second = server.json("proof", message)["deliveries"]
    assert (first["state"], first["same"], first["replay_of"]) == ("delivered", True, None)
    assert (second["state"], second["same"], second["replay_of"]) == ("delivered", True, first["id"])
    assert "Repeats" in server.cli("proof", message, "--html")
    accounts = [one["level"] for one in server.json("doctor", "acme.example") if one["check"] == "account"]
    assert accounts == ["ok"]
