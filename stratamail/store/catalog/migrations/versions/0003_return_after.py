"""After how many seconds held mail to an unknown user goes back to a proven sender; 0 is never."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("domains", sa.Column("return_after", sa.Integer(), nullable=False, server_default=sa.text("259200")))


def downgrade() -> None:
    op.drop_column("domains", "return_after")
