"""Outcomes know the word that detection came to."""

from __future__ import annotations

import sqlalchemy
from alembic import op
from sqlalchemy import Column, String

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, where it is not there yet: MySQL cannot take back half of a migration that was stopped."""
    if "verdict" not in {each["name"] for each in sqlalchemy.inspect(op.get_bind()).get_columns("outcomes")}:
        op.add_column("outcomes", Column("verdict", String(16), nullable=False, server_default=""))


def downgrade() -> None:
    """Remove the column."""
    op.drop_column("outcomes", "verdict")
