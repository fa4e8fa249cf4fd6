"""Submission: who may sign in, as whom they may send, and what becomes of what they send."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from stratamail.mail.reply import Unavailable
from stratamail.tenancy.model import Mailbox
from tests.support.smtp_door import DoorFixture, Talk

FROM_BEN = b"From: Ben <ben@open.example>\r\nSubject: hi\r\n\r\nHello\r\n"


def plain(user: str, password: str) -> bytes:
    return base64.b64encode(f"\0{user}\0{password}".encode())


class SignIn:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.error: Exception | None = None
        self.wait: Deferred[None] | None = None

    async def __call__(self, user: str, password: str, peer: str) -> Mailbox | None:
        self.asked.append((user, password, peer))
        if self.wait is not None:
            await self.wait
        if self.error is not None:
            raise self.error
        return Mailbox(1, 2, 1, "ben@open.example") if password == "right" else None


@pytest.fixture
def signin() -> SignIn:
    return SignIn()


@pytest.fixture
def door(tmp_path: Path, signin: SignIn) -> DoorFixture:
    return DoorFixture(tmp_path, kind="submission", signin=signin)


def local(door: DoorFixture) -> Talk:
    return door.talk("127.0.0.1", "127.0.0.1")


def signed_in(door: DoorFixture) -> Talk:
    talk = local(door)
    assert talk.say(b"AUTH PLAIN " + plain("ben@open.example", "right") + b"\r\n").startswith(b"235 2.7.0")
    return talk


def test_no_mail_before_sign_in(door: DoorFixture) -> None:
    assert local(door).say(b"MAIL FROM:<ben@open.example>\r\n").startswith(b"530 5.7.0")


def test_auth_in_clear_on_loopback_only(door: DoorFixture) -> None:
    talk = door.connect()
    assert b"AUTH" not in talk.say(b"EHLO x\r\n")
    assert talk.say(b"AUTH PLAIN " + plain("a", "b") + b"\r\n").startswith(b"538 5.7.11")
    talk = door.connect("127.0.0.1", "127.0.0.1")
    assert b"250-AUTH PLAIN LOGIN" in talk.say(b"EHLO x\r\n").replace(b"250 AUTH", b"250-AUTH")


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([b"AUTH PLAIN " + plain("u", "right")], b"235"),
        ([b"AUTH PLAIN", plain("u", "right")], b"235"),
        ([b"auth login", base64.b64encode(b"u"), base64.b64encode(b"right")], b"235"),
        ([b"AUTH LOGIN " + base64.b64encode(b"u"), base64.b64encode(b"right")], b"235"),
        ([b"AUTH PLAIN " + plain("u", "wrong")], b"535 5.7.8"),
        ([b"AUTH PLAIN", b"*"], b"501 5.7.0"),
        ([b"AUTH PLAIN !!!"], b"501 5.5.2"),
        ([b"AUTH PLAIN " + base64.b64encode(b"other\0u\0right")], b"535 5.7.8"),
        ([b"AUTH PLAIN " + base64.b64encode(b"no nul")], b"501 5.5.2"),
        ([b"AUTH CRAM-MD5"], b"504 5.5.4"),
        ([b"AUTH"], b"501 5.5.4"),
        ([b"AUTH PLAIN " + plain("u", "right"), b"AUTH PLAIN " + plain("u", "right")], b"503 5.5.1"),
        ([b"AUTH PLAIN " + b"A" * 8000 + b"=="], b"501 5.5.2"),
        ([b"AUTH PLAIN " + b"A" * 13000], b"500 5.5.2"),
    ],
)
def test_auth(door: DoorFixture, lines: list[bytes], code: bytes) -> None:
    talk = local(door)
    for line in lines:
        reply = talk.say(line + b"\r\n")
    assert reply.startswith(code), reply


def test_a_fault_at_sign_in_is_temporary(door: DoorFixture, signin: SignIn) -> None:
    signin.error = Unavailable()
    assert local(door).say(b"AUTH PLAIN " + plain("u", "right") + b"\r\n").startswith(b"4")


def test_nothing_is_read_while_a_password_is_checked(door: DoorFixture, signin: SignIn) -> None:
    signin.wait = Deferred()
    talk = local(door)
    assert talk.say(b"AUTH PLAIN " + plain("u", "right") + b"\r\nMAIL FROM:<ben@open.example>\r\n") == b""
    signin.wait.callback(None)
    assert [line[:3] for line in talk.heard().splitlines()] == [b"235", b"250"]


@pytest.mark.parametrize(
    ("sender", "code"),
    [
        (b"<ben@open.example>", b"250"),
        (b"<BEN+x@Open.Example>", b"250"),
        (b"<>", b"250"),
        (b"<carla@open.example>", b"553 5.7.1"),
        (b"<ben@foreign.example>", b"553 5.7.1"),
        (b"<eve@other.example>", b"553 5.7.1"),
    ],
)
def test_senders(door: DoorFixture, sender: bytes, code: bytes) -> None:
    assert signed_in(door).say(b"MAIL FROM:" + sender + b"\r\n").startswith(code)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (b"From: ben@open.example\r\n", b"250"),
        (b"From: Ben <BEN@OPEN.EXAMPLE>\r\nSender: <ben+a@open.example>\r\n", b"250"),
        (b"Subject: no author\r\n", b"250"),
        (b"From: carla@open.example\r\n", b"550 5.7.1"),
        (b'From: "ben@open.example" <carla@open.example>\r\n', b"550 5.7.1"),
        (b"From: ben@open.example, carla@open.example\r\n", b"550 5.7.1"),
        (b"From: ben@open.example\r\nFrom: carla@open.example\r\n", b"550 5.7.1"),
        (b"From: ben@open.example\r\nSender: carla@open.example\r\n", b"550 5.7.1"),
        (b"From: nobody at all\r\n", b"550 5.7.1"),
    ],
)
def test_authors(door: DoorFixture, header: bytes, code: bytes) -> None:
    talk = signed_in(door)
    body = header + b"\r\nbody\r\n"
    assert talk.send(b"<ben@open.example>", [b"<carla@open.example>"], body).startswith(code)
    assert len(door.kept) == (code == b"250")


def test_where_mail_goes(door: DoorFixture) -> None:
    talk = signed_in(door)
    to = [b"<carla@open.example>", b"<eve@other.example>", b"<x@Foreign.Example>", b"<nobody@strict.example>"]
    commands = b"MAIL FROM:<ben@open.example>\r\n" + b"".join(b"RCPT TO:" + one + b"\r\n" for one in to)
    replies = talk.say(commands).splitlines()
    assert [line[:9] for line in replies] == [b"250 2.1.0"] + [b"250 2.1.5"] * 3 + [b"550 5.1.1"]
    talk.say(b"DATA\r\n")
    assert talk.say(FROM_BEN + b".\r\n").startswith(b"250")
    (kept,) = door.kept
    assert kept.kind == "submitted" and kept.source.user == "ben@open.example"
    assert kept.mailboxes == (2,)
    assert [(d.recipient, d.domain, d.destination, d.lane) for d in kept.deliveries] == [
        ("carla@open.example", "open.example", "primary", "open.example"),
        ("eve@other.example", "open.example", "world", "other.example"),
        ("x@Foreign.Example", "open.example", "world", "foreign.example"),
    ]


def test_the_header_is_completed(door: DoorFixture) -> None:
    signed_in(door).send(
        b"<ben@open.example>", [b"<carla@open.example>"], b"Bcc: s@x.example,\r\n t@x.example\r\n" + FROM_BEN
    )
    (kept,) = door.kept
    assert kept.body is not None
    lines = kept.body.split(b"\r\n")
    assert lines[0] == b"Date: Tue, 14 Nov 2023 22:13:20 +0000"
    assert lines[1] == b"Message-ID: <" + kept.id.encode() + b"@mx.example.net>"
    assert kept.body.endswith(b"\r\n" + FROM_BEN) and b"s@x" not in kept.body
    assert kept.size == len(kept.body)
    assert b" with ESMTPA id " in kept.trace


def test_what_is_complete_stays_as_it_is(door: DoorFixture) -> None:
    body = b"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <a@b>\r\n" + FROM_BEN + b"\nbare\rends\r\n"
    talk = signed_in(door)
    talk.say(b"MAIL FROM:<ben@open.example>\r\nRCPT TO:<carla@open.example>\r\nDATA\r\n")
    for at in range(len(body)):
        talk.session.dataReceived(body[at : at + 1])
    assert talk.say(b".\r\n").startswith(b"250")
    assert door.kept[0].body == body


def test_a_header_without_end_is_refused(door: DoorFixture) -> None:
    body = b"From: ben@open.example\r\n" + b"X: y\r\n" * 200_000
    talk = signed_in(door)
    assert talk.send(b"<ben@open.example>", [b"<carla@open.example>"], body).startswith(b"552 5.3.4")


def test_postmaster_without_domain_is_the_users_own(door: DoorFixture) -> None:
    signed_in(door).send(b"<ben@open.example>", [b"<postmaster>"], FROM_BEN)
    assert [d.recipient for d in door.kept[0].deliveries] == ["postmaster@open.example"]


def test_drop_ends_the_sessions_of_a_disabled_mailbox(door: DoorFixture) -> None:
    talk, other = signed_in(door), local(door)
    talk.heard()
    door.factory.drop({1})
    assert talk.heard().startswith(b"421 4.7.0") and talk.closed
    assert not other.closed


def test_submissions_needs_tls(tmp_path: Path, signin: Any) -> None:
    with pytest.raises(ValueError, match="TLS"):
        DoorFixture(tmp_path, kind="submissions", signin=signin)
