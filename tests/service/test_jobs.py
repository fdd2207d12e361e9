"""What may happen to a job, from every state, and by whom."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.service.moves import MOST, MOVES, add, result, stored, told

from deepguard.service import jobs
from deepguard.service.database import Database
from deepguard.service.jobs import Claim, Ending, JobGone, WrongState
from deepguard.service.states import ACTIVE, NEXT, State
from deepguard.service.tables import Job, Outcome, Table, Worker, identifier, now


def lite(folder: Path) -> Database:
    """An empty SQLite database with all tables."""
    database = Database(f"sqlite+pysqlite:///{folder / 'jobs.sqlite'}")
    Table.metadata.create_all(database.engine)
    return database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = lite(tmp_path)
    yield made
    made.close()


def outcomes(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Outcome.state)))


LEADS: dict[str, dict[State, tuple[State, object]]] = {
    "claim": {State.QUEUED: (State.RUNNING, ...)},
    "beat": {State.RUNNING: (State.RUNNING, None)},
    "report": {State.RUNNING: (State.RUNNING, None)},
    "end done": {State.RUNNING: (State.DONE, True), State.CANCELLING: (State.CANCELLED, False)},
    "end failed": {State.RUNNING: (State.FAILED, True), State.CANCELLING: (State.CANCELLED, False)},
    "end stopped": {State.RUNNING: (State.QUEUED, True), State.CANCELLING: (State.CANCELLED, False)},
    "lose": {State.RUNNING: (State.QUEUED, State.QUEUED), State.CANCELLING: (State.CANCELLED, State.CANCELLED)},
    "lose the last": {
        State.RUNNING: (State.FAILED, State.FAILED),
        State.CANCELLING: (State.CANCELLED, State.CANCELLED),
    },
    "cancel": {
        State.QUEUED: (State.CANCELLED, State.CANCELLED),
        State.RUNNING: (State.CANCELLING, State.CANCELLING),
        State.CANCELLING: (State.CANCELLING, State.CANCELLING),
    },
    "retry": {State.FAILED: (State.QUEUED, None), State.CANCELLED: (State.QUEUED, None)},
    "expire": dict.fromkeys((State.DONE, State.FAILED, State.CANCELLED), (State.EXPIRED, True)),
}
"""Move -> the states that it does something in, with the state after and what it returns (...: a claim)."""
OTHERWISE = {
    "claim": None,
    "beat": JobGone,
    "report": JobGone,
    "end done": False,
    "end failed": False,
    "end stopped": False,
    "lose": None,
    "lose the last": None,
    "cancel": WrongState,
    "retry": WrongState,
    "expire": False,
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("move", MOVES)
def test_every_move_from_every_state(database, move, state):
    job_id = add(database, state)
    before = stored(database, job_id)
    with database.writing() as session:
        answer = told(lambda: MOVES[move](session, session.get_one(Job, job_id)))
    after = stored(database, job_id)
    target, expected = LEADS[move].get(state, (state, OTHERWISE[move]))
    assert after.state == target
    assert isinstance(answer, Claim) if expected is ... else answer == expected
    assert (after.revision > before.revision) == (after.state != state or (move, state) == ("report", State.RUNNING))
    assert target == state or target in NEXT[state]


@pytest.mark.parametrize("move", MOVES)
def test_what_ends_is_counted_once_and_nothing_else(database, move):
    for state in State:
        ended = len(outcomes(database))
        job_id = add(database, state)
        with database.writing() as session:
            told(lambda: MOVES[move](session, session.get_one(Job, job_id)))  # noqa: B023 - called at once
        after = stored(database, job_id).state
        over = state in ACTIVE and after not in ACTIVE
        assert outcomes(database)[ended:] == ([after] if over else [])


def test_a_claim_raced_by_threads_is_won_once(any_database):
    job_id = add(any_database)
    ready = threading.Barrier(8)

    def race(number: int) -> Claim | None:
        ready.wait()
        with any_database.writing() as session:
            return jobs.claim(session, job_id, f"worker {number}")

    with ThreadPoolExecutor(8) as pool:
        won = [each for each in pool.map(race, range(8)) if each]
    assert len(won) == 1
    job = stored(any_database, job_id)
    assert (job.state, job.attempt, job.worker) == (State.RUNNING, 1, won[0].worker)


def test_of_cancelling_and_finishing_at_once_one_wins_and_both_agree(any_database):
    # SQLite has one writer at a time: there, nobody can wait for the other inside a transaction
    parties = 1 if any_database.engine.dialect.name == "sqlite" else 2
    for _ in range(10):
        job_id = add(any_database, State.RUNNING)
        ready = threading.Barrier(parties)
        with ThreadPoolExecutor(2) as pool:
            cancelled = pool.submit(cancel_at, any_database, job_id, ready)
            finished = pool.submit(finish_at, any_database, job_id, ready)
            answers = cancelled.result(), finished.result()
        assert answers in {(State.CANCELLING, False), (WrongState, True)}
        assert stored(any_database, job_id).state == (State.DONE if answers[1] else State.CANCELLED)


def cancel_at(database: Database, job_id: str, ready: threading.Barrier) -> object:
    with database.writing() as session:
        job = session.get_one(Job, job_id)
        ready.wait()
        return told(lambda: jobs.cancel(session, job))


def finish_at(database: Database, job_id: str, ready: threading.Barrier) -> bool:
    with database.writing() as session:
        ready.wait()
        return jobs.end(session, Claim(job_id, 1, "ours"), Ending(State.DONE, results=[result(job_id)]))


def test_a_second_delivery_does_nothing(any_database):
    job_id = add(any_database)
    with any_database.writing() as session:
        first = jobs.claim(session, job_id, "ours")
    before = stored(any_database, job_id)
    with any_database.writing() as session:
        assert jobs.claim(session, job_id, "ours") is None
    with any_database.writing() as session:
        assert jobs.end(session, first, Ending(State.DONE, summary={"faces": 1}, results=[result(job_id)]))
    with any_database.writing() as session:
        assert jobs.claim(session, job_id, "other") is None
    job = stored(any_database, job_id)
    assert (job.state, job.attempt, job.summary, before.attempt) == (State.DONE, 1, {"faces": 1}, 1)
    assert outcomes(any_database) == [State.DONE]


def test_a_job_that_is_not_there_cannot_be_claimed_lost_or_expired(database):
    with database.writing() as session:
        assert jobs.claim(session, identifier(), "ours") is None
        assert jobs.lose(session, identifier(), 1, MOST) is None
        assert not jobs.expire(session, identifier())


def test_after_cancelling_a_report_stops_the_worker_and_its_results_are_thrown_away(database):
    job_id = add(database, State.RUNNING)
    mine = Claim(job_id, 1, "ours")
    with database.writing() as session:
        jobs.report(session, mine, {"share": 0.5})
        jobs.cancel(session, session.get_one(Job, job_id))
    for sign in (jobs.beat, lambda session, claim: jobs.report(session, claim, {"share": 0.9})):
        with pytest.raises(JobGone), database.writing() as session:
            sign(session, mine)
    assert stored(database, job_id).progress == {"share": 0.5}
    with database.writing() as session:
        assert not jobs.end(session, mine, Ending(State.DONE, results=[result(job_id)]))
    with database.reading() as session:
        job = session.get_one(Job, job_id)
        assert (job.state, job.results, job.progress) == (State.CANCELLED, [], {})
        assert job.ended is not None


def test_a_worker_may_die_of_a_job_a_few_times_and_then_the_job_has_failed(database):
    job_id = add(database)
    for attempt in range(1, MOST + 1):
        with database.writing() as session:
            assert jobs.claim(session, job_id, f"worker {attempt}") == Claim(job_id, attempt, f"worker {attempt}")
        with database.writing() as session:
            state = jobs.lose(session, job_id, attempt, MOST)
        job = stored(database, job_id)
        assert (job.state, job.losses) == (state, attempt)
        assert state == (State.QUEUED if attempt < MOST else State.FAILED)
    assert (job.error_code, str(MOST) in job.error_message) == (jobs.LOST, True)
    with database.writing() as session:
        jobs.retry(session, session.get_one(Job, job_id))
    job = stored(database, job_id)
    # whoever asks again gives it as many lives again, and its attempts go on counting
    assert (job.losses, job.attempt, job.error_code, job.error_message) == (0, MOST, "", "")


def test_a_worker_that_was_thought_dead_and_comes_back_cannot_finish(any_database):
    job_id = add(any_database)
    with any_database.writing() as session:
        old = jobs.claim(session, job_id, "ours")
    with any_database.writing() as session:
        assert jobs.lose(session, job_id, old.attempt, MOST) is State.QUEUED
    for again in (False, True):
        if again:
            with any_database.writing() as session:
                # even under the same name: the attempt is another
                assert jobs.claim(session, job_id, "ours").attempt == 2
        for sign in (jobs.beat, lambda session, claim: jobs.report(session, claim, {"share": 1.0})):
            with pytest.raises(JobGone), any_database.writing() as session:
                sign(session, old)
        with any_database.writing() as session:
            assert not jobs.end(session, old, Ending(State.DONE, results=[result(job_id)]))
            assert jobs.lose(session, job_id, old.attempt, MOST) is None or not again
    job = stored(any_database, job_id)
    assert (job.state, job.attempt, job.progress) == (State.RUNNING, 2, {})
    assert outcomes(any_database) == []


def test_a_stopped_attempt_waits_again_without_a_loss_or_results(database):
    job_id = add(database, State.RUNNING)
    with database.writing() as session:
        assert jobs.end(session, Claim(job_id, 1, "ours"), Ending(State.QUEUED, results=[result(job_id)]))
    with database.reading() as session:
        job = session.get_one(Job, job_id)
        assert (job.losses, job.worker, job.ended, job.results) == (0, "", None, [])


def test_an_expired_job_has_forgotten_what_the_file_was_called_and_what_was_wanted(database):
    job_id = add(
        database, State.FAILED, name="holiday.jpg", options={"preset": "strong"}, error_message="holiday.jpg is"
    )
    with database.writing() as session:
        assert jobs.expire(session, job_id)
    job = stored(database, job_id)
    assert (job.name, job.options, job.error_message) == ("", {}, "")


def test_an_ending_keeps_figures_without_a_name(database):
    job_id = add(database)
    with database.writing() as session:
        mine = jobs.claim(session, job_id, "ours")
    summary = {"variant": "strong", "megapixels": 12.2, "found_before": 9, "found_after": 1, "faces": 2}
    with database.writing() as session:
        jobs.end(session, mine, Ending(State.DONE, summary=summary, results=[result(job_id)]))
    with database.reading() as session:
        outcome = session.scalars(select(Outcome)).one()
        assert (outcome.kind, outcome.variant, outcome.megapixels) == ("protect", "strong", 12.2)
        assert (outcome.found_before, outcome.found_after, outcome.code) == (9, 1, "")
        assert 0 <= outcome.seconds < 60
        assert [each.name for each in session.get_one(Job, job_id).results] == ["picture"]


def test_waiting_counts_what_is_not_over_of_all_or_of_one(database):
    for state in State:
        add(database, state)
    add(database, owner="key:2")
    with database.reading() as session:
        assert (jobs.waiting(session), jobs.waiting(session, "key:2"), jobs.waiting(session, "visit:0")) == (4, 1, 0)


def test_seconds_are_never_negative():
    moment = now()
    assert jobs.seconds_between(moment, None) == jobs.seconds_between(None, moment) == 0
    assert jobs.seconds_between(moment, moment.replace(year=moment.year - 1)) == 0


@pytest.mark.parametrize(
    ("worker", "summary", "guess"),
    [
        ("ours", {"megapixels": 4.0}, 18.0 * (0.5 + 0.5 / 2)),
        ("ours", {}, None),
        ("somebody else", {"megapixels": 4.0}, None),
    ],
)
def test_an_outcome_knows_what_one_could_expect_of_its_options_and_its_worker(
    database: Database, worker: str, summary: dict[str, float], guess: float | None
) -> None:
    ability = {"schema": {}, "seconds": {"": [10.0, 2.0]}, "still": 0.5, "grows": {"steps": {"": 40}}}
    with database.writing() as session:
        session.add(Worker(name=worker, host="h", pid=1, version="1", abilities={"protect": ability}))
    job_id = add(database, State.RUNNING, options={"steps": 20})
    with database.writing() as session:
        jobs.end(session, Claim(job_id, 1, "ours"), Ending(State.DONE, summary=summary, results=[result(job_id)]))
    with database.reading() as session:
        assert session.scalar(select(Outcome.guess)) == guess
