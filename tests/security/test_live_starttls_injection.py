"""What is sent in clear behind STARTTLS never acts inside TLS (SMTP and IMAP), and what came before is forgotten."""

from __future__ import annotations

import pytest

from tests.security.conftest import OPEN
from tests.support.server import Server


@pytest.mark.parametrize("door", ["smtp", "submission"])
def test_smtp_commands_behind_starttls_end_the_session(server: Server, door: str) -> None:
    with server.talk(door) as talk:
        talk.greet()
        talk.send(b"STARTTLS\r\nMAIL FROM:<a@b.example>\r\n")
        said = talk.closed()
        assert said.startswith(b"421"), said
        assert b"220" not in said


def test_smtp_forgets_what_was_said_in_clear(server: Server) -> None:
    with server.talk("smtp") as talk:
        talk.greet()
        talk.expect(b"MAIL FROM:<a@b.example>", b"250")
        talk.expect(b"STARTTLS", b"220")
        talk.start_tls()
        assert talk.ask(b"RCPT TO:<ben@%s>" % OPEN.encode()).startswith(b"503")
        assert talk.ask(b"MAIL FROM:<a@b.example>").startswith(b"503")
        offered = talk.expect(b"EHLO again", b"250")
        assert b"STARTTLS" not in offered
        talk.expect(b"MAIL FROM:<a@b.example>", b"250")


def test_imap_commands_behind_starttls_do_not_run(server: Server) -> None:
    with server.talk("imap") as talk:
        talk.line()
        talk.send(b"a STARTTLS\r\nb NOOP\r\n")
        said = talk.closed()
        assert b"b OK" not in said
        assert b"a OK" not in said
