"""A signed-in user sends as an address of theirs and as no other; a disabled one does not come in."""

from __future__ import annotations

import imaplib
import smtplib

import pytest

from tests.security.conftest import OPEN
from tests.support.server import PASSWORD, Server

BEN, CARLA = f"ben@{OPEN}", f"carla@{OPEN}"


@pytest.mark.parametrize("sender", [CARLA, "ceo@elsewhere.example", f"nobody@{OPEN}"])
def test_a_foreign_sender_is_refused(server: Server, sender: str) -> None:
    client = server.submission(BEN)
    code, said = client.docmd(f"MAIL FROM:<{sender}>")
    assert (code, said[:3]) in {(553, b"5.7"), (550, b"5.7")}, (code, said)
    client.quit()


@pytest.mark.parametrize("envelope", [BEN, ""])
def test_a_foreign_from_is_refused_whatever_the_envelope_says(server: Server, envelope: str) -> None:
    with server.submission(BEN) as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail(envelope, [CARLA], f"From: <{CARLA}>\r\nSubject: forged\r\n\r\nx\r\n")
    assert refused.value.smtp_code == 550
    assert server.shown(CARLA) == []


def test_own_addresses_are_taken(server: Server) -> None:
    server.cli("address", "add", f"sales@{OPEN}", "--alias-of", BEN)
    client = server.submission(BEN)
    for sender in (BEN, BEN.upper(), f"sales@{OPEN}"):
        assert client.docmd(f"MAIL FROM:<{sender}>")[0] == 250
        client.rset()
    client.quit()


def test_a_wrong_password_is_refused_at_every_door(server: Server) -> None:
    for user, password in ((BEN, "wrong horse 9"), (BEN, ""), (f"nobody@{OPEN}", PASSWORD)):
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            server.submission(user, password)
        assert refused.value.smtp_code == 535
        with pytest.raises(imaplib.IMAP4.error):
            server.imap(user, password)


def test_a_right_password_is_never_locked_out(server: Server) -> None:
    for _ in range(4):
        with pytest.raises(imaplib.IMAP4.error):
            server.imap(CARLA, "wrong horse 9")
    server.imap(CARLA).logout()


def test_disable_ends_sign_in_and_sessions_while_mail_goes_on(server: Server) -> None:
    user = f"leaver@{OPEN}"
    server.add_mailboxes(user)
    client = server.imap(user)
    client.select("INBOX")
    server.cli("mailbox", "disable", user)
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        client.noop()
        client.noop()
    with pytest.raises(imaplib.IMAP4.error):
        server.imap(user)
    assert server.deliver(b"Subject: still\r\n\r\nx\r\n", [user]).startswith(b"250")
    server.cli("mailbox", "enable", user)
    assert len(server.shown(user)) == 1
