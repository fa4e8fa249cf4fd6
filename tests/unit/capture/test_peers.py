"""Counting peers, and asking many networks at once."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from stratamail.capture.peers import Networks, Peers, parse_ip
from stratamail.config.settings import Limits

NETWORKS = st.lists(
    st.builds(
        lambda version, number, length: ip_network(
            (number % 2**32 if version == 4 else number, length % 33 if version == 4 else length), strict=False
        ),
        st.sampled_from([4, 6]),
        st.integers(0, 2**128 - 1),
        st.integers(0, 128),
    ),
    max_size=8,
)


@given(NETWORKS, st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_networks_answer_as_each_of_them_does(networks: list, address: object) -> None:  # type: ignore[type-arg]
    expected = any(address in network for network in networks if network.version == address.version)  # type: ignore[attr-defined]
    assert (address in Networks(networks)) is expected  # type: ignore[operator]


@given(NETWORKS)
def test_a_network_holds_its_own_address(networks: list) -> None:  # type: ignore[type-arg]
    assert all(network.network_address in Networks(networks) for network in networks)


def test_mapped_addresses_are_v4() -> None:
    assert parse_ip("::ffff:192.0.2.1") == ip_address("192.0.2.1")
    assert parse_ip("fe80::1%eth0") == ip_address("fe80::1")
    assert parse_ip("/run/socket") is None


def test_connections_come_and_go() -> None:
    peers = Peers(Limits(connections=3, connections_per_peer=1), Clock().seconds)
    one, two = ip_address("192.0.2.1"), ip_address("192.0.2.2")
    assert peers.connected(one, True) is None
    refusal = peers.connected(one, True)
    assert refusal is not None and refusal.code == 421
    assert peers.connected(one, False) is None
    assert peers.connected(two, True) is not None
    for ip in (one, one, one, two):
        peers.gone(ip)
    assert peers.open == 0
    assert peers.connected(two, True) is None


def test_rate_is_each_peers_own() -> None:
    clock = Clock()
    peers = Peers(Limits(rate_per_peer=2), clock.seconds)
    one, two = ip_address("2001:db8::1"), ip_address("2001:db8:0:1::1")
    assert [peers.message(one) is None for _ in range(3)] == [True, True, False]
    assert peers.message(ip_address("2001:db8::2")) is not None
    assert peers.message(two) is None
    clock.advance(60)
    assert peers.message(one) is None
