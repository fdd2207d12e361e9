"""The last jobs' logs, copied to a place of their own before anything of a job is removed."""

from __future__ import annotations

import json
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Row, select

from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.store import ObjectMissing
from deepguard.service.tables import Job, Result

LOG = "log"
"""The name of the result that is a job's log."""
STALE_SECONDS = 3600.0
"""Age of a temporary file that somebody who was killed left behind."""

log = structlog.get_logger(__name__)


def keep(parts: Parts) -> None:
    """Copy the logs of the last jobs that ended and have no copy yet, and remove the oldest copies.

    Call it before anything of a job is removed. StoreDown and OSError where a copy cannot be made.
    """
    folder, most = parts.settings.log_folder, parts.settings.log_copies
    if not folder.is_dir() and not most:
        return
    folder.mkdir(parents=True, exist_ok=True)
    copies = _copies(folder)
    # a job that ended before the oldest copy of a full folder would only be copied to be removed
    oldest = copies[-most] if most and len(copies) >= most else ""
    for row in _ended(parts, most):
        name = f"{row.ended:%Y%m%dT%H%M%S.%f}-{row.id}-{row.attempt}.json"
        if name >= oldest and name not in copies:
            _write(folder / name, _content(parts, row))
    _remove(folder, most)


def keep_if_possible(parts: Parts) -> None:
    """Copy the logs; a full disk is no reason to keep what should go, and what would make room on it."""
    try:
        keep(parts)
    except OSError as error:
        log.error("job logs cannot be copied", error=str(error))


def _copies(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.glob("*.json") if not each.name.startswith("."))


def _ended(parts: Parts, most: int) -> list[Row[Any]]:
    columns = (Job.id, Job.kind, Job.state, Job.attempt, Job.losses, Job.error_code)
    moments = (Job.created, Job.queued, Job.started, Job.ended)
    query = (
        select(*columns, *moments, Result.key)
        .join(Result, (Result.job_id == Job.id) & (Result.name == LOG), isouter=True)
        .where(Job.state.in_((State.DONE, State.FAILED)), Job.ended.is_not(None))
        .order_by(Job.ended.desc())
        .limit(most)
    )
    with parts.database.reading() as session:
        return list(session.execute(query))


def _content(parts: Parts, row: Row[Any]) -> bytes:
    if row.key is not None:
        try:
            return parts.store.get(row.key)
        except ObjectMissing:
            log.warning("a job's log is missing", job_id=row.id)
    facts = {name: getattr(row, name) for name in ("id", "kind", "state", "attempt", "losses")}
    moments = {
        name: moment.isoformat() if moment else None
        for name in ("created", "queued", "started", "ended")
        for moment in (getattr(row, name),)
    }
    return json.dumps(facts | {"code": row.error_code} | moments, indent=2).encode()


def _write(file: Path, content: bytes) -> None:
    hidden = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        hidden.write_bytes(content)
        hidden.replace(file)
    finally:
        hidden.unlink(missing_ok=True)


def _remove(folder: Path, most: int) -> None:
    copies = _copies(folder)
    for name in copies[: max(0, len(copies) - most)]:
        (folder / name).unlink(missing_ok=True)
    for hidden in folder.glob(".*.json.*"):
        # another process may have finished it meanwhile
        with suppress(FileNotFoundError):
            if time.time() - hidden.stat().st_mtime > STALE_SECONDS:
                hidden.unlink()
