"""Rows of the catalog turned into the values of ``tenancy.model``, and lists turned into the text of a column.

Reads what the repositories selected; writes nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

from sqlalchemy import Row

from stratamail.tenancy import hostport
from stratamail.tenancy.model import Account, Domain, Mailbox, Network


def words(values: Iterable[object]) -> str:
    return " ".join(str(value) for value in values)


def networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(word) for word in text.split())


def account(row: Row[Any]) -> Account:
    return Account(row.id, row.name, row.kind, row.parent)


def domain(row: Row[Any]) -> Domain:
    return Domain(
        id=row.id,
        account=row.account,
        name=row.name,
        primaries=tuple(hostport.parse(word) for word in row.primaries.split()),
        mode=row.mode,
        tls=row.tls,
        trust=networks(row.trust),
        unknown=row.unknown,
        profile=row.profile,
        filter=row.filter,
        alias_of=row.alias_of,
        return_after=row.return_after,
    )


def mailbox(row: Row[Any]) -> Mailbox:
    return Mailbox(
        row.id, row.account, row.domain, row.address, row.name, row.state, row.alternate, row.mobile, row.kind
    )
