"""DKIM signatures (RFC 6376, RFC 8463): making one, and judging those that a message bears. Writes nothing.

Key records come by argument: :func:`names` tells which TXT names a message asks for, the caller fetches them, and
:func:`verify` judges with the answers. Both are pure computation and belong into the ``cpu`` pool.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum

import dkim
from attrs import frozen
from dkim.util import InvalidTagValueList, parse_tag_value

# signatures beyond this are not looked at: each costs a DNS question and a public-key operation
MAX_SIGNATURES = 10
SIGNED = (
    b"from",
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
_NAME = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_\-])?")

Lookup = Callable[[str], bytes | None]


class Outcome(Enum):
    """RFC 8601 section 2.7.1."""

    PASS = "pass"
    FAIL = "fail"
    NEUTRAL = "neutral"
    PERMERROR = "permerror"
    TEMPERROR = "temperror"


@frozen
class Verdict:
    """One signature judged. ``domain`` and ``selector`` as in d= and s= (lower case), "" when unreadable."""

    domain: str
    selector: str
    outcome: Outcome
    reason: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS


@frozen
class _Signature:
    """``index`` counts the message's DKIM-Signature fields, as dkimpy does."""

    index: int
    domain: bytes
    selector: bytes
    reason: str

    @property
    def name(self) -> str:
        """The TXT name of its key record."""
        return (self.selector + b"._domainkey." + self.domain).decode("ascii")


def sign(message: bytes, *, domain: str, selector: str, key: bytes, headers: Sequence[bytes] = SIGNED) -> bytes:
    """The ``DKIM-Signature`` field, CRLF ended, to be put in front of ``message`` (relaxed/relaxed).

    ``key`` is a PEM private RSA key, or 32 raw octets in base64 for Ed25519. Of ``headers`` those present are signed,
    with one more From, Subject and Date than there are, so that none can be added. Raises ValueError.
    """
    algorithm = b"rsa-sha256" if b"-----BEGIN" in key else b"ed25519-sha256"
    try:
        signer = dkim.DKIM(message, minkey=1024)
        present = {name.lower() for name, _ in signer.headers}
        chosen = [name for name in headers if name.lower() in present]
        once_more = [name for name in (b"from", b"subject", b"date") if name in present]
        field = signer.sign(
            selector.encode("ascii"),
            domain.encode("ascii"),
            key,
            signature_algorithm=algorithm,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[*chosen, *once_more],
        )
    except dkim.DKIMException as error:
        raise ValueError(f"cannot sign: {error}") from error
    return bytes(field)


def names(message: bytes) -> list[str]:
    """The TXT names whose records :func:`verify` needs, each once, in the order of the signatures."""
    return list(dict.fromkeys(found.name for found in _signatures(message) if not found.reason))


def verify(message: bytes, lookup: Lookup) -> list[Verdict]:
    """Every signature's verdict, top to bottom, at most :data:`MAX_SIGNATURES`; [] when there is none. Never raises.

    ``lookup`` gets a TXT name in lower case without its final dot and returns the joined strings of the record, or None
    when there is no such record. When it raises, that signature is a ``temperror``.
    """
    return [_judge(message, signature, lookup) for signature in _signatures(message)]


def _signatures(message: bytes) -> list[_Signature]:
    try:
        headers, _ = dkim.rfc822_parse(message)
    except (dkim.DKIMException, ValueError, IndexError):
        return []
    values = [value for name, value in headers if name.lower() == b"dkim-signature"]
    return [_read(index, value) for index, value in enumerate(values[:MAX_SIGNATURES])]


def _read(index: int, value: bytes) -> _Signature:
    try:
        tags = parse_tag_value(value)
    except (InvalidTagValueList, ValueError, IndexError):
        return _Signature(index, b"", b"", "unreadable tag list")
    domain, selector = tags.get(b"d", b"").lower(), tags.get(b"s", b"").lower()
    if not _NAME.fullmatch(domain) or not _NAME.fullmatch(selector):
        return _Signature(index, b"", b"", "bad d= or s=")
    return _Signature(index, domain, selector, "")


def _judge(message: bytes, signature: _Signature, lookup: Lookup) -> Verdict:
    def verdict(outcome: Outcome, reason: str = "") -> Verdict:
        return Verdict(signature.domain.decode("ascii"), signature.selector.decode("ascii"), outcome, reason)

    if signature.reason:
        return verdict(Outcome.PERMERROR, signature.reason)
    try:
        record = lookup(signature.name)
    except Exception as error:  # whatever a resolver raises: the answer is not known now
        return verdict(Outcome.TEMPERROR, f"{type(error).__name__}: {error}")
    if record is None:
        return verdict(Outcome.PERMERROR, "no key")
    try:
        passed = dkim.DKIM(message, minkey=1024).verify(idx=signature.index, dnsfunc=lambda name, timeout=5: record)
    except dkim.ValidationError as error:
        changed = str(error).startswith("body hash mismatch")
        return verdict(Outcome.FAIL, "body hash does not match") if changed else verdict(Outcome.PERMERROR, str(error))
    except dkim.DKIMException as error:
        return verdict(Outcome.PERMERROR, str(error))
    except Exception as error:  # dkimpy on hostile input; a signature it cannot read proves nothing
        return verdict(Outcome.PERMERROR, f"{type(error).__name__}: {error}")
    return verdict(Outcome.PASS) if passed else verdict(Outcome.FAIL, "signature does not match")
