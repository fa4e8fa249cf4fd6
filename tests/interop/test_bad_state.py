"""Damage to STATE: each piece costs what it is worth and no more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from tests.support import corpus
from tests.support.server import Refused, Server, without_trace
from tests.support.sink import Sink
from tests.support.waiting import until

DOMAIN = "acme.example"
BEN = f"ben@{DOMAIN}"


@pytest.fixture
def sink() -> Iterator[Sink]:
    primary = Sink(up=False)
    yield primary
    primary.stop()


@pytest.fixture
def server(sink: Sink) -> Iterator[Server]:
    running = Server()
    try:
        running.cli("init")
        running.add_domain(DOMAIN, sink.address)
        running.add_mailboxes(BEN)
        running.start()
        yield running
    finally:
        running.close()


def give(server: Server, numbers: range) -> list[bytes]:
    sent = [corpus.sample(number).data for number in numbers]
    for data in sent:
        assert server.deliver(data, [BEN]).startswith(b"250")
    until(lambda: len(server.shown(BEN)) >= len(sent), "visible")
    return sent


def test_a_corrupt_index_is_rebuilt(server: Server) -> None:
    sent = give(server, range(11))
    client = server.imap(BEN)
    client.select("INBOX")
    client.store("3", "+FLAGS", r"(\Seen \Flagged)")
    before = client.response("UIDVALIDITY")[1]
    client.logout()
    server.stop()
    (index,) = server.state.glob("mail/*/*/index.sqlite")
    for extra in index.parent.glob("index.sqlite-*"):
        extra.unlink()
    index.write_bytes(b"garbage" * 1000)
    server.start()
    shown = server.shown(BEN)
    assert sorted(without_trace(m) for m in shown) == sorted(sent)
    client = server.imap(BEN)
    client.select("INBOX")
    assert client.response("UIDVALIDITY")[1] != before
    kind, found = client.search(None, "FLAGGED", "SEEN")
    number = int(found[0])
    assert without_trace(shown[number - 1]) == sent[2]
    client.logout()


def test_a_missing_spool_file_holds_its_delivery_and_no_other(server: Server, sink: Sink) -> None:
    sent = give(server, range(5))
    rows = server.queue()
    missing = rows[2]["message"]
    until(lambda: missing in server.spooled(), "filed")
    # bodies leave the journal soon after their files are synced
    until(lambda: _journalled(server) == 0, "the journal is empty")
    for path in server.state.glob(f"spool/*/{missing}"):
        path.unlink()
    sink.start()
    server.wait_flushed(DOMAIN)
    (held,) = server.queue()
    assert held["message"] == missing
    assert held["state"] == "held"
    assert held["last_reply"]
    assert [without_trace(m.data) for m in sink.messages] == [d for i, d in enumerate(sent) if i != 2]


def test_a_changed_spool_file_is_not_given_away(server: Server, sink: Sink) -> None:
    sent = give(server, range(4))
    rows = server.queue()
    changed = rows[1]["message"]
    until(lambda: changed in server.spooled() and _journalled(server) == 0, "filed, the journal is empty")
    (path,) = server.state.glob(f"spool/*/{changed}")
    data = path.read_bytes()
    path.chmod(0o640)
    path.write_bytes(data[:-10] + b"x" * 8 + b"\r\n")
    sink.start()
    server.wait_flushed(DOMAIN, 40)
    (held,) = server.queue()
    assert (held["message"], held["state"]) == (changed, "held")
    assert [without_trace(m.data) for m in sink.messages] == [sent[0], sent[2], sent[3]]


def _journalled(server: Server) -> int:
    with sqlite3.connect(f"file:{server.state}/queue.sqlite?mode=ro", uri=True) as database:
        count = database.execute("SELECT count(*) FROM journal").fetchone()[0]
    database.close()
    return int(count)


@pytest.mark.parametrize("database", ["queue.sqlite", "catalog.sqlite"])
def test_a_database_newer_than_the_code_is_refused(database: str) -> None:
    server = Server()
    try:
        server.cli("init")
        with sqlite3.connect(server.state / database) as connection:
            connection.execute("UPDATE alembic_version SET version_num = 'fffffffffff9'")
        connection.close()
        with pytest.raises(AssertionError) as caught:
            server.start()
        assert "newer" in str(caught.value)
        server.process = None
        with pytest.raises(Refused) as refused:
            server.cli("status")
        assert refused.value.status == 1
        assert "newer" in refused.value.reason
    finally:
        server.process = None
        server.close()


@pytest.mark.parametrize(
    ("table", "key", "value", "said"),
    [
        ("limits", "mesage-size", "1MB", "message-size"),
        ("limits", "recipients", "many", "recipients"),
        ("listen", "smtp", ["tpc:25"], "smtp"),
        ("probe", "open", "5 of 3", "open"),
    ],
)
def test_a_config_that_the_code_does_not_know_is_refused(table: str, key: str, value: object, said: str) -> None:
    server = Server({table: {key: value}})
    try:
        with pytest.raises(Refused) as refused:
            server.command("check-config")
        assert refused.value.status == 1
        assert said in refused.value.reason
        assert key in refused.value.reason
        with pytest.raises(AssertionError, match="the server ended"):
            server.start()
    finally:
        server.process = None
        server.close()
