"""The service's own time: never ahead of the time that really passed, whatever is done to wall clocks."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import sqlalchemy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session
from tests.service.servers import url_of

from deepguard.service import clock
from deepguard.service.clock import SETTLING_SECONDS, TOLERANCE_SECONDS, Ticker
from deepguard.service.database import Database
from deepguard.service.tables import Clock, Table

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
PERIOD = 5.0
DAY = 86400.0


@dataclass
class World:
    """True time, a wall clock that may be wrong, and one database; `processes` are alive."""

    engine: sqlalchemy.Engine
    true: float = 0.0
    wrong: float = 0.0
    processes: list[Ticker] = field(default_factory=list)

    def wall(self) -> datetime.datetime:
        return START + datetime.timedelta(seconds=self.true + self.wrong)

    def start(self, count: int = 1) -> None:
        # a steady clock begins anywhere
        offset = self.true - 1000.0 * len(self.processes)
        self.processes += [Ticker(self.wall, lambda: self.true - offset) for _ in range(count)]
        self.tick()

    def stop(self) -> None:
        self.processes.clear()

    def tick(self) -> None:
        for each in self.processes:
            with Session(self.engine) as session, session.begin():
                each.tick(session)

    def run(self, seconds: float) -> None:
        end = self.true + seconds
        while self.true < end:
            self.true = min(end, self.true + PERIOD)
            self.tick()

    def now(self) -> float:
        with Session(self.engine) as session:
            return (clock.service_time(session) - START).total_seconds()

    def expiry(self, hours: float) -> float:
        with Session(self.engine) as session:
            return (clock.expiry(session, hours, self.wall) - START).total_seconds()

    def shown(self, moment: float) -> float:
        with Session(self.engine) as session:
            shown = clock.on_wall(session, START + datetime.timedelta(seconds=moment))
        return (shown - START).total_seconds()


@contextmanager
def a_world(wrong: float = 0.0) -> Iterator[World]:
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    Table.metadata.create_all(engine, tables=[Clock.__table__])
    made = World(engine, wrong=wrong)
    with Session(engine) as session, session.begin():
        # as the migration does
        session.add(Clock(id=1, time=made.wall(), wall=made.wall(), settled=True))
    yield made
    engine.dispose()


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as made:
        yield made


seconds = st.floats(0.0, 100.0)
amounts = st.sampled_from([-400 * DAY, -2 * DAY, -3600.0, -30.0, -0.9, 0.9, 30.0, 3600.0, 2 * DAY, 29 * DAY, 400 * DAY])
watched = st.lists(
    st.one_of(
        st.tuples(st.just("run"), seconds),
        st.tuples(st.just("set"), amounts),
        st.tuples(st.just("join"), st.just(0.0)),
        st.tuples(st.just("leave"), st.just(0.0)),
        st.tuples(st.just("sleep"), seconds),
    ),
    max_size=25,
)


def happens(world: World, what: str, amount: float) -> None:
    if what == "run":
        world.run(amount)
    elif what == "sleep":
        world.true += amount
        world.tick()
    elif what == "set":
        world.wrong += amount
    elif what == "join":
        world.start()
    elif len(world.processes) > 1:
        # the oldest goes; another one has seen the time pass
        world.processes.pop(0)


@settings(max_examples=50, deadline=None)
@given(watched)
@example([("join", 0.0), ("join", 0.0), ("set", 0.9), ("run", 60.0)])
def test_while_somebody_watches_no_setting_of_the_clock_makes_time_run_ahead(events: list[tuple[str, float]]) -> None:
    with a_world() as world:
        world.start()
        world.run(SETTLING_SECONDS + 2 * PERIOD)
        unseen = 0.0
        for what, amount in events:
            # a newcomer cannot tell a clock that was set by less than the tolerance from one that was not
            unseen += TOLERANCE_SECONDS if what == "set" else 0.0
            happens(world, what, amount)
            assert world.now() <= world.true + unseen + 1e-3


@settings(max_examples=50, deadline=None)
@given(watched)
def test_while_somebody_watches_time_is_late_by_a_few_ticks_for_each_who_leaves(
    events: list[tuple[str, float]],
) -> None:
    with a_world() as world:
        world.start()
        world.run(SETTLING_SECONDS + 2 * PERIOD)
        left = 0
        for what, amount in events:
            left += what == "leave"
            happens(world, what, amount)
        world.run(2 * PERIOD)
        assert world.now() >= world.true - (3 + left) * PERIOD


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 5 * DAY), st.floats(0.0, 150.0), st.integers(1, 3)), max_size=5))
def test_with_right_clocks_restarts_neither_gain_nor_lose_more_than_ticks(
    stays: list[tuple[float, float, int]],
) -> None:
    with a_world() as world:
        for off, on, count in stays:
            world.stop()
            world.true += off
            world.start(count)
            world.run(on)
            assert world.now() <= world.true + 1e-3
        # whoever stays long enough accounts for what those before could not
        world.run(SETTLING_SECONDS + 3 * PERIOD)
        assert not stays or world.now() >= world.true - (len(stays) + 3) * 2 * PERIOD


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.0, 20 * DAY), st.sampled_from([-20000 * DAY, -DAY, -5.0, 3600.0, 20 * DAY, 400 * DAY])),
        max_size=5,
    ),
    st.floats(0.0, 50.0),
)
def test_a_clock_that_is_wrong_after_a_start_and_soon_set_right_makes_nothing_run_ahead(
    starts: list[tuple[float, float]], until_set: float
) -> None:
    with a_world() as world:
        for off, wrong in starts:
            world.stop()
            world.true += off
            world.wrong = wrong
            world.start()
            world.run(until_set)
            world.wrong = 0.0
            world.run(SETTLING_SECONDS + 3 * PERIOD)
            assert world.now() <= world.true + 1e-3


def test_a_machine_that_starts_in_1970_and_learns_the_date_later_deletes_nothing_early() -> None:
    with a_world(wrong=-20000 * DAY) as world:
        world.start()
        first = world.expiry(24)
        world.run(1800)
        world.wrong = 0.0
        world.run(1800)
        assert world.now() + 23 * 3600 == pytest.approx(first, abs=3 * PERIOD)
        assert world.shown(first) == pytest.approx(24 * 3600, abs=3 * PERIOD)


def test_more_than_thirty_days_without_anybody_are_not_believed(world: World) -> None:
    world.true += 31 * DAY
    world.start()
    world.run(120)
    assert world.now() == pytest.approx(120, abs=3 * PERIOD)


def test_twenty_days_without_anybody_are_believed_after_a_minute(world: World) -> None:
    world.true += 20 * DAY
    world.start()
    world.run(SETTLING_SECONDS - PERIOD)
    assert world.now() == pytest.approx(SETTLING_SECONDS, abs=2 * PERIOD)
    world.run(2 * PERIOD)
    assert world.now() == pytest.approx(world.true, abs=PERIOD)


def test_a_service_that_never_lives_a_minute_still_counts_the_time_that_it_lives(world: World) -> None:
    for _ in range(30):
        world.stop()
        world.true += 3600
        world.start()
        world.run(20)
    assert world.now() == pytest.approx(30 * 20, abs=1)
    world.run(SETTLING_SECONDS + 3 * PERIOD)
    assert world.now() == pytest.approx(world.true, abs=PERIOD)


def test_a_file_that_comes_while_no_worker_runs_lives_its_whole_time(world: World) -> None:
    world.start()
    world.run(100)
    world.stop()
    world.true += 5 * 3600
    until = world.expiry(24)
    world.true += 3600
    world.start()
    world.run(100)
    assert until - world.now() == pytest.approx(23 * 3600 - 100, abs=3 * PERIOD)


def test_an_expiry_is_shown_as_the_wall_clock_will_read(world: World) -> None:
    world.start()
    world.run(100)
    world.wrong += 7200
    world.run(10)
    assert world.shown(world.expiry(1)) == pytest.approx(world.true + 7200 + 3600, abs=3 * PERIOD)


def test_the_steady_clock_goes_on() -> None:
    before = clock.steady()
    assert clock.steady() >= before > 0


def test_many_processes_tick_on_every_database_and_time_passes_once(any_database: Database) -> None:
    """Each thread is a process of its own: its own ticker and its own connections."""
    begin = datetime.datetime.now(datetime.UTC)
    with any_database.reading() as session:
        first = clock.service_time(session)

    def go() -> None:
        own, ticker = Database(url_of(any_database)), Ticker()
        for _ in range(10):
            with own.writing() as session:
                ticker.tick(session)
        own.close()

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with any_database.reading() as session:
        passed = clock.service_time(session) - first
    assert datetime.timedelta() < passed <= datetime.datetime.now(datetime.UTC) - begin


def test_the_process_has_one_ticker_for_each_database(any_database: Database) -> None:
    with any_database.reading() as session:
        first = clock.service_time(session)
    for _ in range(3):
        with any_database.writing() as session:
            clock.tick(session)
    with any_database.reading() as session:
        assert clock.service_time(session) > first
