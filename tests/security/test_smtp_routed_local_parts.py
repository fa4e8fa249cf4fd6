"""A local part that carries a route is refused: a primary that trusts us might relay it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.smtp_door import DoorFixture


@pytest.mark.parametrize(
    "recipient",
    [
        b"<victim%foreign.example@open.example>",
        b"<foreign.example!victim@open.example>",
        b'<"victim@foreign.example"@open.example>',
        b'<"victim\\@foreign.example"@open.example>',
        b'<"victim%foreign.example"@open.example>',
        b"<@open.example:victim@foreign.example>",
        b"<victim@foreign.example>",
        b"<victim@[203.0.113.1]>",
        b"<victim@open.example.foreign.example>",
    ],
)
def test_refused(tmp_path: Path, recipient: bytes) -> None:
    door = DoorFixture(tmp_path)
    talk = door.talk()
    talk.say(b"MAIL FROM:<ben@open.example>\r\n")
    assert talk.say(b"RCPT TO:" + recipient + b"\r\n").startswith(b"550 5.7.1")
    assert talk.say(b"DATA\r\n").startswith(b"554 5.5.1")
    assert not door.kept
