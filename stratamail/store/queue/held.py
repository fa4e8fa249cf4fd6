"""Held mail as people look at it: like refusals of one outage are one group, with the primary's words and the cure.

Reads only. Functions that tenants read by take a *scope* first: the domains of the account that asks; None is the
operator's view of everything.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

import sqlalchemy as sa
from attrs import define, field
from sqlalchemy.engine import Connection

from stratamail.store.queue.deliveries import PAGE, is_held, rfc3339
from stratamail.store.queue.events import Event
from stratamail.store.queue.events import listing as all_events
from stratamail.store.queue.schema import deliveries, messages

_REPLY = re.compile(r"[245]\d\d(?:[ -]+[245]\.\d{1,3}\.\d{1,3})?(?=[ -]|$)")
_CURE = re.compile(r" \(cure: (.*)\)$", re.DOTALL)
_LOOK = "ask whoever runs the primary about these words; then queue retry, or queue return gives them back"
_CURES = {
    ("5.1.1", "5.1.10"): "make the mailbox at the primary, then queue retry; or queue return tells the sender",
    ("5.2.2",): "make room in the mailbox at the primary, then queue retry",
    ("5.2.3", "5.3.4"): "raise the size limit at the primary, then queue retry",
    ("5.6.0", "5.6.7", "5.7.1"): "let the primary take it from us (an exception in its filter), then queue retry",
}


def kind_of(reason: str) -> str:
    """What like refusals have in common: code and enhanced status of a reply (RFC 3463), or what we say up to the
    first colon."""
    found = _REPLY.match(reason)
    return re.sub("[ -]+", " ", found[0]) if found else reason.partition(":")[0].strip()


def cure_of(reason: str) -> str:
    """What a person can do about it: what was told with the reply, else what helps with its kind."""
    told = _CURE.search(reason)
    if told:
        return told[1]
    status = kind_of(reason).rpartition(" ")[2]
    return next((cure for codes, cure in _CURES.items() if status in codes), _LOOK)


@define
class Group:
    """``outage`` is the event's number, None when it was held in none; arrivals in µs; ``words`` of the latest."""

    domain: str
    outage: int | None
    kind: str
    words: str
    oldest: int
    newest: int
    ids: list[int] = field(factory=list)


def groups(
    scope: Collection[str] | None, conn: Connection, domains: Sequence[str] = (), page: int = PAGE
) -> list[Group]:
    """What is held, in order of the oldest of each group; of ``domains`` when any are named. On a reading connection
    its transaction ends after every page."""
    outages: dict[str, list[Event]] = {}
    found: dict[tuple[str, int | None, str], Group] = {}
    for id, domain, held_at, reason, arrived in _rows(scope, conn, domains, page):
        if domain not in outages:
            outages[domain] = all_events(scope, conn, domain)
        outage = next((one.id for one in reversed(outages[domain]) if _within(one, held_at)), None)
        key = (domain, outage, kind_of(reason))
        group = found.setdefault(key, Group(domain, outage, key[2], reason, arrived, arrived))
        group.ids.append(id)
        group.words = reason
        group.oldest, group.newest = min(group.oldest, arrived), max(group.newest, arrived)
    return sorted(found.values(), key=lambda one: (one.oldest, one.ids[0]))


def _within(event: Event, at: int) -> bool:
    return event.opened <= at and (event.closed is None or at <= event.closed)


def _rows(
    scope: Collection[str] | None, conn: Connection, domains: Sequence[str], page: int
) -> Iterator[tuple[int, str, int, str, int]]:
    """Delivery, domain, when it was held, reason, arrival."""
    c = deliveries.c
    query = (
        # next_attempt of a held row is when it was held
        sa.select(c.id, c.domain, c.next_attempt, c.last_reply, messages.c.arrived, c.seq)
        .select_from(deliveries.join(messages, messages.c.seq == c.seq))
        .where(is_held())
        .order_by(c.domain, c.seq, c.id)
        .limit(page)
    )
    if scope is not None:
        query = query.where(c.domain.in_(list(scope)))
    if domains:
        query = query.where(c.domain.in_(list(domains)))
    after: tuple[str, int, int] = ("", 0, 0)
    while True:
        above = sa.or_(
            c.domain > after[0],
            sa.and_(c.domain == after[0], c.seq > after[1]),
            sa.and_(c.domain == after[0], c.seq == after[1], c.id > after[2]),
        )
        rows = conn.execute(query.where(above)).all()
        if conn.in_transaction() and not conn.get_execution_options().get("immediate", False):
            conn.rollback()
        for row in rows:
            yield row[0], row[1], row[2], row[3], row[4]
        if len(rows) < page:
            return
        after = (rows[-1][1], rows[-1][5], rows[-1][0])


def as_json(group: Group) -> dict[str, object]:
    """The object of ``queue held --json``; ``deliveries`` are what ``queue retry|release|return ID`` takes."""
    return {
        "domain": group.domain,
        "outage": group.outage,
        "reason": group.kind,
        "count": len(group.ids),
        "oldest": rfc3339(group.oldest),
        "newest": rfc3339(group.newest),
        "words": _CURE.sub("", group.words),
        "cure": cure_of(group.words),
        "deliveries": group.ids,
    }
