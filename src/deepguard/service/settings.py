"""Every setting of the service, read from the environment and the file `.env`; nothing else reads either."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pydantic
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deepguard.errors import OptionError
from deepguard.settings import Settings
from deepguard.weights.shelf import Shelf


class ServiceSettings(BaseSettings):
    """The settings; each is an environment variable, with the prefix `DEEPGUARD_` unless an alias says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="DEEPGUARD_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    host: str = Field(default="127.0.0.1", alias="HOST", description="address to listen on; 0.0.0.0 for all")
    port: int = Field(default=5000, alias="PORT", ge=0, le=65535, description="port to listen on")
    scheme: Literal["", "http", "https"] = Field(
        default="",
        alias="PREFERRED_URL_SCHEME",
        description="scheme of the addresses that the service writes; empty: as asked",
    )
    root_path: str = Field(default="", description="path prefix that a reverse proxy removes, such as /deepguard")
    proxies: str = Field(default="127.0.0.1", description="reverse proxies whose X-Forwarded headers are believed")

    home: Path = Field(
        default_factory=lambda: Settings.from_environment({}).home, description="everything that the program keeps"
    )
    models: Path | None = Field(default=None, description="shelf of weight files; unset: `models` inside the home")
    offline: bool = Field(
        default=False, description="never use the network for weights; any word but 0, false, no, off"
    )
    database: str = Field(default="", description="SQLAlchemy address; a SQLite file inside the home where unset")
    broker: str = Field(default="", description="address of a Redis server; a folder inside the home where unset")
    store: str = Field(default="", description="s3://BUCKET/PREFIX; a folder inside the home where unset")
    s3_endpoint: str = Field(default="", description="address of an S3-compatible server; empty: Amazon's")
    s3_region: str = Field(default="us-east-1", description="region of the bucket")
    s3_key: str = Field(default="", description="access key of the object storage")
    s3_secret: pydantic.SecretStr = Field(default=pydantic.SecretStr(""), description="secret key of it")
    s3_public: str = Field(
        default="", description="where browsers reach the object storage for presigned downloads; empty: they do not"
    )

    workers: int = Field(default=1, ge=0, le=64, description="workers to start; each loads the models")
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="cpu, cuda or cuda:1; auto: a GPU where there is one",
    )
    fetch_weights: bool = Field(default=True, description="bring small public weights at the first start")
    job_seconds: int = Field(default=1800, ge=1, description="longest time that a job may run, in seconds")
    job_bytes: int = Field(default=6 << 30, ge=1 << 28, description="most memory of a worker while it works, in bytes")
    losses: int = Field(default=3, ge=1, description="how often a job's worker may die before the job is given up")
    lease_seconds: float = Field(
        default=15.0, gt=0, description="seconds without a sign of life after which a job is taken from its worker"
    )
    poll_seconds: float = Field(
        default=0.02,
        gt=0,
        le=5,
        description="pause between two looks at watched jobs, in seconds;"
        " the end of one on this machine is noticed at once",
    )

    keep_hours: float = Field(default=24.0, gt=0, description="hours until uploads and results are removed")
    keep_days: float = Field(default=30.0, gt=0, description="days until the record of a removed job is forgotten")
    proof_seconds: int = Field(
        default=3600, ge=1, description="seconds until what the test bench made is removed, counted from its end"
    )
    log_copies: int = Field(default=100, ge=0, description="how many of the last job logs are kept in a separate place")
    logs: Path | None = Field(default=None, description="that separate place; `logs` inside the home where unset")

    upload_bytes: int = Field(default=64 << 20, ge=1, description="largest picture, in bytes")
    pixels: int = Field(default=50_000_000, ge=1, description="largest picture, in pixels")
    clip_bytes: int = Field(default=256 << 20, ge=1, description="largest clip, in bytes")
    clip_seconds: int = Field(default=3600, ge=1, description="longest clip, in seconds")
    clip_frames: int = Field(default=300, ge=1, description="most frames of a clip that a job may look at")
    queue_length: int = Field(default=1000, ge=1, description="most jobs that may wait in all")
    queue_length_each: int = Field(default=600, ge=1, description="most jobs that may wait of one visitor or key")
    store_bytes: int = Field(default=20 << 30, ge=1, description="most bytes that uploads and results may take in all")
    jobs_per_day: int = Field(default=1000, ge=1, description="most jobs of one visitor in a day; keys have their own")
    rate: str = Field(default="1200/minute", description="most requests of one visitor; keys have their own rate")
    proof_rate: str = Field(default="12/hour", description="most proofs of one visitor or key")

    public_statistics: bool = Field(default=True, description="show everybody the statistics without names")
    log_format: Literal["auto", "json", "text"] = Field(default="auto", description="auto: text on a terminal")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least level to log")

    @pydantic.field_validator("offline", mode="before")
    @classmethod
    def _as_everywhere(cls, word: object) -> bool:
        return Settings.from_environment({"DEEPGUARD_OFFLINE": str(word)}).offline

    @property
    def shelf(self) -> Shelf:
        """The shelf of weight files."""
        return Shelf(self.models or self.home / "models", self.offline)

    @property
    def database_url(self) -> str:
        """The database's address for SQLAlchemy."""
        return self.database or f"sqlite+pysqlite:///{self.folder / 'deepguard.sqlite'}"

    @property
    def folder(self) -> Path:
        """Where the service keeps what is not weights."""
        return self.home / "service"

    @property
    def queue_folder(self) -> Path:
        """Where messages lie where there is no broker."""
        return self.folder / "queue"

    @property
    def log_folder(self) -> Path:
        """Where the last job logs are copied to."""
        return self.logs or self.home / "logs"


def read_settings() -> ServiceSettings:
    """Read the settings, or raise OptionError naming the variable that is wrong."""
    try:
        return ServiceSettings()
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        name = field if field.isupper() else f"DEEPGUARD_{field.upper()}"
        raise OptionError(f"the setting {name} is wrong: {first['msg']}; see docs/reference/settings.md") from error
