"""A primary that is one of our own listeners."""

from __future__ import annotations

import pytest

from stratamail.net.ourselves import is_local, is_ourselves
from stratamail.tenancy.model import HostPort


@pytest.mark.parametrize(
    ("where", "listeners", "expected"),
    [
        (HostPort("127.0.0.1", 2525), ["tcp:2525:interface=127.0.0.1"], True),
        (HostPort("127.0.0.1", 2526), ["tcp:2525:interface=127.0.0.1"], False),
        (HostPort("127.0.0.1", 25), ["tcp:25"], True),
        (HostPort("localhost", 25), ["tcp:587", "tcp:25"], True),
        (HostPort("127.0.0.2", 25), ["tcp:25:interface=127.0.0.1"], False),
        (HostPort("::1", 25), ["tcp6:25:interface=\\:\\:1"], True),
        (HostPort("192.0.2.1", 25), ["tcp:25"], False),
        (HostPort("no-such-host.invalid", 25), ["tcp:25"], False),
        (HostPort("127.0.0.1", 25), ["unix:/tmp/x", "nonsense", ""], False),
    ],
)
def test_is_ourselves(where: HostPort, listeners: list[str], expected: bool) -> None:
    known = {"localhost": ["127.0.0.1"], "no-such-host.invalid": []}
    assert is_ourselves(where, listeners, lambda host: known.get(host, [host])) is expected


def test_is_local() -> None:
    assert is_local("127.0.0.1")
    assert not is_local("192.0.2.1")
    assert not is_local("nonsense")
