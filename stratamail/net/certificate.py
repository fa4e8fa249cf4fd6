"""A self-signed certificate for a host that has none yet, so that every door can speak TLS from the first minute.

``ensure`` writes FOLDER/HOSTNAME.pem (key and certificate, mode 0600) unless the folder already holds a ``.pem``.
"""

from __future__ import annotations

import ipaddress
import os
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = timedelta(days=3650)


def make(hostname: str, now: float) -> bytes:
    """PEM text: key and certificate for ``hostname``, localhost and 127.0.0.1. ``now`` is seconds since the epoch."""
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.fromtimestamp(now, UTC) - timedelta(hours=1)
    # a common name has at most 64 characters (RFC 5280 appendix A); what counts today are the alternative names
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    alternatives: list[x509.GeneralName] = [x509.DNSName(one) for one in dict.fromkeys((hostname, "localhost"))]
    alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _VALID)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def ensure(folder: str, hostname: str, now: float, owner: tuple[int, int] | None = None) -> str | None:
    """Write HOSTNAME.pem when ``folder`` holds no certificate; gives its path, or None when there was one.

    ``owner`` (uid, gid) is who must be able to read it once root's rights are dropped. Raises ``OSError``.
    """
    os.makedirs(folder, mode=0o755, exist_ok=True)
    if any(name.endswith(".pem") for name in os.listdir(folder)):
        return None
    path = os.path.join(folder, f"{hostname}.pem")
    temporary = f"{path}.new"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(make(hostname, now))
        if owner is not None:
            os.fchown(file.fileno(), *owner)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)
    return path
