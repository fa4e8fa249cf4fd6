"""Received fields: the one we write, and the ones that tell of a loop (RFC 5321 4.4). Writes nothing."""

from __future__ import annotations

import re
import time
from functools import lru_cache

from stratamail.mail.envelope import Envelope

PRODUCT = "StrataMail"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNSAFE = re.compile(r"[^A-Za-z0-9._:\[\]\-]")
_FIELD = re.compile(rb"(?mi)^received[ \t]*:")
# other hosts may fold our field anew, so any white space may stand between its words
_OURS = re.compile(rb"\(StrataMail\)\s+with\s+\w+\s+id\s+([0-9a-v]{16})(?![0-9A-Za-z])")


@lru_cache(maxsize=8)
def date_time(seconds: int) -> str:
    """``seconds`` since the epoch as a date-time of RFC 5322 3.3, in UTC."""
    t = time.gmtime(seconds)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday} {_MONTHS[t.tm_mon - 1]} {t.tm_year} "
        f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} +0000"
    )


def protocol(extended: bool, tls: bool, signed_in: bool, smtputf8: bool) -> str:
    """The "with" word (RFC 3848; RFC 6531 section 4.3)."""
    if smtputf8:
        return f"UTF8SMTP{'S' if tls else ''}{'A' if signed_in else ''}"
    if not extended:
        return "SMTP"
    return f"ESMTP{'S' if tls else ''}{'A' if signed_in else ''}"


def received(
    hostname: str,
    id: str,
    seconds: int,
    envelope: Envelope,
    *,
    helo: str,
    peer: str,
    tls: str = "",
    extended: bool = True,
    signed_in: bool = False,
) -> bytes:
    """Our trace field. ``for`` names the recipient only when there is one: nobody learns of the others."""
    literal = f"[IPv6:{peer}]" if ":" in peer else f"[{peer}]"
    using = f"\t(using {tls})\r\n" if tls else ""
    word = protocol(extended, bool(tls), signed_in, envelope.smtputf8)
    goal = f"\r\n\tfor <{envelope.recipients[0].address}>" if len(envelope.recipients) == 1 else ""
    text = (
        f"Received: from {_UNSAFE.sub('?', helo) or 'unknown'} ({literal})\r\n{using}"
        f"\tby {hostname} ({PRODUCT}) with {word} id {id}{goal};\r\n\t{date_time(seconds)}\r\n"
    )
    return text.encode("utf-8")


def hops(header: bytes, limit: int = 0) -> int:
    """How many Received fields a header block holds; below ``limit`` the figure may be a little high."""
    lower = header.lower()
    most = lower.count(b"\nreceived") + lower.startswith(b"received")
    # a regular expression over every header would cost more than the hash of the message
    return most if most < limit else len(_FIELD.findall(header))


def own_ids(header: bytes) -> list[str]:
    """The ids under which a message says that it passed us, newest first. Anybody can write such a line: they count
    only when the store knows them."""
    if b"(StrataMail)" not in header:
        return []
    return [match.decode("ascii") for match in _OURS.findall(header)]
