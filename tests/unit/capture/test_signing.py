"""What a user submits is signed by the author's domain, small or large, and passes on signed whatever is its way."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

import dkim
import pytest

from stratamail.capture.signing import Signer, author_domain
from stratamail.mail import dkim_signing
from stratamail.mail.dkim_signing import ALGORITHMS, Key
from stratamail.store.spool import SMALL
from stratamail.tenancy.model import Mailbox
from tests.support.smtp_door import DoorFixture, InlinePool

PEMS = {algorithm: dkim_signing.make(algorithm) for algorithm in ALGORITHMS}
LOGIN = b"AUTH PLAIN " + base64.b64encode(b"\0ben@open.example\0right") + b"\r\n"


def keys(domain: str) -> Sequence[Key]:
    if domain != "open.example":
        return ()
    return [Key(domain, f"s-{name}", dkim_signing.read(pem)) for name, pem in PEMS.items()]


def key_record(name: bytes, timeout: int = 5) -> bytes:
    assert name.endswith(b"._domainkey.open.example.")
    return dkim_signing.record(PEMS[name.split(b".")[0].decode().removeprefix("s-")]).encode()


@pytest.fixture
def door(tmp_path: Path) -> DoorFixture:
    async def signin(user: str, password: str, peer: str) -> Mailbox | None:
        return Mailbox(1, 2, 1, "ben@open.example")

    door = DoorFixture(tmp_path, kind="submission", signin=signin)
    door.capture.signer = Signer(keys, InlinePool())  # type: ignore[arg-type]
    return door


def submit(door: DoorFixture, body: bytes, recipient: bytes = b"<x@far.example>") -> bytes:
    """The whole of what is stored."""
    talk = door.talk("127.0.0.1", "127.0.0.1")
    assert talk.say(LOGIN).startswith(b"235")
    assert talk.send(b"<ben@open.example>", [recipient], body).startswith(b"250")
    kept = door.kept[-1]
    content = kept.trace + kept.body if kept.body is not None else Path(door.layout.message(kept.id)).read_bytes()
    assert content.startswith(kept.trace) and len(content) == len(kept.trace) + kept.size
    assert hashlib.sha256(content[len(kept.trace) :]).hexdigest() == kept.sha256
    return content


def verified(content: bytes) -> list[bool]:
    return [dkim.DKIM(content).verify(idx=index, dnsfunc=key_record) for index in range(2)]


@pytest.mark.parametrize("size", [0, 100, SMALL, SMALL + 1, 300_000, 3_000_000])
def test_signed_under_both_whatever_its_size(door: DoorFixture, size: int) -> None:
    text = (b"word  word \r\n" * (size // 13 + 1))[:size] + b"\r\n"
    content = submit(door, b"From: Ben <ben@open.example>\r\nSubject: hi\r\nBcc: hid@far.example\r\n\r\n" + text)
    assert content.startswith(b"Received: ") and content.count(b"\r\nDKIM-Signature: ") == 2
    assert b"d=open.example;" in content and b"Bcc" not in content
    assert verified(content) == [True, True]


def test_mail_between_colleagues_too(door: DoorFixture) -> None:
    content = submit(door, b"From: ben@open.example\r\n\r\nHello\r\n", b"<carla@open.example>")
    assert verified(content) == [True, True]
    assert [one.destination for one in door.kept[-1].deliveries] == ["primary"]


def test_a_domain_without_keys_signs_nothing(door: DoorFixture) -> None:
    door.capture.signer = Signer(lambda domain: (), InlinePool())  # type: ignore[arg-type]
    assert b"DKIM-Signature" not in submit(door, b"From: ben@open.example\r\n\r\nHello\r\n")


def test_a_message_without_author_is_not_signed(door: DoorFixture) -> None:
    assert b"DKIM-Signature" not in submit(door, b"Subject: none\r\n\r\nHello\r\n")


def test_keys_that_fail_are_no_bounce(door: DoorFixture) -> None:
    class Broken(InlinePool):
        def run(self, function: object, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            raise RuntimeError("broken")

    door.capture.signer = Signer(keys, Broken())  # type: ignore[arg-type]
    talk = door.talk("127.0.0.1", "127.0.0.1")
    talk.say(LOGIN)
    reply = talk.send(b"<ben@open.example>", [b"<x@far.example>"], b"From: ben@open.example\r\n\r\nHello\r\n")
    assert reply.startswith(b"451") and not door.kept


def test_inbound_mail_is_not_signed_and_marked_when_it_bears_a_signature(tmp_path: Path) -> None:
    door = DoorFixture(tmp_path)
    door.capture.signer = Signer(keys, InlinePool())  # type: ignore[arg-type]
    told: list[bool] = []
    door.capture.on_unjudged = lambda: told.append(True)
    talk = door.talk()
    talk.send(b"<a@open.example>", [b"<ben@open.example>"], b"From: a@open.example\r\n\r\nDKIM-Signature: x\r\n")
    talk.send(b"<a@b.example>", [b"<ben@open.example>"], b"From: a@b.example\r\ndkim-SIGNATURE: v=1\r\n\r\nhi\r\n")
    assert [kept.dkim for kept in door.kept] == ["none", ""] and told == [True]
    assert not any(b"DKIM" in kept.trace for kept in door.kept)


@pytest.mark.parametrize(
    ("header", "domain"),
    [
        (b"From: Ben <ben@Open.Example>\r\n", "open.example"),
        ("From: jo@Bücher.example\r\n".encode(), "xn--bcher-kva.example"),
        (b"From: a@one.example, b@two.example\r\n", "one.example"),
        (b"Sender: a@one.example\r\n", ""),
        (b"From: \xff\xfe\r\n", ""),
    ],
)
def test_who_signs(header: bytes, domain: str) -> None:
    assert author_domain(header) == domain
