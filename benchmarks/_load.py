"""The load generator, a process of its own: `python -m benchmarks._load ADDRESS jobs|uploads ...` prints JSON.

It speaks plain http.client in threads: a comfortable client takes more processor time than what is measured.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import io
import itertools
import json
import random
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PIL import Image

TIMEOUT = 120.0
LINE = "x-x-x-part-x-x-x"
HEAD = f'--{LINE}\r\nContent-Disposition: form-data; name="file"; filename="face.jpg"\r\n\r\n'.encode()
TAIL = f"\r\n--{LINE}--\r\n".encode()


class Client:
    """One program with a connection of its own; all use one key."""

    def __init__(self, address: str, key: str) -> None:
        self._connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=TIMEOUT)
        self._key = key

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        """Return the body of the answer; RuntimeError where it is a refusal."""
        headers = {"Authorization": f"Bearer {self._key}"}
        headers |= {"Content-Type": kind} if body is not None else {}
        self._connection.request(method, f"/api/v1{path}", body, headers)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {answer.status} {data!r}")
        return data

    def upload(self, data: bytes) -> dict[str, Any]:
        """Send a file and return what the service says of it."""
        form = b"".join((HEAD, data, TAIL))
        told: dict[str, Any] = json.loads(self.ask("POST", "/uploads", form, f"multipart/form-data; boundary={LINE}"))
        return told


def jobs(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Run jobs that only rest: upload, create, wait for the end, download; return the seconds of each part."""

    def visit(number: int) -> list[dict[str, Any]]:
        chance = random.Random(number)
        client = Client(options.address, options.key)
        picture = small() + chance.randbytes(options.bytes)
        rows = []
        for _ in range(options.count // options.clients):
            # people do not begin at the same moment
            time.sleep(chance.uniform(0, 2 * options.pause))
            rows.append(job(client, picture, options.rest))
        return rows

    return list(itertools.chain.from_iterable(_at_once(visit, options.clients)))


def job(client: Client, picture: bytes, rest: float) -> dict[str, Any]:
    """Run one job and return the seconds of its parts; RuntimeError where the result is not what was sent."""
    times = [time.perf_counter()]
    upload = client.upload(picture)
    times.append(time.perf_counter())
    wish = {"kind": "rest", "upload": upload["id"], "options": {"seconds": rest}}
    asked = json.loads(client.ask("POST", "/jobs", json.dumps(wish).encode()))
    times.append(time.perf_counter())
    while asked["state"] in {"queued", "running"}:
        asked = json.loads(client.ask("GET", f"/jobs/{asked['id']}?wait=30"))
    times.append(time.perf_counter())
    if client.ask("GET", f"/jobs/{asked['id']}/results/picture") != picture:
        raise RuntimeError("the result is not what was sent")
    times.append(time.perf_counter())
    spans = (after - before for before, after in itertools.pairwise(times))
    parts = dict(zip(("upload", "create", "wait", "download"), spans, strict=True))
    return {**parts, "overhead": times[-1] - times[0] - rest}


def uploads(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Upload files of `--bytes` bytes, `--clients` at a time; return whether the service has what was sent."""
    pictures = [small() + random.Random(number).randbytes(options.bytes) for number in range(options.clients)]

    def visit(number: int) -> list[dict[str, Any]]:
        client = Client(options.address, options.key)
        rows = []
        for _ in range(options.count // options.clients):
            start = time.perf_counter()
            told = client.upload(pictures[number])
            whole = told["sha256"] == hashlib.sha256(pictures[number]).hexdigest()
            rows.append({"id": told["id"], "whole": whole, "seconds": time.perf_counter() - start})
        return rows

    return list(itertools.chain.from_iterable(_at_once(visit, options.clients)))


def small() -> bytes:
    """Return a whole small picture; what follows it makes a file as large as wished, and no decoder looks at that."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG")
    return buffer.getvalue()


def _at_once(visit: Callable[[int], list[dict[str, Any]]], clients: int) -> list[list[dict[str, Any]]]:
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(visit, range(clients)))


def main() -> None:
    """Generate load and print the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks._load", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("what", choices=("jobs", "uploads"))
    parser.add_argument("--key", required=True)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--bytes", type=int, default=200_000)
    parser.add_argument("--rest", type=float, default=0.02)
    parser.add_argument("--pause", type=float, default=2.0)
    options = parser.parse_args()
    print(json.dumps((jobs if options.what == "jobs" else uploads)(options)))


if __name__ == "__main__":
    main()
