"""``stratamail status``, ``events`` and ``outage``: how the primaries are, and what outages there were."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy import Connection

from stratamail.cli import show, wake
from stratamail.cli.options import as_json, pass_session
from stratamail.cli.session import Session
from stratamail.outage import declare as outages
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.catalog.scope import Refused
from stratamail.store.queue import deliveries, primaries
from stratamail.store.queue import events as event_rows
from stratamail.store.queue.deliveries import rfc3339
from stratamail.tenancy.model import Domain

COLUMNS = ("domain", "mode", "primary", "primary_state", "event_state", "queued", "held", "oldest", "outbound")


def _domains(session: Session, name: str | None) -> list[Domain]:
    """The domain called ``name``, or all; an alias domain shows its main domain's mode and primaries."""
    with session.look() as conn:
        everything = Domains(conn).all(OPERATOR)
        wanted = [Domains(conn).get(OPERATOR, name)] if name else everything
    by_id = {one.id: one for one in everything}
    return [_effective(one, by_id) for one in wanted]


def _effective(domain: Domain, by_id: dict[int, Domain]) -> Domain:
    main = by_id.get(domain.alias_of) if domain.alias_of else None
    return domain if main is None else Domain(domain.id, main.account, domain.name, main.primaries, main.mode)


def rows(conn: Connection, domains: list[Domain]) -> list[dict[str, Any]]:
    """The objects of ``status --json``."""
    counts = deliveries.counts(None, conn)
    states = primaries.states(conn)
    open_events = event_rows.open_events(conn)
    found = []
    for domain in domains:
        count = counts.get(domain.name, deliveries.Counts())
        event = open_events.get(domain.name)
        found.append(
            {
                "domain": domain.name,
                "mode": domain.mode,
                "primary": ", ".join(str(host) for host in domain.primaries),
                "primary_state": states.get(domain.name, primaries.UNKNOWN),
                "event_state": event_rows.NONE if event is None else event.state,
                "queued": count.queued,
                "held": count.held,
                "oldest": rfc3339(count.oldest),
                "outbound": count.outbound,
                "aside": count.aside,
            }
        )
    return found


@click.command("status")
@click.argument("domain", required=False)
@as_json
@pass_session
def status(session: Session, domain: str | None, as_json: bool) -> None:
    """How each primary is and what it is owed."""
    wanted = _domains(session, domain)
    with session.look_queue() as conn:
        found = rows(conn, wanted)
    if domain:
        show.one(found[0], as_json)
    else:
        show.listing(found, as_json, COLUMNS, "no domains")


@click.command("events")
@click.argument("domain", required=False)
@as_json
@pass_session
def events(session: Session, domain: str | None, as_json: bool) -> None:
    """The outages, oldest first."""
    name = _domains(session, domain)[0].name if domain else ""
    with session.look_queue() as conn:
        found = [event_rows.as_json(conn, event) for event in event_rows.listing(None, conn, name)]
    columns = ("id", "domain", "kind", "state", "opened", "closed", "captured", "delivered", "held", "left_over")
    show.listing(found, as_json, columns, "no outages")


@click.group("outage")
def outage() -> None:
    """Declare an outage, and end it."""


@outage.command("declare")
@click.argument("domain")
@click.option("--reason", metavar="TEXT", default="", help="What users and admins are told.")
@click.option(
    "--hold", is_flag=True, help="Give nothing back until the outage is ended, even when the primary answers."
)
@as_json
@pass_session
def declare(session: Session, domain: str, reason: str, hold: bool, as_json: bool) -> None:
    """An outage that only `outage end` ends."""
    name = _domains(session, domain)[0].name
    with session.change_queue() as conn:
        event = outages.declare(conn, name, reason, hold, session.now)
        shown = event_rows.as_json(conn, event)
    session.poke(wake.OUTAGE, wake.QUEUE)
    show.one(shown, as_json)


@outage.command("end")
@click.argument("domain")
@click.option("--reason", metavar="TEXT", default="", help="Replaces the reason that was given when it was declared.")
@as_json
@pass_session
def end(session: Session, domain: str, reason: str, as_json: bool) -> None:
    """End an outage: what is owed is given back, then it closes."""
    name = _domains(session, domain)[0].name
    with session.change_queue() as conn:
        try:
            event = outages.end(conn, name, session.now, reason)
        except outages.NothingToEnd as nothing:
            raise Refused(str(nothing)) from None
        shown = event_rows.as_json(conn, event)
    session.poke(wake.OUTAGE, wake.QUEUE)
    show.one(shown, as_json)
