"""Signatures that were good when they came and will not be when the message is given back: their time is over
(``x=``), or their key has left the DNS. Writes ``alerts`` through the committer.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from stratamail.net.resolver import NotResolved, Resolver
from stratamail.store.queue import alerts, verdicts
from stratamail.store.queue.verdicts import Good, Waiting

Access = Callable[[Callable[[Connection], Any]], Awaitable[Any]]
KIND = "dkim-lapsed"
_DAY = 86_400


def record(texts: Sequence[bytes]) -> bytes | None:
    """The key record among the TXT records of a name (RFC 6376 section 3.6.2.2); None when there is none."""
    return next((one for one in texts if b"p=" in one), None)


async def check(now: float, read: Access, write: Access, resolver: Resolver) -> None:
    """One alert a day for each signer whose mail waits for a domain and has lapsed. ``now``: seconds."""
    waiting: list[Waiting] = await read(verdicts.waiting)
    reasons: dict[Good, str] = {}
    for good in dict.fromkeys(one.good for one in waiting):
        reasons[good] = await _reason(good, now, resolver)
    lapsed: dict[tuple[str, str, str, str], int] = {}
    for one in waiting:
        reason = reasons[one.good]
        if reason:
            key = (one.domain, one.good.domain, one.good.selector, reason)
            lapsed[key] = lapsed.get(key, 0) + one.count
    if lapsed:
        await write(lambda conn: _tell(conn, now, lapsed))


async def _reason(good: Good, now: float, resolver: Resolver) -> str:
    if good.expires and good.expires <= now:
        return f"expired on {time.strftime('%Y-%m-%d', time.gmtime(good.expires))}"
    try:
        found = record(await resolver.texts(f"{good.selector}._domainkey.{good.domain}"))
    except NotResolved as error:
        return "has lost its key in the DNS" if error.permanent else ""
    tags = [tag.partition(b"=") for tag in (found or b"").split(b";")]
    # an empty p= says that the key was withdrawn (RFC 6376 section 3.6.1)
    alive = any(name.strip() == b"p" and value.strip() for name, _, value in tags)
    return "" if alive else "has lost its key in the DNS"


def _tell(conn: Connection, now: float, lapsed: dict[tuple[str, str, str, str], int]) -> None:
    for (domain, signer, selector, reason), count in lapsed.items():
        text = (
            f"{count} waiting for the primary of {domain}: their DKIM signature by {signer} ({selector}) was good when "
            f"they came and {reason}. Let the primary take mail from this server without a DKIM check"
        )
        key = f"{KIND}/{domain}/{signer}/{selector}/{int(now) // _DAY}"
        alerts.add(conn, int(now * 1_000_000), domain, KIND, key, text)
