"""A domain with a trust list takes mail from it only: anybody else hears a temporary refusal, which is counted."""

from __future__ import annotations

from tests.security.conftest import FILTERED, OPEN, TRUSTED
from tests.support.server import Server


def test_a_stranger_is_refused_for_now_only(server: Server) -> None:
    with server.talk("smtp") as talk:
        talk.greet()
        talk.expect(b"MAIL FROM:<a@b.example>", b"250")
        assert talk.ask(b"RCPT TO:<ben@%s>" % FILTERED.encode()).startswith(b"451 4.7.1")
        talk.expect(b"RCPT TO:<ben@%s>" % OPEN.encode(), b"250")


def test_the_filter_is_taken_and_its_connection_test_answered(server: Server) -> None:
    with server.talk("smtp", source=TRUSTED) as talk:
        talk.greet()
        talk.expect(b"MAIL FROM:<>", b"250")
        talk.expect(b"RCPT TO:<ben@%s>" % FILTERED.encode(), b"250")
        talk.expect(b"QUIT", b"221")


def test_errors_do_not_bind_a_trusted_peer(server: Server) -> None:
    with server.talk("smtp", source=TRUSTED) as talk:
        talk.greet()
        for _ in range(40):
            assert talk.ask(b"JUNK").startswith(b"500")
        talk.expect(b"NOOP", b"250")
