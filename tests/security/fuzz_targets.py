"""What coverage-guided fuzzing runs (:mod:`tests.security.fuzz_run`), and hypothesis too.

Each target takes any octets, and fails by an exception, by an answer that depends on how the octets were split, or by
time and memory, which libFuzzer's options bound.
"""

from __future__ import annotations

from collections.abc import Callable

from stratamail.imap import body
from stratamail.imap.commands import Authenticate, Idle
from stratamail.imap.engine import AppendHead, Chunk, Long, Overflow, Request, ServerEngine
from stratamail.mail.fieldvalue import decode_words
from stratamail.mail.preview import LONGEST, preview
from stratamail.mail.structure import find, scan
from stratamail.mail.summary import summarise
from stratamail.mail.transfer import decode, decoder


def events(pieces: list[bytes]) -> list[object]:
    """What the engine makes of octets; every second message is refused."""
    engine = ServerEngine(5_000)
    out: list[object] = []
    refuse = False
    for piece in pieces:
        engine.receive(piece)
        while (event := engine.next()) is not None:
            found = event.read() if isinstance(event, Long) else event
            if isinstance(found, Chunk) and out and isinstance(out[-1], Chunk):
                out[-1] = Chunk(out[-1].data + found.data)
            else:
                out.append(found)
            if isinstance(found, AppendHead):
                refuse = not refuse
                engine.refuse(found.waits) if refuse else engine.accept()
            elif isinstance(found, Request) and isinstance(found.command, (Idle, Authenticate)):
                engine.expect_answer()
            if isinstance(found, Overflow):
                break
        assert engine.buffered <= 5_001 or len(piece) > 5_001
    return out


def conversation(data: bytes) -> None:
    """The first octet says where the rest is cut."""
    if data:
        cut = data[0] % max(1, len(data))
        assert events([data[1:]]) == events([data[1 : 1 + cut], data[1 + cut :]])


def command(data: bytes) -> None:
    """A command of any arguments, as it stands in a session."""
    conversation(b"\x05a " + data + b"\r\nb NOOP\r\n")


def message(data: bytes) -> None:
    """All that is read of a message."""
    root = scan(data)
    for extended in (True, False):
        body.bodystructure(data, root, extended)
    count = 0
    for part in root.walk():
        count += 1
        assert 0 <= part.header_start <= part.body_start <= part.body_end <= len(data)
        decode(data[part.body_start : part.body_end], part.encoding)
    assert count <= 10_001
    for numbers in ((1,), (2, 1), (1, 1, 1, 1)):
        find(root, numbers)
    body.envelope(summarise(data[: root.body_start]))
    decode_words(data)
    assert len(preview(data)) <= LONGEST


def transfer(data: bytes) -> None:
    """However the octets are cut, what they decode to is the same."""
    cut = data[0] if data else 0
    for encoding in (b"BASE64", b"QUOTED-PRINTABLE"):
        found = decoder(encoding)
        assert found is not None
        assert found.feed(data[:cut]) + found.feed(data[cut:]) + found.end() == decode(data, encoding)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "conversation": conversation,
    "command": command,
    "message": message,
    "transfer": transfer,
}
