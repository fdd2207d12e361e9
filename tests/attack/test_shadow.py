from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from deepguard.attack.budgets import Linf
from deepguard.attack.climb import momentum_ascent
from deepguard.attack.objectives import Weighted, slope
from deepguard.attack.shadow import Shadow

SIZE = (2, 3, 5, 6)
VALUES = 3 * 5 * 6
PIXELS = 5 * 6


@dataclass(frozen=True)
class Plane:
    """The weighted sum of an image's values."""

    weights: Tensor

    def __call__(self, images: Tensor, rng: torch.Generator) -> Tensor:
        return (self.weights * images).sum(dim=(1, 2, 3))


@pytest.fixture
def clean() -> Tensor:
    return torch.rand(SIZE, generator=torch.Generator().manual_seed(8))


def alone(clean: Tensor, **weights: float) -> Shadow:
    return Shadow(clean, **{"tint": 0.0, "rough": 0.0, "colour": 0.0, **weights})


def climbed(objective: Callable[[Tensor, torch.Generator], Tensor], clean: Tensor, start: Tensor) -> Tensor:
    """The change after a long climb in a budget of 0.1."""
    return momentum_ascent(
        lambda change, rng: slope(objective, clean + change, rng),
        start,
        Linf(torch.full((1, 1, *SIZE[2:]), 0.1)),
        steps=300,
        rng=torch.Generator(),
        heed=lambda step, change: False,
    )


def test_no_change_has_the_value_zero_and_any_other_less(clean: Tensor, rng: torch.Generator) -> None:
    shadow = Shadow(clean)
    assert (shadow(clean, rng) == 0).all()
    assert (shadow(clean + 0.1 * torch.randn(SIZE, generator=rng), rng) < 0).all()


def test_an_even_grey_change_is_penalised_as_a_tint_alone(clean: Tensor, rng: torch.Generator) -> None:
    darker = clean - 0.02
    torch.testing.assert_close(alone(clean, tint=1.0)(darker, rng), torch.full((2,), -3 * 0.02**2))
    torch.testing.assert_close(alone(clean, rough=1.0, colour=1.0)(darker, rng), torch.zeros(2), atol=1e-12, rtol=0)


def test_a_step_between_halves_is_rough_by_its_length_and_the_square_of_its_height(
    clean: Tensor, rng: torch.Generator
) -> None:
    halves = clean.clone()
    halves[..., 3:] += 0.1
    expected = -(3 * 5 * 0.1**2) / VALUES
    torch.testing.assert_close(alone(clean, rough=1.0)(halves, rng), torch.full((2,), expected))
    softer = clean + torch.linspace(0, 0.1, 6)
    assert (alone(clean, rough=1.0)(softer, rng) > expected / 4).all()


def test_a_change_of_one_channel_is_coloured_by_twice_its_square(clean: Tensor, rng: torch.Generator) -> None:
    red = clean + torch.tensor([0.1, 0.0, 0.0])[:, None, None]
    torch.testing.assert_close(alone(clean, colour=1.0)(red, rng), torch.full((2,), -2 * 0.1**2))
    swapped = clean + torch.tensor([0.0, 0.0, 0.1])[:, None, None]
    torch.testing.assert_close(alone(clean, colour=1.0)(swapped, rng), alone(clean, colour=1.0)(red, rng))


def test_the_value_does_not_depend_on_the_pictures_size(rng: torch.Generator) -> None:
    change = 0.1 * torch.randn((1, 3, 40, 40), generator=rng)
    small = Shadow(torch.zeros_like(change))(change, rng)
    large = Shadow(torch.zeros(1, 3, 80, 80))(change.repeat(1, 1, 2, 2), rng)
    torch.testing.assert_close(large, small, rtol=0.05, atol=0)


def test_the_slope_is_the_true_one(clean: Tensor, rng: torch.Generator) -> None:
    shadow = Shadow(clean.double())
    images = (clean.double() + 0.1 * torch.randn(SIZE, generator=rng, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: shadow(x, rng), (images,))


def test_climbing_it_alone_takes_the_change_back(clean: Tensor, rng: torch.Generator) -> None:
    start = 0.1 * (2 * torch.rand(SIZE, generator=rng) - 1)
    torch.testing.assert_close(climbed(Shadow(clean), clean, start), torch.zeros(SIZE), atol=0.012, rtol=0)


def test_against_a_linear_objective_colour_is_kept_down_to_the_known_optimum(
    clean: Tensor, rng: torch.Generator
) -> None:
    weights = 1e-3 * torch.randn(SIZE, generator=rng)
    weights -= weights.mean(dim=1, keepdim=True)  # along grey both terms are flat
    # weights = 2 * colour / pixels * (3 * change - the channels' sum), and that sum is 0
    expected = weights * PIXELS / 6
    objective = Weighted(((Plane(weights), 1.0), (alone(clean, colour=1.0), 1.0)))
    change = climbed(objective, clean, torch.zeros(SIZE))
    torch.testing.assert_close(change - change.mean(dim=1, keepdim=True), expected, atol=0.006, rtol=0)


def test_against_a_linear_objective_roughness_is_kept_down_to_the_known_optimum(
    clean: Tensor, rng: torch.Generator
) -> None:
    weights = 5e-4 * torch.randn(SIZE, generator=rng)
    weights -= weights.mean(dim=(2, 3), keepdim=True)  # an even change is flat to both terms
    # weights = 2 / values * laplacian @ change, channel by channel
    rows, columns = (2 * torch.eye(side) - torch.eye(side).roll(1, 0) - torch.eye(side).roll(-1, 0) for side in (5, 6))
    for line in (rows, columns):
        line[0, 0] = line[-1, -1] = 1
        line[0, -1] = line[-1, 0] = 0
    laplacian = torch.kron(rows, torch.eye(6)) + torch.kron(torch.eye(5), columns)
    expected = (weights.flatten(2) @ torch.linalg.pinv(laplacian) * VALUES / 2).unflatten(2, (5, 6))
    assert float(expected.abs().max()) < 0.08
    objective = Weighted(((Plane(weights), 1.0), (alone(clean, rough=1.0), 1.0)))
    change = climbed(objective, clean, torch.zeros(SIZE))
    torch.testing.assert_close(change - change.mean(dim=(2, 3), keepdim=True), expected, atol=0.01, rtol=0)
