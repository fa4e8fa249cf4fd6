"""``stratamail domain setup``: what to enter at the primary and in the filter's console. Writes nothing."""

from __future__ import annotations

import textwrap

import click

from stratamail.cli import show
from stratamail.cli.options import as_json, pass_session
from stratamail.cli.session import Session
from stratamail.doctor.kinds import known_filters
from stratamail.profiles.primaries import of
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.schema import OPERATOR

_EXPERIENCE = "by experience, not from the maker's own pages"


@click.command("setup")
@click.argument("domain")
@as_json
@pass_session
def setup(session: Session, domain: str, as_json: bool) -> None:
    """Print what to enter at the primary and in the filter's console of a domain."""
    with session.look() as conn:
        found = Domains(conn).get(OPERATOR, domain)
    profile = of(found.profile, [one.host for one in found.primaries])
    known, _ = known_filters(session.layout)
    front = known[found.filter]
    if as_json:
        show.document(
            {
                "domain": found.name,
                "profile": profile.name,
                "primary_steps": list(profile.setup),
                "filter": front.name,
                "filter_step": front.setup,
                "filter_failover": front.failover,
                "filter_tests": front.tests,
                "filter_asks": front.asks,
                "filter_networks": [str(network) for network in front.networks],
                "filter_names": list(front.names),
                "filter_dated": front.dated.isoformat() if front.dated else None,
                "by_experience": front.by_experience,
            }
        )
        return
    click.echo(f"At the primary ({profile.title}):")
    for step in profile.setup:
        _item(step)
    click.echo(f"\nIn front of it ({front.title}{', ' + _EXPERIENCE if front.by_experience else ''}):")
    _item(f"{front.setup[0].upper()}{front.setup[1:]}.")
    places = [str(network) for network in front.networks] + [f"*.{name}" for name in front.names]
    facts = {
        "Fails over": front.failover,
        "Tests us": front.tests,
        "Recipients": "asks whether they exist" if front.asks else "",
        "Comes from": f"{', '.join(places)} (looked up {front.dated})" if front.dated else "",
    }
    for name, text in facts.items():
        if text:
            _item(f"{name}: {text}")
    click.echo(f"\nOur host is {session.settings.server.hostname}.")


def _item(text: str) -> None:
    click.echo(textwrap.fill(text, 100, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False))
