"""The store: a folder and an S3-compatible server behave alike, and whole objects are all that anybody sees."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import boto3
import botocore.exceptions
import pytest
from tests.service.servers import free_port

from deepguard.errors import OptionError
from deepguard.service.settings import ServiceSettings
from deepguard.service.store import ObjectMissing, Store, StoreDown, StoreFull, open_store

PIECE = 1 << 20
KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """Address of an S3-compatible server with a bucket called `photos`; moto, in a process of its own."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _make_bucket(url, time.monotonic() + 60)
        yield url
    finally:
        process.kill()
        process.wait()


def _make_bucket(url: str, end: float) -> None:
    client = boto3.client("s3", endpoint_url=url, **KEYS)
    while True:
        try:
            client.create_bucket(Bucket="photos")
            return client.close()
        except botocore.exceptions.EndpointConnectionError:
            assert time.monotonic() < end
            time.sleep(0.1)


def s3_settings(url: str, home: Path, public: str = "") -> ServiceSettings:
    return ServiceSettings(
        home=home,
        store="s3://photos/some/prefix",
        s3_endpoint=url,
        s3_key="key",
        s3_secret="secret",
        s3_public=public,
        _env_file=None,
    )


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each kind of store, empty."""
    if request.param == "folder":
        yield open_store(ServiceSettings(home=tmp_path, _env_file=None))
        return
    opened = open_store(s3_settings(request.getfixturevalue("s3_url"), tmp_path))
    yield opened
    opened.delete(*[each.key for each in opened.everything()])


async def pieces(count: int, error: Exception | None = None) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number]) * PIECE
    if error is not None:
        raise error


def keys(store: Store, prefix: str = "") -> list[str]:
    return sorted(each.key for each in store.everything(prefix))


def test_what_is_put_is_what_is_got(store: Store) -> None:
    store.put("uploads/a", b"first")
    store.put("uploads/a", b"second")
    assert (store.get("uploads/a"), store.holds("uploads/a"), store.holds("uploads/b")) == (b"second", True, False)


@pytest.mark.parametrize("count", [0, 1, 11])
def test_a_stream_arrives_whole_whatever_its_length(store: Store, count: int) -> None:
    assert asyncio.run(store.put_stream("uploads/a", pieces(count))) == count * PIECE
    assert store.get("uploads/a") == b"".join(bytes([number]) * PIECE for number in range(count))


@pytest.mark.parametrize("count", [0, 1, 11])
def test_a_stream_that_breaks_off_leaves_nothing_and_its_own_error_is_heard(store: Store, count: int) -> None:
    class Hungup(Exception):
        pass

    with pytest.raises(Hungup, match="the sender is gone"):
        asyncio.run(store.put_stream("uploads/a", pieces(count, Hungup("the sender is gone"))))
    assert keys(store) == []
    assert store.folder is None or [each for each in store.folder.rglob("*") if each.is_file()] == []


def test_an_object_is_read_in_pieces(store: Store) -> None:
    store.put("uploads/a", bytes(3 * PIECE))

    async def lengths() -> list[int]:
        return [len(piece) async for piece in await store.stream("uploads/a")]

    found = asyncio.run(lengths())
    assert sum(found) == 3 * PIECE
    assert len(found) > 1


def test_a_missing_object_is_told_before_the_first_piece(store: Store) -> None:
    with pytest.raises(ObjectMissing):
        store.get("uploads/none")
    with pytest.raises(ObjectMissing):
        asyncio.run(store.stream("uploads/none"))  # type: ignore[arg-type]


def test_deleting_twice_is_no_fault(store: Store) -> None:
    store.put("uploads/a", b"x")
    store.delete("uploads/a", "uploads/none")
    store.delete("uploads/a")
    assert keys(store) == []


def test_everything_is_listed_by_folder_with_size_and_moment(store: Store) -> None:
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=2)
    for key in ("uploads/a", "uploads-of-others/b", "results/j/1/log"):
        store.put(key, b"four")
    assert keys(store) == ["results/j/1/log", "uploads-of-others/b", "uploads/a"]
    [found] = store.everything("uploads")
    assert (found.key, found.size) == ("uploads/a", 4)
    assert begin <= found.written <= datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2)


@pytest.mark.parametrize("key", ["uploads/../../escaped", "../escaped", "/escaped", "uploads//escaped"])
def test_no_key_leads_out_of_the_folder(tmp_path: Path, key: str) -> None:
    store = open_store(ServiceSettings(home=tmp_path / "home", _env_file=None))
    assert store.folder is not None
    # the library refuses some of them and takes the others for names
    with contextlib.suppress(ValueError):
        store.put(key, b"x")
    outside = [file for file in tmp_path.rglob("*") if file.is_file() and store.folder not in file.parents]
    assert outside == []


def test_a_folder_needs_no_presigned_address(tmp_path: Path) -> None:
    store = open_store(ServiceSettings(home=tmp_path, _env_file=None))
    assert store.signed("uploads/a", datetime.timedelta(minutes=1)) is None


def test_a_presigned_address_gives_the_object_to_anybody_by_plain_http(s3_url: str, tmp_path: Path) -> None:
    store = open_store(s3_settings(s3_url, tmp_path, public=s3_url))
    store.put("uploads/a", b"picture")
    address = store.signed("uploads/a", datetime.timedelta(minutes=5))
    assert address is not None
    assert address.startswith(f"{s3_url}/photos/some/prefix/uploads/a?")
    assert "X-Amz-Expires=300" in address
    assert "secret" not in address
    with urllib.request.urlopen(address) as answer:
        assert answer.read() == b"picture"


def test_without_a_public_address_the_service_delivers_itself(s3_url: str, tmp_path: Path) -> None:
    assert open_store(s3_settings(s3_url, tmp_path)).signed("uploads/a", datetime.timedelta(minutes=1)) is None


def test_a_store_that_is_down_says_so_in_good_time(tmp_path: Path) -> None:
    store = open_store(s3_settings(f"http://127.0.0.1:{free_port()}", tmp_path))
    begun = time.monotonic()
    with pytest.raises(StoreDown, match="the storage does not answer"):
        store.get("uploads/a")
    with pytest.raises(StoreDown):
        list(store.everything())
    assert time.monotonic() - begun < 20


def test_a_store_that_refuses_the_keys_is_down_and_holds_nothing(tmp_path: Path, s3_url: str) -> None:
    elsewhere = s3_settings(s3_url, tmp_path).model_copy(update={"store": "s3://no-such-bucket/x"})
    with pytest.raises((StoreDown, ObjectMissing)):
        open_store(elsewhere).put("uploads/a", b"x")


@pytest.mark.parametrize("address", ["photos", "http://photos", "s3://", "s3:///prefix"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(OptionError, match="DEEPGUARD_STORE"):
        open_store(ServiceSettings(home=tmp_path, store=address, _env_file=None))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told_as_such_and_keeps_nothing_of_the_object(small_disk: Path) -> None:
    store = open_store(ServiceSettings(home=small_disk, _env_file=None))
    store.put("uploads/small", b"x")
    with pytest.raises(StoreFull, match="the disk is full"):
        asyncio.run(store.put_stream("uploads/large", pieces(8)))
    with pytest.raises(StoreFull):
        store.put("uploads/large", bytes(8 * PIECE))
    assert keys(store) == ["uploads/small"]
    store.put("uploads/next", b"there is room again")
    assert os.statvfs(small_disk).f_bavail > 0
