"""Signing what our own users write (RFC 6376, RFC 8463), while it streams by. Writes nothing.

The length of the fields is known when the header is, so that room for them can be left in front of a body that is yet
to come. Signed are the fields below, each as often as it is there, and From, Subject and Date once more, so that none
can be added.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from attrs import frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from stratamail.mail import headers
from stratamail.mail.dkim_body import BodyHash

RSA, ED25519 = "rsa", "ed25519"
ALGORITHMS = (RSA, ED25519)
SIGNED = (
    b"from",
    b"sender",
    b"reply-to",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"message-id",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
)
_ONCE_MORE = (b"from", b"subject", b"date")
_WIDTH = 70
_FOLD = b"\r\n\t"


@frozen
class Key:
    """A private key of ``domain`` (A-labels, lower case). ``private`` is what :func:`read` gave."""

    domain: str
    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey

    @property
    def algorithm(self) -> str:
        return RSA if isinstance(self.private, RSAPrivateKey) else ED25519


def make(algorithm: str) -> str:
    """A new private key as PKCS #8 in PEM: RSA of 2048 bits, or Ed25519."""
    private = generate_private_key(65537, 2048) if algorithm == RSA else Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode("ascii")


def read(pem: str) -> RSAPrivateKey | Ed25519PrivateKey:
    """Raises ValueError."""
    try:
        found = serialization.load_pem_private_key(pem.encode("ascii"), None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, RSAPrivateKey | Ed25519PrivateKey):
        raise ValueError("neither an RSA nor an Ed25519 key")
    return found


def record(pem: str) -> str:
    """The text of the TXT record at ``SELECTOR._domainkey.DOMAIN`` (RFC 6376 section 3.6.1, RFC 8463 section 4)."""
    private = read(pem)
    public = private.public_key()
    if isinstance(private, RSAPrivateKey):
        raw = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k=rsa; p={base64.b64encode(raw).decode()}"
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"


class Signing:
    """One message being signed: its header block, then :meth:`feed` the body, then :meth:`fields`.

    ``size`` octets is what the fields will take. ``seconds`` since the epoch is the time of signing.
    """

    def __init__(self, keys: Sequence[Key], header: bytes, seconds: int) -> None:
        self._keys = tuple(keys)
        self._seconds = seconds
        self._body = BodyHash()
        found: dict[bytes, list[bytes]] = {}
        for field in headers.fields(header):
            if field.name in SIGNED:
                found.setdefault(field.name, []).append(_relaxed(field.name, headers.value(header, field)))
        names: list[bytes] = []
        lines: list[bytes] = []
        for name in SIGNED:
            # the last one first (RFC 6376 section 5.4.2)
            there = found.get(name, [])[::-1]
            lines += there
            names += [name] * (len(there) + (name in _ONCE_MORE))
        self._names = names
        self._lines = b"".join(lines)
        self.size = sum(len(_field(key, self._seconds, names, bytes(32), bytes(_length(key)))) for key in self._keys)

    def feed(self, data: bytes) -> None:
        """More of the body."""
        self._body.feed(data)

    def fields(self) -> bytes:
        """``size`` octets: the DKIM-Signature fields, CRLF ended. Public-key work: for the ``cpu`` pool."""
        digest = self._body.digest()
        return b"".join(self._sign(key, digest) for key in self._keys)

    def _sign(self, key: Key, digest: bytes) -> bytes:
        bare = _field(key, self._seconds, self._names, digest, b"")
        name, _, value = bare.partition(b":")
        # the field itself comes last, without its b= and without a line end (RFC 6376 section 3.7)
        data = self._lines + _relaxed(name.lower(), value.replace(b"\r\n", b""))[:-2]
        if isinstance(key.private, RSAPrivateKey):
            signature = key.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        else:
            # RFC 8463 section 3: Ed25519 signs the SHA-256
            signature = key.private.sign(hashlib.sha256(data).digest())
        return _field(key, self._seconds, self._names, digest, signature)


def _relaxed(name: bytes, value: bytes) -> bytes:
    """A field in the relaxed form (RFC 6376 section 3.4.2); ``value`` is unfolded."""
    return name + b":" + b" ".join(part for part in value.replace(b"\t", b" ").split(b" ") if part) + b"\r\n"


def _length(key: Key) -> int:
    return key.private.key_size // 8 if isinstance(key.private, RSAPrivateKey) else 64


def _field(key: Key, seconds: int, names: Sequence[bytes], digest: bytes, signature: bytes) -> bytes:
    lines = [
        f"DKIM-Signature: v=1; a={key.algorithm}-sha256; c=relaxed/relaxed; t={seconds};".encode(),
        f"d={key.domain}; s={key.selector};".encode(),
    ]
    line = b"h="
    for number, name in enumerate(names):
        piece = name + (b":" if number < len(names) - 1 else b";")
        if len(line) + len(piece) > _WIDTH:
            lines.append(line)
            line = b""
        line += piece
    lines += [line, b"bh=" + base64.b64encode(digest) + b";"]
    text = base64.b64encode(signature)
    lines.append(b"b=" + _FOLD.join([text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH)]))
    return _FOLD.join(lines) + b"\r\n"
