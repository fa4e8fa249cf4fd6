"""What is committed: who gets a copy, what is owed, what is counted; and messages of our own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import select

from stratamail.capture.capture import COUNT_EVERY
from stratamail.mail.envelope import Envelope, Recipient
from stratamail.mail.reply import Failure
from stratamail.store.queue.schema import counters
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Mailbox
from tests.support.smtp_door import DoorFixture, example_directory

BODY = b"Subject: hi\r\n\r\nHello\r\n"


@pytest.fixture
def door(tmp_path: Path) -> DoorFixture:
    return DoorFixture(tmp_path)


def test_hash_and_size_are_of_the_bytes_as_they_came(door: DoorFixture) -> None:
    door.talk().send(b"<a@b.example>", [b"<ben@open.example>"], BODY)
    (kept,) = door.kept
    assert kept.sha256 == hashlib.sha256(BODY).hexdigest() and kept.size == len(BODY)
    assert kept.source.helo == "client.example" and kept.source.peer == "198.51.100.7" and not kept.source.trusted
    assert kept.envelope.sender == "a@b.example" and kept.arrived == 1_700_000_000_000_000


def test_parameters_of_the_envelope_are_kept(door: DoorFixture) -> None:
    talk = door.talk()
    talk.say("MAIL FROM:<jürgen@b.example> SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=QQ+3D1 SIZE=30\r\n".encode())
    talk.say("RCPT TO:<Jo@Bücher.example> NOTIFY=failure,delay ORCPT=utf-8;jö@x\r\nDATA\r\n".encode())
    assert talk.say(BODY + b".\r\n").startswith(b"250")
    (kept,) = door.kept
    wanted = Recipient("Jo@Bücher.example", "FAILURE,DELAY", "utf-8;jö@x")
    assert kept.envelope == Envelope("jürgen@b.example", (wanted,), "8BITMIME", True, "HDRS", "QQ+3D1", 30)
    assert kept.mailboxes == (5,)
    (owed,) = kept.deliveries
    assert (owed.recipient, owed.key) == ("Jo@Bücher.example", "jo@xn--bcher-kva.example")
    assert (owed.notify, owed.orcpt, owed.lane) == ("FAILURE,DELAY", "utf-8;jö@x", "xn--bcher-kva.example")
    assert b" with UTF8SMTP id " in kept.trace


def test_who_is_enrolled_while_the_body_comes_gets_the_copy(door: DoorFixture) -> None:
    talk = door.talk()
    talk.say(b"MAIL FROM:<>\r\nRCPT TO:<new@open.example>\r\nDATA\r\n")
    before = door.directory
    boxes = [*before.mailboxes(), Mailbox(9, 2, 1, "new@open.example")]
    door.directory = Directory(before.domains(), boxes)
    talk.say(BODY + b".\r\n")
    (kept,) = door.kept
    assert kept.mailboxes == (9,) and kept.unclaimed == ()


def test_what_was_accepted_stays_accepted(door: DoorFixture) -> None:
    talk = door.talk()
    talk.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@open.example>\r\nDATA\r\n")
    door.directory = Directory()
    assert talk.say(BODY + b".\r\n").startswith(b"250")
    assert [owed.lane for owed in door.kept[0].deliveries] == ["open.example"]


def test_hosts_outside_the_list_are_counted(door: DoorFixture) -> None:
    talk = door.talk()
    for _ in range(3):
        talk.say(b"MAIL FROM:<>\r\nRCPT TO:<ben@filtered.example>\r\nRSET\r\n")
    door.clock.advance(COUNT_EVERY)
    with door.committer.engine.begin() as conn:
        rows = conn.execute(select(counters.c.name, counters.c.value)).all()
    assert [tuple(row) for row in rows] == [("untrusted:filtered.example", 3)]


def test_a_peer_on_the_list_is_kept_as_it_is(door: DoorFixture) -> None:
    body = BODY + b"bare\nline\rends\r\n"
    assert door.talk("192.0.2.9").send(b"<>", [b"<ben@filtered.example>"], body).startswith(b"250")
    assert door.kept[0].body == body and door.kept[0].source.trusted
    assert door.talk().send(b"<>", [b"<ben@open.example>"], body).startswith(b"550 5.5.2")


def test_postmaster_without_domain_is_taken_and_kept(door: DoorFixture) -> None:
    assert door.talk().send(b"<>", [b"<postmaster>"], BODY).startswith(b"250")
    (kept,) = door.kept
    assert kept.unclaimed == ("postmaster@mx.example.net",) and kept.deliveries == () and kept.mailboxes == ()


def test_messages_of_our_own_are_shown_and_owed(door: DoorFixture) -> None:
    done = door.capture.take(Envelope("", (Recipient("ben@open.example"),)), BODY)
    taken: list[object] = []
    done.addCallback(taken.append)
    assert len(taken) == 1
    (kept,) = door.kept
    assert kept.mailboxes == (1,) and kept.body == BODY and kept.trace == b""
    assert [owed.destination for owed in kept.deliveries] == ["primary"]


def test_messages_of_our_own_go_to_nobody_else(door: DoorFixture) -> None:
    done = door.capture.take(Envelope("", (Recipient("x@foreign.example"),)), BODY)
    failed: list[type[BaseException]] = []
    done.addErrback(lambda failure: failed.append(failure.type))
    assert failed and issubclass(failed[0], Failure) and not door.kept


def test_a_fault_of_ours_is_temporary_and_logged(door: DoorFixture) -> None:
    class Broken(Directory):
        def resolve(self, address: str) -> None:  # type: ignore[override]
            raise KeyError(address)

    talk = door.talk()
    door.directory = Broken(example_directory().domains())
    talk.say(b"MAIL FROM:<>\r\n")
    assert talk.say(b"RCPT TO:<ben@open.example>\r\n").startswith(b"451 4.3.0")
    door.committer.fail = RuntimeError("bug")
    door.directory = example_directory()
    talk.say(b"RSET\r\n")
    assert talk.send(b"<>", [b"<ben@open.example>"], BODY).startswith(b"451 4.3.0")
