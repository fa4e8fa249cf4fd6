"""A shared mailbox is its readers' and nobody else's: no sign-in of its own, and access that is withdrawn ends."""

from __future__ import annotations

import imaplib
import smtplib

import pytest

from tests.security.conftest import FILTERED, OPEN
from tests.support.server import PASSWORD, Server
from tests.support.waiting import until

BEN, CARLA, OTHER = f"ben@{OPEN}", f"carla@{OPEN}", f"ben@{FILTERED}"
MAIL = b"From: x@elsewhere.example\r\nSubject: to the desk\r\n\r\nhello\r\n"


def count(client: imaplib.IMAP4, name: str) -> int:
    status, found = client.status(name, "(MESSAGES)")
    assert status == "OK", found
    return int(found[0].split()[-1].rstrip(b")"))  # type: ignore[union-attr]


def test_one_copy_for_all_readers(server: Server) -> None:
    desk = f"desk@{OPEN}"
    server.cli("address", "add", desk, "--shared", BEN, "--shared", CARLA)
    assert server.json("mailbox", "show", desk)["kind"] == "shared"
    before = len(server.shown(BEN)), len(server.shown(CARLA))
    assert server.deliver(MAIL, [desk, f"desk+tag@{OPEN}"]).startswith(b"250")
    until(lambda: server.json("mailbox", "show", desk)["messages"] == 1, "one copy")
    ben, carla = server.imap(BEN), server.imap(CARLA)
    for client in (ben, carla):
        assert count(client, "Shared/desk") == 1
    assert (len(server.shown(BEN)), len(server.shown(CARLA))) == before
    ben.select("Shared/desk")
    carla.select("Shared/desk")
    ben.store("1", "+FLAGS", "(\\Seen $ours)")
    assert b"$ours" in carla.fetch("1", "(FLAGS)")[1][0]  # type: ignore[operator]
    # to own mail and back
    carla.copy("1", "INBOX")
    assert ben._simple_command("MOVE", "1", "INBOX")[0] == "OK"
    assert count(carla, "Shared/desk") == 0
    # what a reader files there is the desk's, and stays so over a restart
    assert carla.append("Shared/desk", "(\\Seen)", "", MAIL)[0] == "OK"  # type: ignore[arg-type]
    server.restart()
    ben = server.imap(BEN)
    assert count(ben, "Shared/desk") == 1
    assert server.json("mailbox", "show", desk)["messages"] == 1
    server.cli("address", "remove", desk)
    assert ben.select("Shared/desk")[0] == "NO"


def test_nobody_signs_in_to_it(server: Server) -> None:
    shared = f"nologin@{OPEN}"
    server.cli("address", "add", shared, "--shared", BEN)
    server.cli("address", "add", f"nologin2@{OPEN}", "--alias-of", shared)
    for user in (shared, f"nologin2@{OPEN}"):
        for password in ("", PASSWORD):
            with pytest.raises(imaplib.IMAP4.error):
                server.imap(user, password)
            with pytest.raises(smtplib.SMTPAuthenticationError):
                server.submission(user, password)


def test_readers_and_senders_may_write_as_it_and_nobody_else(server: Server) -> None:
    shared = f"sales@{OPEN}"
    server.cli("address", "add", shared, "--shared", BEN, "--send-as", CARLA)
    message = f"From: Sales <{shared}>\r\nTo: {CARLA}\r\nSubject: from the desk\r\n\r\nx\r\n"
    for user in (BEN, CARLA):
        with server.submission(user) as client:
            client.sendmail(shared, [CARLA], message)
    with server.submission(OTHER) as client, pytest.raises(smtplib.SMTPSenderRefused):
        client.sendmail(shared, [CARLA], message)
    # who may only send as it does not read it
    assert server.imap(CARLA).select("Shared/sales")[0] == "NO"


def test_access_that_is_withdrawn_ends_the_session_that_looks(server: Server) -> None:
    shared = f"gone@{OPEN}"
    server.cli("address", "add", shared, "--shared", BEN, "--shared", CARLA)
    ben, carla = server.imap(BEN), server.imap(CARLA)
    ben.select("Shared/gone")
    carla.select("INBOX")
    server.cli("address", "set", shared, "--shared", CARLA)
    with pytest.raises(imaplib.IMAP4.error):
        ben.noop()
        ben.noop()
    assert server.imap(BEN).select("Shared/gone")[0] == "NO"
    assert carla.select("Shared/gone")[0] == "OK"
    assert server.json("mailbox", "disable", shared)["state"] == "disabled"
    assert server.imap(CARLA).select("Shared/gone")[0] == "NO"
    server.cli("mailbox", "enable", shared)
    carla = server.imap(CARLA)
    assert carla.select("Shared/gone")[0] == "OK"
    # and a mailbox that is removed takes every session that looks at it along
    server.cli("address", "remove", shared)
    with pytest.raises(imaplib.IMAP4.error):
        carla.noop()
        carla.noop()


def test_another_owner_of_the_address_sees_none_of_its_mail(server: Server) -> None:
    shared = f"again@{OPEN}"
    server.cli("address", "add", shared, "--shared", BEN)
    assert server.deliver(MAIL, [shared]).startswith(b"250")
    until(lambda: server.json("mailbox", "show", shared)["messages"] == 1, "it is there")
    server.cli("address", "remove", shared)
    server.cli("address", "add", shared, "--shared", CARLA)
    assert count(server.imap(CARLA), "Shared/again") == 0
    assert server.imap(BEN).select("Shared/again")[0] == "NO"


def test_mail_that_came_before_it_was_listed_is_its_own(server: Server) -> None:
    shared = f"early@{OPEN}"
    assert server.deliver(MAIL, [shared]).startswith(b"250")
    server.cli("address", "add", shared, "--shared", BEN)
    until(lambda: count(server.imap(BEN), "Shared/early") == 1, "the unclaimed message")


def test_two_of_one_name_in_two_domains(server: Server) -> None:
    for domain in (OPEN, FILTERED):
        server.cli("address", "add", f"twin@{domain}", "--shared", BEN)
    assert server.deliver(MAIL, [f"twin@{OPEN}"]).startswith(b"250")
    client = server.imap(BEN)
    until(lambda: count(client, "Shared/twin") == 1, "the older one has the short name")
    assert count(client, f"Shared/twin@{FILTERED}") == 0


def test_an_address_that_changed_hands_before_the_server_heard_of_it(server: Server) -> None:
    """Two changes of the catalog that the server learns of at once."""
    shared = f"hands@{OPEN}"
    server.cli("address", "add", shared, "--shared", BEN)
    assert server.deliver(MAIL, [shared]).startswith(b"250")
    until(lambda: server.json("mailbox", "show", shared)["messages"] == 1, "it is there")
    ben = server.imap(BEN)
    assert ben.select("Shared/hands")[0] == "OK"
    wake = server.state / "wake.sock"
    wake.rename(server.state / "aside.sock")
    server.cli("address", "remove", shared)
    server.cli("address", "add", shared, "--shared", CARLA, "--shared", BEN)
    (server.state / "aside.sock").rename(wake)
    server.cli("mailbox", "set", CARLA, "--name", "Carla")
    with pytest.raises(imaplib.IMAP4.error):
        ben.noop()
        ben.noop()
    carla = server.imap(CARLA)
    assert count(carla, "Shared/hands") == 0
    assert server.deliver(MAIL, [shared]).startswith(b"250")
    until(lambda: server.json("mailbox", "show", shared)["messages"] == 1, "the new one")
    assert carla.select("Shared/hands") == ("OK", [b"1"])
    assert carla.fetch("1", "(BODY.PEEK[])")[0] == "OK"
    server.restart()
    assert count(server.imap(CARLA), "Shared/hands") == 1
