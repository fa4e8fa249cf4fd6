"""PROXY headers: any split, any octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.servers.proxy import Proxied, ProxyError, ProxyReader

V1 = b"PROXY TCP4 192.0.2.77 203.0.113.1 4000 25\r\n"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def read(data: bytes, step: int) -> Proxied | None:
    reader = ProxyReader()
    for at in range(0, len(data), step):
        found = reader.feed(data[at : at + step])
        if found is not None:
            return Proxied(found.address, found.present, found.rest + data[at + step :])
    return None


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_what_follows_is_kept(step: int) -> None:
    assert read(V1 + b"EHLO x\r\n", step) == Proxied("192.0.2.77", True, b"EHLO x\r\n")


@given(st.binary(max_size=60), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]))
def test_any_octets_in_any_split(tail: bytes, head: bytes) -> None:
    results = []
    for step in (1, 3, 1000):
        try:
            results.append(read(head + tail, step))
        except ProxyError as error:
            results.append(str(error))  # type: ignore[arg-type]
    assert results[0] == results[1] == results[2]


def test_a_client_that_speaks_first_is_no_header() -> None:
    assert ProxyReader().feed(b"EHLO x\r\n") == Proxied(None, False, b"EHLO x\r\n")
    assert ProxyReader().feed(b"PROXYEHLO") == Proxied(None, False, b"PROXYEHLO")
