"""A certificate for 127.0.0.1 and a server context with it, and the context of a client that trusts it alone."""

from __future__ import annotations

import ssl
import tempfile
import time

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, optionsForClientTLS

from stratamail.net import certificate


def pem(name: str) -> bytes:
    return certificate.make(name, time.time())


def server_context(data: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        context.load_cert_chain(file.name)
    return context


class Trusting:
    """A ``tls_client`` that trusts one certificate, as ``net.tls.client`` trusts the system."""

    def __init__(self, data: bytes) -> None:
        start = data.index(b"-----BEGIN CERTIFICATE")
        self.root = Certificate.loadPEM(data[start:])
        self.asked: list[tuple[str, bool]] = []

    def __call__(self, host: str, verify: bool) -> IOpenSSLClientConnectionCreator:
        self.asked.append((host, verify))
        return optionsForClientTLS(host, trustRoot=self.root)


__all__ = ["SSL", "Trusting", "pem", "server_context"]
