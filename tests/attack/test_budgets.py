from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deepguard.attack.budgets import Linf, Worth


@st.composite
def cases(draw: st.DrawFn) -> tuple[Linf, Tensor]:
    """A budget with places where nothing may move, and a change of one or three channels that may be far outside."""
    rng = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    shape = draw(st.integers(1, 2)), draw(st.sampled_from([1, 3])), height, width
    radius = draw(st.floats(0, 0.5)) * torch.rand((1, 1, height, width), generator=rng)
    radius = radius * (torch.rand((1, 1, height, width), generator=rng) > 0.3)
    return Linf(radius), draw(st.floats(0, 10)) * torch.randn(shape, generator=rng)


@given(cases())
@settings(deadline=None)
def test_a_projected_change_is_allowed_in_every_pixel(case: tuple[Linf, Tensor]) -> None:
    budget, change = case
    projected = budget.project(change)
    assert projected.shape == change.shape
    assert (projected.abs() <= budget.radius).all()
    assert (projected[(budget.radius == 0).expand_as(projected)] == 0).all()


@given(cases())
@settings(deadline=None)
def test_projecting_twice_is_projecting_once(case: tuple[Linf, Tensor]) -> None:
    budget, change = case
    projected = budget.project(change)
    assert torch.equal(budget.project(projected), projected)


@given(cases(), st.floats(0, 1))
@settings(deadline=None)
def test_an_allowed_change_is_left_alone(case: tuple[Linf, Tensor], share: float) -> None:
    budget, change = case
    allowed = share * budget.radius * change.sign()
    assert torch.equal(budget.project(allowed), allowed)


@given(cases())
@settings(deadline=None)
def test_the_projection_is_the_nearest_allowed_change(case: tuple[Linf, Tensor]) -> None:
    budget, change = case
    nearest = (budget.project(change) - change).norm()
    rng = torch.Generator().manual_seed(1)
    for _ in range(20):
        other = (2 * torch.rand(change.shape, generator=rng) - 1) * budget.radius
        assert nearest <= (other - change).norm() + 1e-5


@given(cases())
@settings(deadline=None)
def test_no_allowed_step_raises_a_linear_function_more_than_the_direction(case: tuple[Linf, Tensor]) -> None:
    budget, gradient = case
    step = budget.direction(gradient)
    assert (step.abs() <= budget.radius).all()
    best = (gradient * step).sum()
    assert best >= 0
    rng = torch.Generator().manual_seed(2)
    for _ in range(20):
        other = (2 * torch.rand(gradient.shape, generator=rng) - 1) * budget.radius
        assert (gradient * other).sum() <= best + 1e-4 * best.abs()


def test_a_radius_of_zero_moves_nothing() -> None:
    budget = Linf(torch.zeros(1, 1, 3, 4))
    change = torch.randn(2, 3, 3, 4, generator=torch.Generator().manual_seed(0))
    assert (budget.project(change) == 0).all()
    assert (budget.direction(change) == 0).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_each_pixel_has_its_own_radius(channels: int) -> None:
    budget = Linf(torch.tensor([[[[0.0, 0.1, 0.2]]]]))
    projected = budget.project(torch.full((1, channels, 1, 3), -0.15))
    torch.testing.assert_close(projected, torch.tensor([0.0, -0.1, -0.15]).expand(1, channels, 1, 3))


@given(cases())
@settings(deadline=None)
def test_what_matters_more_moves_more_and_nothing_beyond_its_radius(case: tuple[Linf, Tensor]) -> None:
    budget, gradient = case
    worth = Worth(budget.radius, 3.0)
    step = worth.direction(gradient)
    assert (step.abs() <= worth.radius).all()
    assert torch.equal(step.sign(), torch.where(worth.radius * gradient.abs() > 0, gradient.sign(), 0.0))
    assert torch.equal(worth.project(step), step)


def test_a_change_in_proportion_gains_more_than_signs_of_the_same_energy() -> None:
    gradient = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(5)).pow(3)
    radius = torch.ones(1, 1, 16, 16)
    gains = []
    for budget in (Worth(radius, 3.0), Linf(radius)):
        step = budget.direction(gradient)
        gains.append(float((step * gradient).sum() / step.square().sum().sqrt()))
    assert gains[0] > 1.5 * gains[1]
