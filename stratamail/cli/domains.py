"""``stratamail domain``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from attrs import evolve

from stratamail.cli import show
from stratamail.cli.aside import set_aside
from stratamail.cli.checks import refuse_ourselves, warn_of_names
from stratamail.cli.domain_dkim import dkim
from stratamail.cli.domain_setup import setup
from stratamail.cli.options import HostPortType, NetworkType, PeriodType, account, as_json, pass_session
from stratamail.cli.session import Session
from stratamail.profiles import filters
from stratamail.profiles import primaries as profiles
from stratamail.store import dkim_keys
from stratamail.store.catalog.accounts import Accounts
from stratamail.store.catalog.domains import Domains, check_name
from stratamail.store.catalog.mailboxes import Mailboxes
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.catalog.scope import Refused
from stratamail.store.queue import deliveries, events, primaries, unclaimed
from stratamail.tenancy.model import MODES, TLS, UNKNOWN, Account, Domain, HostPort, Network

Command = TypeVar("Command", bound=Callable[..., Any])


def settings_options(command: Command) -> Command:
    """The options of ``add``, which ``set`` takes too."""
    for option in reversed(
        (
            click.option(
                "--primary", "hosts", type=HostPortType(), multiple=True, help="Tried in order; may be repeated."
            ),
            account,
            click.option("--mode", type=click.Choice(MODES)),
            click.option("--tls", type=click.Choice((*TLS, "profile")), help="Default: what the profile says."),
            click.option("--trust", type=NetworkType(), multiple=True, help="May be repeated; without one: any peer."),
            click.option("--unknown", type=click.Choice(UNKNOWN)),
            click.option("--profile", type=click.Choice(profiles.NAMES), help="Default: auto, by its name and banner."),
            click.option("--filter", "filter_", type=click.Choice(filters.NAMES)),
            click.option(
                "--return-after",
                type=PeriodType(),
                help="Held mail to an unknown user goes back to a sender proven by DKIM: 3d, or never.",
            ),
            click.option("--alias-of", metavar="DOMAIN", help="Has that domain's mailboxes and settings."),
        )
    ):
        command = option(command)
    return command


def row(domain: Domain, accounts: list[Account], domains: list[Domain]) -> dict[str, Any]:
    """The object of ``domain list --json`` and ``domain show --json``."""
    names = {one.id: one.name for one in accounts}
    mains = {one.id: one.name for one in domains}
    return {
        "domain": domain.name,
        "account": names.get(domain.account),
        "primary": [str(host) for host in domain.primaries],
        "mode": domain.mode,
        "tls": domain.tls or None,
        "trust": [str(network) for network in domain.trust],
        "unknown": domain.unknown,
        "profile": profiles.of(domain.profile, [one.host for one in domain.primaries]).name,
        "filter": domain.filter,
        "return_after": domain.return_after,
        "alias_of": mains.get(domain.alias_of) if domain.alias_of else None,
    }


@click.group("domain")
def domains() -> None:
    """The protected domains."""


domains.add_command(setup)

domains.add_command(dkim)


@domains.command("add")
@click.argument("domain")
@settings_options
@as_json
@pass_session
def add(session: Session, /, domain: str, as_json: bool, **given: Any) -> None:
    """Protect a domain. Its primary is asked for its health within a second."""
    name = check_name(domain)
    if not given["hosts"] and not given["alias_of"]:
        raise click.UsageError("a domain needs its primary: --primary HOST:PORT")
    refuse_ourselves(given["hosts"], session.settings)
    with session.change("domain.add", name, _detail(given)) as conn:
        blank = Domain(id=0, account=session.account(conn, given["account"]), name=name)
        found = Domains(conn).add(OPERATOR, _apply(blank, given, Domains(conn), None))
        shown = row(found, Accounts(conn).all(OPERATOR), Domains(conn).all(OPERATOR))
    warn_of_names(given["hosts"])
    show.one(shown, as_json)


@domains.command("list")
@as_json
@pass_session
def list_domains(session: Session, as_json: bool) -> None:
    """List all domains."""
    with session.look() as conn:
        accounts, found = Accounts(conn).all(OPERATOR), Domains(conn).all(OPERATOR)
    rows = [row(one, accounts, found) for one in found]
    show.listing(rows, as_json, ("domain", "account", "mode", "primary", "unknown", "trust"), "no domains")


@domains.command("show")
@click.argument("domain")
@as_json
@pass_session
def show_domain(session: Session, domain: str, as_json: bool) -> None:
    """Show one domain."""
    with session.look() as conn:
        found = Domains(conn).get(OPERATOR, domain)
        shown = row(found, Accounts(conn).all(OPERATOR), Domains(conn).all(OPERATOR))
    show.one(shown, as_json)


@domains.command("set")
@click.argument("domain")
@settings_options
@as_json
@pass_session
def set_domain(session: Session, /, domain: str, as_json: bool, **given: Any) -> None:
    """Change a domain. Lists (--primary, --trust) are replaced whole; --trust any clears the list."""
    refuse_ourselves(given["hosts"], session.settings)
    with session.change("domain.set", domain, _detail(given)) as conn:
        before = Domains(conn).get(OPERATOR, domain)
        moved = session.account(conn, given["account"]) if given["account"] else None
        found = Domains(conn).set(OPERATOR, _apply(before, given, Domains(conn), moved))
        shown = row(found, Accounts(conn).all(OPERATOR), Domains(conn).all(OPERATOR))
    warn_of_names(given["hosts"])
    show.one(shown, as_json)


@domains.command("remove")
@click.argument("domain")
@as_json
@pass_session
def remove(session: Session, domain: str, as_json: bool) -> None:
    """Stop protecting a domain, with its mailboxes and addresses. A domain that is owed mail is not removed."""
    with session.look() as conn:
        name = Domains(conn).get(OPERATOR, domain).name
    with session.look_queue() as conn:
        owed = deliveries.owes(conn, name)
    if owed:
        raise Refused(
            f"{name} is owed {owed} deliveries: flush, return or release them first (stratamail queue list {name})"
        )
    with session.change("domain.remove", name) as conn:
        found = Domains(conn).get(OPERATOR, name)
        boxes = Mailboxes(conn).all(OPERATOR, found.id)
        Domains(conn).remove(OPERATOR, name)
    with session.change_queue() as conn:
        primaries.remove(conn, name)
        current = events.current(conn, name)
        if current is not None:
            # nobody is left to notice its end, and the domain may come again
            events.close(conn, current.id, session.now)
        unclaimed.forget_domain(conn, name)
    dkim_keys.remove(session.layout, name)
    set_aside(session, boxes)
    show.one({"removed": name, "mailboxes": len(boxes)}, as_json)


def _apply(domain: Domain, given: dict[str, Any], repository: Domains, account: int | None) -> Domain:
    """``domain`` with what was given on the command line."""
    hosts: tuple[HostPort, ...] = given["hosts"]
    trust: tuple[Network | str, ...] = given["trust"]
    changes: dict[str, Any] = {
        "primaries": hosts or None,
        "mode": given["mode"],
        "tls": "" if given["tls"] == "profile" else given["tls"],
        "trust": tuple(dict.fromkeys(one for one in trust if one != "any")) if trust else None,
        "unknown": given["unknown"],
        "profile": given["profile"],
        "filter": given["filter_"],
        "return_after": given["return_after"],
        "alias_of": repository.get(OPERATOR, given["alias_of"]).id if given["alias_of"] else None,
        "account": account,
    }
    return evolve(domain, **{name: value for name, value in changes.items() if value is not None})


def _detail(given: dict[str, Any]) -> str:
    parts = []
    for name, value in given.items():
        if value not in (None, ()):
            text = " ".join(str(item) for item in value) if isinstance(value, tuple) else str(value)
            parts.append(f"{name.rstrip('_')}={text}")
    return "; ".join(parts)
