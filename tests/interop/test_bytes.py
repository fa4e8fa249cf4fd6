"""Byte for byte and in order: every shape in, shown over IMAP, and given back to a primary that keeps each octet."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest

from stratamail.mail import dkim
from tests.support import corpus
from tests.support.server import PASSWORD, Server, without_trace
from tests.support.sink import Sink
from tests.support.waiting import until

DOMAIN = "acme.example"
BEN = f"ben@{DOMAIN}"
HOSTILE = corpus.hostile()
BARE = [
    ("bare LF", b"Subject: lf\n\nbody\nmore\r\n"),
    ("bare CR", b"Subject: cr\r\n\r\nbody\rmore\r\r\n"),
    ("mixed", b"Subject: mix\r\n\n\r\r\n\r\n\n\n\r\n"),
]


@pytest.fixture(scope="module")
def primary() -> Iterator[Sink]:
    sink = Sink(up=False, extensions=("PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "SIZE 200000000"))
    yield sink
    sink.stop()


@pytest.fixture(scope="module")
def server(primary: Sink) -> Iterator[Server]:
    """The peers here are trusted filters, so that bare CR and LF come in too."""
    running = Server()
    try:
        running.cli("init")
        running.add_domain(DOMAIN, primary.address, "--trust", "127.0.0.0/8")
        running.add_mailboxes(BEN)
        running.start()
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def sent(server: Server) -> list[bytes]:
    """All shapes, given to the server while its primary is down, by DATA and by BDAT in turn."""
    everything = [*HOSTILE, *BARE, *((corpus.sample(n).name, corpus.sample(n).data) for n in range(22))]
    with server.talk("smtp", timeout=60) as talk:
        talk.greet()
        for number, (name, data) in enumerate(everything):
            if number % 2:
                talk.expect(b"MAIL FROM:<anna@news.example> BODY=8BITMIME", b"250")
                talk.expect(b"RCPT TO:<%s>" % BEN.encode(), b"250")
                half = len(data) // 2
                talk.send(b"BDAT %d\r\n%s" % (half, data[:half]))
                assert talk.reply().startswith(b"250"), name
                talk.send(b"BDAT %d LAST\r\n%s" % (len(data) - half, data[half:]))
                assert talk.reply().startswith(b"250"), name
            else:
                assert talk.deliver("anna@news.example", [BEN], data).startswith(b"250"), name
    return [data for _, data in everything]


def test_the_shadow_mailbox_shows_what_came(server: Server, sent: list[bytes]) -> None:
    until(lambda: len(server.shown(BEN)) == len(sent), "all are visible")
    assert [without_trace(message) for message in server.shown(BEN)] == sent


def test_the_listing_has_size_and_hash_of_what_came(server: Server, sent: list[bytes]) -> None:
    rows = server.queue("--all")
    assert [row["sha256"] for row in rows] == [hashlib.sha256(data).hexdigest() for data in sent]
    assert [row["size"] for row in rows] == [len(data) for data in sent]
    assert {row["state"] for row in rows} <= {"queued", "deferred"}


def test_imap_serves_every_shape_without_error(server: Server, sent: list[bytes]) -> None:
    """ENVELOPE, BODYSTRUCTURE, every section: OK for each message, and the session lives on."""
    until(lambda: len(server.shown(BEN)) == len(sent), "all are visible")
    with server.talk("imap", timeout=60) as talk:
        talk.line()
        talk.tagged(b'LOGIN "%s" "%s"' % (BEN.encode(), PASSWORD.encode()))
        talk.tagged(b"EXAMINE INBOX")
        for number in range(1, len(sent) + 1):
            said = talk.tagged(
                b"FETCH %d (FLAGS UID RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER] BODY.PEEK[TEXT]"
                b" BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[2.1.1]<0.5>)" % number
            )
            assert said[-1].startswith(b"t1 OK"), (number, said[-1])
            assert b"ENVELOPE" in said[0], number
        for key in (
            b"SUBJECT x",
            b"BODY part",
            b"TEXT body",
            b"FROM example",
            b"LARGER 100000",
            b"SENTSINCE 1-Jan-2020",
        ):
            assert talk.tagged(b"SEARCH " + key)[-1].startswith(b"t1 OK"), key


def test_all_is_given_back_in_order_by_the_octet(server: Server, primary: Sink, sent: list[bytes]) -> None:
    primary.start()
    server.wait_flushed(DOMAIN, 60)
    assert [row for row in server.queue("--all") if row["state"] != "delivered"] == []
    assert [without_trace(message.data) for message in primary.messages] == sent
    shown = server.shown(BEN)
    assert [message.data for message in primary.messages] == shown
    signed = [m.data for m in primary.messages if b"\r\nDKIM-Signature:" in m.data[:2000]]
    assert len(signed) >= 7
    assert all(dkim.verify(data, corpus.key_record)[0].passed for data in signed)
    eight_bit = [m for m in primary.messages if b"BODY=8BITMIME" in m.mail]
    assert eight_bit
    # promise 3: one Received line, which names no recipient's domain but ours and the queue id
    assert all(
        re.match(rb"Received: from .*\sid \w+", m.data[:400].split(b"\r\nSubject")[0], re.DOTALL)
        for m in primary.messages
    )
