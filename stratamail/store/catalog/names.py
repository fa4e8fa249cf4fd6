"""Whose an address is, and whether it is still free: what mailboxes and listed addresses ask alike. Reads only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from stratamail.mail import address as addressing
from stratamail.store.catalog.admins import plain_email
from stratamail.store.catalog.schema import addresses, domains, mailboxes
from stratamail.store.catalog.scope import Refused, visible


def place(conn: Connection, account: int, address: str, new: bool = False) -> tuple[Row[Any], str]:
    """The row of the domain that ``address`` lies in, and its key in the main domain. A ``new`` one must be written
    right; who looks for one may also give its key, which has no quotes. Raises :class:`Refused`."""
    key = plain_email(address) if new else addressing.key(address.strip())
    local, name = addressing.split(key)
    if not local or not name:
        raise Refused(f'"{address}" is no mail address')
    ours = domains.c.account.in_(visible(account))
    row = conn.execute(select(domains).where(ours, domains.c.name == name)).first()
    if row is None:
        raise Refused(f"there is no domain {name}: add it first")
    if row.alias_of is not None:
        row = conn.execute(select(domains).where(domains.c.id == row.alias_of)).one()
    return row, f"{local}@{row.name}"


def check_free(conn: Connection, key: str) -> None:
    for table, what in ((addresses, "an address"), (mailboxes, "a mailbox")):
        if conn.scalar(select(table.c.id).where(table.c.address == key)) is not None:
            raise Refused(f"{key} is {what} already")
