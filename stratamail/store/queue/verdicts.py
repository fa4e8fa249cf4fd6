"""What DKIM said of a message at capture: the column ``messages.dkim``, which this file alone reads and writes.

Its words: ``""`` not judged yet; ``none`` no signature; ``temperror`` no answer from the DNS (asked again for a day);
``fail`` with the signing domains; ``pass`` with ``DOMAIN=SELECTOR@EXPIRES`` for each signature that is good (seconds
since the epoch, 0 for never); ``unknown`` it could not be judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen
from sqlalchemy import func, select, text
from sqlalchemy.engine import Connection

from stratamail.mail.address import domain_key, split
from stratamail.mail.dkim import Outcome, Verdict
from stratamail.store.model import OWED, PRIMARY, Message
from stratamail.store.queue.messages import MESSAGE_COLUMNS, from_row
from stratamail.store.queue.schema import deliveries, messages

UNJUDGED, NONE, PASS, FAIL, TEMPERROR, UNKNOWN = "", "none", "pass", "fail", "temperror", "unknown"


@frozen
class Good:
    """A signature that was good at capture. ``expires`` seconds since the epoch, 0 for never."""

    domain: str
    selector: str
    expires: int = 0


def words(found: Sequence[Verdict]) -> str:
    """The column's text for the verdicts on all signatures of a message."""
    good = [one for one in found if one.passed]
    if good:
        return " ".join([PASS, *dict.fromkeys(f"{one.domain}={one.selector}@{one.expires}" for one in good)])
    if not found:
        return NONE
    if any(one.outcome is Outcome.TEMPERROR for one in found):
        return TEMPERROR
    return " ".join([FAIL, *dict.fromkeys(one.domain for one in found if one.domain)])


def good(stored: str) -> list[Good]:
    """The signatures that were good, by the column's text."""
    kind, *rest = stored.split() or [UNJUDGED]
    if kind != PASS:
        return []
    out = []
    for word in rest:
        domain, _, other = word.partition("=")
        selector, _, expires = other.rpartition("@")
        out.append(Good(domain, selector, int(expires)))
    return out


def proven(stored: str, sender: str) -> bool:
    """Whether a good signature speaks for the domain of the envelope's ``sender``: its own, or one above it (RFC 6376
    section 3.10: a signer may name a domain below its own)."""
    if "@" not in sender:
        return False
    domain = domain_key(split(sender)[1])
    return any(domain == one.domain or domain.endswith(f".{one.domain}") for one in good(stored))


def of(conn: Connection, seq: int) -> str | None:
    """The column's text of one message."""
    found: str | None = conn.execute(select(messages.c.dkim).where(messages.c.seq == seq)).scalar()
    return found


def unjudged(conn: Connection, after: int, since: int, limit: int = 50) -> list[Message]:
    """A page of what is to be judged, in order of seq above ``after``; of ``temperror`` what came after ``since``
    (µs)."""
    query = (
        select(*MESSAGE_COLUMNS)
        .where(text("dkim IN ('', 'temperror')"), messages.c.seq > after)
        .where((messages.c.dkim == UNJUDGED) | (messages.c.arrived > since))
        .order_by(messages.c.seq)
        .limit(limit)
    )
    return [from_row(row) for row in conn.execute(query)]


def store(conn: Connection, found: Mapping[int, str]) -> None:
    """seq → text, for messages that are not judged for good."""
    change = text("UPDATE messages SET dkim = :words WHERE seq = :seq AND dkim IN ('', 'temperror')")
    conn.execute(change, [{"seq": seq, "words": judged} for seq, judged in found.items()])


@frozen
class Waiting:
    """``count`` messages owed to the primary of ``domain`` that bear the signature ``good``."""

    domain: str
    good: Good
    count: int


def waiting(conn: Connection) -> list[Waiting]:
    """The good signatures of what is still owed to primaries."""
    query = (
        select(deliveries.c.domain, messages.c.dkim, func.count(messages.c.seq.distinct()))
        .join(messages, messages.c.seq == deliveries.c.seq)
        .where(deliveries.c.state.in_(OWED), deliveries.c.destination == PRIMARY, messages.c.dkim.like(f"{PASS} %"))
        .group_by(deliveries.c.domain, messages.c.dkim)
    )
    counts: dict[tuple[str, Good], int] = {}
    for domain, stored, count in conn.execute(query):
        for one in good(stored):
            counts[domain, one] = counts.get((domain, one), 0) + int(count)
    return [Waiting(domain, one, count) for (domain, one), count in counts.items()]
