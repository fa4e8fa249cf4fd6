"""The whole catalog read into a ``Directory`` (pool ``catalog``; 100,000 mailboxes in about a second). Reads only.

The directory serves all accounts at once, so this is the one reader of the catalog that takes no account.
"""

from __future__ import annotations

import sys

from sqlalchemy import ColumnElement, Connection, select

from stratamail.store.catalog import rows
from stratamail.store.catalog.schema import addresses, domains, mailboxes, members
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Address, Mailbox

MEMBER, SEND_AS = "member", "send-as"


def load(conn: Connection) -> Directory:
    """The directory as the catalog stands in this transaction."""
    found = [rows.domain(row) for row in conn.execute(select(domains).order_by(domains.c.id))]
    return Directory(found, _mailboxes(conn), load_addresses(conn))


def _mailboxes(conn: Connection) -> list[Mailbox]:
    # by position, not by name: this is most of the time that loading takes
    m = mailboxes.c
    query = select(m.id, m.account, m.domain, m.address, m.name, m.state, m.alternate, m.mobile, m.kind).order_by(m.id)
    numbers: dict[int, int] = {}
    intern = sys.intern
    return [
        Mailbox(
            number,
            numbers.setdefault(account, account),
            numbers.setdefault(domain, domain),
            address,
            intern(name),
            intern(state),
            intern(alternate),
            intern(mobile),
            intern(kind),
        )
        for number, account, domain, address, name, state, alternate, mobile, kind in conn.execute(query)
    ]


def load_addresses(conn: Connection, *where: ColumnElement[bool]) -> list[Address]:
    """Addresses with their members and senders; ``where`` narrows the addresses."""
    lists: dict[tuple[int, str], list[str]] = {}
    chosen = select(addresses.c.id).where(*where)
    query = select(members).where(members.c.address.in_(chosen)).order_by(members.c.address, members.c.position)
    for row in conn.execute(query):
        lists.setdefault((row.address, row.role), []).append(row.member)
    return [
        Address(
            row.id,
            row.account,
            row.domain,
            row.address,
            row.kind,
            tuple(lists.get((row.id, MEMBER), ())),
            tuple(lists.get((row.id, SEND_AS), ())),
        )
        for row in conn.execute(select(addresses).where(*where).order_by(addresses.c.address))
    ]
