"""Mail addresses: splitting, the form in which they are compared, and paths (RFC 5321 4.1.2, RFC 6531).

An address is kept exactly as it came, without angle brackets; only :func:`key` forms are compared. Writes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna

# octets; generous beside RFC 5321 4.5.3.1.1 (64), since rewritten senders (SRS, VERP) are longer in life
MAX_LOCAL = 256
MAX_DOMAIN = 255

_ATEXT = rb"A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\xff"
_DOT_STRING = re.compile(rb"[" + _ATEXT + rb"]+(?:\.[" + _ATEXT + rb"]+)*")
# qtextSMTP and quoted-pairSMTP; no control character can pass
_QUOTED = re.compile(rb'"(?:[ !#-\[\]-~\x80-\xff]|\\[ -~])*"')
_LABEL = rb"(?:[A-Za-z0-9_\x80-\xff](?:[A-Za-z0-9_\-\x80-\xff]*[A-Za-z0-9_\x80-\xff])?)"
_DOMAIN = re.compile(_LABEL + rb"(?:\." + _LABEL + rb")*")
_LITERAL = re.compile(rb"\[[!-Z^-~]+\]")
_ROUTE = re.compile(rb"@" + _DOMAIN.pattern + rb"(?:,@" + _DOMAIN.pattern + rb")*:")
_PLAIN = re.compile(
    rb"<([A-Za-z0-9_+=\-]+(?:\.[A-Za-z0-9_+=\-]+)*@"
    rb"[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?)*)>"
)
_UNQUOTE = re.compile(r"\\(.)", re.DOTALL)


class PathError(ValueError):
    """A path that no grammar allows. ``status`` is the enhanced code's subject and detail ("1.3", "6.7")."""

    def __init__(self, text: str, status: str = "1.3") -> None:
        super().__init__(text)
        self.status = status


def split(address: str) -> tuple[str, str]:
    """``(local, domain)`` as they came; the domain is "" when there is none. A quoted "@" stays in the local part."""
    local, at, domain = address.rpartition("@")
    return (local, domain) if at else (domain, "")


def unquote(local: str) -> str:
    """The local part without its quotes and quoted pairs; anything else unchanged."""
    if len(local) >= 2 and local[0] == '"' == local[-1]:
        return _UNQUOTE.sub(r"\1", local[1:-1])
    return local


@lru_cache(maxsize=4096)
def _a_label(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError, ValueError, IndexError):
        return domain.lower()


def domain_key(domain: str) -> str:
    """The form in which domains are compared: lower case, A-labels, no final dot. Odd input comes back lower."""
    if not domain.isascii():
        domain = _a_label(domain)
    domain = domain.lower()
    return domain[:-1] if len(domain) > 1 and domain[-1] == "." else domain


def key(address: str) -> str:
    """The form in which addresses are compared everywhere: unquoted, case-folded NFC local part, :func:`domain_key`."""
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = domain, ""
    if local[:1] == '"':
        local = unquote(local)
    if local.isascii():
        local = local.lower()
    else:
        local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).casefold())
    return f"{local}@{domain_key(domain)}" if at else local


def is_routed(local: str) -> bool:
    """Whether a local part carries a route of its own: ``user%host``, ``host!user``, or an "@" inside quotes."""
    plain = unquote(local)
    return "%" in plain or "!" in plain or "@" in plain


def parse_path(raw: bytes, smtputf8: bool = False) -> tuple[str, bytes]:
    """``(address, rest)`` of ``<path> rest``; the address is "" for the null path. A source route is dropped (RFC 5321
    4.1.1.3 and appendix C). ``<postmaster>`` without a domain comes back so. Raises :class:`PathError`."""
    plain = _PLAIN.match(raw)
    if plain is not None and len(plain[1]) <= 254:
        return plain[1].decode("ascii"), raw[plain.end() :]
    if not raw.startswith(b"<"):
        raise PathError("Address must be in angle brackets")
    if raw.startswith(b"<>"):
        return "", raw[2:]
    at = 1
    route = _ROUTE.match(raw, at)
    if route is not None:
        at = route.end()
    local = (_QUOTED if raw[at : at + 1] == b'"' else _DOT_STRING).match(raw, at)
    if local is None:
        raise PathError("Bad local part")
    at = local.end()
    domain = b""
    if raw[at : at + 1] == b"@":
        match = (_LITERAL if raw[at + 1 : at + 2] == b"[" else _DOMAIN).match(raw, at + 1)
        if match is None:
            raise PathError("Bad domain")
        domain, at = match[0], match.end()
    elif local[0].lower() != b"postmaster":
        raise PathError("Address has no domain")
    if raw[at : at + 1] != b">":
        raise PathError("Bad address syntax")
    if len(local[0]) > MAX_LOCAL or len(domain) > MAX_DOMAIN:
        raise PathError("Address too long")
    return _decode(local[0], domain, smtputf8), raw[at + 1 :]


def _decode(local: bytes, domain: bytes, smtputf8: bool) -> str:
    if domain.startswith(b"["):
        _check_literal(domain[1:-1].decode("ascii"))
    raw = local + b"@" + domain if domain else local
    if not raw.isascii() and not smtputf8:
        raise PathError("Address needs SMTPUTF8", "6.7")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise PathError("Address is not UTF-8", "6.7") from None
    # C1 controls and line separators have no business in an address that is shown and logged
    if any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in text if char >= "\x80"):
        raise PathError("Control character in address")
    if domain and not domain.isascii():
        domain_text = text.rpartition("@")[2]
        if not _a_label(domain_text).isascii():
            raise PathError("Bad internationalised domain", "1.3")
    return text


def _check_literal(text: str) -> None:
    """RFC 5321 4.1.3: an IPv4 address, ``IPv6:`` and an address, or a tag and a colon."""
    try:
        if text[:5].lower() == "ipv6:":
            IPv6Address(text[5:])
        elif ":" not in text:
            IPv4Address(text)
    except AddressValueError:
        raise PathError("Bad address literal") from None
