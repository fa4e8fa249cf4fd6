"""``stratamail address``: aliases, shared addresses (each with a mailbox of its own), groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from stratamail.cli import show
from stratamail.cli.aside import clear_place, set_aside
from stratamail.cli.options import as_json, pass_session
from stratamail.cli.session import Session
from stratamail.store.catalog.addresses import Addresses
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.schema import OPERATOR
from stratamail.tenancy.directory import ALIAS, GROUP, SHARED
from stratamail.tenancy.model import Address

Command = TypeVar("Command", bound=Callable[..., Any])


def row(entry: Address) -> dict[str, Any]:
    """The object of ``address list --json`` and ``address show --json``."""
    return {
        "address": entry.address,
        "kind": entry.kind,
        "members": list(entry.members),
        "send_as": list(entry.send_as),
    }


def meaning(command: Command) -> Command:
    """The options of ``add``, which ``set`` takes too."""
    for option in (
        click.option("--send-as", metavar="MAILBOX", multiple=True, help="Who may send as it; may be repeated."),
        click.option("--group", metavar="ADDRESS", multiple=True, help="A member, inside or outside; may be repeated."),
        click.option("--shared", metavar="MAILBOX", multiple=True, help="A reader; may be repeated."),
        click.option("--alias-of", metavar="MAILBOX", help="The mailbox that it is another name of."),
    ):
        command = option(command)
    return command


def chosen(alias_of: str | None, shared: tuple[str, ...], group: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:
    """``(kind, targets)`` of the one that was given; None when none was. Raises ``UsageError`` for several."""
    given = [
        (kind, targets)
        for kind, targets in ((ALIAS, (alias_of,) if alias_of else ()), (SHARED, shared), (GROUP, group))
        if targets
    ]
    if len(given) > 1:
        raise click.UsageError("an address is one of --alias-of, --shared or --group")
    return given[0] if given else None


@click.group("address")
def addresses() -> None:
    """Addresses that are no mailboxes: aliases, shared ones, groups."""


@addresses.command("add")
@click.argument("address")
@meaning
@as_json
@pass_session
def add(
    session: Session,
    address: str,
    alias_of: str | None,
    shared: tuple[str, ...],
    group: tuple[str, ...],
    send_as: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add an address. It decides who sees a copy; what is owed to the primary is always the recipient as it came."""
    choice = chosen(alias_of, shared, group)
    if choice is None:
        raise click.UsageError("what is it? --alias-of MAILBOX, --shared MAILBOX ... or --group ADDRESS ...")
    kind, targets = choice
    with session.change("address.add", address, f"{kind}: {' '.join(targets)}") as conn:
        repository = Addresses(conn)
        found = repository.add(OPERATOR, address, kind, targets, send_as)
        for key in repository.made:
            clear_place(session.layout, key)
    show.one(row(found), as_json)


@addresses.command("list")
@click.argument("domain", required=False)
@as_json
@pass_session
def list_addresses(session: Session, domain: str | None, as_json: bool) -> None:
    """List the addresses, of DOMAIN or all."""
    with session.look() as conn:
        of = Domains(conn).get(OPERATOR, domain) if domain else None
        found = Addresses(conn).all(OPERATOR, None if of is None else of.alias_of or of.id)
    show.listing([row(one) for one in found], as_json, ("address", "kind", "members", "send_as"), "no addresses")


@addresses.command("show")
@click.argument("address")
@as_json
@pass_session
def show_address(session: Session, address: str, as_json: bool) -> None:
    """Show one address."""
    with session.look() as conn:
        found = Addresses(conn).get(OPERATOR, address)
    show.one(row(found), as_json)


@addresses.command("set")
@click.argument("address")
@meaning
@as_json
@pass_session
def set_address(
    session: Session,
    address: str,
    alias_of: str | None,
    shared: tuple[str, ...],
    group: tuple[str, ...],
    send_as: tuple[str, ...],
    as_json: bool,
) -> None:
    """Change an address. Lists are replaced whole. One shared no more loses its aliases; its mail is set aside."""
    kind, targets = chosen(alias_of, shared, group) or (None, None)
    with session.change("address.set", address, f"{kind or 'kept'}: {' '.join(targets or ())}") as conn:
        repository = Addresses(conn)
        found = repository.set(OPERATOR, address, kind=kind, targets=targets, send_as=send_as or None)
        for key in repository.made:
            clear_place(session.layout, key)
    set_aside(session, repository.gone)
    show.one(row(found), as_json)


@addresses.command("remove")
@click.argument("address")
@as_json
@pass_session
def remove(session: Session, address: str, as_json: bool) -> None:
    """Remove an address; a shared one with its aliases. The mail of that is set aside on disk."""
    with session.change("address.remove", address) as conn:
        repository = Addresses(conn)
        repository.remove(OPERATOR, address)
    set_aside(session, repository.gone)
    show.one({"removed": address}, as_json)
