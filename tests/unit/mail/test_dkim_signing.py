"""What we sign verifies with dkimpy under both algorithms, and only as it was written."""

from __future__ import annotations

import dkim
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from stratamail.mail import dkim_signing
from stratamail.mail.dkim_signing import ALGORITHMS, Key, Signing
from stratamail.mail.headers import header_end

MESSAGE = (
    b"From: Anna <anna@acme.example>\r\nTo: ben@far.example\r\nCc: one@far.example,\r\n\ttwo@far.example\r\n"
    b"Subject: Figures  of\r\n the week\r\nDate: Tue, 24 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@acme.example>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nX-Mailer: any\r\n"
    b"\r\nGood  morning, \r\n\r\n.dots stay\r\n\r\n"
)
PEMS = {algorithm: dkim_signing.make(algorithm) for algorithm in ALGORITHMS}
KEYS = [Key("acme.example", f"s-{name}", dkim_signing.read(pem)) for name, pem in PEMS.items()]


def key_record(name: bytes, timeout: int = 5) -> bytes:
    selector = name.split(b".")[0].decode()
    return dkim_signing.record(PEMS[selector.removeprefix("s-")]).encode()


def signed(message: bytes = MESSAGE, cuts: int = 7) -> bytes:
    end = header_end(message)
    signing = Signing(KEYS, message[:end], 1_700_000_000)
    for at in range(end, len(message), cuts):
        signing.feed(message[at : at + cuts])
    fields = signing.fields()
    assert len(fields) == signing.size
    return fields + message


def verifies(message: bytes) -> list[bool]:
    def one(index: int) -> bool:
        try:
            return bool(dkim.DKIM(message).verify(idx=index, dnsfunc=key_record))
        except dkim.ValidationError:
            return False

    return [one(index) for index in range(len(KEYS))]


def test_both_algorithms_verify_with_dkimpy() -> None:
    message = signed()
    assert verifies(message) == [True, True]
    assert message.count(b"a=rsa-sha256;") == message.count(b"a=ed25519-sha256;") == 1
    assert all(len(line) < 100 for line in message.split(b"\r\n"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"From: Anna", b"From: Eve"),
        (b"To: ben", b"To: eve"),
        (b"Figures", b"Figure"),
        (b"text/plain", b"text/html"),
        (b"Good", b"Bad"),
        (b"Date:", b"Subject: another\r\nDate:"),
        (b"To: ben", b"From: eve@acme.example\r\nTo: ben"),
    ],
)
def test_a_change_or_an_added_field_fails(old: bytes, new: bytes) -> None:
    assert verifies(signed().replace(old, new, 1)) == [False, False]


def test_what_hops_do_leaves_it_whole() -> None:
    message = b"Received: from a by b;\r\n now\r\n" + signed()
    assert verifies(message.replace(b"X-Mailer: any\r\n", b"")) == [True, True]
    assert verifies(message.replace(b"Cc: one@far.example,\r\n\ttwo", b"Cc: one@far.example, two")) == [True, True]


@hypothesis_settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([b"x", b"y z", b" ", b"\t", b"\r\n", b"\xc3\xa4"]), max_size=20), st.integers(1, 9))
def test_any_body_verifies(pieces: list[bytes], cuts: int) -> None:
    body = b"".join(pieces)
    body += b"" if body.endswith(b"\r\n") else b"\r\n"
    assert verifies(signed(b"From: a@acme.example\r\nSubject: x\r\n\r\n" + body, cuts)) == [True, True]


def test_fields_that_are_there_twice() -> None:
    message = MESSAGE.replace(b"To: ben@far.example", b"To: ben@far.example\r\nTo: cid@far.example")
    assert verifies(signed(message)) == [True, True]


def test_keys_that_are_none() -> None:
    for text in ("", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(ValueError):
            dkim_signing.read(text)
