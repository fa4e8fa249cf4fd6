"""The people who run an account. Reads and writes the table ``admins``; passwords come and go as hashes."""

from __future__ import annotations

from attrs import frozen
from sqlalchemy import Connection, delete, insert, select, update

from stratamail.mail import address as addressing
from stratamail.store.catalog.schema import accounts, admins
from stratamail.store.catalog.scope import Refused, visible


@frozen
class Admin:
    """``account`` is the name of the account that this person runs."""

    email: str
    account: str


class Admins:
    """One transaction's view. The first argument of each call is the id of the account that asks."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def all(self, account: int) -> list[Admin]:
        query = (
            select(admins.c.email, accounts.c.name)
            .join(accounts, admins.c.account == accounts.c.id)
            .where(admins.c.account.in_(visible(account)))
            .order_by(admins.c.email)
        )
        return [Admin(email, name) for email, name in self._conn.execute(query)]

    def get(self, account: int, email: str) -> Admin:
        key = addressing.key(email)
        for admin in self.all(account):
            if admin.email == key:
                return admin
        raise Refused(f"there is no admin {email}")

    def add(self, account: int, email: str, of: int, password: str) -> Admin:
        """``of`` is the id of the account to run, ``password`` a hash."""
        key = plain_email(email)
        if self._conn.scalar(select(admins.c.id).where(admins.c.email == key)) is not None:
            raise Refused(f"there is an admin {key} already")
        if (
            self._conn.scalar(select(accounts.c.id).where(accounts.c.id.in_(visible(account)), accounts.c.id == of))
            is None
        ):
            raise Refused("there is no such account")
        self._conn.execute(insert(admins).values(account=of, email=key, password=password))
        return self.get(account, key)

    def set(self, account: int, email: str, of: int | None = None, password: str | None = None) -> Admin:
        found = self.get(account, email)
        values: dict[str, object] = {}
        if of is not None:
            values["account"] = of
        if password is not None:
            values["password"] = password
        if values:
            mine = admins.c.account.in_(visible(account))
            self._conn.execute(update(admins).where(admins.c.email == found.email, mine).values(**values))
        return self.get(account, email)

    def remove(self, account: int, email: str) -> None:
        found = self.get(account, email)
        self._conn.execute(delete(admins).where(admins.c.email == found.email, admins.c.account.in_(visible(account))))


def plain_email(email: str) -> str:
    """The key form of an address that a person can be written to, or :class:`Refused`."""
    given = email.strip()
    try:
        address, rest = addressing.parse_path(b"<%s>" % given.encode(), smtputf8=True)
    except (addressing.PathError, UnicodeEncodeError) as error:
        raise Refused(f'"{email}" is no mail address: {error}') from None
    if rest or "@" not in address:
        raise Refused(f'"{email}" is no mail address')
    return addressing.key(address)
