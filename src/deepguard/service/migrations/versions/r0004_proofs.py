"""Jobs may live shorter than others, and what is stated of a photo is kept."""

from __future__ import annotations

import sqlalchemy
from alembic import op
from sqlalchemy import Column, Float, Index, MetaData, String, Table

from deepguard.service.migrations.versions.r0001_first import MOMENT

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

METADATA = MetaData()

STATEMENTS = Table(
    "statements",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("job_id", String(36), nullable=False),
    Column("owner", String(48), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("said", String(16), nullable=False),
    Column("stated", MOMENT, nullable=False),
    Index("ix_statements_job_id", "job_id"),
    Index("ix_statements_stated", "stated"),
)


def upgrade() -> None:
    """Add both, where they are not there yet: MySQL cannot take back half of a migration that was stopped."""
    bind = op.get_bind()
    if "lifetime" not in {each["name"] for each in sqlalchemy.inspect(bind).get_columns("jobs")}:
        op.add_column("jobs", Column("lifetime", Float()))
    STATEMENTS.create(bind, checkfirst=True)
    for index in STATEMENTS.indexes:
        index.create(bind, checkfirst=True)


def downgrade() -> None:
    """Remove both."""
    STATEMENTS.drop(op.get_bind())
    op.drop_column("jobs", "lifetime")
