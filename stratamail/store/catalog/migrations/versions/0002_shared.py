"""Mailboxes of shared addresses: each address that is one gets its own. What its readers were shown stays theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mailboxes", sa.Column("kind", sa.String(8), nullable=False, server_default=sa.text("'mailbox'")))
    op.execute(
        "INSERT INTO mailboxes (account, domain, address, state, kind)"
        " SELECT account, domain, address, 'enabled', 'shared' FROM addresses WHERE kind = 'shared' ORDER BY id"
    )


def downgrade() -> None:
    op.execute("DELETE FROM mailboxes WHERE kind = 'shared'")
    op.drop_column("mailboxes", "kind")
