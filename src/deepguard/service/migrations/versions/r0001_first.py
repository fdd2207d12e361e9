"""The first tables."""

from __future__ import annotations

import datetime
from typing import Any

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import SchemaItem

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = (
    DateTime()
    .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    .with_variant(DateTime(timezone=True), "postgresql")
)
METADATA = MetaData()


def upgrade() -> None:
    """Make the tables, each where it is not there yet: MySQL cannot take back half of a migration that was stopped."""
    bind = op.get_bind()
    for table in METADATA.sorted_tables:
        table.create(bind, checkfirst=True)
        for index in table.indexes:
            index.create(bind, checkfirst=True)
    clock = METADATA.tables["clock"]
    if bind.execute(clock.select()).first() is None:
        moment = datetime.datetime.now(datetime.UTC)
        # databases without time zones hold UTC
        moment = moment if bind.dialect.name == "postgresql" else moment.replace(tzinfo=None)
        bind.execute(clock.insert().values(id=1, time=moment, wall=moment, settled=True))


def downgrade() -> None:
    """Remove the tables and all that they hold."""
    METADATA.drop_all(op.get_bind())


def _table(name: str, *parts: SchemaItem) -> None:
    # Korean, emoji and capital letters must be kept apart, whatever the server's default is
    options: dict[str, Any] = {
        f"{dialect}_{key}": value
        for dialect in ("mysql", "mariadb")
        for key, value in {"charset": "utf8mb4", "collate": "utf8mb4_bin", "engine": "InnoDB"}.items()
    }
    Table(name, METADATA, *parts, **options)


_table(
    "api_keys",
    Column("id", String(36), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("hint", String(16), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("scopes", JSON(), nullable=False),
    Column("rate", String(64), nullable=False),
    Column("jobs_per_day", Integer(), nullable=False),
    Column("created", MOMENT, nullable=False),
    Column("used", MOMENT, nullable=True),
    Column("revoked", MOMENT, nullable=True),
)
_table(
    "clock",
    Column("id", Integer(), primary_key=True, autoincrement=False),
    Column("time", MOMENT, nullable=False),
    Column("wall", MOMENT, nullable=False),
    Column("settled", Boolean(), nullable=False),
)
_table(
    "jobs",
    Column("id", String(36), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("owner", String(48), nullable=False),
    Column("name", String(255), nullable=False),
    Column("upload_id", String(36), nullable=False),
    Column("options", JSON(), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer(), nullable=False),
    Column("losses", Integer(), nullable=False),
    Column("beat", BigInteger(), nullable=False),
    Column("worker", String(255), nullable=False),
    Column("revision", BigInteger(), nullable=False),
    Column("progress", JSON(), nullable=False),
    Column("summary", JSON(), nullable=False),
    Column("estimate", Float(), nullable=True),
    Column("error_code", String(64), nullable=False),
    Column("error_message", Text(), nullable=False),
    Column("share", String(64), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("idempotency_key", String(255), nullable=True),
    Column("request_hash", String(64), nullable=False),
    Column("created", MOMENT, nullable=False),
    Column("queued", MOMENT, nullable=False),
    Column("started", MOMENT, nullable=True),
    Column("ended", MOMENT, nullable=True),
    Column("expires", MOMENT, nullable=False),
    UniqueConstraint("owner", "idempotency_key"),
    Index("ix_jobs_expires", "expires"),
    Index("ix_jobs_upload_id", "upload_id"),
    Index("jobs_by_end", "ended"),
    Index("jobs_in_state", "state", "queued"),
    Index("jobs_of_owner", "owner", "created"),
)
_table(
    "outcomes",
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("ended", MOMENT, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("code", String(64), nullable=False),
    Column("variant", String(64), nullable=False),
    Column("megapixels", Float(), nullable=True),
    Column("waited", Float(), nullable=False),
    Column("seconds", Float(), nullable=False),
    Column("found_before", Integer(), nullable=True),
    Column("found_after", Integer(), nullable=True),
    Index("ix_outcomes_ended", "ended"),
    Index("outcomes_of_kind", "kind", "variant", "ended"),
)
_table(
    "quotas",
    Column("owner", String(48), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("used", Integer(), nullable=False),
)
_table(
    "uploads",
    Column("id", String(36), primary_key=True),
    Column("owner", String(48), nullable=False),
    Column("name", String(255), nullable=False),
    Column("container", String(16), nullable=False),
    Column("size", BigInteger(), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("width", Integer(), nullable=True),
    Column("height", Integer(), nullable=True),
    Column("created", MOMENT, nullable=False),
    Column("expires", MOMENT, nullable=False),
    Index("ix_uploads_expires", "expires"),
    Index("ix_uploads_owner", "owner"),
)
_table(
    "visits",
    Column("id", String(36), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created", MOMENT, nullable=False),
    Column("seen", MOMENT, nullable=False),
)
_table(
    "workers",
    Column("name", String(255), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer(), nullable=False),
    Column("version", String(32), nullable=False),
    Column("device", String(32), nullable=False),
    Column("started", MOMENT, nullable=False),
    Column("seen", MOMENT, nullable=False),
    Column("beat", BigInteger(), nullable=False),
    Column("job_id", String(36), nullable=False),
    Column("ready", Boolean(), nullable=False),
    Column("inferred", MOMENT, nullable=True),
    Column("inference_seconds", Float(), nullable=True),
    Column("load", JSON(), nullable=False),
    Column("abilities", JSON(), nullable=False),
    Column("health", JSON(), nullable=False),
)
_table(
    "results",
    Column("job_id", String(36), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("position", Integer(), nullable=False),
    Column("filename", String(255), nullable=False),
    Column("media_type", String(64), nullable=False),
    Column("size", BigInteger(), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("key", String(255), nullable=False),
)
