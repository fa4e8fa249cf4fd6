"""TLS on both sides: certificates chosen by server name (RFC 6066 section 3), and contexts for the connections we make.

``Certificates`` reads NAME.pem (key and chain) from the configured folder and reads it again when it has changed; a
file that cannot be read keeps the certificate that was in force. Nothing here writes to disk.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.internet.ssl import CertificateOptions, TLSVersion, optionsForClientTLS
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----.+?-----END (?:[A-Z]+ )?PRIVATE KEY-----", re.S)
# how long a look at the folder stays good: a burst of handshakes must not become a burst of stat calls
_LOOK_EVERY = 1.0


class NoCertificate(Exception):
    """The folder holds no certificate that can be used."""


def load(path: str) -> tuple[SSL.Context, tuple[str, ...]]:
    """The context of one PEM file, and the names in its certificate. Raises ``ValueError`` or ``OSError``."""
    with open(path, "rb") as file:
        data = file.read()
    found = _KEY.search(data)
    if found is None:
        raise ValueError(f"{path}: no private key in it")
    key = load_pem_private_key(found.group(0), None)
    chain = x509.load_pem_x509_certificates(data)
    names: list[str] = []
    try:
        extension = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = [name.lower() for name in extension.value.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        pass  # an old certificate: its file name is its only name
    if chain[0].public_key() != key.public_key():
        raise ValueError(f"{path}: the private key is not that of the first certificate")
    options = CertificateOptions(
        privateKey=crypto.PKey.from_cryptography_key(key),  # type: ignore[arg-type]
        certificate=crypto.X509.from_cryptography(chain[0]),
        extraCertChain=[crypto.X509.from_cryptography(one) for one in chain[1:]],
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )
    return options.getContext(), tuple(names)


@implementer(IOpenSSLServerConnectionCreator)
class Certificates:
    """Server side of every TLS door. ``seconds`` is the reactor's clock; ``hostname`` names the certificate for peers
    that send no server name, or one that we have no certificate for."""

    log = Logger()

    def __init__(self, folder: str, hostname: str, seconds: Callable[[], float]) -> None:
        self._folder = folder
        self._hostname = hostname.lower()
        self._seconds = seconds
        self._looked = -_LOOK_EVERY
        self._stamps: dict[str, tuple[int, int, int]] = {}
        self._files: dict[str, tuple[SSL.Context, tuple[str, ...]]] = {}
        self._by_name: dict[str, SSL.Context] = {}

    def refresh(self) -> None:
        """Read what has changed in the folder. Raises ``NoCertificate`` when nothing usable is left."""
        self._looked = self._seconds()
        stamps = self._stat()
        if stamps != self._stamps:
            for name in self._files.keys() - stamps.keys():
                del self._files[name]
            for name, stamp in stamps.items():
                if self._stamps.get(name) != stamp:
                    self._read(name)
            self._stamps = stamps
            self._index()
        if not self._files:
            raise NoCertificate(f"no usable NAME.pem in {self._folder}")

    def _stat(self) -> dict[str, tuple[int, int, int]]:
        stamps = {}
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if entry.name.endswith(".pem"):
                        found = entry.stat()
                        stamps[entry.name] = (found.st_mtime_ns, found.st_ino, found.st_size)
        except OSError as error:
            self.log.warn("certificates folder {folder}: {error}", folder=self._folder, error=error)
            return dict(self._stamps)
        return stamps

    def _read(self, name: str) -> None:
        try:
            context, names = load(os.path.join(self._folder, name))
            # now or never: a context that has been used cannot be changed
            context.set_tlsext_servername_callback(self._chosen)
            self._files[name] = (context, names)
        except (OSError, ValueError, TypeError, SSL.Error, crypto.Error) as error:
            # perhaps half written: the next change of the file is another chance
            self.log.error("certificate {name} not taken: {error}", name=name, error=str(error))

    def _index(self) -> None:
        names: dict[str, SSL.Context] = {}
        for context, inside in self._files.values():
            for name in inside:
                names.setdefault(name, context)
        for file, (context, _) in self._files.items():
            names[file[: -len(".pem")].lower()] = context
        self._by_name = names

    def select(self, name: str) -> SSL.Context:
        """The context for a server name ("" for none): exact, then wildcard, then our host name's, then any."""
        name = name.lower().rstrip(".")
        parent = name.partition(".")[2]
        for candidate in (name, f"*.{parent}", f"_.{parent}", self._hostname):
            if candidate in self._by_name:
                return self._by_name[candidate]
        if not self._by_name:
            raise NoCertificate(f"no usable NAME.pem in {self._folder}")
        return self._by_name[min(self._by_name)]

    def _chosen(self, connection: SSL.Connection) -> None:
        name = (connection.get_servername() or b"").decode("ascii", "replace")
        connection.set_context(self.select(name))

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        if self._seconds() - self._looked >= _LOOK_EVERY:
            self.refresh()
        return SSL.Connection(self.select(""), None)


@implementer(IOpenSSLClientConnectionCreator)
class Unverified:
    """Client side of ``tls = may`` and ``encrypt``: encrypted, with the server's name sent, its certificate not judged
    (RFC 7435: protection against listeners, not against impostors)."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._context = CertificateOptions(verify=False, raiseMinimumTo=TLSVersion.TLSv1_2).getContext()

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if not _is_ip(self._host):
            connection.set_tlsext_host_name(self._host.encode("idna"))
        return connection


def client(host: str, verify: bool) -> IOpenSSLClientConnectionCreator:
    """TLS towards ``host``. With ``verify`` its certificate must bear the name and chain to a known authority."""
    host = host.rstrip(".")
    if verify:
        return optionsForClientTLS(host)
    return Unverified(host)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
