"""Stuffing has no seams, and what must not go by DATA is found however it is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.smtp.stuffing import LoneDots, Stuffer

bodies = st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.", b"\n.\n"]), max_size=14).map(b"".join)
cuts = st.lists(st.integers(1, 5), max_size=20)


def pieces(body: bytes, sizes: list[int]) -> list[bytes]:
    out = []
    for size in sizes:
        out.append(body[:size])
        body = body[size:]
    return [*out, body]


def stuffed(parts: list[bytes]) -> bytes:
    stuffer = Stuffer()
    return b"".join(stuffer.chunk(part) for part in parts) + stuffer.end()


def lone(parts: list[bytes]) -> bool:
    dots = LoneDots()
    for part in parts:
        dots.chunk(part)
    return dots.end()


@given(bodies, cuts)
def test_any_split_gives_the_same_bytes_and_a_strict_peer_reads_the_body(body: bytes, sizes: list[int]) -> None:
    wire = stuffed([body])
    assert stuffed(pieces(body, sizes)) == wire
    # the strict reading: up to the first CRLF.CRLF
    if wire == b".\r\n":
        read = b""
    else:
        end = (b"\r\n" + wire).index(b"\r\n.\r\n")
        assert end + 5 == len(wire) + 2
        raw = wire[:end]
        read = (b"\r\n" + raw).replace(b"\r\n.", b"\r\n")[2:]
    closed = body if body.endswith(b"\r\n") or not body else body + b"\r\n"
    assert read == closed


@given(bodies, cuts)
def test_any_split_finds_the_same_lone_dots(body: bytes, sizes: list[int]) -> None:
    found = lone([body])
    assert lone(pieces(body, sizes)) == found
    if not found:
        # to a peer for which every CR, LF and CRLF ends a line, the only lone dot is the end of data
        lines = re.split(rb"\r\n|\r|\n", stuffed([body]))
        assert lines[:-1].count(b".") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"a\n.\nb\r\n",
        b"a\n.\r\nb\r\n",
        b"a\r.\r\nb\r\n",
        b"a\r.\rb\r\n",
        b"a\n.",
        b"a\r\r.\r\n",
    ],
)
def test_smuggling_shapes(body: bytes) -> None:
    assert lone([body])


@pytest.mark.parametrize("body", [b"a\r\n.\r\nb\r\n", b".\r\n", b"a\n.b\n\r\n", b"...\r\n", b"", b"a.\n.."])
def test_harmless_shapes(body: bytes) -> None:
    assert not lone([body])
