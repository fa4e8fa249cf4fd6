"""The canonical body hashed in pieces is what dkimpy makes of the whole, and no body makes it slow."""

from __future__ import annotations

import hashlib
import re
import time

import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.dkim_body import BodyHash

PIECES = st.lists(st.sampled_from([b"a", b"b c", b" ", b"\t", b"\r\n", b"\n", b"\r", b"\r\n\r\n"]), max_size=16)


def hashed(body: bytes, relaxed: bool, cuts: list[int]) -> bytes:
    body_hash = BodyHash(relaxed)
    at = 0
    for cut in cuts:
        body_hash.feed(body[at : at + cut])
        at += cut
    body_hash.feed(body[at:])
    return body_hash.digest()


@given(PIECES, st.booleans(), st.lists(st.integers(1, 5), max_size=20))
def test_as_dkimpy(pieces: list[bytes], relaxed: bool, cuts: list[int]) -> None:
    body = b"".join(pieces)
    # what the next hop gets: every line ended, by CRLF
    sent = re.sub(rb"\r?\n", b"\r\n", body)
    if sent and not sent.endswith(b"\r\n"):
        sent += b"\r\n"
    wanted = (Relaxed if relaxed else Simple).canonicalize_body(sent)
    assert hashed(body, relaxed, cuts) == hashlib.sha256(wanted).digest()


def test_a_limit_counts_canonical_octets() -> None:
    body = BodyHash(True, 3)
    body.feed(b"a  bcd\r\n")
    assert body.digest() == hashlib.sha256(b"a b").digest()


@pytest.mark.parametrize("piece", [b" ", b"\r\n", b"\r", b"\t \r\n", b"a "])
def test_hostile_bodies_take_time_by_their_length(piece: bytes) -> None:
    started = time.process_time()
    for relaxed in (True, False):
        body = BodyHash(relaxed)
        for _ in range(40):
            body.feed(piece * (100_000 // len(piece)))
        body.digest()
    assert time.process_time() - started < 5
