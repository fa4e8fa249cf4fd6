"""Whether the account of a domain's outages holds: nothing that was captured is lost sight of. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stratamail.doctor.finding import Finding, failure, ok
from stratamail.store.queue.events import Event
from stratamail.store.queue.reckoning import Reckoning

_SHOWN = 5


def check(domain: str, outages: Sequence[tuple[Event, Reckoning]], without_octets: Sequence[str]) -> Iterator[Finding]:
    """``outages`` of the domain with their accounts; ``without_octets`` are ids of messages that are owed or held."""
    wrong = [(event, account) for event, account in outages if not account.holds]
    for event, account in wrong:
        cure = f"look at them: stratamail queue list {domain} --all; stratamail proof ID; replay gives them again"
        yield failure("account", f"{domain} outage {event.id}", _told(account), cure)
    if not wrong:
        number = f"{len(outages)} outages" if outages else "no outage yet"
        yield ok("account", domain, f"{number}, captured = delivered + held + queued + returned")
    if without_octets:
        ids = ", ".join(without_octets[:_SHOWN])
        text = f"{len(without_octets)} messages are owed or held and not there any more: {ids}"
        cure = "bring STATE/spool back from the backup; until then they are held, and their senders may be asked"
        yield failure("octets", domain, text, cure)


def _told(account: Reckoning) -> str:
    text = (
        f"captured {account.captured} = delivered {account.delivered} + held {account.held} + queued "
        f"{account.queued} + returned {account.returned} does not hold"
    )
    if account.unproven:
        text += f"; {account.unproven} delivered without the SHA-256 of what was captured"
    if account.astray:
        text += f"; {account.astray} in no known state or without a message"
    return text
