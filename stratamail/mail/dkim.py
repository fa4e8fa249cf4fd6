"""DKIM signatures (RFC 6376, RFC 8463): making one, and judging those that a message bears. Writes nothing.

Key records come by argument: :func:`names` tells which TXT names a message asks for, the caller fetches them, and
:func:`verify` judges with the answers. :class:`Verifying` does both for a message that comes in pieces: its body is
hashed as it streams by, so that neither a large nor a hostile one costs memory or time beyond its length. All of it is
pure computation and belongs into the ``cpu`` pool.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from enum import Enum

import dkim
from attrs import frozen
from dkim.util import InvalidTagValueList, parse_tag_value

from stratamail.mail.dkim_body import BodyHash
from stratamail.mail.headers import header_end

# signatures beyond this are not looked at: each costs a DNS question and a public-key operation
MAX_SIGNATURES = 10
# a signature beyond these bounds is none that a signer makes: judging it would cost more than it is worth
_LONGEST = 8192
_MOST_NAMES = 100
# beyond so many lines of header dkimpy takes seconds
_MOST_LINES = 2000
_ALGORITHMS = (b"rsa-sha256", b"ed25519-sha256")
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

_NUMBER = re.compile(rb"[0-9]{1,15}")
# some patterns of dkimpy take time by the square of a run of blanks
_BLANKS = re.compile(rb"\s{100}")

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
    """One signature judged. ``domain`` and ``selector`` as in d= and s= (lower case), "" when unreadable. ``expires``:
    x=, seconds since the epoch, 0 for never."""

    domain: str
    selector: str
    outcome: Outcome
    reason: str = ""
    expires: int = 0

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS


@frozen
class _Signature:
    """``index`` counts the message's DKIM-Signature fields, as dkimpy does. ``relaxed`` and ``limit`` are of the body,
    ``digest`` is what it should have; ``reason``: why it is not looked at."""

    index: int
    domain: bytes = b""
    selector: bytes = b""
    reason: str = ""
    relaxed: bool = False
    limit: int | None = None
    digest: bytes = b""
    expires: int = 0

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
    return Verifying(message[: header_end(message)]).names


def verify(message: bytes, lookup: Lookup) -> list[Verdict]:
    """Every signature's verdict, top to bottom, at most :data:`MAX_SIGNATURES`; [] when there is none. Never raises.

    ``lookup`` gets a TXT name in lower case without its final dot and returns the joined strings of the record, or None
    when there is no such record. When it raises, that signature is a ``temperror``.
    """
    end = header_end(message)
    verifying = Verifying(message[:end])
    verifying.feed(message[end:])
    return verifying.verdicts(lookup)


class Verifying:
    """One message being judged: its header block (to the empty line), then :meth:`feed` the body, then
    :meth:`verdicts`. ``names`` as of :func:`names`. Never raises."""

    def __init__(self, header: bytes) -> None:
        # a header without its empty line has no body
        self._header = header if header.endswith((b"\n\r\n", b"\n\n")) else header + b"\r\n\r\n"
        self._signatures = _signatures(self._header)
        self._hashes = {
            (one.relaxed, one.limit): BodyHash(one.relaxed, one.limit) for one in self._signatures if not one.reason
        }
        self._digests: dict[tuple[bool, int | None], bytes] | None = None

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(found.name for found in self._signatures if not found.reason))

    def feed(self, data: bytes) -> None:
        """More of the body."""
        for body in self._hashes.values():
            body.feed(data)

    def verdicts(self, lookup: Lookup) -> list[Verdict]:
        """As of :func:`verify`, once the whole body was fed; may be asked again with other answers."""
        if self._digests is None:
            self._digests = {kind: body.digest() for kind, body in self._hashes.items()}
        return [self._judge(one, self._digests, lookup) for one in self._signatures]

    def _judge(self, signature: _Signature, digests: dict[tuple[bool, int | None], bytes], lookup: Lookup) -> Verdict:
        def verdict(outcome: Outcome, reason: str = "") -> Verdict:
            domain, selector = signature.domain.decode("ascii"), signature.selector.decode("ascii")
            return Verdict(domain, selector, outcome, reason, signature.expires)

        if signature.reason:
            return verdict(Outcome.PERMERROR, signature.reason)
        try:
            record = lookup(signature.name)
        except Exception as error:  # whatever a resolver raises: the answer is not known now
            return verdict(Outcome.TEMPERROR, f"{type(error).__name__}: {error}")
        if record is None:
            return verdict(Outcome.PERMERROR, "no key")
        if digests[signature.relaxed, signature.limit] != signature.digest:
            return verdict(Outcome.FAIL, "body hash does not match")
        try:
            passed = _header_passes(self._header, signature.index, record)
        except dkim.DKIMException as error:
            return verdict(Outcome.PERMERROR, str(error))
        except Exception as error:  # dkimpy on hostile input; a signature it cannot read proves nothing
            return verdict(Outcome.PERMERROR, f"{type(error).__name__}: {error}")
        return verdict(Outcome.PASS) if passed else verdict(Outcome.FAIL, "signature does not match")


def _header_passes(header: bytes, index: int, record: bytes) -> bool:
    """Whether the signature is good but for the body, whose hash was compared already."""
    judge = dkim.DKIM(header, minkey=1024)
    prepared = judge.verify_headerprep(index)
    if not prepared:
        return False
    tags, included, fields = prepared
    # dkimpy hashes the body only where this tag is; the field itself stays as it came
    tags.pop(b"bh")
    return bool(judge.verify_sig(tags, included, fields[index], lambda name, timeout=5: record))


def _signatures(header: bytes) -> list[_Signature]:
    if header.count(b"\n") > _MOST_LINES:
        return [_Signature(0, reason="more header than is looked at")] if b"dkim-signature" in header.lower() else []
    try:
        headers, _ = dkim.rfc822_parse(header)
    except (dkim.DKIMException, ValueError, IndexError):
        return []
    values = [value for name, value in headers if name.lower() == b"dkim-signature"]
    return [_read(index, value) for index, value in enumerate(values[:MAX_SIGNATURES])]


def _read(index: int, value: bytes) -> _Signature:
    if len(value) > _LONGEST or _BLANKS.search(value):
        return _Signature(index, reason="longer than a signature is")
    try:
        tags = parse_tag_value(value)
    except (InvalidTagValueList, ValueError, IndexError):
        return _Signature(index, reason="unreadable tag list")
    domain, selector = tags.get(b"d", b"").lower(), tags.get(b"s", b"").lower()
    if not _NAME.fullmatch(domain) or not _NAME.fullmatch(selector):
        return _Signature(index, reason="bad d= or s=")

    def bad(reason: str) -> _Signature:
        return _Signature(index, domain, selector, reason)

    # RFC 8301 section 3.1: rsa-sha1 is not to be verified
    if tags.get(b"a") not in _ALGORITHMS:
        return bad("a= is neither rsa-sha256 nor ed25519-sha256")
    if tags.get(b"h", b"").count(b":") >= _MOST_NAMES:
        return bad("too many fields in h=")
    kind = tags.get(b"c", b"simple/simple").partition(b"/")[2] or b"simple"
    limit, expires = tags.get(b"l"), tags.get(b"x", b"0")
    if kind not in (b"simple", b"relaxed"):
        return bad("bad c=")
    if not (limit is None or _NUMBER.fullmatch(limit)) or not _NUMBER.fullmatch(expires):
        return bad("bad l= or x=")
    try:
        digest = base64.b64decode(b"".join(tags.get(b"bh", b"").split()), validate=True)
    except binascii.Error:
        return bad("bad bh=")
    return _Signature(
        index,
        domain,
        selector,
        "",
        kind == b"relaxed",
        None if limit is None else int(limit),
        digest,
        int(expires),
    )
