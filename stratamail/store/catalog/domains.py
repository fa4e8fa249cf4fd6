"""Protected domains. Reads and writes the table ``domains``. Removing one takes its mailboxes and addresses along."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import asdict, evolve
from sqlalchemy import Connection, delete, insert, select, update

from stratamail.mail import address as addressing
from stratamail.store.catalog import rows
from stratamail.store.catalog.mailboxes import forget
from stratamail.store.catalog.schema import accounts, addresses, domains, mailboxes, members
from stratamail.store.catalog.scope import Refused, visible
from stratamail.tenancy.model import Domain

_NAME = re.compile(r"(?=.{1,253}$)(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")


class Domains:
    """One transaction's view. The first argument of each call is the id of the account that asks."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def all(self, account: int) -> list[Domain]:
        query = select(domains).where(domains.c.account.in_(visible(account))).order_by(domains.c.name)
        return [rows.domain(row) for row in self._conn.execute(query)]

    def get(self, account: int, name: str) -> Domain:
        key = addressing.domain_key(name)
        query = select(domains).where(domains.c.account.in_(visible(account)), domains.c.name == key)
        row = self._conn.execute(query).first()
        if row is None:
            raise Refused(f"there is no domain {name}")
        return rows.domain(row)

    def add(self, account: int, domain: Domain) -> Domain:
        """``domain`` with any id; its name in any case, U- or A-label."""
        name = check_name(domain.name)
        # one domain, one account: asked of the whole catalog, and told without a word about whose it is
        if self._conn.scalar(select(domains.c.id).where(domains.c.name == name)) is not None:
            raise Refused(f"domain {name} is there already")
        domain = evolve(domain, name=name)
        self._check(account, domain)
        self._conn.execute(insert(domains).values(**_columns(domain)))
        return self.get(account, name)

    def set(self, account: int, domain: Domain) -> Domain:
        """Everything but id and name as in ``domain``; a change of account takes mailboxes and addresses along."""
        found = self.get(account, domain.name)
        domain = evolve(domain, id=found.id, name=found.name)
        self._check(account, domain)
        self._conn.execute(update(domains).where(domains.c.id == found.id).values(**_columns(domain)))
        if domain.account != found.account:
            for table in (mailboxes, addresses):
                self._conn.execute(update(table).where(table.c.domain == found.id).values(account=domain.account))
            # its alias domains are its other names
            self._conn.execute(update(domains).where(domains.c.alias_of == found.id).values(account=domain.account))
        return self.get(account, domain.name)

    def remove(self, account: int, name: str) -> list[str]:
        """The addresses of the mailboxes that went too. Whether mail is still owed, the caller has asked the queue."""
        found = self.get(account, name)
        alias = self._alias_of(found.id)
        if alias is not None:
            raise Refused(f"{alias} is an alias domain of {found.name}: remove it first")
        ours = select(addresses.c.id).where(addresses.c.domain == found.id)
        self._conn.execute(delete(members).where(members.c.address.in_(ours)))
        self._conn.execute(delete(addresses).where(addresses.c.domain == found.id))
        boxes = list(self._conn.scalars(select(mailboxes.c.address).where(mailboxes.c.domain == found.id)))
        forget(self._conn, found.account, mailboxes.c.domain == found.id)
        self._conn.execute(delete(mailboxes).where(mailboxes.c.domain == found.id))
        self._conn.execute(delete(domains).where(domains.c.id == found.id))
        return boxes

    def _check(self, account: int, domain: Domain) -> None:
        known = select(accounts.c.id).where(accounts.c.id.in_(visible(account)), accounts.c.id == domain.account)
        if self._conn.scalar(known) is None:
            raise Refused("there is no such account")
        if domain.alias_of is not None:
            query = select(domains).where(domains.c.account == domain.account, domains.c.id == domain.alias_of)
            main = self._conn.execute(query).first()
            if main is None or main.alias_of is not None or main.id == domain.id:
                raise Refused(f"{domain.name} can be an alias only of a main domain of the same account")
            if self._alias_of(domain.id) is not None:
                raise Refused(f"{domain.name} has alias domains of its own and cannot be one")
            if self._has_names(domain.id):
                raise Refused(f"{domain.name} has mailboxes or addresses of its own and cannot be an alias domain")
        elif not domain.primaries:
            raise Refused(f"domain {domain.name} needs a primary: --primary HOST:PORT")

    def _alias_of(self, domain: int) -> str | None:
        """An alias domain of ``domain``, if it has one."""
        return self._conn.scalar(select(domains.c.name).where(domains.c.alias_of == domain).limit(1))

    def _has_names(self, domain: int) -> bool:
        return any(
            self._conn.scalar(select(table.c.id).where(table.c.domain == domain).limit(1)) is not None
            for table in (mailboxes, addresses)
        )


def check_name(name: str) -> str:
    """The key form of a domain name, or :class:`Refused`."""
    key = addressing.domain_key(name.strip())
    if _NAME.fullmatch(key) is None:
        raise Refused(f'"{name}" is no domain name')
    return key


def _columns(domain: Domain) -> Mapping[str, object]:
    return asdict(
        domain,
        filter=lambda field, _: field.name not in ("id", "primaries", "trust"),
    ) | {"primaries": rows.words(domain.primaries), "trust": rows.words(domain.trust)}
