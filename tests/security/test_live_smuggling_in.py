"""SMTP smuggling inward: only CRLF.CRLF ends a message; bare line ends are taken from trusted peers only."""

from __future__ import annotations

import pytest

from tests.security.conftest import FILTERED, OPEN, TRUSTED
from tests.support.server import Server, without_trace
from tests.support.waiting import until

ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n.\r\r\n",
    b"\r\n\0.\r\n",
    b"\n.\r",
    b"\r.\n",
]
SMUGGLED = b"MAIL FROM:<ceo@victim.example>\r\nRCPT TO:<carla@%s>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"


def attack(end: bytes, domain: str) -> bytes:
    return b"Subject: carrier %s\r\n\r\nbody" % end.hex().encode() + end + SMUGGLED % domain.encode()


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.hex())
def test_an_untrusted_peer(server: Server, end: bytes) -> None:
    data = attack(end, OPEN)
    with server.talk("smtp") as talk:
        talk.greet()
        talk.expect(b"MAIL FROM:<a@b.example>", b"250")
        talk.expect(b"RCPT TO:<ben@%s>" % OPEN.encode(), b"250")
        talk.expect(b"DATA", b"354")
        talk.send(data + b".\r\n")
        said = talk.reply()
        assert said.startswith(b"550 5.5.2") or (end == b"\r\n\0.\r\n" and said.startswith(b"250")), said
        # one reply, and the session is where it was
        assert talk.ask(b"NOOP").startswith(b"250")
    assert all(b"\r\nSubject: smuggled" not in m.split(b"\r\n\r\n")[0] for m in server.shown(f"carla@{OPEN}"))
    assert [row for row in server.queue("--all") if row["sender"] == "ceo@victim.example"] == []


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.hex())
def test_a_trusted_filter_gets_one_message_kept_exactly(server: Server, end: bytes) -> None:
    data = attack(end, FILTERED)
    with server.talk("smtp", source=TRUSTED) as talk:
        talk.greet()
        talk.expect(b"MAIL FROM:<a@b.example>", b"250")
        talk.expect(b"RCPT TO:<ben@%s>" % FILTERED.encode(), b"250")
        talk.expect(b"DATA", b"354")
        talk.send(data + b".\r\n")
        assert talk.reply().startswith(b"250")
        assert talk.ask(b"NOOP").startswith(b"250")
    mark = b"carrier %s\r\n" % end.hex().encode()
    (kept,) = until(lambda: [m for m in server.shown(f"ben@{FILTERED}") if mark in m], "the message")
    # a dot that begins a line and does not end the data is stuffing (RFC 5321 4.5.2)
    assert without_trace(kept) == data.replace(b"\r\n.", b"\r\n")
    assert [row for row in server.queue("--all") if row["sender"] == "ceo@victim.example"] == []
