"""A disabled mailbox and a changed password are in force when the command returns: sessions end, mail goes on."""

from __future__ import annotations

import imaplib
import smtplib

import pytest

from tests.security.conftest import OPEN
from tests.support.server import PASSWORD, Server
from tests.support.waiting import until


def test_disable_ends_sessions_and_sign_in_but_not_mail(server: Server) -> None:
    address = f"leaver@{OPEN}"
    server.add_mailboxes(address)
    session = server.imap(address)
    server.cli("mailbox", "disable", address)
    with pytest.raises(imaplib.IMAP4.error):
        session.noop()
        session.noop()
    with pytest.raises(imaplib.IMAP4.error):
        server.imap(address)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        server.submission(address)
    assert server.deliver(b"Subject: goes on\r\n\r\nx\r\n", [address]).startswith(b"250")
    server.cli("mailbox", "enable", address)
    until(lambda: len(server.shown(address)) == 1, "what came meanwhile is there")


def test_a_changed_password_is_in_force_at_once(server: Server) -> None:
    address = f"changer@{OPEN}"
    server.add_mailboxes(address)
    server.imap(address).logout()
    server.cli("mailbox", "set", address, "--password-stdin", stdin="quite another\r\n")
    with pytest.raises(imaplib.IMAP4.error):
        server.imap(address, PASSWORD)
    server.imap(address.upper(), "quite another").logout()


def test_an_alias_signs_in_and_a_group_does_not(server: Server) -> None:
    address, alias, group = f"person@{OPEN}", f"alias@{OPEN}", f"group@{OPEN}"
    server.add_mailboxes(address)
    server.cli("address", "add", alias, "--alias-of", address)
    server.cli("address", "add", group, "--group", address)
    server.imap(alias).logout()
    with pytest.raises(imaplib.IMAP4.error):
        server.imap(group)
    assert server.deliver(b"Subject: once\r\n\r\nx\r\n", [alias, group, f"person+tag@{OPEN}"]).startswith(b"250")
    until(lambda: len(server.shown(address)) == 1, "one copy for the one mailbox behind three addresses")
