"""Whoever gets a former colleague's address gets the address only: no mail of the one who had it before."""

from __future__ import annotations

from tests.security.conftest import OPEN
from tests.support.server import Server
from tests.support.waiting import until

MAIL = b"Subject: for the first owner\r\n\r\nsecret\r\n"


def test_a_new_mailbox_of_an_old_address_is_empty(server: Server) -> None:
    address = f"former@{OPEN}"
    server.add_mailboxes(address)
    assert server.deliver(MAIL, [address]).startswith(b"250")
    until(lambda: len(server.shown(address)) == 1, "the message is shown")
    session = server.imap(address)
    session.select("INBOX")

    server.cli("mailbox", "remove", address)
    server.add_mailboxes(address)

    assert server.shown(address) == []
    assert server.json("mailbox", "show", address)["messages"] == 0
    # what is owed to the primary does not go with the mailbox
    assert any(row["recipient"] == address for row in server.queue())
    assert server.deliver(b"Subject: for the second\r\n\r\nx\r\n", [address]).startswith(b"250")
    until(lambda: len(server.shown(address)) == 1, "only the new message is shown")
    assert b"for the second" in server.shown(address)[0]
