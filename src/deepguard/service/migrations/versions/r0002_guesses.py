"""Outcomes know the first guess at their seconds."""

from __future__ import annotations

import sqlalchemy
from alembic import op
from sqlalchemy import Column, Float

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, where it is not there yet: MySQL cannot take back half of a migration that was stopped."""
    if "guess" not in {each["name"] for each in sqlalchemy.inspect(op.get_bind()).get_columns("outcomes")}:
        op.add_column("outcomes", Column("guess", Float(), nullable=True))


def downgrade() -> None:
    """Remove the column."""
    op.drop_column("outcomes", "guess")
