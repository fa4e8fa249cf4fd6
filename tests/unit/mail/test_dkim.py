"""DKIM: what is signed verifies, whatever is changed does not, and no input makes it raise."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from stratamail.mail import dkim
from stratamail.mail.dkim import Outcome
from tests.support.corpus import key_record, signing_key

MESSAGE = (
    b"From: Anna <anna@news.example>\r\nTo: ben@acme.example\r\nSubject: Figures\r\n"
    b"Date: Tue, 24 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@news.example>\r\n\r\nGood morning,\r\n\r\n.dots stay\r\n"
)


def signed(message: bytes = MESSAGE) -> bytes:
    return dkim.sign(message, domain="news.example", selector="s1", key=signing_key()) + message


def test_a_signed_message_passes_and_names_its_key() -> None:
    message = signed()
    assert dkim.names(message) == ["s1._domainkey.news.example"]
    (verdict,) = dkim.verify(message, key_record)
    assert verdict.passed
    assert (verdict.domain, verdict.selector) == ("news.example", "s1")


def test_trace_fields_on_top_change_nothing() -> None:
    assert dkim.verify(b"Received: from a by b;\r\n now\r\n" + signed(), key_record)[0].passed


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"Good", b"Bad"), (b"Figures", b"Figure"), (b"From: Anna", b"From: Eve"), (b"Date:", b"Subject: two\r\nDate:")],
)
def test_a_change_fails(old: bytes, new: bytes) -> None:
    changed = signed().replace(old, new, 1)
    assert dkim.verify(changed, key_record)[0].outcome is Outcome.FAIL


def test_ed25519() -> None:
    key = SigningKey.generate()
    public = base64.b64encode(bytes(key.verify_key))
    field = dkim.sign(MESSAGE, domain="a.example", selector="e", key=base64.b64encode(bytes(key)))
    (verdict,) = dkim.verify(field + MESSAGE, lambda name: b"v=DKIM1; k=ed25519; p=" + public)
    assert verdict.passed


def test_no_record_no_answer_no_signature() -> None:
    def broken(name: str) -> bytes | None:
        raise TimeoutError(name)

    assert dkim.verify(signed(), lambda name: None)[0].outcome is Outcome.PERMERROR
    assert dkim.verify(signed(), broken)[0].outcome is Outcome.TEMPERROR
    assert dkim.verify(MESSAGE, key_record) == []
    assert dkim.names(MESSAGE) == []


def test_two_signatures_are_judged_each_by_itself() -> None:
    message = dkim.sign(MESSAGE, domain="other.example", selector="x", key=signing_key()) + signed()
    verdicts = dkim.verify(message, key_record)
    assert [v.passed for v in verdicts] == [False, True]


def test_only_so_many_are_looked_at() -> None:
    message = b"DKIM-Signature: v=1; d=a.example; s=b\r\n" * 50 + MESSAGE
    assert len(dkim.verify(message, key_record)) == dkim.MAX_SIGNATURES


def test_a_message_without_from_cannot_be_signed() -> None:
    with pytest.raises(ValueError, match="cannot sign"):
        dkim.sign(b"Subject: x\r\n\r\n", domain="a.example", selector="s", key=signing_key())
    with pytest.raises(ValueError, match="cannot sign"):
        dkim.sign(MESSAGE, domain="a.example", selector="s", key=b"-----BEGIN junk")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=100))
def test_it_never_raises(value: bytes, body: bytes) -> None:
    message = b"DKIM-Signature: " + value + b"\r\nFrom: x@y.example\r\n\r\n" + body
    for verdict in dkim.verify(message, lambda name: value):
        assert not verdict.passed


def test_a_message_in_pieces_is_judged_as_a_whole() -> None:
    message = signed()
    end = message.index(b"\r\n\r\n") + 4
    verifying = dkim.Verifying(message[:end])
    for at in range(end, len(message), 3):
        verifying.feed(message[at : at + 3])
    assert verifying.names == dkim.names(message)
    (verdict,) = verifying.verdicts(key_record)
    assert verdict.passed and verdict.expires == 0


@pytest.mark.parametrize(
    "tags",
    [
        b"a=rsa-sha1; d=a.example; s=b; c=relaxed/relaxed; h=from; bh=AAAA; b=AAAA",
        b"a=rsa-sha256; d=a.example; s=b; c=relaxed/other; h=from; bh=AAAA; b=AAAA",
        b"a=rsa-sha256; d=a.example; s=b; l=-1; h=from; bh=AAAA; b=AAAA",
        b"a=rsa-sha256; d=a.example; s=b; x=soon; h=from; bh=AAAA; b=AAAA",
        b"a=rsa-sha256; d=a.example; s=b; h=from; bh=A; b=AAAA",
        b"a=rsa-sha256; d=a.example; s=b; h=" + b":".join([b"x"] * 101) + b"; bh=AAAA; b=AAAA",
        b"a=rsa-sha256; d=a.example; s=b; h=from; bh=AAAA; b=" + b" " * 5000 + b"!",
        b"a=rsa-sha256; d=a.example; s=b; h=from; bh=AAAA; b=" + b"A" * 9000,
    ],
)
def test_signatures_that_are_not_looked_at(tags: bytes) -> None:
    message = b"DKIM-Signature: v=1; " + tags + b"\r\nFrom: x@a.example\r\n\r\nbody\r\n"
    asked: list[str] = []
    (verdict,) = dkim.verify(message, lambda name: asked.append(name))  # type: ignore[func-returns-value]
    assert verdict.outcome is Outcome.PERMERROR and not asked and not dkim.names(message)


def test_when_it_lapses_is_told() -> None:
    message = signed().replace(b"v=1;", b"v=1; x=4102444800;", 1)
    (verdict,) = dkim.verify(message, key_record)
    assert verdict.outcome is Outcome.FAIL and verdict.expires == 4_102_444_800


@pytest.mark.parametrize(
    "pad", [b"X:\r\n" * 50_000, b"X: " + b"\r\n " * 70_000 + b"y\r\n", b"X: " + b" " * 240_000 + b"\r\n"]
)
def test_hostile_headers_take_no_time(pad: bytes) -> None:
    tags = (
        b"v=1; a=rsa-sha256; d=a.example; s=b; c=relaxed/relaxed; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; h="
    )
    names = b":".join([b"n%d" % number for number in range(99)])
    field = b"DKIM-Signature: " + tags + names + b":from; b=" + b"A" * 344 + b"\r\n"
    message = field * 10 + pad + b"From: a@a.example\r\n\r\n"
    started = time.process_time()
    found = dkim.verify(message, lambda name: key_record("s1._domainkey.news.example"))
    assert found and not any(one.passed for one in found)
    assert time.process_time() - started < 2
