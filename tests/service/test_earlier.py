"""A job that goes on from another one: what its worker is given, and what happens where that is gone meanwhile."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, update
from tests.service.benches import Odd, bench_in, claimed, done, job_of, queued

from deepguard.registry import Entry
from deepguard.service import jobs
from deepguard.service.attempt import attempt
from deepguard.service.jobs import Ending
from deepguard.service.kinds.roles import Ability, Done, Work, kinds
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.tables import Job, Result, identifier


class GoesOn(Odd):
    """A kind that goes on from jobs of the kind `protect`."""

    def ability(self, shelf: object) -> Ability:
        return Ability("goes-on", "goes on", {}, (), {}, ("text",), {}, of={"protect": ("picture", "log")})


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, bytes]]:
    """What the kind `goes-on` was given of the earlier job, each time it ran."""
    given: list[dict[str, bytes]] = []

    def act(work: Work) -> Done:
        given.append({name: file.read_bytes() for name, file in work.earlier.items()})
        return done()

    kinds.names()
    entry = Entry("goes-on", (), lambda paths, device: GoesOn(act), "goes on")
    monkeypatch.setitem(kinds._entries, "goes-on", entry)
    return given


def protected(parts: Parts, data: bytes = b"photo") -> str:
    """A finished job with three results."""
    job_id = queued(parts, data)
    held = claimed(parts, job_id)
    results = []
    for at, name in enumerate(("picture", "heatmap", "log")):
        key = f"results/{job_id}/1/{name}"
        parts.store.put(key, name.encode())
        facts = {"filename": name, "media_type": "x/y", "size": 1, "sha256": "0"}
        results.append(Result(job_id=job_id, name=name, position=at, key=key, **facts))
    with parts.database.writing() as session:
        assert jobs.end(session, held, Ending(State.DONE, results=results))
    return job_id


def going_on(parts: Parts, of: str, **columns: object) -> str:
    """A job that goes on from another one, about the same photo."""
    job_id = queued(parts, b"photo", "goes-on", of=of)
    with parts.database.writing() as session:
        same = {"upload_id": job_of(parts, of).upload_id, **columns}
        session.execute(update(Job).where(Job.id == job_id).values(**same))
    return job_id


def test_the_worker_is_given_what_the_kind_asks_for_and_nothing_else(
    parts: Parts, given: list[dict[str, bytes]]
) -> None:
    job_id = going_on(parts, protected(parts))
    assert attempt(bench_in(parts), job_id) is State.DONE
    assert given == [{"picture": b"picture", "log": b"log"}]


def test_a_job_that_names_none_is_given_nothing(parts: Parts, given: list[dict[str, bytes]]) -> None:
    assert attempt(bench_in(parts), queued(parts, b"photo", "goes-on")) is State.DONE
    assert given == [{}]


@pytest.mark.parametrize(
    "change", [{"owner": "visit:else"}, {"state": State.EXPIRED}, {"kind": "detect"}, {"upload_id": identifier()}]
)
def test_what_may_not_be_gone_on_from_when_it_comes_to_it_fails_the_job(
    parts: Parts, given: list[dict[str, bytes]], change: dict[str, object]
) -> None:
    earlier = protected(parts)
    job_id = going_on(parts, earlier)
    with parts.database.writing() as session:
        session.execute(update(Job).where(Job.id == earlier).values(**change))
    assert attempt(bench_in(parts), job_id) is State.FAILED
    assert job_of(parts, job_id).error_code in {"expired", "option"}
    assert given == []


def test_a_job_whose_earlier_one_was_deleted_or_lost_a_file_says_that_it_is_gone(
    parts: Parts, given: list[dict[str, bytes]]
) -> None:
    lost, deleted = protected(parts), protected(parts)
    first, second = going_on(parts, lost), going_on(parts, deleted)
    parts.store.delete(f"results/{lost}/1/log")
    with parts.database.writing() as session:
        session.execute(delete(Job).where(Job.id == deleted))
    for job_id in (first, second):
        assert attempt(bench_in(parts), job_id) is State.FAILED
        assert job_of(parts, job_id).error_code == "expired"
    assert given == []


def test_a_life_that_is_short_begins_when_the_job_ends(parts: Parts) -> None:
    job_id = queued(parts, b"photo")
    with parts.database.writing() as session:
        session.execute(update(Job).where(Job.id == job_id).values(lifetime=60.0))
    before = job_of(parts, job_id).expires
    held = claimed(parts, job_id)
    with parts.database.writing() as session:
        assert jobs.end(session, held, Ending(State.FAILED, "no_face", "none"))
    after = job_of(parts, job_id)
    assert after.ended is not None
    assert 59 <= (after.expires - after.ended).total_seconds() <= 61
    assert after.expires < before
