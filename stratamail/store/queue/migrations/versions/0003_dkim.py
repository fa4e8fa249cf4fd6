"""What DKIM said of each message at capture. Of those that are here already it is not known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("dkim", sa.Text(), server_default="unknown", nullable=False))
    unjudged = sa.text("dkim IN ('', 'temperror')")
    op.create_index(
        "messages_unjudged", "messages", ["seq"], unique=False, sqlite_where=unjudged, postgresql_where=unjudged
    )


def downgrade() -> None:
    raise NotImplementedError("an older program refuses a newer database; restore the backup made before the upgrade")
