"""The engine: the same events for every split of the bytes, bounded memory, nothing run that was refused."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stratamail.imap import commands as ask
from stratamail.imap.engine import (
    LINE_AFTER,
    LINE_BEFORE,
    Answer,
    AppendEnd,
    AppendHead,
    Chunk,
    Continue,
    Event,
    Invalid,
    Long,
    Overflow,
    Request,
    ServerEngine,
)  # fmt: skip

CONVERSATION = (
    b'a1 LOGIN {3}\r\nbob "x \\"y"\r\n'
    b"a2 AUTHENTICATE PLAIN\r\nAGJvYgBw\r\n"
    b'a3 APPEND Sent (\\Seen $Mine) "07-Feb-1994 21:52:25 -0800" {7+}\r\nhel\r\nlo\r\n'
    b"a4 APPEND {5+}\r\nSt\xc3\xa9 {3+}\r\nxyz\r\n"
    b"a5 APPEND {4+}\r\nSent {3+}\r\nxyz junk\r\n"
    b"a6 APPEND Refused {10+}\r\n0123456\r\n9 {2+}\r\nzz\r\n"
    b"a7 UID FETCH 1:*,7 (UID BODY.PEEK[HEADER.FIELDS (DATE {4+}\r\nFROM)])\r\n"
    b"a8 nonsense {3+}\r\nx\r\n tail\r\n"
    b"a9 SEARCH TEXT {20000+}\r\n" + b"z" * 20000 + b"\r\n"
    b"\r\n * x\r\nb1 IDLE\r\nDONE\r\nb2 NOOP\n"
)


def drain(engine: ServerEngine, out: list[Event]) -> None:
    while (event := engine.next()) is not None:
        if isinstance(event, Long):
            event = event.read()
        if isinstance(event, Chunk) and out and isinstance(out[-1], Chunk):
            out[-1] = Chunk(out[-1].data + event.data)
        else:
            out.append(event)
        if isinstance(event, AppendHead):
            if event.append.mailbox == "Refused":
                engine.refuse(event.waits)
            else:
                engine.accept()
        elif isinstance(event, Request) and isinstance(event.command, ask.Idle | ask.Authenticate):
            engine.expect_answer()


def run(pieces: list[bytes], limit: int = LINE_BEFORE) -> list[Event]:
    engine = ServerEngine(limit)
    out: list[Event] = []
    for piece in pieces:
        engine.receive(piece)
        drain(engine, out)
    return out


WHOLE = run([CONVERSATION])


def test_the_conversation_is_understood() -> None:
    kinds = [type(event).__name__ for event in WHOLE]
    assert kinds == [
        "Continue",
        "Request",
        "Request",
        "Answer",
        "AppendHead",
        "Chunk",
        "AppendEnd",
        "Invalid",
        "AppendHead",
        "Chunk",
        "AppendEnd",
        "AppendHead",
        "Request",
        "Invalid",
        "Invalid",
        "Invalid",
        "Invalid",
        "Request",
        "Answer",
        "Request",
    ]
    assert WHOLE[1] == Request("a1", ask.Login("bob", 'x "y'))
    assert WHOLE[3] == Answer(b"AGJvYgBw")
    head = WHOLE[4]
    assert isinstance(head, AppendHead)
    assert head.append == ask.Append("Sent", frozenset(("\\Seen", "$Mine")), 760_686_745_000_000, 7)
    assert WHOLE[5] == Chunk(b"hel\r\nlo")
    ended = WHOLE[10]
    assert isinstance(ended, AppendEnd)
    assert ended.error
    assert isinstance(WHOLE[14], Invalid)
    assert WHOLE[14].code == "TOOBIG"


@given(st.lists(st.integers(1, len(CONVERSATION)), max_size=30))
def test_any_split_gives_the_same_events(cuts: list[int]) -> None:
    places = sorted({0, *cuts, len(CONVERSATION)})
    pieces = [CONVERSATION[a:b] for a, b in pairwise(places)]
    assert run(pieces) == WHOLE


def test_octet_by_octet() -> None:
    assert run([CONVERSATION[i : i + 1] for i in range(len(CONVERSATION))]) == WHOLE


JUNK = b'a |LOGIN |{1}|{3+}|\r\n|x|"|(|APPEND |\x00\xff|{99999999999+}|{|*|FETCH 1 '.split(b"|")


@given(st.lists(st.sampled_from(JUNK), max_size=30), st.data())
def test_any_bytes_give_the_same_events_however_split(parts: list[bytes], data: st.DataObject) -> None:
    text = b"".join(parts) + b"\r\n"
    cut = data.draw(st.integers(0, len(text)))
    assert run([text]) == run([text[:cut], text[cut:]])


def test_an_endless_line_is_not_kept() -> None:
    engine = ServerEngine()
    out: list[Event] = []
    for _ in range(100):
        engine.receive(b"x" * 10_000)
        drain(engine, out)
    assert out == [Overflow("Command too long")]
    assert engine.buffered == 0


def test_a_large_literal_is_refused_before_it_comes() -> None:
    out = run([b"a LOGIN {999999}\r\nb NOOP\r\n"])
    assert isinstance(out[0], Invalid)
    assert out[0].code == "TOOBIG"
    assert out[1] == Request("b", ask.Noop())
    assert run([b"a LOGIN {99999999999+}\r\n"]) == [Overflow("Literal too large")]


def test_the_sum_of_literals_is_bounded() -> None:
    text = b"a SEARCH" + b" TEXT {15000+}\r\n" + b"z" * 15000 + b" TEXT {15000+}\r\n" + b"z" * 15000 + b"\r\nb NOOP\r\n"
    out = run([text])
    assert [type(event) for event in out] == [Invalid, Request]


def test_a_waiting_append_that_is_refused_sends_nothing() -> None:
    out = run([b"a APPEND Refused {10}\r\nb NOOP\r\n"])
    assert isinstance(out[0], AppendHead)
    assert out[0].waits
    assert out[1] == Request("b", ask.Noop())


def test_a_command_of_a_megabyte_after_sign_in() -> None:
    numbers = b",".join(b"%d" % n for n in range(1, 300_000, 2))
    out = run([b"a UID STORE " + numbers + b" +FLAGS.SILENT (\\Seen)\r\n"], LINE_AFTER)
    assert len(out) == 1
    assert isinstance(out[0], Request)


def test_an_append_into_a_literal_mailbox_name_waits_once_for_each() -> None:
    engine = ServerEngine()
    engine.receive(b"a APPEND {4}\r\n")
    assert engine.next() == Continue()
    engine.receive(b"Sent {3}\r\n")
    assert isinstance(engine.next(), AppendHead)
    assert engine.next() is None
