from __future__ import annotations

import math
from collections.abc import Container, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepguard.defences.search import FAINTEST, GROW, MARGIN, SHRINK, SLACK, Search, least


class Heard:
    """Scores that are known for every factor, and which of them were asked for."""

    def __init__(self, *curves: Mapping[float, float]) -> None:
        self.curves = curves
        """For each view, from which factor on which score holds."""
        self.asked: list[tuple[float, set[int] | None]] = []

    def __call__(self, factor: float, asked: Container[int] | None) -> dict[int, float]:
        wanted = {index for index in range(len(self.curves)) if asked is None or index in asked}
        self.asked.append((factor, None if asked is None else wanted))
        return {index: self.at(index, factor) for index in wanted}

    def at(self, index: int, factor: float) -> float:
        curve = self.curves[index]
        return curve[max(start for start in curve if start <= factor)]


def from_on(factor: float, *, silent: float = 0.5) -> dict[float, float]:
    """A view that is silent from this factor on."""
    return {0.0: 2.0, factor: silent}


def test_before_half_of_the_steps_the_target_stays_the_strength() -> None:
    search = Search(1.5, 20)
    for step in range(1, 10):
        assert not search.ended(step, silent=True)
        assert search.target == 1.5


def test_the_target_shrinks_with_each_silent_step_afterwards_and_grows_with_each_other() -> None:
    search = Search(2.0, 20)
    targets = []
    for step, silent in ((10, True), (11, True), (12, False), (13, True)):
        assert not search.ended(step, silent=silent)
        targets.append(search.target)
    assert targets == pytest.approx(
        [2 * SHRINK, 2 * SHRINK**2, 2 * SHRINK**2 * GROW, 2 * SHRINK**3 * GROW],
    )


def test_the_target_never_exceeds_the_strength() -> None:
    search = Search(0.7, 10)
    search.ended(5, silent=True)
    for step in range(6, 30):
        assert not search.ended(step, silent=False)
        assert search.target <= 0.7
    assert search.target == 0.7


@pytest.mark.parametrize("strength", [0.05, 1.0, 4.0])
def test_the_search_ends_when_nobody_would_see_the_change(strength: float) -> None:
    search = Search(strength, 10)
    silent_steps = math.ceil(math.log(FAINTEST) / math.log(SHRINK))
    told = [search.ended(step, silent=True) for step in range(5, 5 + silent_steps)]
    assert told == [*[False] * (silent_steps - 1), True]
    assert search.target <= FAINTEST * strength


def test_a_search_that_is_loud_does_not_end_however_faint_it_is() -> None:
    search = Search(1.0, 2)
    for _ in range(40):
        search.ended(2, silent=True)
    assert not search.ended(2, silent=False)
    assert search.target < FAINTEST


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_climb_of_few_steps_is_searched_too(steps: int) -> None:
    search = Search(1.0, steps)
    for step in range(1, steps + 1):
        search.ended(step, silent=True)
    assert search.target < 1


def test_where_nothing_is_silent_the_factor_is_one() -> None:
    heard = Heard({0.0: 2.0}, {0.0: 1.0})
    assert least(heard) == 1
    assert heard.asked == [(1.0, None)]
    assert least(lambda factor, asked: {}) == 1


def test_what_is_silent_at_every_size_is_made_nearly_as_faint_as_is_looked_for() -> None:
    factor = least(Heard({0.0: 0.1}, {0.0: 0.3}))
    assert FAINTEST <= factor < FAINTEST + 0.1


@pytest.mark.parametrize("needed", [0.4, 0.55, 0.7, 0.9, 0.99])
def test_the_factor_is_a_little_more_than_what_is_needed(needed: float) -> None:
    factor = least(Heard(from_on(needed)))
    assert needed <= factor <= needed + (1 - FAINTEST) / 8 + 1e-9


def test_the_one_that_needs_most_decides() -> None:
    assert least(Heard(from_on(0.4), from_on(0.8), from_on(0.5))) == least(Heard(from_on(0.8)))


def test_what_is_loud_at_full_size_has_no_say_and_is_not_asked_again() -> None:
    heard = Heard(from_on(0.6), {0.0: 1.2})
    assert least(heard) == least(Heard(from_on(0.6)))
    assert all(asked == {0} for _, asked in heard.asked[1:])


def test_silence_has_to_stay_as_clear_as_it_was_or_as_the_margin() -> None:
    # clearly silent at full size: the margin is what has to be kept
    assert least(Heard({0.0: MARGIN + 0.01, 0.5: MARGIN - 0.01, 0.9: 0.1})) < 0.7
    # hardly silent at full size: nothing louder than that is taken
    assert least(Heard({0.0: 0.97, 0.9: 0.96})) > 0.9
    assert least(Heard({0.0: 0.96})) < 0.5


curves = st.dictionaries(st.floats(0.01, 1), st.floats(0, 2), max_size=6).flatmap(
    lambda later: st.floats(0, 2).map(lambda first: {0.0: first, **later})
)


@given(st.lists(curves, max_size=5))
def test_everything_that_was_silent_stays_so_and_the_factor_is_never_above_one(views: list[dict[float, float]]) -> None:
    heard = Heard(*views)
    factor = least(heard)
    assert FAINTEST <= factor <= 1
    for index in range(len(views)):
        if heard.at(index, 1.0) < 1:
            assert heard.at(index, factor) <= max(MARGIN, heard.at(index, 1.0)) < 1


def test_few_pictures_are_looked_at() -> None:
    heard = Heard(*[from_on(0.6)] * 9)
    least(heard)
    assert len(heard.asked) <= 4


def test_what_is_graded_must_not_get_louder_by_more_than_noise_though_it_is_loud() -> None:
    loud = {0.0: 2 * (1 + SLACK) + 0.01, 0.7: 2.0}
    assert least(Heard(loud)) == 1
    assert 0.7 <= least(Heard(loud), {0}) < 0.8
    assert least(Heard({0.0: 2 * (1 + SLACK) - 0.01, 0.7: 2.0}), {0}) < 0.5


def test_what_is_graded_may_rise_to_the_margin_where_it_is_silent() -> None:
    assert least(Heard({0.0: MARGIN - 0.01, 0.9: 0.1}), {0}) < 0.5
    assert least(Heard({0.0: MARGIN + 0.01, 0.9: 0.1}), {0}) > 0.85


def test_the_graded_and_the_silent_both_decide_and_what_is_merely_loud_does_not() -> None:
    graded = {0.0: 3.0, 0.6: 1.5}
    heard = Heard(graded, from_on(0.8), {0.0: 1.2})
    assert least(heard, {0}) == least(Heard(from_on(0.8)))
    assert all(asked == {0, 1} for _, asked in heard.asked[1:])
    assert least(Heard(graded, from_on(0.4)), {0}) == least(Heard(from_on(0.6)))


@given(st.lists(curves, max_size=4), st.sets(st.integers(0, 3)))
def test_nothing_graded_gets_louder_than_it_may(views: list[dict[float, float]], graded: set[int]) -> None:
    heard = Heard(*views)
    factor = least(heard, graded)
    assert FAINTEST <= factor <= 1
    for index in graded & set(range(len(views))):
        assert heard.at(index, factor) <= max(MARGIN, heard.at(index, 1.0) * (1 + SLACK))
