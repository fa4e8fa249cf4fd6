"""What is taken and what is refused: decisions from values."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from stratamail.capture import policy
from stratamail.tenancy.model import Domain, Resolution

OURS = Domain(1, 1, "open.example")
STRICT = Domain(2, 1, "strict.example", unknown="reject")
LEARNING = Domain(3, 1, "learn.example", unknown="learn")
TRUSTING = Domain(4, 1, "filtered.example", trust=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")))


@pytest.mark.parametrize(
    ("address", "resolution", "trusted", "reason"),
    [
        ("a@open.example", Resolution(OURS), False, "ok"),
        ("a@foreign.example", Resolution(None), False, "relay-denied"),
        ("a@foreign.example", Resolution(None), True, "relay-denied"),
        ("a%b@open.example", Resolution(OURS), False, "routed"),
        ("a!b@open.example", Resolution(OURS), False, "routed"),
        ('"a@b"@open.example', Resolution(OURS), False, "routed"),
        ("a%b@open.example", Resolution(OURS, listed=True), False, "ok"),
        ("a@strict.example", Resolution(STRICT), False, "unknown-user"),
        ("a@strict.example", Resolution(STRICT, listed=True), False, "ok"),
        ("a@learn.example", Resolution(LEARNING), False, "ok"),
        ("a@filtered.example", Resolution(TRUSTING), False, "untrusted"),
        ("a@filtered.example", Resolution(TRUSTING), True, "ok"),
        ("a%b@filtered.example", Resolution(TRUSTING), True, "routed"),
    ],
)
def test_recipients(address: str, resolution: Resolution, trusted: bool, reason: str) -> None:
    verdict = policy.judge_recipient(address, resolution, trusted)
    assert verdict.reason == reason
    assert verdict.accepted is (reason == "ok")


def test_an_unlisted_host_is_refused_for_a_while_only() -> None:
    assert policy.UNTRUSTED.reply.code == 451


@pytest.mark.parametrize(
    ("peer", "trusted"), [("192.0.2.200", True), ("192.0.3.1", False), ("2001:db8:1::1", True), ("2001:db9::1", False)]
)
def test_trust(peer: str, trusted: bool) -> None:
    assert policy.trusts(TRUSTING, ip_address(peer)) is trusted
    assert not policy.trusts(OURS, ip_address(peer))
    assert not policy.trusts(TRUSTING, None)


@pytest.mark.parametrize(
    ("size", "bare", "keep", "reason"),
    [(10, False, False, "ok"), (11, False, False, "too-big"), (1, True, False, "bare-newline"), (1, True, True, "ok")],
)
def test_bodies(size: int, bare: bool, keep: bool, reason: str) -> None:
    assert policy.judge_body(size, 10, bare, keep).reason == reason


def test_loops() -> None:
    assert policy.loops(49, ["a"], {"a": 1}) == {}
    assert list(policy.loops(3, ["a", "b"], {"a": 2, "c": 9})) == ["a"]
    assert sorted(policy.loops(50, ["a", "b"], {})) == ["a", "b"]
