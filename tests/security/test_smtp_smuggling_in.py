"""SMTP smuggling: no end-of-data but CRLF.CRLF, no command from inside a body; and open doors refuse lone CR and LF."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.smtp_door import DoorFixture

SMUGGLED = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<ben@filtered.example>\r\nDATA\r\nSubject: forged\r\n\r\nhi\r\n.\r\n"
ENDINGS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\n\n.\r\n",
    b"\r\n\x00.\r\n",
    b"\r\n.\x00\r\n",
    b"\r\n.\r\r\n",
    b"\r\n. \r\n",
    b"\r\n..\r\n",
]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("bytewise", [False, True])
@pytest.mark.parametrize("peer", ["192.0.2.5", "198.51.100.7"])
def test_no_other_end_of_data(tmp_path: Path, ending: bytes, bytewise: bool, peer: str) -> None:
    door = DoorFixture(tmp_path)
    trusted = peer == "192.0.2.5"
    domain = b"filtered" if trusted else b"open"
    talk = door.talk(peer)
    talk.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@" + domain + b".example>\r\nDATA\r\n")
    body = b"Subject: x\r\n\r\nbegin" + ending + SMUGGLED[: -len(b"\r\n.\r\n")] + b"\r\n"
    wire = body + b".\r\n"
    talk.heard()
    if bytewise:
        for at in range(len(wire)):
            talk.session.dataReceived(wire[at : at + 1])
    else:
        talk.session.dataReceived(wire)
    replies = talk.heard().splitlines()
    assert len(replies) == 1
    left = body.replace(b"\r\n", b"")
    lone = b"\r" in left or b"\n" in left
    if trusted or not lone:
        assert replies[0].startswith(b"250")
        (kept,) = door.kept
        assert kept.body == body.replace(b"\r\n.", b"\r\n")
        assert kept.envelope.sender == ""
    else:
        assert replies[0].startswith(b"550 5.5.2")
        assert not door.kept


@pytest.mark.parametrize("line", [b"NOOP\nMAIL FROM:<evil@x.example>\r\n", b"NOOP\rNOOP\r\n", b"NOOP\x00\r\n"])
def test_a_lone_line_end_separates_no_commands(tmp_path: Path, line: bytes) -> None:
    talk = DoorFixture(tmp_path).talk()
    assert b"250 2.0.0" not in talk.say(line)


def test_a_web_browser_is_shown_the_door(tmp_path: Path) -> None:
    door = DoorFixture(tmp_path)
    talk = door.connect()
    talk.heard()
    said = talk.say(b"POST / HTTP/1.1\r\nHost: mx\r\n\r\nEHLO x\r\n" + SMUGGLED)
    assert said.startswith(b"421") and talk.closed and not door.kept
