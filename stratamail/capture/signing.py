"""DKIM for what our users submit: which domain signs, and with what (the author's own, so that it aligns for DMARC,
RFC 7489 section 3.1.1). Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from email.utils import getaddresses

from twisted.internet.defer import Deferred

from stratamail.mail import headers
from stratamail.mail.address import domain_key, split
from stratamail.mail.dkim_signing import Key, Signing
from stratamail.store.pool import Pool


class Signer:
    """``keys`` gives the keys that a domain signs with now; public-key work is done in ``cpu``."""

    def __init__(self, keys: Callable[[str], Sequence[Key]], cpu: Pool) -> None:
        self._keys = keys
        self._cpu = cpu

    def begin(self, header: bytes, seconds: int) -> Signing | None:
        """The signing of a message with this header block; None when its author's domain has no keys."""
        keys = self._keys(author_domain(header))
        return Signing(keys, header, seconds) if keys else None

    def fields(self, signing: Signing) -> Deferred[bytes]:
        """The DKIM-Signature fields, once the body was fed."""
        return self._cpu.run(signing.fields)


def author_domain(header: bytes) -> str:
    """The domain of the first address under From (A-labels, lower case), "" when there is none."""
    raw = headers.first(header, b"from") or b""
    found = getaddresses([raw.decode("utf-8", "replace")])
    return domain_key(split(found[0][1])[1]) if found else ""
