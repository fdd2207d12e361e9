"""`/healthz`: this process lives. `/readyz`: the whole service can do its work."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse

from deepguard.service.figures import live_workers
from deepguard.service.parts import Parts
from deepguard.service.probe import Probe, Unwell, findings, probes_of
from deepguard.service.tables import Worker, now
from deepguard.service.web.shapes import TIME

INFERRED = datetime.timedelta(minutes=15)


def _shown(status: int, example: Mapping[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Return what the description says of an answer."""
    return {status: {"content": {"application/json": {"example": example}}}}


router = APIRouter(tags=["operation"])

_PART = {"ok": True, "what": "well", "since": TIME}
_PARTS = dict.fromkeys(("database", "store", "broker", "worker"), _PART)
_DOWN = {"ok": False, "what": "the queue does not answer", "since": TIME}
_LIVES = _shown(200, {"ok": True})
_WELL = _shown(200, {"ok": True, "parts": _PARTS}) | _shown(503, {"ok": False, "parts": _PARTS | {"broker": _DOWN}})


def install(app: FastAPI) -> None:
    """Prepare the questions; nothing is asked yet."""
    parts: Parts = app.state.parts
    app.state.probes = probes_of(parts) | {"worker": Probe("worker", lambda: _worker(parts))}


@router.get("/healthz", summary="Whether this process lives", responses=_LIVES)
async def healthz() -> dict[str, bool]:
    """Answer at once; nothing else is asked."""
    return {"ok": True}


@router.get("/readyz", summary="Whether the service can work", responses=_WELL)
def readyz(request: Request) -> JSONResponse:
    """Answer 200 when the database, the store, the broker and a worker are well, 503 otherwise, and which is not."""
    found = findings(request.app.state.probes)
    parts = {
        name: {"ok": each.ok, "what": each.what, "since": each.since.isoformat().replace("+00:00", "Z")}
        for name, each in found.items()
    }
    ok = all(each.ok for each in found.values())
    return JSONResponse({"ok": ok, "parts": parts}, 200 if ok else 503)


def _worker(parts: Parts) -> None:
    with parts.database.reading() as session:
        workers = live_workers(session)
        if not any(map(_is_ready, workers)):
            raise Unwell(_reason(workers))


def _is_ready(worker: Worker) -> bool:
    # one that works has no time to test itself; that it gives signs of life is enough
    recently = worker.inferred is not None and now() - worker.inferred < INFERRED
    return worker.ready and (recently or bool(worker.job_id))


def _reason(workers: Iterable[Worker]) -> str:
    if not list(workers):
        return "no worker lives; start one with: deepguard worker"
    return "no worker has passed its inference in the last 15 minutes; see the workers' logs"
