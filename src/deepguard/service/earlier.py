"""Jobs that go on from what a finished job of the same owner made: which those are, and where its results lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from deepguard.errors import DeepguardError, OptionError
from deepguard.service.jobs import WrongState
from deepguard.service.states import State
from deepguard.service.tables import Job

OF = "of"
"""The option that names the finished job."""
GONE = "the photo of that job was kept for its time and is removed; protect it again and start from there"


class Expired(DeepguardError):
    """The file that the job is about is gone."""

    code = "expired"


def check(earlier: Job, kinds: Mapping[str, Sequence[str]], upload_id: str) -> None:
    """Raise where a job about this upload cannot go on from `earlier`, which must be its owner's own.

    `kinds` are those from which it may, see `Ability.of`. OptionError for another kind or upload, Expired, WrongState.
    """
    if earlier.kind not in kinds:
        raise OptionError(f"the job that `of` names is of the kind {earlier.kind}; name one of {', '.join(kinds)}")
    if earlier.state == State.EXPIRED:
        raise Expired(GONE)
    if earlier.state != State.DONE:
        raise WrongState(f"the job that `of` names is {earlier.state}; it must be done first")
    if earlier.upload_id != upload_id:
        raise OptionError("the job that `of` names is about another photo; give its own `upload`")


def results_of(session: Session, job: Job, kinds: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the keys, by name, of the results from which a job goes on; none where it names no other job.

    What was true when the job was asked for is asked again: meanwhile all may have been deleted. Expired then.
    """
    named = job.options.get(OF) if kinds else None
    if named is None:
        return {}
    earlier = session.get(Job, named)
    if earlier is None or earlier.owner != job.owner:
        raise Expired(GONE)
    check(earlier, kinds, job.upload_id)
    return {each.name: each.key for each in earlier.results if each.name in kinds[earlier.kind]}
