"""``stratamail mailbox`` (its ``import`` is in ``importing``)."""

from __future__ import annotations

from typing import Any

import click

from stratamail.cli import show
from stratamail.cli.aside import clear_place, set_aside
from stratamail.cli.options import as_json, pass_session, password, password_needed
from stratamail.cli.session import Session, read_password
from stratamail.store.catalog.addresses import Addresses
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.mailboxes import DISABLED, ENABLED, Mailboxes
from stratamail.store.catalog.names import check_free, place
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.findable import count_searchable
from stratamail.store.mailboxes import count_messages
from stratamail.tenancy.directory import ALIAS
from stratamail.tenancy.model import Address, Mailbox


def row(session: Session, box: Mailbox, aliases: list[str]) -> dict[str, Any]:
    """The object of ``mailbox show --json``. ``searchable`` messages are in the full-text index; a search for words in
    texts reads the others."""
    return {
        "address": box.address,
        "kind": box.kind,
        "name": box.name,
        "state": box.state,
        "aliases": aliases,
        "messages": count_messages(session.layout, box.address),
        "searchable": count_searchable(session.layout, box.address),
        "alternate": box.alternate,
        "mobile": box.mobile,
    }


def _aliases(entries: list[Address]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in entries:
        if entry.kind == ALIAS:
            found.setdefault(entry.members[0], []).append(entry.address)
    return found


def _shown(session: Session, address: str) -> dict[str, Any]:
    with session.look() as conn:
        box = Mailboxes(conn).get(OPERATOR, address)
        aliases = _aliases(Addresses(conn).all(OPERATOR, box.domain)).get(box.address, [])
    return row(session, box, aliases)


@click.group("mailbox")
def mailboxes() -> None:
    """The shadow mailboxes."""


@mailboxes.command("add")
@click.argument("address", metavar="USER@DOMAIN")
@password_needed
@click.option("--name", metavar="TEXT", default="", help="The person's name.")
@click.option("--alternate", metavar="EMAIL", default="", help="Where else this person is reached.")
@click.option("--mobile", metavar="+E164", default="", help="For messages in an outage.")
@as_json
@pass_session
def add(session: Session, address: str, password: bool, name: str, alternate: str, mobile: str, as_json: bool) -> None:
    """Add a mailbox; the password is one line of standard input. Mail that waits unclaimed for it appears in it."""
    _ = session.settings
    stored = read_password(password) or ""
    with session.change("mailbox.add", address) as conn:
        _, key = place(conn, OPERATOR, address)
        check_free(conn, key)
        clear_place(session.layout, key)
        Mailboxes(conn).add(OPERATOR, address, stored, name, alternate, mobile)
    show.one(_shown(session, address), as_json)


@mailboxes.command("list")
@click.argument("domain", required=False)
@as_json
@pass_session
def list_mailboxes(session: Session, domain: str | None, as_json: bool) -> None:
    """List the mailboxes, of DOMAIN or all."""
    with session.look() as conn:
        of = Domains(conn).get(OPERATOR, domain) if domain else None
        number = None if of is None else of.alias_of or of.id
        boxes = Mailboxes(conn).all(OPERATOR, number)
        aliases = _aliases(Addresses(conn).all(OPERATOR, number))
    rows = [row(session, box, aliases.get(box.address, [])) for box in boxes]
    show.listing(rows, as_json, ("address", "kind", "name", "state", "aliases", "messages"), "no mailboxes")


@mailboxes.command("show")
@click.argument("address", metavar="USER@DOMAIN")
@as_json
@pass_session
def show_mailbox(session: Session, address: str, as_json: bool) -> None:
    """Show one mailbox, named by its address or an alias."""
    show.one(_shown(session, address), as_json)


@mailboxes.command("set")
@click.argument("address", metavar="USER@DOMAIN")
@password
@click.option("--name", metavar="TEXT")
@click.option("--alternate", metavar="EMAIL")
@click.option("--mobile", metavar="+E164")
@as_json
@pass_session
def set_mailbox(
    session: Session,
    address: str,
    password: bool,
    name: str | None,
    alternate: str | None,
    mobile: str | None,
    as_json: bool,
) -> None:
    """Change a mailbox or its password."""
    _ = session.settings
    stored = read_password(password)
    changed = {"password": "new" if stored else None, "name": name, "alternate": alternate, "mobile": mobile}
    detail = "; ".join(f"{field}={value}" for field, value in changed.items() if value is not None)
    with session.change("mailbox.set", address, detail) as conn:
        Mailboxes(conn).set(OPERATOR, address, password=stored, name=name, alternate=alternate, mobile=mobile)
    show.one(_shown(session, address), as_json)


@mailboxes.command("remove")
@click.argument("address", metavar="USER@DOMAIN")
@as_json
@pass_session
def remove(session: Session, address: str, as_json: bool) -> None:
    """Remove a mailbox and its aliases. Its mail is set aside on disk, and what is owed stays owed."""
    with session.change("mailbox.remove", address) as conn:
        box = Mailboxes(conn).remove(OPERATOR, address)
    set_aside(session, [box])
    show.one({"removed": box.address}, as_json)


def _state(session: Session, address: str, state: str, as_json: bool) -> None:
    with session.change("mailbox.state", address, state) as conn:
        Mailboxes(conn).set(OPERATOR, address, state=state)
    show.one(_shown(session, address), as_json)


@mailboxes.command("disable")
@click.argument("address", metavar="USER@DOMAIN")
@as_json
@pass_session
def disable(session: Session, address: str, as_json: bool) -> None:
    """End sign-in and sessions of a mailbox; its mail goes on."""
    _state(session, address, DISABLED, as_json)


@mailboxes.command("enable")
@click.argument("address", metavar="USER@DOMAIN")
@as_json
@pass_session
def enable(session: Session, address: str, as_json: bool) -> None:
    """Allow sign-in again."""
    _state(session, address, ENABLED, as_json)
