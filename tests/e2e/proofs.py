"""Proofs on the stage: of a photo that is protected there, with what the real kind makes of one that is made up."""

from __future__ import annotations

from typing import Any

from tests.e2e.stage import Guest, Stage
from tests.service.kinds.proved import worked

from deepguard.prove.proof import Proof


def protected(stage: Stage, guest: Guest, **columns: Any) -> str:
    """Return the id of a job that has protected a guest's photo."""
    job_id = stage.job(guest, **columns)
    stage.finish(job_id)
    return job_id


def asked(stage: Stage, guest: Guest, of: str = "", **options: Any) -> str:
    """Return the id of a proof that waits, as the service would have made it."""
    of = of or protected(stage, guest)
    same = {"upload": stage.row(of).upload_id, "share": "", "lifetime": 3600.0}
    return stage.job(guest, kind="prove", options={"of": of, **options}, **same)


def proved(stage: Stage, guest: Guest, found: Proof, of: str = "", **options: Any) -> str:
    """Return the id of a proof that has come to this."""
    job_id = asked(stage, guest, of, **options)
    stage.finish(job_id, worked(found, options=stage.row(job_id).options))
    return job_id
