"""A person deletes mail and wants it back: by the command line, while the server runs and while it does not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.server import Refused, Server, without_trace
from tests.support.waiting import until

LETTERS = [b"Subject: letter %d\r\nMessage-ID: <%d@news.example>\r\n\r\nhello\r\n" % (n, n) for n in range(3)]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    try:
        running.cli("init")
        running.add_domain("acme.example", "127.0.0.1:9")
        running.add_mailboxes("anna@acme.example", "bob@acme.example", "eve@acme.example")
        running.cli("address", "add", "desk@acme.example", "--shared", "eve@acme.example")
        running.start()
        yield running
    finally:
        running.close()


def wait_filed(server: Server) -> None:
    """What is not durable in its folders yet is not restored."""

    def filed() -> bool:
        with closing(sqlite3.connect(f"file:{server.state}/queue.sqlite?mode=ro", uri=True)) as db:
            return bool(db.execute("SELECT count(*) = 0 FROM messages WHERE unfiled").fetchone()[0])

    until(filed, "all is filed", 10.0, 0.05)


def empty(server: Server, user: str) -> None:
    client = server.imap(user)
    client.select()
    client.store("1:*", "+FLAGS", r"(\Deleted)")
    client.expunge()
    client.logout()


def shown(server: Server, user: str) -> list[bytes]:
    return [without_trace(message) for message in server.shown(user)]


def test_what_was_deleted_comes_back_once_and_for_one_person_only(server: Server) -> None:
    for letter in LETTERS:
        assert server.deliver(letter, ["anna@acme.example", "bob@acme.example"]).startswith(b"250")
    for user in ("anna@acme.example", "bob@acme.example"):
        until(lambda: shown(server, user) == LETTERS, "the letters are shown", 10.0, 0.05)  # noqa: B023
        empty(server, user)
    wait_filed(server)
    client = server.imap("anna@acme.example")
    client.select()
    assert server.json("mailbox", "restore", "anna@acme.example") == {
        "address": "anna@acme.example",
        "restored": 3,
        "done": True,
    }
    # a session that looks on is told
    client.noop()
    assert client.response("EXISTS")[1][-1] == b"3"
    client.logout()
    assert shown(server, "anna@acme.example") == LETTERS
    assert shown(server, "bob@acme.example") == []
    assert server.json("mailbox", "restore", "anna@acme.example")["restored"] == 0
    assert server.json("mailbox", "restore", "bob@acme.example", "--until", "2001-01-01")["restored"] == 0
    with pytest.raises(Refused, match="no mailbox"):
        server.cli("mailbox", "restore", "nobody@acme.example")


def test_what_went_to_a_shared_mailbox_was_not_deleted(server: Server) -> None:
    assert server.deliver(LETTERS[0], ["eve@acme.example"]).startswith(b"250")
    assert shown(server, "eve@acme.example") == [LETTERS[0]]
    client = server.imap("eve@acme.example")
    client.select()
    assert client.uid("MOVE", "1", '"Shared/desk"')[0] == "OK"
    client.logout()
    wait_filed(server)
    assert server.json("mailbox", "restore", "eve@acme.example")["restored"] == 0


def test_asked_for_while_the_server_is_down_it_comes_back_at_the_start(server: Server) -> None:
    empty(server, "anna@acme.example")
    server.stop()
    assert json.loads(server.cli("mailbox", "restore", "anna@acme.example", "--json"))["done"] is False
    server.start()
    assert shown(server, "anna@acme.example") == LETTERS
