"""Certificates by server name, read again when they change; what a client checks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography import x509
from OpenSSL import SSL
from twisted.internet import task
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.test.iosim import FakeTransport, connect

from stratamail.net import certificate, tls


def write(folder: Path, name: str, hostname: str = "") -> None:
    (folder / f"{name}.pem").write_bytes(certificate.make(hostname or name, 1_750_000_000.0))


def ask(certificates: tls.Certificates, server_name: str) -> list[str]:
    client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    if server_name:
        client.set_tlsext_host_name(server_name.encode())
    return _handshake(client, certificates.serverConnectionForTLS(None))  # type: ignore[arg-type]


def _handshake(client: SSL.Connection, server: SSL.Connection) -> list[str]:
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(10):
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                pass
            try:
                other.bio_write(one.bio_read(65536))
            except SSL.WantReadError:
                pass
    found = client.get_peer_certificate()
    assert found is not None
    extension = found.to_cryptography().extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


def test_chosen_by_server_name(tmp_path: Path) -> None:
    write(tmp_path, "mx.example")
    write(tmp_path, "mail.reseller.example")
    write(tmp_path, "_.wild.example", "star.wild.example")
    certificates = tls.Certificates(str(tmp_path), "mx.example", task.Clock().seconds)
    certificates.refresh()
    assert ask(certificates, "mail.reseller.example")[0] == "mail.reseller.example"
    assert ask(certificates, "MAIL.Reseller.example")[0] == "mail.reseller.example"
    assert ask(certificates, "any.wild.example")[0] == "star.wild.example"
    assert ask(certificates, "")[0] == "mx.example"
    assert ask(certificates, "unknown.example")[0] == "mx.example"


def test_read_again_when_changed(tmp_path: Path) -> None:
    clock = task.Clock()
    write(tmp_path, "mx.example", "old.example")
    certificates = tls.Certificates(str(tmp_path), "mx.example", clock.seconds)
    assert ask(certificates, "")[0] == "old.example"
    write(tmp_path, "mx.example", "new.example")
    os.utime(tmp_path / "mx.example.pem", ns=(1, 1))
    assert ask(certificates, "")[0] == "old.example", "looked at most once a second"
    clock.advance(1.5)
    assert ask(certificates, "")[0] == "new.example"


def test_a_broken_file_keeps_what_was_in_force(tmp_path: Path) -> None:
    clock = task.Clock()
    write(tmp_path, "mx.example")
    certificates = tls.Certificates(str(tmp_path), "mx.example", clock.seconds)
    certificates.refresh()
    (tmp_path / "mx.example.pem").write_bytes(b"half a certif")
    clock.advance(2)
    assert ask(certificates, "mx.example")[0] == "mx.example"


def test_a_removed_file_is_forgotten(tmp_path: Path) -> None:
    clock = task.Clock()
    write(tmp_path, "mx.example")
    write(tmp_path, "other.example")
    certificates = tls.Certificates(str(tmp_path), "mx.example", clock.seconds)
    assert ask(certificates, "other.example")[0] == "other.example"
    (tmp_path / "other.example.pem").unlink()
    clock.advance(2)
    assert ask(certificates, "other.example")[0] == "mx.example"


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(tls.NoCertificate):
        tls.Certificates(str(tmp_path), "mx.example", task.Clock().seconds).refresh()


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    one, other = certificate.make("a.example", 1.75e9), certificate.make("b.example", 1.75e9)
    cut = one.index(b"-----BEGIN CERTIFICATE")
    path = tmp_path / "x.pem"
    path.write_bytes(one[:cut] + other[other.index(b"-----BEGIN CERTIFICATE") :])
    with pytest.raises(ValueError, match="not that of"):
        tls.load(str(path))


class _Told(Protocol):
    """Remembers why its connection ended."""

    reason = None

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.data = data

    def connectionLost(self, reason: object = None) -> None:
        self.reason = reason


def talk(certificates: tls.Certificates, client_tls: object) -> _Told:
    """One TLS connection in memory; the client's side."""
    clock = task.Clock()
    client = TLSMemoryBIOFactory(client_tls, True, Factory.forProtocol(_Told), clock).buildProtocol(None)
    server = TLSMemoryBIOFactory(certificates, False, Factory.forProtocol(_Told), clock).buildProtocol(None)
    told = client.wrappedProtocol
    pump = connect(server, FakeTransport(server, True), client, FakeTransport(client, False))
    for _ in range(5):
        clock.advance(0)
        pump.flush()
    return told


def test_verify_refuses_an_unknown_authority(tmp_path: Path) -> None:
    write(tmp_path, "mx.example")
    certificates = tls.Certificates(str(tmp_path), "mx.example", task.Clock().seconds)
    told = talk(certificates, tls.client("mx.example", verify=True))
    assert not hasattr(told, "data")
    assert told.reason is not None


def test_encrypt_takes_any_certificate_and_sends_the_name(tmp_path: Path) -> None:
    write(tmp_path, "mx.example")
    certificates = tls.Certificates(str(tmp_path), "other.example", task.Clock().seconds)
    assert talk(certificates, tls.client("mx.example", verify=False)).data == b"hello"


def test_no_server_name_for_an_address() -> None:
    connection = tls.Unverified("127.0.0.1").clientConnectionForTLS(None)  # type: ignore[arg-type]
    connection.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        connection.do_handshake()
    assert b"127.0.0.1" not in connection.bio_read(65536)
