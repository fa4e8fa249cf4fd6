"""Any split of the bytes gives the same events, and any octets give the same body by DATA."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from stratamail.smtp import server_replies as replies
from stratamail.smtp.server import ServerEngine
from stratamail.smtp.server_body import ChunkCounter, DataReader
from stratamail.smtp.server_events import Chunk, Credentials, Data, End, Event, Mail, Offer, Rcpt, StartTls
from tests.support.sizes import sized

OFFER = Offer("mx.example", 5000, recipients=3, starttls=True, auth="clear")

PIECES = st.sampled_from(
    [
        b"EHLO x\r\n",
        b"HELO y\r\n",
        b"MAIL FROM:<a@b.example>\r\n",
        b"MAIL FROM:<a@b.example> SIZE=4 BODY=8BITMIME\r\n",
        b"RCPT TO:<u@c.example>\r\n",
        b"RCPT TO:<v@c.example> NOTIFY=NEVER\r\n",
        b"DATA\r\n",
        b"Subject: x\r\n\r\n..x\r\n.\r\n",
        b".\r\n",
        b"\r\n.\r\n",
        b"\r.\r\n.\n.\r\r\n.\r\n",
        b"BDAT 6\r\nabc\r\n.",
        b"BDAT 4 LAST\r\n\r\n\r\n",
        b"BDAT 0 LAST\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"VRFY x\r\n",
        b"QUIT\r\n",
        b"AUTH PLAIN AGEAYg==\r\n",
        b"AUTH LOGIN\r\n",
        b"YQ==\r\n",
        b"*\r\n",
        b"junk\r\n",
        b"lf only\n",
        b"\x00\xff\r\n",
        b"x" * 900,
    ]
)


def run(data: bytes, cuts: list[int]) -> tuple[list[Event], bytes, bool]:
    """Events with neighbouring chunks joined, and all that was said."""
    engine = ServerEngine(OFFER, error_limit=20)
    engine.greet()
    events: list[Event] = []
    out = b""
    edges = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(edges):
        engine.receive(data[start:end])
        while (event := engine.next_event()) is not None:
            if isinstance(event, Chunk) and events and isinstance(events[-1], Chunk):
                events[-1] = Chunk(events[-1].data + event.data)
            else:
                events.append(event)
            if isinstance(event, Data):
                engine.reply(replies.READY)
            elif isinstance(event, Mail | Rcpt | End):
                engine.reply(replies.OK)
            elif isinstance(event, Credentials):
                engine.reply(replies.BAD_CREDENTIALS)
            elif isinstance(event, StartTls):
                engine.reply(replies.NOT_IMPLEMENTED)
            assert engine.mail is not None or engine.recipients == 0
        out += engine.take()
    return events, out, engine.closing


@settings(max_examples=sized(300, 3000), deadline=None)
@given(st.lists(PIECES, max_size=25), st.integers(0, 2**32))
def test_any_split_gives_the_same_events(pieces: list[bytes], seed: int) -> None:
    data = b"EHLO x\r\n" + b"".join(pieces)
    chance = random.Random(seed)
    cuts = [chance.randrange(len(data) + 1) for _ in range(chance.randrange(12))]
    assert run(data, cuts) == run(data, []) == run(data, list(range(len(data))))


@settings(max_examples=sized(200, 2000), deadline=None)
@given(st.binary(max_size=400))
def test_any_octets_in_any_split_never_break_the_engine(data: bytes) -> None:
    assert run(data, []) == run(data, list(range(len(data))))


LINES = st.lists(
    st.one_of(st.binary(max_size=12), st.sampled_from([b".", b"..", b"\r\n", b"\r", b"\n", b".\r", b"\n.", b"\r\n."])),
    max_size=20,
)


def stuffed(body: bytes) -> bytes:
    """What a right client sends for ``body``, which ends in CRLF or is empty."""
    return (b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


@settings(max_examples=sized(500, 5000), deadline=None)
@given(LINES, st.integers(0, 2**32))
def test_data_comes_out_as_it_went_in(parts: list[bytes], seed: int) -> None:
    body = b"".join(parts) + b"\r\n"
    wire = stuffed(body) + b"QUIT\r\n"
    chance = random.Random(seed)
    reader = DataReader()
    got, at, rest = b"", 0, None
    while rest is None:
        step = chance.randrange(1, 9)
        piece, rest = reader.feed(wire[at : at + step])
        got += piece
        at += step
    assert got == body
    assert rest + wire[at:] == b"QUIT\r\n"
    left = body.replace(b"\r\n", b"")
    assert reader.bare == (b"\r" in left or b"\n" in left)


@given(LINES, st.integers(1, 7))
def test_bare_line_ends_in_chunks(parts: list[bytes], step: int) -> None:
    body = b"".join(parts)
    counter = ChunkCounter()
    for at in range(0, len(body), step):
        counter.feed(body[at : at + step])
    counter.finish()
    left = body.replace(b"\r\n", b"")
    assert counter.bare == (b"\r" in left or b"\n" in left)
