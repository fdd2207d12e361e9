"""Where uploads and results lie: a folder, or a bucket of any S3-compatible storage, by one library."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
import structlog
from obstore.store import LocalStore, S3Store

from deepguard.errors import DeepguardError, OptionError
from deepguard.service.settings import ServiceSettings

if TYPE_CHECKING:
    from obstore.store import S3Config

CHUNK = 1 << 20
TIMEOUT = "10s"
RETRIES = 2
PARTS_AT_ONCE = 2
NO_SPACE = "os error 28"
log = structlog.get_logger(__name__)


def upload_key(upload_id: str) -> str:
    """Return the key of an upload's object."""
    return f"uploads/{upload_id}"


def result_key(job_id: str, attempt: int, name: str) -> str:
    """Return the key of a result's object; each attempt has its own, so that a late one overwrites nothing."""
    return f"results/{job_id}/{attempt}/{name}"


class StoreDown(DeepguardError):
    """The object storage does not answer, or refuses."""

    code = "store_down"


class StoreFull(DeepguardError):
    """There is no room for the object."""

    code = "disk_full"


class ObjectMissing(DeepguardError):
    """The store has no such object."""

    code = "not_found"


@dataclass(frozen=True, slots=True)
class Stored:
    """One object: its key, its size in bytes, and when it was written."""

    key: str
    size: int
    written: datetime.datetime


class Store:
    """Objects by key. Every failure is StoreDown, StoreFull or ObjectMissing."""

    def __init__(
        self, objects: LocalStore | S3Store, signer: S3Store | None = None, folder: Path | None = None
    ) -> None:
        self._objects = objects
        self._signer = signer
        self.folder = folder

    async def put_stream(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """Write what arrives under `key` and return its size; if the source raises, nothing is left behind."""
        size = 0
        broken: Exception | None = None

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size, broken
            try:
                async for chunk in chunks:
                    size += len(chunk)
                    yield chunk
            except Exception as error:
                broken = error
                raise

        try:
            with _translated(key):
                await obstore.put_async(
                    self._objects, key, counted(), chunk_size=5 * CHUNK, max_concurrency=PARTS_AT_ONCE
                )
        except DeepguardError:
            # a storage that then fails to forget what came before is the smaller news
            if broken is not None:
                raise broken from None
            raise
        return size

    def put(self, key: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Write bytes under `key`, whole or not at all; a bucket tells `headers` to those whom it delivers them to."""
        # a folder keeps none, and delivers nothing itself
        attributes = None if self.folder else dict(headers or {})
        with _translated(key):
            obstore.put(self._objects, key, data, attributes=attributes)

    def get(self, key: str) -> bytes:
        """Return an object's bytes."""
        with _translated(key):
            return bytes(obstore.get(self._objects, key).bytes())

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """Return an object's bytes in pieces; a missing object raises before the first piece is asked for."""
        with _translated(key):
            answer = await obstore.get_async(self._objects, key)

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in answer.stream(min_chunk_size=CHUNK):
                yield bytes(piece)

        return pieces()

    def holds(self, key: str) -> bool:
        """Return whether there is an object under `key`."""
        try:
            with _translated(key):
                obstore.head(self._objects, key)
        except ObjectMissing:
            return False
        return True

    def delete(self, *keys: str) -> None:
        """Remove objects; those that are gone already are no fault."""
        for key in keys:
            try:
                with _translated(key):
                    obstore.delete(self._objects, key)
            except ObjectMissing:
                continue

    def everything(self, prefix: str = "") -> Iterator[Stored]:
        """Yield every object whose key begins with the folder `prefix`."""
        with _translated(prefix):
            for page in obstore.list(self._objects, prefix or None):
                for each in page:
                    yield Stored(each["path"], each["size"], each["last_modified"])

    def signed(self, key: str, lasting: datetime.timedelta) -> str | None:
        """Return an address that gives the object to anybody for a while; None where the service must deliver it."""
        if self._signer is None:
            return None
        with _translated(key):
            return obstore.sign(self._signer, "GET", key, lasting)


def open_store(settings: ServiceSettings) -> Store:
    """Open the store that the settings name; OptionError where the address is none."""
    if not settings.store:
        folder = settings.folder / "store"
        folder.mkdir(parents=True, exist_ok=True)
        return Store(LocalStore(folder, automatic_cleanup=False, mkdir=True), folder=folder)
    bucket, _, prefix = settings.store.removeprefix("s3://").partition("/")
    if not settings.store.startswith("s3://") or not bucket:
        raise OptionError("DEEPGUARD_STORE is no address such as s3://bucket/prefix")
    signer = _bucket(settings, bucket, prefix, settings.s3_public) if settings.s3_public else None
    return Store(_bucket(settings, bucket, prefix, settings.s3_endpoint), signer)


def _bucket(settings: ServiceSettings, bucket: str, prefix: str, endpoint: str) -> S3Store:
    config: S3Config = {"region": settings.s3_region}
    if endpoint:
        config["endpoint"] = endpoint
    if settings.s3_key:
        config["access_key_id"] = settings.s3_key
        config["secret_access_key"] = settings.s3_secret.get_secret_value()
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,
        client_options={"timeout": TIMEOUT, "connect_timeout": "5s", "allow_http": endpoint.startswith("http://")},
        retry_config={"max_retries": RETRIES, "retry_timeout": datetime.timedelta(seconds=10)},
    )


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Turn the library's errors into ours; what a caller's own stream raises passes as it is."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing(f"there is no object {key}; it may have been removed") from error
    except (obstore.exceptions.PermissionDeniedError, obstore.exceptions.UnauthenticatedError) as error:
        log.error("the storage refuses: look at DEEPGUARD_S3_KEY, at DEEPGUARD_S3_SECRET and at what they may do")
        raise StoreDown("the storage refuses; the operator must look at its keys") from error
    except obstore.exceptions.BaseError as error:
        if NO_SPACE in str(error):
            raise StoreFull("the disk is full; the operator must make room") from error
        raise StoreDown("the storage does not answer; try again in a moment") from error
