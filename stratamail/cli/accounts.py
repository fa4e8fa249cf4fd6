"""``stratamail account`` and ``stratamail admin``."""

from __future__ import annotations

from typing import Any

import click

from stratamail.cli import show
from stratamail.cli.options import account, as_json, pass_session, password, password_needed
from stratamail.cli.session import Session, read_password
from stratamail.store.catalog.accounts import Accounts
from stratamail.store.catalog.admins import Admin, Admins
from stratamail.store.catalog.schema import OPERATOR
from stratamail.tenancy.model import Account

KIND = click.Choice(["reseller", "customer"])


def _account(found: Account, everyone: list[Account]) -> dict[str, Any]:
    names = {one.id: one.name for one in everyone}
    return {"name": found.name, "kind": found.kind, "parent": names.get(found.parent) if found.parent else None}


@click.group("account")
def accounts() -> None:
    """Resellers and customers: a tree below the operator."""


@accounts.command("add")
@click.argument("name")
@click.option("--kind", type=KIND, required=True)
@click.option("--parent", metavar="NAME", default="", help="The account above it (default: the operator's).")
@as_json
@pass_session
def add_account(session: Session, name: str, kind: str, parent: str, as_json: bool) -> None:
    """Add an account."""
    with session.change("account.add", name, f"{kind} below {parent or 'operator'}") as conn:
        found = Accounts(conn).add(OPERATOR, name, kind, parent)
        row = _account(found, Accounts(conn).all(OPERATOR))
    show.one(row, as_json)


@accounts.command("list")
@as_json
@pass_session
def list_accounts(session: Session, as_json: bool) -> None:
    """List all accounts."""
    with session.look() as conn:
        found = Accounts(conn).all(OPERATOR)
    show.listing([_account(one, found) for one in found], as_json, ("name", "kind", "parent"), "no accounts")


@accounts.command("show")
@click.argument("name")
@as_json
@pass_session
def show_account(session: Session, name: str, as_json: bool) -> None:
    """Show one account."""
    with session.look() as conn:
        row = _account(Accounts(conn).get(OPERATOR, name), Accounts(conn).all(OPERATOR))
    show.one(row, as_json)


@accounts.command("set")
@click.argument("name")
@click.option("--kind", type=KIND)
@click.option("--parent", metavar="NAME")
@as_json
@pass_session
def set_account(session: Session, name: str, kind: str | None, parent: str | None, as_json: bool) -> None:
    """Change an account."""
    with session.change("account.set", name, f"kind={kind} parent={parent}") as conn:
        found = Accounts(conn).set(OPERATOR, name, kind, parent)
        row = _account(found, Accounts(conn).all(OPERATOR))
    show.one(row, as_json)


@accounts.command("remove")
@click.argument("name")
@as_json
@pass_session
def remove_account(session: Session, name: str, as_json: bool) -> None:
    """Remove an account that has nothing below it."""
    with session.change("account.remove", name) as conn:
        Accounts(conn).remove(OPERATOR, name)
    show.one({"removed": name}, as_json)


def _admin(found: Admin) -> dict[str, Any]:
    return {"email": found.email, "account": found.account}


@click.group("admin")
def admins() -> None:
    """The people who run an account."""


@admins.command("add")
@click.argument("email")
@account
@password_needed
@as_json
@pass_session
def add_admin(session: Session, email: str, account: str | None, password: bool, as_json: bool) -> None:
    """Add an admin; the password is one line of standard input."""
    _ = session.settings
    stored = read_password(password) or ""
    with session.change("admin.add", email, account or "operator") as conn:
        found = Admins(conn).add(OPERATOR, email, session.account(conn, account), stored)
    show.one(_admin(found), as_json)


@admins.command("list")
@as_json
@pass_session
def list_admins(session: Session, as_json: bool) -> None:
    """List all admins."""
    with session.look() as conn:
        found = Admins(conn).all(OPERATOR)
    show.listing([_admin(one) for one in found], as_json, ("email", "account"), "no admins")


@admins.command("show")
@click.argument("email")
@as_json
@pass_session
def show_admin(session: Session, email: str, as_json: bool) -> None:
    """Show one admin."""
    with session.look() as conn:
        found = Admins(conn).get(OPERATOR, email)
    show.one(_admin(found), as_json)


@admins.command("set")
@click.argument("email")
@account
@password
@as_json
@pass_session
def set_admin(session: Session, email: str, account: str | None, password: bool, as_json: bool) -> None:
    """Change an admin's account or password."""
    _ = session.settings
    stored = read_password(password)
    with session.change("admin.set", email, f"account={account} password={'new' if stored else 'kept'}") as conn:
        of = session.account(conn, account) if account else None
        found = Admins(conn).set(OPERATOR, email, of, stored)
    show.one(_admin(found), as_json)


@admins.command("remove")
@click.argument("email")
@as_json
@pass_session
def remove_admin(session: Session, email: str, as_json: bool) -> None:
    """Remove an admin."""
    with session.change("admin.remove", email) as conn:
        Admins(conn).remove(OPERATOR, email)
    show.one({"removed": email}, as_json)
