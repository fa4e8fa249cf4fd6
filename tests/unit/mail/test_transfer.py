"""Transfer encodings: what the library decodes, decoded the same; any cut gives the same; no input is a failure."""

from __future__ import annotations

import base64
import itertools
import quopri
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.transfer import decode, decoder

CODED = (b"BASE64", b"QUOTED-PRINTABLE", b"8BIT")
TEXT = st.lists(
    st.sampled_from([b"=", b"=\r\n", b"=41", b"=4", b"\r", b"\n", b"\r\n", b" ", b"\t", b"QUJD", b"Q", b"==", b"\xff"])
).map(b"".join)


@given(st.binary(max_size=300))
def test_what_is_encoded_comes_back(data: bytes) -> None:
    assert decode(base64.encodebytes(data), b"BASE64") == data
    assert decode(base64.encodebytes(data).replace(b"\n", b"\r\n"), b"BASE64") == data
    assert decode(quopri.encodestring(data, quotetabs=True), b"QUOTED-PRINTABLE") == data
    assert decode(data, b"BINARY") == data


@given(TEXT, st.sampled_from(CODED), st.lists(st.integers(0, 100)))
def test_any_cut_gives_the_same(data: bytes, encoding: bytes, cuts: list[int]) -> None:
    whole = decode(data, encoding)
    found = decoder(encoding)
    assert found is not None
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    assert b"".join(map(found.feed, pieces)) + found.end() == whole


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"QUI", b"AB"), (b"QUJ=RA==", b"ABD"), (b"QU!?JD\r\n", b"ABC"), (b"Q", b""), (b"QUJDQ", b"ABC"),
        (b"QQ==Qg==", b"AB"), (b"====", b""),
    ],
)  # fmt: skip
def test_broken_base64(raw: bytes, text: bytes) -> None:
    assert decode(raw, b"BASE64") == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a  \r\nb\t\n", b"a\r\nb\n"), (b"a=\r\nb", b"ab"), (b"a= \r\nb", b"ab"), (b"=zz=4", b"=zz=4"),
        (b"=\rx\ny", b"=\rx\ny"), (b"end ", b"end"), (b"a=3d=3D", b"a=="),
    ],
)  # fmt: skip
def test_odd_quoted_printable(raw: bytes, text: bytes) -> None:
    assert decode(raw, b"QUOTED-PRINTABLE") == text


def test_an_unknown_encoding_is_told() -> None:
    assert decode(b"x", b"X-UUENCODE") is None


@pytest.mark.parametrize("encoding", CODED)
@pytest.mark.parametrize("piece", [b" ", b"=", b"A", b"=4", b" =", b"\t\r", b"=\r\n"])
def test_time_is_linear_and_little_is_kept(encoding: bytes, piece: bytes) -> None:
    found = decoder(encoding)
    assert found is not None
    data = piece * (262_144 // len(piece))
    started = time.process_time()
    for _ in range(16):
        found.feed(data)
        assert len(getattr(found, "_carry", b"")) <= 2 * 65_536
    found.end()
    # a step for each octet that came before would take many minutes
    assert time.process_time() - started < 60
