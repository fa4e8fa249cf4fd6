"""The tables of the catalog: what people set. Times are integer microseconds since the epoch.

Small, read whole into a ``tenancy.directory.Directory`` at start and after each change. Addresses and domain names are
stored in key form (lower case, A-labels), so that one unique index settles who has an address.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, text

metadata = MetaData()
EMPTY = text("''")
OPERATOR = 1

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", String(10), nullable=False),
    Column("parent", Integer, ForeignKey("accounts.id")),
    sqlite_autoincrement=True,
)

admins = Table(
    "admins",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account", Integer, ForeignKey("accounts.id"), nullable=False),
    Column("email", Text, nullable=False, unique=True),
    Column("password", Text, nullable=False),
    sqlite_autoincrement=True,
)

# primaries and trust are lists in one text, separated by blanks, in the order given
domains = Table(
    "domains",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account", Integer, ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False, unique=True),
    Column("primaries", Text, nullable=False, server_default=EMPTY),
    Column("mode", String(12), nullable=False),
    Column("tls", String(8), nullable=False, server_default=EMPTY),
    Column("trust", Text, nullable=False, server_default=EMPTY),
    Column("unknown", String(8), nullable=False),
    Column("profile", String(20), nullable=False),
    Column("filter", String(20), nullable=False),
    # seconds after which held mail to an unknown user goes back to a proven sender; 0 is never
    Column("return_after", Integer, nullable=False, server_default=text("259200")),
    Column("alias_of", Integer, ForeignKey("domains.id")),
    sqlite_autoincrement=True,
)
Index("domains_account", domains.c.account)

# an id is never used twice: captured messages name mailboxes by it
mailboxes = Table(
    "mailboxes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account", Integer, ForeignKey("accounts.id"), nullable=False),
    Column("domain", Integer, ForeignKey("domains.id"), nullable=False),
    Column("address", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, server_default=EMPTY),
    Column("state", String(10), nullable=False),
    Column("alternate", Text, nullable=False, server_default=EMPTY),
    Column("mobile", Text, nullable=False, server_default=EMPTY),
    # argon2id in its usual encoding; empty: nobody can sign in yet
    Column("password", Text, nullable=False, server_default=EMPTY),
    # "shared": the mailbox of a shared address, which stands in addresses too
    Column("kind", String(8), nullable=False, server_default=text("'mailbox'")),
    sqlite_autoincrement=True,
)
Index("mailboxes_domain", mailboxes.c.domain)

addresses = Table(
    "addresses",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account", Integer, ForeignKey("accounts.id"), nullable=False),
    Column("domain", Integer, ForeignKey("domains.id"), nullable=False),
    Column("address", Text, nullable=False, unique=True),
    Column("kind", String(8), nullable=False),
    sqlite_autoincrement=True,
)
Index("addresses_domain", addresses.c.domain)

# role "member" (alias target, readers, group members) or "send-as"; position keeps the order given
members = Table(
    "members",
    metadata,
    Column("address", Integer, ForeignKey("addresses.id"), primary_key=True, autoincrement=False),
    Column("role", String(8), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("member", Text, nullable=False),
)
Index("members_member", members.c.member)

# who changed what; never a password
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("account", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=EMPTY),
    sqlite_autoincrement=True,
)
