"""``stratamail doctor``. Exit status 0 whenever it could look; what it found is in what it prints."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import click
from attrs import asdict
from sqlalchemy import Connection

from stratamail.cli import show, wake
from stratamail.cli.options import as_json, pass_session
from stratamail.cli.session import Session
from stratamail.doctor import dkim, kinds, machine
from stratamail.doctor import domain as domain_checks
from stratamail.doctor import reckoning as accounts
from stratamail.doctor.finding import FAILURE, OK, WARNING, Finding
from stratamail.store.catalog.directory import load
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.queue import alerts, counters, deliveries, events, reckoning

# outages of a domain that are looked at, the latest
_OUTAGES = 50
_COLOURS = {OK: "green", WARNING: "yellow", FAILURE: "red"}


@click.command("doctor")
@click.argument("domain", required=False)
@as_json
@pass_session
def doctor(session: Session, domain: str | None, as_json: bool) -> None:
    """Look for what stands in the way: each check says ok, warning or failure, and the cure."""
    with session.look() as conn:
        name = Domains(conn).get(OPERATOR, domain).name if domain else None
        directory = load(conn)
        addresses = {one.domain for one in directory.addresses()}
    with session.look_queue() as conn:
        counts = deliveries.counts(None, conn)
        told = alerts.listing(None, conn)
        untrusted = {one.name: counters.value(conn, f"untrusted:{one.name}") for one in directory.domains()}
        outages = {one.name: _outages(conn, one.name) for one in directory.domains() if name in (None, one.name)}
        missing: dict[str, list[str]] = {}
        for owner, message in reckoning.without_octets(conn, session.layout):
            missing.setdefault(owner, []).append(message)
    findings: list[Finding] = []
    if name is None:
        findings += machine.check(session.settings, session.poke(wake.QUEUE), time.time(), told)
    known, problems = kinds.known_filters(session.layout)
    findings += problems
    for one in directory.domains():
        if name in (None, one.name):
            listed = len(directory.mailboxes(one.name)) + (1 if (one.alias_of or one.id) in addresses else 0)
            owed = counts.get(one.name, deliveries.Counts())
            findings += domain_checks.check(one, listed, owed, untrusted[one.name], session.settings)
            findings += accounts.check(one.name, outages[one.name], missing.get(one.name, []))
            findings += kinds.check(one, known, datetime.now(UTC).date())
            findings += dkim.check(one.name, session.layout, session.settings.relay.resolver)
    if as_json:
        show.document([asdict(finding) for finding in findings])
        return
    for finding in findings:
        _print(finding)


def _outages(conn: Connection, domain: str) -> list[tuple[events.Event, reckoning.Reckoning]]:
    """The latest outages of a domain with their accounts."""
    latest = events.listing(None, conn, domain)[-_OUTAGES:]
    return [(event, reckoning.of_event(conn, event)) for event in latest]


def _print(finding: Finding) -> None:
    level = click.style(finding.level.ljust(7), fg=_COLOURS[finding.level])
    click.echo(f"{level}  {finding.check}: {show.plain(finding.subject)}: {show.plain(finding.text)}")
    if finding.cure:
        click.echo(f"         cure: {finding.cure}")
