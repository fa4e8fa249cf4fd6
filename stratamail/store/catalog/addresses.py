"""Listed addresses: aliases, shared ones, groups. Reads and writes ``addresses`` and ``members``, and in ``mailboxes``
the rows of kind "shared": the mailbox of a shared address comes and goes with it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from stratamail.mail import address as addressing
from stratamail.store.catalog import rows
from stratamail.store.catalog.admins import plain_email
from stratamail.store.catalog.directory import MEMBER, SEND_AS, load_addresses
from stratamail.store.catalog.mailboxes import ENABLED, remove_aliases
from stratamail.store.catalog.names import check_free, place
from stratamail.store.catalog.schema import addresses, mailboxes, members
from stratamail.store.catalog.scope import Refused, visible
from stratamail.tenancy.directory import ALIAS, GROUP, MAILBOX, SHARED
from stratamail.tenancy.model import Address, Mailbox


class Addresses:
    """One transaction's view. The first argument of each call is the id of the account that asks. ``made`` (addresses)
    and ``gone`` are the shared mailboxes that calls have brought into being and removed: their folders are the caller's
    business. ``unnamed`` are the aliases that went along."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.made: list[str] = []
        self.gone: list[Mailbox] = []
        self.unnamed: list[str] = []

    def all(self, account: int, domain: int | None = None) -> list[Address]:
        where: list[ColumnElement[bool]] = [addresses.c.account.in_(visible(account))]
        if domain is not None:
            where.append(addresses.c.domain == domain)
        return load_addresses(self._conn, *where)

    def get(self, account: int, address: str) -> Address:
        _, key = place(self._conn, account, address)
        found = load_addresses(self._conn, addresses.c.account.in_(visible(account)), addresses.c.address == key)
        if not found:
            raise Refused(f"there is no listed address {address}")
        return found[0]

    def add(
        self, account: int, address: str, kind: str, targets: Sequence[str], send_as: Sequence[str] = ()
    ) -> Address:
        """``targets``: the one mailbox of an alias, the readers of a shared address, the members of a group."""
        domain, key = place(self._conn, account, address, new=True)
        check_free(self._conn, key)
        values = {"account": domain.account, "domain": domain.id, "address": key, "kind": kind}
        found = self._targets(Address(0, **values), kind, targets)
        senders = self._boxes(domain.account, send_as)
        made = self._conn.execute(insert(addresses).values(**values)).inserted_primary_key
        assert made is not None
        self._replace(made[0], MEMBER, found)
        self._replace(made[0], SEND_AS, senders)
        if kind == SHARED:
            self._make_box(domain.account, domain.id, key)
        return Address(made[0], **values, members=tuple(found), send_as=tuple(senders))

    def set(
        self,
        account: int,
        address: str,
        *,
        kind: str | None = None,
        targets: Sequence[str] | None = None,
        send_as: Sequence[str] | None = None,
    ) -> Address:
        """What is None stays as it is; lists are replaced whole."""
        found = self.get(account, address)
        if kind is not None and kind != found.kind:
            if targets is None:
                raise Refused(f"{found.address}: a {kind} address needs its own list")
            if found.kind == SHARED:
                self._remove_box(found.address)
            self._conn.execute(update(addresses).where(addresses.c.id == found.id).values(kind=kind))
        if targets is not None:
            self._replace(found.id, MEMBER, self._targets(found, kind or found.kind, targets))
        if kind == SHARED != found.kind:
            self._make_box(found.account, found.domain, found.address)
        if send_as is not None:
            self._replace(found.id, SEND_AS, self._boxes(found.account, send_as))
        return self.get(account, found.address)

    def remove(self, account: int, address: str) -> None:
        found = self.get(account, address)
        if found.kind == SHARED:
            self._remove_box(found.address)
        self._conn.execute(delete(members).where(members.c.address == found.id))
        self._conn.execute(delete(addresses).where(addresses.c.id == found.id))

    def _make_box(self, account: int, domain: int, key: str) -> None:
        values = {"account": account, "domain": domain, "address": key, "state": ENABLED, "kind": SHARED}
        self._conn.execute(insert(mailboxes).values(**values))
        self.made.append(key)

    def _remove_box(self, key: str) -> None:
        row = self._conn.execute(
            select(mailboxes).where(mailboxes.c.address == key, mailboxes.c.kind == SHARED)
        ).first()
        if row is not None:
            box = rows.mailbox(row)
            self.unnamed += remove_aliases(self._conn, mailboxes.c.id == box.id)
            self._conn.execute(delete(mailboxes).where(mailboxes.c.id == box.id))
            self.gone.append(box)

    def _targets(self, entry: Address, kind: str, targets: Sequence[str]) -> list[str]:
        if kind == ALIAS:
            if len(targets) != 1:
                raise Refused(f"{entry.address}: an alias has exactly one mailbox")
            return self._boxes(entry.account, targets, (MAILBOX, SHARED))
        if not targets:
            raise Refused(
                f"{entry.address}: a {kind} address needs at least one {'mailbox' if kind == SHARED else 'member'}"
            )
        if kind == SHARED:
            return self._boxes(entry.account, targets)
        if kind != GROUP:
            raise Refused(f'"{kind}" is no kind of address')
        return list(dict.fromkeys(plain_email(target) for target in targets))

    def _boxes(self, account: int, given: Sequence[str], kinds: Sequence[str] = (MAILBOX,)) -> list[str]:
        """The main addresses of mailboxes of one account, each once."""
        found: dict[str, None] = {}
        for address in given:
            _, key = place(self._conn, account, address)
            known = mailboxes.c.kind.in_(kinds), mailboxes.c.account == account, mailboxes.c.address == key
            query = select(mailboxes.c.address).where(*known)
            if self._conn.scalar(query) is None:
                raise Refused(f"there is no mailbox {addressing.key(address)}")
            found[key] = None
        return list(found)

    def _replace(self, address: int, role: str, values: Sequence[str]) -> None:
        mine = delete(members).where(members.c.address == address, members.c.role == role)
        self._conn.execute(mine)
        if values:
            self._conn.execute(
                insert(members),
                [
                    {"address": address, "role": role, "position": position, "member": member}
                    for position, member in enumerate(values)
                ],
            )
