"""Commands that somebody in the middle puts behind STARTTLS in the clear must never run inside TLS."""

from __future__ import annotations

from pathlib import Path

from tests.protocol.imap_harness import House


def test_what_is_sent_ahead_of_tls_is_not_run(tmp_path: Path) -> None:
    house = House(tmp_path, tls=object())
    client = house.connect(listener="192.0.2.1")
    answer = client.send(b"a STARTTLS\r\nb LOGIN anna@example.org secret\r\n")
    assert answer == b"* BYE Commands sent ahead of TLS\r\n"
    assert client.wire.disconnecting
    assert client.wire.tls is None
    assert house.asked == []


def test_half_a_command_ahead_of_tls_is_not_kept(tmp_path: Path) -> None:
    client = House(tmp_path, tls=object()).connect(listener="192.0.2.1")
    assert client.send(b"a STARTTLS\r\nb NO").startswith(b"* BYE")
    assert client.wire.tls is None


def test_what_was_said_before_tls_is_forgotten(tmp_path: Path) -> None:
    house = House(tmp_path, tls=object())
    client = house.connect(listener="192.0.2.1")
    client.ok('ID ("x-originating-ip" "203.0.113.5")')
    client.ok("STARTTLS")
    client.no("LOGIN a b")
    assert house.asked == ["192.0.2.9"]
