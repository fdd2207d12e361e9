"""What the database holds. Moments are in UTC; `expires` is in the service's own time, see `clock`."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from deepguard.service.states import State


class Moment(TypeDecorator[datetime.datetime]):
    """A moment in UTC with microseconds; databases without time zones are given and give back UTC."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """MySQL keeps no fractions of a second unless asked."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        """Store UTC."""
        if value is None:
            return None
        moment = value.astimezone(datetime.UTC)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        """Return an aware moment."""
        if value is None:
            return None
        return value.replace(tzinfo=datetime.UTC) if value.tzinfo is None else value.astimezone(datetime.UTC)


Identifier = String(36)
Name = String(255)


def identifier() -> str:
    """Return a new identifier that cannot be guessed: 122 random bits."""
    return str(uuid.uuid4())


def now() -> datetime.datetime:
    """Return the wall clock's time in UTC."""
    return datetime.datetime.now(datetime.UTC)


class Table(DeclarativeBase):
    """All tables."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way to say which type is stored how
        datetime.datetime: Moment,
        dict[str, Any]: JSON,
        list[str]: JSON,
    }


class Visit(Table):
    """An anonymous visitor's session: only the hash of its cookie is kept."""

    __tablename__ = "visits"
    id: Mapped[str] = mapped_column(Identifier, primary_key=True, default=identifier)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[datetime.datetime] = mapped_column(default=now)
    seen: Mapped[datetime.datetime] = mapped_column(default=now)


class Key(Table):
    """A program's key: only its hash is kept; `hint` is its beginning, to tell keys apart."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(Identifier, primary_key=True, default=identifier)
    name: Mapped[str] = mapped_column(Name)
    hint: Mapped[str] = mapped_column(String(16))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]]
    rate: Mapped[str] = mapped_column(String(64))
    jobs_per_day: Mapped[int] = mapped_column(Integer)
    created: Mapped[datetime.datetime] = mapped_column(default=now)
    used: Mapped[datetime.datetime | None]
    revoked: Mapped[datetime.datetime | None]


class Upload(Table):
    """A file that a user brought; its bytes lie in the store under `uploads/<id>`. `name` is data, never a path."""

    __tablename__ = "uploads"
    id: Mapped[str] = mapped_column(Identifier, primary_key=True, default=identifier)
    owner: Mapped[str] = mapped_column(String(48), index=True)
    name: Mapped[str] = mapped_column(Name)
    container: Mapped[str] = mapped_column(String(16))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    width: Mapped[int | None]
    height: Mapped[int | None]
    created: Mapped[datetime.datetime] = mapped_column(default=now)
    expires: Mapped[datetime.datetime] = mapped_column(index=True)


class Job(Table):
    """A piece of work. `attempt` counts the workers that began it, `losses` those that died of it.

    `beat` grows while a worker lives; `revision` grows with every change that somebody who watches should see.
    `share` is the token of its share link, "" where it has none. `lifetime` is for how many seconds after its end its
    results are kept, null where `expires` stays as it was when the job was asked for.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("owner", "idempotency_key"),
        Index("jobs_of_owner", "owner", "created"),
        Index("jobs_in_state", "state", "queued"),
        Index("jobs_by_end", "ended"),
    )
    id: Mapped[str] = mapped_column(Identifier, primary_key=True, default=identifier)
    kind: Mapped[str] = mapped_column(String(32))
    owner: Mapped[str] = mapped_column(String(48))
    name: Mapped[str] = mapped_column(Name)
    upload_id: Mapped[str] = mapped_column(Identifier, index=True)
    options: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16), default=State.QUEUED)
    attempt: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    beat: Mapped[int] = mapped_column(BigInteger, default=0)
    worker: Mapped[str] = mapped_column(Name, default="")
    revision: Mapped[int] = mapped_column(BigInteger, default=0)
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    summary: Mapped[dict[str, Any]] = mapped_column(default=dict)
    estimate: Mapped[float | None] = mapped_column(Float)
    error_code: Mapped[str] = mapped_column(String(64), default="")
    error_message: Mapped[str] = mapped_column(Text, default="")
    share: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(64), default="")
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_hash: Mapped[str] = mapped_column(String(64), default="")
    created: Mapped[datetime.datetime] = mapped_column(default=now)
    queued: Mapped[datetime.datetime] = mapped_column(default=now)
    started: Mapped[datetime.datetime | None]
    ended: Mapped[datetime.datetime | None]
    expires: Mapped[datetime.datetime] = mapped_column(index=True)
    lifetime: Mapped[float | None] = mapped_column(Float)
    results: Mapped[list[Result]] = relationship(
        order_by="Result.position", cascade="all, delete-orphan", passive_deletes=True
    )


class Result(Table):
    """One file that a job made; its bytes lie in the store under `key`."""

    __tablename__ = "results"
    job_id: Mapped[str] = mapped_column(Identifier, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    position: Mapped[int] = mapped_column(default=0)
    filename: Mapped[str] = mapped_column(Name)
    media_type: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(255))


class Worker(Table):
    """A worker's last sign of life, its health, and what it can do (`abilities`: kinds; `health`: models)."""

    __tablename__ = "workers"
    name: Mapped[str] = mapped_column(Name, primary_key=True)
    host: Mapped[str] = mapped_column(Name)
    pid: Mapped[int]
    version: Mapped[str] = mapped_column(String(32))
    device: Mapped[str] = mapped_column(String(32), default="")
    started: Mapped[datetime.datetime] = mapped_column(default=now)
    seen: Mapped[datetime.datetime] = mapped_column(default=now)
    beat: Mapped[int] = mapped_column(BigInteger, default=0)
    job_id: Mapped[str] = mapped_column(String(36), default="")
    ready: Mapped[bool] = mapped_column(default=False)
    inferred: Mapped[datetime.datetime | None]
    inference_seconds: Mapped[float | None] = mapped_column(Float)
    load: Mapped[dict[str, Any]] = mapped_column(default=dict)
    abilities: Mapped[dict[str, Any]] = mapped_column(default=dict)
    health: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Quota(Table):
    """How many jobs an owner began on one UTC day; outlives the jobs, so that deleting them frees nothing."""

    __tablename__ = "quotas"
    owner: Mapped[str] = mapped_column(String(48), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    used: Mapped[int] = mapped_column(default=0)


class Outcome(Table):
    """How one job ended, without a name or an owner: what statistics, metrics and estimates are made from.

    `guess` is the first guess at its seconds, made with what its worker could do; null where that is not known.
    `verdict` is the word that detection came to, "" for other kinds.
    """

    __tablename__ = "outcomes"
    __table_args__ = (Index("outcomes_of_kind", "kind", "variant", "ended"),)
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    ended: Mapped[datetime.datetime] = mapped_column(default=now, index=True)
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    code: Mapped[str] = mapped_column(String(64), default="")
    variant: Mapped[str] = mapped_column(String(64), default="")
    megapixels: Mapped[float | None] = mapped_column(Float)
    waited: Mapped[float] = mapped_column(Float, default=0.0)
    seconds: Mapped[float] = mapped_column(Float, default=0.0)
    guess: Mapped[float | None] = mapped_column(Float)
    found_before: Mapped[int | None]
    found_after: Mapped[int | None]
    verdict: Mapped[str] = mapped_column(String(16), default="", server_default="")


class Statement(Table):
    """Whose face a photo shows, as its owner stated before viewable results of the test bench were made of it.

    It outlives the job: it holds no name and no picture, but which one it was (`sha256`). `said` is "self" or "agreed".
    """

    __tablename__ = "statements"
    id: Mapped[str] = mapped_column(Identifier, primary_key=True, default=identifier)
    job_id: Mapped[str] = mapped_column(Identifier, index=True)
    owner: Mapped[str] = mapped_column(String(48))
    sha256: Mapped[str] = mapped_column(String(64))
    said: Mapped[str] = mapped_column(String(16))
    stated: Mapped[datetime.datetime] = mapped_column(default=now, index=True)


class Clock(Table):
    """One row: the service's own time, and the wall clock up to which it accounts.

    `settled` is false while whoever moves it on has not yet accounted for the time in which nobody did.
    """

    __tablename__ = "clock"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time: Mapped[datetime.datetime]
    wall: Mapped[datetime.datetime]
    settled: Mapped[bool] = mapped_column(default=True)
