"""The store: a folder and an S3-compatible server behave alike, and whole objects are all that anybody sees."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import boto3
import pytest
from structlog.testing import capture_logs
from tests.loopback import answering
from tests.service.benches import wait_for
from tests.service.conftest import STORAGES
from tests.service.servers import BUCKET, Storage, free_port

from deepguard.errors import OptionError
from deepguard.service.settings import ServiceSettings
from deepguard.service.store import ObjectMissing, Store, StoreDown, StoreFull, open_store

PIECE = 1 << 20
GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "operate.md"
SENT = {"home", "store", "s3_endpoint", "s3_key"}
# sends more than one part, and then nothing for ever
WRITER = """
import asyncio, json, sys
from deepguard.service.settings import ServiceSettings
from deepguard.service.store import open_store

async def pieces():
    for _ in range(22):
        yield bytes(1 << 20)
    print("begun", flush=True)
    await asyncio.sleep(600)

store = open_store(ServiceSettings(**json.loads(sys.argv[1]), _env_file=None))
asyncio.run(store.put_stream("uploads/killed", pieces()))
"""


def s3_settings(storage: Storage, home: Path, public: str = "") -> ServiceSettings:
    return ServiceSettings(
        home=home,
        store=f"s3://{BUCKET}/some/prefix",
        s3_endpoint=storage.url,
        s3_key=storage.key,
        s3_secret=storage.secret,
        s3_public=public,
        _env_file=None,
    )


def public_store(storage: Storage, home: Path) -> Store:
    """A store whose bucket browsers reach as well."""
    return open_store(s3_settings(storage, home, public=storage.url))


@contextlib.contextmanager
def by_hand(storage: Storage) -> Iterator[Any]:
    """Another client of a server."""
    keys = {"aws_access_key_id": storage.key, "aws_secret_access_key": storage.secret}
    client = boto3.client("s3", endpoint_url=storage.url, region_name="us-east-1", **keys)
    yield client
    client.close()


def unfinished(storage: Storage) -> dict[str, str]:
    """The keys of which a server has begun to keep pieces, and the names of these beginnings."""
    with by_hand(storage) as client:
        return {
            each["Key"]: each["UploadId"] for each in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        }


def status_of(address: str) -> int:
    try:
        with urllib.request.urlopen(address) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


@pytest.fixture(params=["folder", *STORAGES])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each kind of store, empty."""
    if request.param == "folder":
        yield open_store(ServiceSettings(home=tmp_path, _env_file=None))
        return
    opened = open_store(s3_settings(request.getfixturevalue(request.param), tmp_path))
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
        asyncio.run(store.stream("uploads/none"))


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


def test_a_presigned_address_gives_the_object_to_anybody_by_plain_http(storage: Storage, tmp_path: Path) -> None:
    store = public_store(storage, tmp_path)
    store.put("uploads/a", b"picture")
    address = store.signed("uploads/a", datetime.timedelta(minutes=5))
    assert address is not None
    assert address.startswith(f"{storage.url}/{BUCKET}/some/prefix/uploads/a?")
    assert "X-Amz-Expires=300" in address
    assert storage.secret not in address
    with urllib.request.urlopen(address) as answer:
        assert answer.read() == b"picture"


def test_a_presigned_address_gives_nothing_when_its_time_is_over(swift: Storage, tmp_path: Path) -> None:
    store = public_store(swift, tmp_path)
    store.put("uploads/a", b"picture")
    address = store.signed("uploads/a", datetime.timedelta(seconds=3)) or ""
    signed = time.monotonic()
    assert status_of(address) == 200
    # signed to the second, so up to one less
    while status_of(address) == 200:
        assert time.monotonic() - signed < 10
        time.sleep(0.1)
    assert time.monotonic() - signed > 1.9
    assert status_of(address) == 403
    assert status_of(store.signed("uploads/a", datetime.timedelta(minutes=5)) or "") == 200


def test_a_presigned_address_that_was_changed_gives_nothing(swift: Storage, tmp_path: Path) -> None:
    store = public_store(swift, tmp_path)
    store.put("uploads/a", b"picture")
    store.put("uploads/b", b"of somebody else")
    address = store.signed("uploads/a", datetime.timedelta(minutes=5)) or ""
    longer = address.replace("X-Amz-Expires=300", "X-Amz-Expires=3000")
    assert [status_of(each) for each in (address, longer, address.replace("a?", "b?"))] == [200, 403, 403]
    assert status_of(address.partition("?")[0]) in {400, 403}


def test_an_upload_that_breaks_off_leaves_no_pieces_in_the_bucket(storage: Storage, tmp_path: Path) -> None:
    begun: list[dict[str, str]] = []

    async def breaking() -> AsyncIterator[bytes]:
        async for piece in pieces(22):
            yield piece
        begun.append(await asyncio.to_thread(unfinished, storage))
        raise ConnectionResetError("the sender is gone")

    store = open_store(s3_settings(storage, tmp_path))
    with pytest.raises(ConnectionResetError):
        asyncio.run(store.put_stream("uploads/broken", breaking()))
    assert [list(each) for each in begun] == [["some/prefix/uploads/broken"]]
    assert unfinished(storage) == {}
    assert not store.holds("uploads/broken")


def test_a_process_killed_while_it_writes_leaves_no_object_but_pieces_for_a_rule_of_the_bucket(
    storage: Storage, tmp_path: Path
) -> None:
    settings = s3_settings(storage, tmp_path)
    described = json.dumps({**settings.model_dump(mode="json", include=SENT), "s3_secret": storage.secret})
    with subprocess.Popen([sys.executable, "-c", WRITER, described], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begun\n"
        writer.kill()
    assert not open_store(settings).holds("uploads/killed")
    left = unfinished(storage)
    assert list(left) == ["some/prefix/uploads/killed"]
    with by_hand(storage) as client:
        client.abort_multipart_upload(Bucket=BUCKET, Key="some/prefix/uploads/killed", UploadId=left.popitem()[1])
    assert unfinished(storage) == {}


def test_the_rule_that_the_guide_gives_the_bucket_is_one(moto: Storage) -> None:
    [line] = [line for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith('{"Rules"')]
    with by_hand(moto) as client:
        client.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration=json.loads(line))
        [rule] = client.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
        client.delete_bucket_lifecycle(Bucket=BUCKET)
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert "Expiration" not in rule


def test_without_a_public_address_the_service_delivers_itself(storage: Storage, tmp_path: Path) -> None:
    assert open_store(s3_settings(storage, tmp_path)).signed("uploads/a", datetime.timedelta(minutes=1)) is None


def test_a_store_that_is_down_says_so_in_good_time(tmp_path: Path) -> None:
    nowhere = Storage(f"http://127.0.0.1:{free_port()}", "key", "secret")
    store = open_store(s3_settings(nowhere, tmp_path))
    begun = time.monotonic()
    with pytest.raises(StoreDown, match="the storage does not answer"):
        store.get("uploads/a")
    with pytest.raises(StoreDown):
        list(store.everything())
    assert time.monotonic() - begun < 20


class Stubborn(BaseHTTPRequestHandler):
    """An S3-compatible storage that takes the pieces of an object and refuses to forget them."""

    def do_POST(self) -> None:
        self.answer(200, b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200)

    def do_DELETE(self) -> None:
        self.answer(403)

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *given: object) -> None:
        pass


@pytest.fixture
def stubborn() -> Iterator[Storage]:
    with answering(Stubborn) as url:
        yield Storage(url, "key", "secret")


def test_the_senders_own_error_is_heard_although_the_storage_refuses_to_forget(
    stubborn: Storage, tmp_path: Path
) -> None:
    store = open_store(s3_settings(stubborn, tmp_path))
    with pytest.raises(ConnectionResetError, match="the sender is gone"):
        asyncio.run(store.put_stream("uploads/a", pieces(22, ConnectionResetError("the sender is gone"))))


def test_a_bucket_that_does_not_exist_takes_nothing(storage: Storage, tmp_path: Path) -> None:
    elsewhere = s3_settings(storage, tmp_path).model_copy(update={"store": "s3://no-such-bucket/x"})
    with pytest.raises((StoreDown, ObjectMissing)):
        open_store(elsewhere).put("uploads/a", b"x")


def test_a_store_that_refuses_the_keys_is_down_and_holds_nothing(swift: Storage, tmp_path: Path) -> None:
    stranger = open_store(s3_settings(dataclasses.replace(swift, secret="guessed"), tmp_path))
    with capture_logs() as said, pytest.raises(StoreDown, match="the operator must look at its keys"):
        stranger.put("uploads/of-a-stranger", b"x")
    assert [each["log_level"] for each in said if "DEEPGUARD_S3_SECRET" in each["event"]] == ["error"]
    with pytest.raises(StoreDown):
        list(stranger.everything())
    assert not open_store(s3_settings(swift, tmp_path)).holds("uploads/of-a-stranger")


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


def kept(store: Store, key: str, data: bytes) -> bool:
    with contextlib.suppress(StoreFull):
        store.put(key, data)
    return store.holds(key)


def test_a_full_disk_is_told_as_such_and_keeps_nothing_of_the_object(small_disk: Path) -> None:
    store = open_store(ServiceSettings(home=small_disk, _env_file=None))
    store.put("uploads/small", b"x")
    with pytest.raises(StoreFull, match="the disk is full"):
        asyncio.run(store.put_stream("uploads/large", pieces(8)))
    with pytest.raises(StoreFull):
        store.put("uploads/large", bytes(8 * PIECE))
    assert keys(store) == ["uploads/small"]
    # the library removes the unfinished file on a thread of its own
    wait_for(lambda: kept(store, "uploads/next", b"there is room again"))
    assert os.statvfs(small_disk).f_bavail > 0
