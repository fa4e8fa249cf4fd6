"""The first tables of the catalog, and the operator's own account, under which every other stands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

EMPTY = sa.text("''")


def upgrade() -> None:
    accounts = op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("parent", sa.Integer, sa.ForeignKey("accounts.id")),
        sqlite_autoincrement=True,
    )
    op.bulk_insert(accounts, [{"name": "operator", "kind": "operator", "parent": None}])
    op.create_table(
        "admins",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        sa.Column("password", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "domains",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("primaries", sa.Text, nullable=False, server_default=EMPTY),
        sa.Column("mode", sa.String(12), nullable=False),
        sa.Column("tls", sa.String(8), nullable=False, server_default=EMPTY),
        sa.Column("trust", sa.Text, nullable=False, server_default=EMPTY),
        sa.Column("unknown", sa.String(8), nullable=False),
        sa.Column("profile", sa.String(20), nullable=False),
        sa.Column("filter", sa.String(20), nullable=False),
        sa.Column("alias_of", sa.Integer, sa.ForeignKey("domains.id")),
        sqlite_autoincrement=True,
    )
    op.create_index("domains_account", "domains", ["account"])
    op.create_table(
        "mailboxes",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("domain", sa.Integer, sa.ForeignKey("domains.id"), nullable=False),
        sa.Column("address", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False, server_default=EMPTY),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("alternate", sa.Text, nullable=False, server_default=EMPTY),
        sa.Column("mobile", sa.Text, nullable=False, server_default=EMPTY),
        sa.Column("password", sa.Text, nullable=False, server_default=EMPTY),
        sqlite_autoincrement=True,
    )
    op.create_index("mailboxes_domain", "mailboxes", ["domain"])
    op.create_table(
        "addresses",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("domain", sa.Integer, sa.ForeignKey("domains.id"), nullable=False),
        sa.Column("address", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("addresses_domain", "addresses", ["domain"])
    op.create_table(
        "members",
        sa.Column("address", sa.Integer, sa.ForeignKey("addresses.id"), primary_key=True, autoincrement=False),
        sa.Column("role", sa.String(8), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("member", sa.Text, nullable=False),
    )
    op.create_index("members_member", "members", ["member"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("account", sa.Integer, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False, server_default=EMPTY),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    for table in ("audit", "members", "addresses", "mailboxes", "domains", "admins", "accounts"):
        op.drop_table(table)
