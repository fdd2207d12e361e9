"""The load generator, a process of its own: `python -m benchmarks._load ADDRESS jobs|uploads ...` prints JSON."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import itertools
import json
import random
import time
from typing import Any

import httpx
from PIL import Image

TIMEOUT = 120.0


def _small() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG")
    return buffer.getvalue()


JPEG = _small()
"""A whole small picture; what follows it makes the file as large as wished, and no decoder looks at that."""


async def jobs(address: str, options: argparse.Namespace) -> list[dict[str, float]]:
    """Run jobs that only rest: upload, create, wait for the end, download; return the seconds of each part."""
    each = options.count // options.clients
    rows = await asyncio.gather(*(_client(address, options, number, each) for number in range(options.clients)))
    return [row for client in rows for row in client]


async def uploads(address: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Upload files of `--bytes` bytes, `--clients` at a time; return what was sent and what the service says it has."""
    gate = asyncio.Semaphore(options.clients)
    async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT) as client:
        await client.post("/api/v1/uploads", files={"file": ("first.jpg", JPEG + b"0" * 100)})

        async def one(number: int) -> dict[str, Any]:
            async with gate:
                data = JPEG + random.Random(number).randbytes(options.bytes - len(JPEG))
                start = time.perf_counter()
                answer = await client.post("/api/v1/uploads", files={"file": (f"{number}.jpg", data)})
                body = answer.json()
                whole = answer.status_code == 201 and body["sha256"] == hashlib.sha256(data).hexdigest()
                return {"id": body.get("id"), "whole": whole, "seconds": time.perf_counter() - start}

        return list(await asyncio.gather(*(one(number) for number in range(options.count))))


async def _client(address: str, options: argparse.Namespace, number: int, count: int) -> list[dict[str, float]]:
    rows = []
    chance = random.Random(number)
    picture = JPEG + chance.randbytes(options.bytes)
    async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT) as client:
        await client.post("/api/v1/uploads", files={"file": ("first.jpg", picture)})
        for _ in range(count):
            # people do not begin at the same moment
            await asyncio.sleep(chance.uniform(0, 2 * options.pause))
            rows.append(await _job(client, picture, options.rest))
    return rows


async def _job(client: httpx.AsyncClient, picture: bytes, rest: float) -> dict[str, float]:
    times = [time.perf_counter()]
    upload = (await client.post("/api/v1/uploads", files={"file": ("face.jpg", picture)})).raise_for_status().json()
    times.append(time.perf_counter())
    wish = {"kind": "rest", "upload": upload["id"], "options": {"seconds": rest}}
    job = (await client.post("/api/v1/jobs", json=wish)).raise_for_status().json()
    times.append(time.perf_counter())
    while job["state"] in {"queued", "running"}:
        query = {"wait": 30, "revision": job["revision"]}
        job = (await client.get(f"/api/v1/jobs/{job['id']}", params=query)).raise_for_status().json()
    times.append(time.perf_counter())
    if job["state"] != "done":
        raise RuntimeError(f"the job is {job['state']}: {job['error']}")
    made = await client.get(f"/api/v1/jobs/{job['id']}/results/picture")
    if made.raise_for_status().content != picture:
        raise RuntimeError("the result is not what was sent")
    times.append(time.perf_counter())
    parts = dict(zip(("upload", "create", "wait", "download"), _differences(times), strict=True))
    return {**parts, "overhead": times[-1] - times[0] - rest}


def _differences(times: list[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(times)]


def main() -> None:
    """Generate load and print the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks._load", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("what", choices=("jobs", "uploads"))
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--bytes", type=int, default=200_000)
    parser.add_argument("--rest", type=float, default=0.02)
    parser.add_argument("--pause", type=float, default=2.0)
    options = parser.parse_args()
    work = jobs if options.what == "jobs" else uploads
    print(json.dumps(asyncio.run(work(options.address, options))))


if __name__ == "__main__":
    main()
