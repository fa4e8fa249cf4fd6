"""Nobody relays through us: not to foreign domains, and not by a route hidden in a local part."""

from __future__ import annotations

import pytest

from tests.security.conftest import FILTERED, OPEN, TRUSTED
from tests.support.server import Server


@pytest.mark.parametrize(
    "recipient",
    [
        "victim@elsewhere.example",
        f"victim%elsewhere.example@{OPEN}",
        f"elsewhere.example!victim@{OPEN}",
        f'"victim@elsewhere.example"@{OPEN}',
        f"@{OPEN}:victim@elsewhere.example",
        "victim@[127.0.0.1]",
        f"victim@{OPEN}.elsewhere.example",
        f"victim@sub.{OPEN}",
    ],
)
def test_a_foreign_recipient_is_refused_for_good(server: Server, recipient: str) -> None:
    with server.talk("smtp") as talk:
        talk.greet()
        talk.expect(b"MAIL FROM:<a@b.example>", b"250")
        said = talk.ask(b"RCPT TO:<%s>" % recipient.encode())
        assert said.startswith((b"550 5.7.1", b"554 5.7.1")), said
        assert talk.ask(b"DATA")[:3] in (b"503", b"554")


def test_a_trusted_filter_may_not_relay_either(server: Server) -> None:
    with server.talk("smtp", source=TRUSTED) as talk:
        talk.greet()
        talk.expect(b"MAIL FROM:<a@b.example>", b"250")
        for recipient in (b"x@elsewhere.example", b"x%%elsewhere.example@%s" % FILTERED.encode()):
            assert talk.ask(b"RCPT TO:<%s>" % recipient).startswith(b"55")


def test_nobody_submits_without_a_password(server: Server) -> None:
    with server.talk("submission") as talk:
        talk.greet()
        assert talk.ask(b"MAIL FROM:<ben@%s>" % OPEN.encode()).startswith(b"530")
        assert talk.ask(b"RCPT TO:<x@elsewhere.example>").startswith(b"5")


def test_postmaster_is_always_taken(server: Server) -> None:
    with server.talk("smtp") as talk:
        talk.greet()
        talk.expect(b"MAIL FROM:<>", b"250")
        talk.expect(b"RCPT TO:<postmaster@%s>" % OPEN.encode(), b"250")
        talk.expect(b"RSET", b"250")
