"""Jobs of the test bench: shared with nobody, short-lived, few in an hour, and not without a recorded statement.

Which kinds these are, their workers say: `Ability.bench`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy.orm import Session

from deepguard.service import earlier
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import Job, Statement, Upload
from deepguard.service.web.access import Visitor
from deepguard.service.web.faults import Fault
from deepguard.service.web.rates import Rates
from deepguard.service.web.visible import no_job, own_job

STATEMENT = "statement"
"""The option that says whose face it is."""
SHARED_WITH_NOBODY = ""
log = structlog.get_logger(__name__)


def check_earlier(
    session: Session, visitor: Visitor, ability: Mapping[str, Any], options: Mapping[str, Any], upload_id: str
) -> None:
    """Raise where the option `of` names no finished job of the visitor's own that a job may go on from.

    An admin may look at other people's jobs, but not go on from them.
    """
    kinds = ability.get("of")
    if not kinds or earlier.OF not in options:
        return
    named = own_job(session, visitor, options[earlier.OF])
    if named.owner != visitor.owner:
        raise no_job()
    earlier.check(named, kinds, upload_id)


def columns(ability: Mapping[str, Any], settings: ServiceSettings) -> dict[str, Any]:
    """Return what the row of a new job of the bench has unlike other jobs; nothing for other kinds."""
    if not ability.get("bench"):
        return {}
    return {"share": SHARED_WITH_NOBODY, "lifetime": min(settings.proof_seconds, settings.keep_hours * 3600)}


def shared_with_nobody(job: Job) -> bool:
    """Return whether nobody but its owner may see a job, by no link and no code."""
    return job.share == SHARED_WITH_NOBODY


def count(rates: Rates, rate: str, visitor: Visitor) -> None:
    """Count one job of the bench; Fault("proof_rate") where no more are left in this hour.

    A visit's count for its address too, so that dropping the cookie does not help.
    """
    for who in filter(None, (visitor.owner, visitor.address)):
        left = rates.take(rate, f"proofs {who}")
        if not left.allowed:
            minutes = max(1, round(left.reset / 60))
            raise Fault(
                "proof_rate", f"too many proofs; {rate} are made here, try again in {minutes} min", after=left.reset
            )


def record(session: Session, job: Job, upload: Upload) -> None:
    """Write down, with the job itself, whose face its owner says it is; nothing where none is said."""
    said = job.options.get(STATEMENT)
    if said is None or not shared_with_nobody(job):
        return
    session.add(Statement(job_id=job.id, owner=job.owner, sha256=upload.sha256, said=said))
    log.info("a statement was recorded", job_id=job.id, owner=job.owner, said=said)
