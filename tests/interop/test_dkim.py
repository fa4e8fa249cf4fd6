"""DKIM as a customer sees it: a reply sent in an outage verifies at the other end under both algorithms, mail between
colleagues too when it is given back; what arrives is judged."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from typing import Any

import dkim
import pytest

from stratamail.store import database
from stratamail.store.layout import Layout
from stratamail.store.queue import verdicts
from tests.support import corpus
from tests.support.dns import Dns
from tests.support.server import PASSWORD, Server
from tests.support.sink import Sink
from tests.support.waiting import until

NAME = "s1._domainkey.news.example"


@pytest.fixture(scope="module")
def world() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def primary() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def names() -> Iterator[Dns]:
    whole = (corpus.key_record(NAME) or b"").decode()
    pieces = [whole[start : start + 200] for start in range(0, len(whole), 200)]
    server = Dns({(NAME, "TXT"): [" ".join(f'"{piece}"' for piece in pieces)]})
    yield server
    server.stop()


@pytest.fixture(scope="module")
def server(world: Sink, primary: Sink, names: Dns) -> Iterator[Server]:
    running = Server({"relay": {"retry-every": "1s", "resolver": names.address, "smart-host": world.address}})
    try:
        running.cli("init")
        running.start()
        running.add_domain("acme.example", primary.address)
        running.add_mailboxes("ann@acme.example", "bob@acme.example")
        yield running
    finally:
        running.close()


def submit(server: Server, to: str, text: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["submission"]) as client:
        client.login("ann@acme.example", PASSWORD)
        message = f"From: Ann <ann@acme.example>\r\nTo: {to}\r\nSubject: Re: order\r\n\r\n{text}\r\n"
        client.sendmail("ann@acme.example", [to], message)


def verified(data: bytes, records: list[dict[str, Any]]) -> dict[bytes, bool]:
    """Algorithm → whether dkimpy says yes, with the records as they are to be published."""
    published = {f"{one['name']}.".encode(): one["value"].encode() for one in records}
    out = {}
    for index in range(data[: data.index(b"\r\n\r\n")].count(b"DKIM-Signature:")):
        judge = dkim.DKIM(data)
        good = judge.verify(idx=index, dnsfunc=lambda name, timeout=5: published.get(name))
        out[judge.signature_fields[b"a"]] = good and judge.domain == b"acme.example"
    return out


def test_what_users_send_is_signed_from_the_moment_there_are_keys(server: Server, world: Sink, primary: Sink) -> None:
    submit(server, "early@far.example", "before there are keys")
    until(lambda: len(world.messages) == 1, "the first arrives", 20)
    assert b"DKIM-Signature" not in world.messages[0].data
    records = server.json("domain", "dkim", "acme.example")
    submit(server, "cy@far.example", "small")
    submit(server, "cy@far.example", "large  text \r\n" * 20_000)
    submit(server, "bob@acme.example", "a colleague")
    until(lambda: len(world.messages) == 3 and len(primary.messages) == 1, "all arrive", 20)
    both = {b"rsa-sha256": True, b"ed25519-sha256": True}
    for taken in (*world.messages[1:], *primary.messages):
        assert verified(taken.data, records) == both


def test_the_next_keys_take_over_when_told(server: Server, world: Sink) -> None:
    before = len(world.messages)
    server.cli("domain", "dkim", "acme.example")
    records = server.json("domain", "dkim", "acme.example", "--rotate")
    submit(server, "cy@far.example", "still the old ones")
    until(lambda: len(world.messages) == before + 1, "it arrives", 20)
    server.cli("domain", "dkim", "acme.example", "--activate")
    submit(server, "cy@far.example", "the next ones")
    until(lambda: len(world.messages) == before + 2, "it arrives", 20)
    old, new = [one["selector"] for one in records if one["algorithm"] == "rsa"]
    assert f"s={old};".encode() in world.messages[before].data
    assert f"s={new};".encode() in world.messages[before + 1].data
    assert all(all(verified(one.data, records).values()) for one in world.messages[before:])


def test_what_arrives_is_judged(server: Server) -> None:
    plain = b"From: anna@news.example\r\nSubject: hello\r\n\r\nhello\r\n"
    good = corpus.dkim.sign(plain, domain="news.example", selector="s1", key=corpus.signing_key()) + plain
    for data in (good, good.replace(b"hello\r\n", b"other\r\n"), plain):
        with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
            client.sendmail("anna@news.example", ["ann@acme.example"], data)
    engine = database.open_queue(Layout(str(server.state)))

    def found() -> list[str | None]:
        with database.reading(engine) as conn:
            seqs = sorted(seq for (seq,) in conn.exec_driver_sql("SELECT seq FROM messages WHERE sender LIKE '%news%'"))
            return [verdicts.of(conn, seq) for seq in seqs]

    try:
        until(lambda: "" not in found(), "all are judged", 20)
        assert found() == ["pass news.example=s1@0", "fail news.example", "none"]
    finally:
        engine.dispose()
