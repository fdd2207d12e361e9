"""Jobs under any moves in any order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy.orm import Session
from tests.service.moves import MOVES, add, stored, told

from deepguard.service import jobs
from deepguard.service.database import Database
from deepguard.service.jobs import Claim, Ending
from deepguard.service.states import ACTIVE, NEXT, State
from deepguard.service.tables import Job, Table, identifier


class Life(RuleBasedStateMachine):
    """Any moves in any order, by workers who remember every claim that they ever had."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.database = Database(f"sqlite+pysqlite:///{self.folder / f'{identifier()}.sqlite'}")
        Table.metadata.create_all(self.database.engine)
        self.job_id = add(self.database)
        self.claims: list[Claim] = []
        self.attempt = self.revision = 0
        self.state = State.QUEUED

    def teardown(self) -> None:
        self.database.close()

    def move(self, change: Callable[[Session, Job], object]) -> object:
        with self.database.writing() as session:
            return told(lambda: change(session, session.get_one(Job, self.job_id)))

    @rule()
    def claim(self) -> None:
        claim = self.move(lambda session, job: jobs.claim(session, job.id, "worker"))
        if isinstance(claim, Claim):
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0), state=st.sampled_from((State.DONE, State.FAILED, State.QUEUED)))
    def end(self, which: int, state: State) -> None:
        claim = self.claims[which % len(self.claims)]
        before = stored(self.database, self.job_id)
        ended = self.move(lambda session, job: jobs.end(session, claim, Ending(state)))
        assert not ended or (claim == self.claims[-1] and before.state == State.RUNNING)

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0))
    def report(self, which: int) -> None:
        claim = self.claims[which % len(self.claims)]
        if self.move(lambda session, job: jobs.report(session, claim, {"share": 0.1})) is None:
            assert claim == self.claims[-1]

    @rule(attempt=st.integers(0, 6))
    def lose(self, attempt: int) -> None:
        self.move(lambda session, job: jobs.lose(session, job.id, attempt, 2))

    @rule(name=st.sampled_from(("cancel", "retry", "expire")))
    def ask(self, name: str) -> None:
        self.move(MOVES[name])

    @invariant()
    def only_allowed_steps_were_taken_and_attempts_and_revisions_only_grow(self) -> None:
        job = stored(self.database, self.job_id)
        # losing the last time and cancelling pass through no other state
        assert job.state == self.state or job.state in NEXT[self.state]
        assert job.attempt >= self.attempt
        assert job.revision >= self.revision + (job.state != self.state)
        assert job.attempt == len(self.claims)
        assert (job.ended is None) == (job.state in ACTIVE)
        self.state, self.attempt, self.revision = State(job.state), job.attempt, job.revision


def test_no_order_of_moves_breaks_a_job(tmp_path):
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415 - beside its only use

    Life.folder = tmp_path
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
