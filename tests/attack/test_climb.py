from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from deepguard.attack.budgets import Linf
from deepguard.attack.climb import momentum_ascent
from deepguard.attack.objectives import Balanced, slope


def forever(step: int, value: Tensor) -> bool:
    return False


def plane(weights: Tensor) -> Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]:
    """A linear function: its value and its gradient, which is the same everywhere."""
    return lambda change, rng: ((weights * change).sum(dim=(1, 2, 3)), weights)


@pytest.fixture
def weights() -> Tensor:
    return torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def budget() -> Linf:
    return Linf(0.03 * torch.rand(1, 1, 5, 7, generator=torch.Generator().manual_seed(4)))


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_a_linear_function_is_climbed_to_its_known_optimum(
    weights: Tensor, budget: Linf, rng: torch.Generator, momentum: float
) -> None:
    start = torch.zeros_like(weights)
    change = momentum_ascent(plane(weights), start, budget, steps=20, rng=rng, heed=forever, momentum=momentum)
    torch.testing.assert_close(change, weights.sign() * budget.radius)


def test_the_optimum_is_reached_from_the_worst_place_and_from_outside(
    weights: Tensor, budget: Linf, rng: torch.Generator
) -> None:
    for start in (-weights.sign() * budget.radius, torch.full_like(weights, 5.0)):
        change = momentum_ascent(plane(weights), start, budget, steps=60, rng=rng, heed=forever)
        torch.testing.assert_close(change, weights.sign() * budget.radius)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_parts_that_take_turns_are_climbed_to_the_optimum_of_all_of_them(
    weights: Tensor, budget: Linf, rng: torch.Generator, turns: int
) -> None:
    # three parts that pull at columns of their own, with gradients of very different lengths
    columns = torch.arange(7)
    pulls = [scale * weights * (columns % 3 == own) for own, scale in ((0, 1e-3), (1, 1.0), (2, 1e3))]
    parts = [lambda images, rng, pull=pull: (pull * images).sum(dim=(1, 2, 3)) - 1e9 for pull in pulls]
    ensemble = Balanced(parts, turns=turns)

    def climbed(change: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        return slope(ensemble, change, rng)

    start = torch.zeros_like(weights)
    change = momentum_ascent(climbed, start, budget, steps=20, rng=rng, heed=forever, momentum=0.75)
    torch.testing.assert_close(change, weights.sign() * budget.radius)


def test_the_change_that_is_returned_is_the_last_and_not_the_luckiest(budget: Linf, rng: torch.Generator) -> None:
    values = iter([5.0, 9.0, 1.0, 2.0])
    looked: list[Tensor] = []

    def lucky(change: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        return torch.tensor([next(values)]), torch.randn(1, 3, 5, 7, generator=rng)

    def heed(step: int, change: Tensor) -> bool:
        looked.append(change)
        return False

    change = momentum_ascent(lucky, torch.zeros(1, 3, 5, 7), budget, steps=4, rng=rng, heed=heed)
    assert change is looked[-1]
    assert not any(torch.equal(change, earlier) for earlier in looked[:-1])


def test_a_gradients_length_does_not_matter(weights: Tensor, budget: Linf) -> None:
    def climbed(factor: float) -> Tensor:
        drawn = torch.Generator().manual_seed(3)

        def turned(change: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
            return plane(factor * (weights + torch.randn(weights.shape, generator=drawn)))(change, rng)

        return momentum_ascent(turned, torch.zeros_like(weights), budget, steps=5, rng=drawn, heed=forever)

    torch.testing.assert_close(climbed(1e-9), climbed(1e9))


def test_a_curved_function_is_climbed_to_the_allowed_place_nearest_to_its_peak(rng: torch.Generator) -> None:
    peak = torch.tensor([-0.5, -0.02, 0.0, 0.03, 0.4]).reshape(1, 1, 1, 5)

    def hill(change: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        away = change - peak
        return -away.square().sum(dim=(1, 2, 3)), -2 * away

    budget = Linf(torch.full((1, 1, 1, 5), 0.1))
    change = momentum_ascent(hill, torch.zeros_like(peak), budget, steps=200, rng=rng, heed=forever)
    torch.testing.assert_close(change, peak.clamp(-0.1, 0.1), atol=0.01, rtol=0)


def test_every_change_that_is_looked_at_is_allowed(weights: Tensor, budget: Linf, rng: torch.Generator) -> None:
    looked: list[Tensor] = []

    def noted(change: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        looked.append(change)
        return plane(weights)(change, rng)

    momentum_ascent(noted, torch.full_like(weights, 9.0), budget, steps=4, rng=rng, heed=forever)
    assert len(looked) == 4
    assert all((change.abs() <= budget.radius).all() for change in looked)


def test_a_function_without_slope_is_left_where_it_starts(budget: Linf, rng: torch.Generator) -> None:
    flat = torch.zeros(1, 3, 5, 7)
    start = budget.project(0.01 * torch.ones_like(flat))
    change = momentum_ascent(plane(flat), start, budget, steps=3, rng=rng, heed=forever)
    assert torch.equal(change, start)


def test_heeding_is_told_each_step_from_one_with_the_change_and_ends_the_climb(
    weights: Tensor, budget: Linf, rng: torch.Generator
) -> None:
    told: list[tuple[int, Tensor]] = []

    def heed(step: int, change: Tensor) -> bool:
        told.append((step, change))
        return step == 3

    start = torch.zeros_like(weights)
    change = momentum_ascent(plane(weights), start, budget, steps=50, rng=rng, heed=heed)
    assert [step for step, _ in told] == [1, 2, 3]
    heights = [float((weights * seen).sum()) for _, seen in told]
    assert 0 < heights[0] < heights[1] < heights[2]
    assert torch.equal(told[-1][1], change)
    assert (change.abs() < budget.radius).any()


def test_raising_while_heeding_cancels_the_climb(weights: Tensor, budget: Linf, rng: torch.Generator) -> None:
    steps: list[int] = []

    def heed(step: int, change: Tensor) -> bool:
        steps.append(step)
        if step == 2:
            raise InterruptedError("enough")
        return False

    with pytest.raises(InterruptedError, match="enough"):
        momentum_ascent(plane(weights), torch.zeros_like(weights), budget, steps=9, rng=rng, heed=heed)
    assert steps == [1, 2]


def test_the_same_seed_gives_the_same_change_and_another_seed_another(weights: Tensor, budget: Linf) -> None:
    def shaken(change: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        gradient = weights + 2 * torch.randn(weights.shape, generator=rng)
        return (gradient * change).sum(dim=(1, 2, 3)), gradient

    def climbed(seed: int) -> Tensor:
        rng = torch.Generator().manual_seed(seed)
        return momentum_ascent(shaken, torch.zeros_like(weights), budget, steps=5, rng=rng, heed=forever)

    before = torch.get_rng_state()
    assert torch.equal(climbed(1), climbed(1))
    assert not torch.equal(climbed(1), climbed(2))
    assert torch.equal(torch.get_rng_state(), before)
