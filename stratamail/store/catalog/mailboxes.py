"""The shadow mailboxes that people set up. Reads and writes the table ``mailboxes``; passwords come as hashes.

Removing a mailbox takes its aliases along and its name out of every list; the mail on disk is not touched here. The
mailbox of a shared address is made and removed with that address (``store.catalog.addresses``).
"""

from __future__ import annotations

import re

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from stratamail.store.catalog import rows
from stratamail.store.catalog.admins import plain_email
from stratamail.store.catalog.names import check_free, place
from stratamail.store.catalog.schema import addresses, mailboxes, members
from stratamail.store.catalog.scope import Refused, visible
from stratamail.tenancy.directory import SHARED
from stratamail.tenancy.model import Mailbox

ENABLED, DISABLED = "enabled", "disabled"
_MOBILE = re.compile(r"\+[1-9]\d{6,14}")


class Mailboxes:
    """One transaction's view. The first argument of each call is the id of the account that asks."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def all(self, account: int, domain: int | None = None) -> list[Mailbox]:
        query = select(mailboxes).where(mailboxes.c.account.in_(visible(account))).order_by(mailboxes.c.address)
        if domain is not None:
            query = query.where(mailboxes.c.domain == domain)
        return [rows.mailbox(row) for row in self._conn.execute(query)]

    def get(self, account: int, address: str) -> Mailbox:
        """By its address or an alias, in any case."""
        _, key = place(self._conn, account, address)
        ours = mailboxes.c.account.in_(visible(account))
        row = self._conn.execute(select(mailboxes).where(ours, mailboxes.c.address == key)).first()
        if row is None:
            target = (
                select(members.c.member)
                .join(addresses, addresses.c.id == members.c.address)
                .where(addresses.c.address == key, addresses.c.kind == "alias", members.c.role == "member")
            )
            row = self._conn.execute(select(mailboxes).where(ours, mailboxes.c.address.in_(target))).first()
        if row is None:
            raise Refused(f"there is no mailbox {address}")
        return rows.mailbox(row)

    def add(
        self, account: int, address: str, password: str = "", name: str = "", alternate: str = "", mobile: str = ""
    ) -> Mailbox:
        """``password`` is a hash; without one nobody can sign in yet."""
        domain, key = place(self._conn, account, address, new=True)
        check_free(self._conn, key)
        values = {
            "account": domain.account,
            "domain": domain.id,
            "address": key,
            "name": check_text(name),
            "state": ENABLED,
            "alternate": check_alternate(alternate),
            "mobile": check_mobile(mobile),
        }
        made = self._conn.execute(insert(mailboxes).values(**values, password=password)).inserted_primary_key
        assert made is not None
        return Mailbox(made[0], **values)

    def set(
        self,
        account: int,
        address: str,
        *,
        password: str | None = None,
        name: str | None = None,
        alternate: str | None = None,
        mobile: str | None = None,
        state: str | None = None,
    ) -> Mailbox:
        """What is None stays as it is."""
        found = self.get(account, address)
        values: dict[str, str] = {}
        if password is not None:
            if found.kind == SHARED:
                raise Refused(f"{found.address} is a shared address: its readers sign in as themselves")
            values["password"] = password
        if name is not None:
            values["name"] = check_text(name)
        if alternate is not None:
            values["alternate"] = check_alternate(alternate)
        if mobile is not None:
            values["mobile"] = check_mobile(mobile)
        if state is not None:
            values["state"] = state
        if values:
            self._conn.execute(update(mailboxes).where(mailboxes.c.id == found.id).values(**values))
        return self.get(account, found.address)

    def remove(self, account: int, address: str) -> Mailbox:
        found = self.get(account, address)
        if found.kind == SHARED:
            raise Refused(f"{found.address} is a shared address: stratamail address remove {found.address}")
        forget(self._conn, found.account, mailboxes.c.id == found.id)
        self._conn.execute(delete(mailboxes).where(mailboxes.c.id == found.id))
        return found


def forget(conn: Connection, account: int, which: ColumnElement[bool]) -> None:
    """Mailboxes that go take their aliases along, and their names out of every list of the account: who gets such an
    address later is somebody else."""
    remove_aliases(conn, which)
    mine = select(addresses.c.id).where(addresses.c.account == account)
    going = select(mailboxes.c.address).where(which)
    conn.execute(delete(members).where(members.c.member.in_(going), members.c.address.in_(mine)))


def remove_aliases(conn: Connection, which: ColumnElement[bool]) -> list[str]:
    """The other names of mailboxes that go; their keys."""
    going = select(mailboxes.c.address).where(which)
    named = select(members.c.address).where(members.c.member.in_(going))
    of_alias = select(addresses.c.id, addresses.c.address).where(addresses.c.kind == "alias", addresses.c.id.in_(named))
    aliases = {row.id: row.address for row in conn.execute(of_alias)}
    conn.execute(delete(members).where(members.c.address.in_(aliases)))
    conn.execute(delete(addresses).where(addresses.c.id.in_(aliases)))
    return sorted(aliases.values())


def exists(conn: Connection, key: str) -> bool:
    """Whether an address key is a mailbox's own."""
    return conn.scalar(select(mailboxes.c.id).where(mailboxes.c.address == key)) is not None


def password_hash(conn: Connection, mailbox: int) -> str | None:
    """The stored hash of one mailbox, for sign-in, which comes before any account is known. None: none is set."""
    return conn.scalar(select(mailboxes.c.password).where(mailboxes.c.id == mailbox)) or None


def check_text(text: str) -> str:
    if not text.isprintable():
        raise Refused(f"{text!r} holds a control character")
    return text.strip()


def check_alternate(text: str) -> str:
    return plain_email(text) if text else ""


def check_mobile(text: str) -> str:
    plain = re.sub(r"[\s().-]", "", text)
    if plain and _MOBILE.fullmatch(plain) is None:
        raise Refused(f'"{text}" is no mobile number in international form, such as +4915112345678')
    return plain
