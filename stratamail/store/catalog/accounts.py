"""The tree of accounts: operator, resellers, customers. Reads and writes the table ``accounts``."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select, update

from stratamail.store.catalog import rows
from stratamail.store.catalog.schema import OPERATOR, accounts, admins, domains
from stratamail.store.catalog.scope import Refused, visible
from stratamail.tenancy.model import KINDS, Account


class Accounts:
    """One transaction's view. The first argument of each call is the id of the account that asks."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def all(self, account: int) -> list[Account]:
        query = select(accounts).where(accounts.c.id.in_(visible(account))).order_by(accounts.c.id)
        return [rows.account(row) for row in self._conn.execute(query)]

    def get(self, account: int, name: str) -> Account:
        query = select(accounts).where(accounts.c.id.in_(visible(account)), accounts.c.name == name)
        row = self._conn.execute(query).first()
        if row is None:
            raise Refused(f'there is no account "{name}"')
        return rows.account(row)

    def add(self, account: int, name: str, kind: str, parent: str = "") -> Account:
        """A new account below ``parent`` ("": below the one that asks)."""
        name = name.strip()
        if not name or not name.isprintable():
            raise Refused("an account needs a name")
        above = self.get(account, parent).id if parent else account
        self._check(account, kind, above)
        if self._conn.scalar(select(accounts.c.id).where(accounts.c.name == name)) is not None:
            raise Refused(f'there is an account "{name}" already')
        self._conn.execute(insert(accounts).values(name=name, kind=kind, parent=above))
        return self.get(account, name)

    def set(self, account: int, name: str, kind: str | None = None, parent: str | None = None) -> Account:
        found = self.get(account, name)
        if found.id == OPERATOR:
            raise Refused("the operator's account stays as it is")
        above = found.parent if parent is None else self.get(account, parent).id
        below = set(self._conn.scalars(visible(found.id)))
        if above in below:
            raise Refused(f'"{parent}" stands below "{name}"')
        if kind == "customer" and len(below) > 1:
            raise Refused(f'"{name}" has accounts below it and cannot be a customer')
        self._check(account, kind or found.kind, above or OPERATOR)
        self._conn.execute(
            update(accounts).where(accounts.c.id == found.id).values(kind=kind or found.kind, parent=above)
        )
        return self.get(account, name)

    def remove(self, account: int, name: str) -> None:
        """Only an empty account goes: no accounts, domains or admins below it."""
        found = self.get(account, name)
        if found.id == OPERATOR or found.id == account:
            raise Refused("an account cannot remove itself")
        for table, column, what in (
            (accounts, accounts.c.parent, "accounts"),
            (domains, domains.c.account, "domains"),
            (admins, admins.c.account, "admins"),
        ):
            count = self._conn.scalar(select(func.count()).select_from(table).where(column == found.id))
            if count:
                raise Refused(f'account "{name}" still has {count} {what}: remove them first')
        self._conn.execute(delete(accounts).where(accounts.c.id == found.id))

    def _check(self, account: int, kind: str, above: int) -> None:
        if kind not in KINDS or kind == "operator":
            raise Refused("the kind of an account is reseller or customer")
        parent = self._conn.execute(select(accounts).where(accounts.c.id == above)).one()
        if parent.kind == "customer":
            raise Refused(f'"{parent.name}" is a customer and has no accounts below it')
        if kind == "reseller" and parent.kind != "operator":
            raise Refused("a reseller stands below the operator")
