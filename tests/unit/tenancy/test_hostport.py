"""HOST:PORT as people write it."""

from __future__ import annotations

import pytest

from stratamail.tenancy import hostport
from stratamail.tenancy.model import HostPort


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("mx.example.net:2525", "mx.example.net", 2525),
        ("MX.example.net", "mx.example.net", 25),
        ("127.0.0.1:25", "127.0.0.1", 25),
        ("[2001:DB8::1]:26", "2001:db8::1", 26),
        ("[::1]", "::1", 25),
        (" localhost:1 ", "localhost", 1),
        ("bücher.example:25", "bücher.example", 25),
    ],
)
def test_good(text: str, host: str, port: int) -> None:
    assert hostport.parse(text) == HostPort(host, port)
    assert hostport.parse(str(HostPort(host, port))) == HostPort(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":25",
        "host:",
        "host:x",
        "host:0",
        "host:65536",
        "::1",
        "[::1",
        "[x]:25",
        "a b:25",
        "h/x",
        "u@h:25",
        "h:２５",
    ],
)
def test_bad(text: str) -> None:
    with pytest.raises(ValueError):
        hostport.parse(text)
