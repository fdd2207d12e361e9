from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from deepguard.attack.objectives import Balanced, Expected, Objective, Weighted, slope, unit
from deepguard.transforms.noise import Noise
from deepguard.transforms.resize import Resize


def wave(images: Tensor, rng: torch.Generator) -> Tensor:
    """Smooth and curved: every pixel's gradient depends on the pixel."""
    return (torch.sin(3 * images) * images).sum(dim=(1, 2, 3))


def bowl(images: Tensor, rng: torch.Generator) -> Tensor:
    return -(images - 0.3).square().sum(dim=(1, 2, 3))


def shaken(images: Tensor, rng: torch.Generator) -> Tensor:
    """Draws its weights, so that the order of the draws shows."""
    weights = torch.randn(images.shape[1:], generator=rng)
    return (weights * images.square()).sum(dim=(1, 2, 3))


def nothing(images: Tensor, rng: torch.Generator) -> Tensor:
    return torch.zeros(len(images))


@dataclass
class Line:
    """A linear objective that counts how often it is asked."""

    weights: Tensor
    level: float = -10.0
    asked: list[int] = field(default_factory=list)

    def __call__(self, images: Tensor, rng: torch.Generator) -> Tensor:
        self.asked.append(len(images))
        return (
            self.level + 0 * images.sum(dim=(1, 2, 3)) + (self.weights * (images - images.detach())).sum(dim=(1, 2, 3))
        )


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 6, 5, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Return a function that sets how many cores are used; it is set back in the end."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def seeded(seed: int = 11) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_autograd(objective: Objective, images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    leaf = images.clone().requires_grad_()
    value = objective(leaf, rng)
    return value.detach(), torch.autograd.grad(value.sum(), leaf)[0]


@pytest.mark.parametrize(
    "objective",
    [
        wave,
        shaken,
        Weighted(((wave, 2.0), (bowl, -0.5))),
        Weighted(((shaken, 1.0), (shaken, 3.0))),
        Expected(wave, Noise(0.1, 0.1), samples=3),
        Expected(shaken, Resize(0.5, 1.0), samples=1),
        Expected(Weighted(((wave, 1.0), (bowl, 2.0))), Noise(0.0, 0.05), samples=2),
    ],
    ids=["smooth", "random", "weighted", "weighted and random", "expected", "resized", "expected and weighted"],
)
def test_the_slope_is_the_value_and_what_autograd_says_for_the_same_draws(objective: Objective, images: Tensor) -> None:
    expected = by_autograd(objective, images, seeded())
    value, gradient = slope(objective, images, seeded())
    torch.testing.assert_close(value, expected[0])
    torch.testing.assert_close(gradient, expected[1])
    assert not value.requires_grad
    assert not gradient.requires_grad


def test_the_smooth_objectives_slope_is_the_one_known_in_closed_form(images: Tensor) -> None:
    _, gradient = slope(bowl, images, seeded())
    torch.testing.assert_close(gradient, -2 * (images - 0.3))


def test_what_the_images_do_not_matter_to_has_no_slope(images: Tensor) -> None:
    value, gradient = slope(nothing, images, seeded())
    assert (value == 0).all()
    assert gradient.shape == images.shape
    assert (gradient == 0).all()


def test_the_slope_leaves_the_images_as_they_were(images: Tensor) -> None:
    before = images.clone()
    slope(Expected(Weighted(((wave, 2.0), (bowl, 1.0))), Noise(0.1, 0.1), samples=2), images, seeded())
    assert torch.equal(images, before)
    assert not images.requires_grad


def test_a_weighted_sum_weighs(images: Tensor) -> None:
    value = Weighted(((wave, 2.0), (bowl, -0.5)))(images, seeded())
    torch.testing.assert_close(value, 2 * wave(images, seeded()) - 0.5 * bowl(images, seeded()))


def test_an_expectation_over_many_draws_nears_the_known_mean() -> None:
    images = torch.full((1, 3, 40, 40), 0.5)
    value = Expected(lambda each, rng: each.square().mean(dim=(1, 2, 3)), Noise(0.1, 0.1), samples=40)(images, seeded())
    # the mean of (x + noise)^2 is x^2 plus the noise's variance
    assert abs(float(value) - (0.5**2 + 0.1**2)) < 0.001


def test_a_unit_gradient_has_length_one_for_each_image_and_zero_stays_zero(images: Tensor) -> None:
    gradient = torch.cat((images * 1e-6, images * 1e6, torch.zeros_like(images)))
    lengths = unit(gradient).flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([1.0, 1, 1, 1, 0, 0]))


def test_no_part_of_a_balanced_sum_outweighs_another(images: Tensor) -> None:
    rng = seeded(1)
    weak, strong = (torch.randn(images.shape[1:], generator=rng) for _ in range(2))
    balanced = Balanced([Line(1e-4 * weak), Line(1e4 * strong)])
    _, gradient = balanced.slope(images, seeded())
    expected = weak / weak.norm() + strong / strong.norm()
    torch.testing.assert_close(gradient, expected.expand_as(gradient))


def test_a_balanced_sums_value_is_the_sum_of_its_parts(images: Tensor) -> None:
    balanced = Balanced([wave, bowl])
    expected = wave(images, seeded()) + bowl(images, seeded())
    torch.testing.assert_close(balanced(images, seeded()), expected)
    torch.testing.assert_close(balanced.slope(images, seeded())[0], expected)


def test_a_satisfied_part_comes_to_weigh_little_and_is_asked_only_now_and_then(images: Tensor) -> None:
    weights = torch.randn(images.shape[1:], generator=seeded(1))
    loud, silent = Line(weights, level=-5.0), Line(weights.flip(-1), level=0.0)
    balanced = Balanced([loud, silent], content=-1.0, rest=0.1, patience=4)
    assert not balanced.satisfied(0)
    assert not balanced.satisfied(1)
    directions = torch.stack((unit(weights[None]).flatten(), unit(weights.flip(-1)[None]).flatten()), dim=1)
    asked, shares = [], []
    for _ in range(41):
        before = len(silent.asked)
        _, gradient = balanced.slope(images, seeded())
        asked.append(len(silent.asked) - before)
        weight, rest = torch.linalg.lstsq(directions, gradient[0].flatten()[:, None]).solution.flatten().tolist()
        shares.append(rest / weight)
        assert (shares[-1] > 1e-4) == bool(asked[-1])
    assert balanced.satisfied(1)
    assert not balanced.satisfied(0)
    assert len(loud.asked) == 41
    assert asked[0] == 1
    assert all(sum(asked[at : at + 4]) == 1 for at in range(1, 38))
    assert max(shares) <= 1 + 1e-4
    assert max(shares[-4:]) < 0.2


def test_a_part_that_becomes_loud_again_is_heard_within_its_patience(images: Tensor) -> None:
    line = Line(torch.ones(images.shape[1:]), level=0.0)
    balanced = Balanced([line], patience=3)
    balanced.slope(images, seeded())
    line.level = -7.0
    for _ in range(3):
        value, _ = balanced.slope(images, seeded())
    assert not balanced.satisfied(0)
    assert (value == -7).all()


def test_a_part_is_satisfied_only_when_it_is_for_every_image(images: Tensor) -> None:
    def half(images: Tensor, rng: torch.Generator) -> Tensor:
        return images.sum(dim=(1, 2, 3)) * 0 + torch.tensor([0.0, -3.0])

    balanced = Balanced([half])
    balanced.slope(images, seeded())
    assert not balanced.satisfied(0)


def test_side_by_side_the_parts_give_what_they_give_one_after_the_other(
    images: Tensor, threads: Callable[[int], None]
) -> None:
    def climbed(cores: int) -> list[tuple[Tensor, Tensor]]:
        threads(cores)
        balanced, rng = Balanced([shaken, wave, shaken, bowl, shaken], content=-2.0), seeded()
        return [balanced.slope(images, rng) for _ in range(5)]

    for (value, gradient), (other, another) in zip(climbed(1), climbed(3), strict=True):
        assert torch.equal(value, other)
        assert torch.equal(gradient, another)


def test_balanced_parts_draw_chance_of_their_own(images: Tensor) -> None:
    rng = seeded()
    balanced = Balanced([shaken, shaken])
    balanced.slope(images, rng)
    first, second = balanced.values
    assert first is not None
    assert second is not None
    assert not torch.equal(first, second)
    balanced.slope(images, rng)
    assert not torch.equal(first, balanced.values[0])


@pytest.mark.parametrize(("parts", "turns"), [(5, 2), (4, 3), (2, 3), (1, 4)])
def test_each_part_is_asked_once_in_as_many_calls_as_there_are_turns(images: Tensor, parts: int, turns: int) -> None:
    lines = [Line(torch.ones(images.shape[1:]), level=-5.0) for _ in range(parts)]
    balanced = Balanced(lines, turns=turns)
    asked = []
    for _ in range(3 * turns):
        before = [len(line.asked) for line in lines]
        balanced.slope(images, seeded())
        asked.append([len(line.asked) - old for line, old in zip(lines, before, strict=True)])
    for at in range(2 * turns + 1):
        assert [sum(each) for each in zip(*asked[at : at + turns], strict=True)] == [1] * parts
    # the work is spread: no call asks more than its share
    assert max(sum(each) for each in asked) <= -(-parts // turns)


def test_in_turns_a_satisfied_part_is_asked_once_in_turns_times_patience(images: Tensor) -> None:
    weights = torch.ones(images.shape[1:])
    lines = [Line(weights, level=0.0), Line(weights, level=-5.0), Line(weights, level=0.0)]
    balanced = Balanced(lines, patience=4, turns=2)
    for _ in range(2 + 8 * 5):
        balanced.slope(images, seeded())
    assert [len(line.asked) for line in lines] == [6, 21, 6]


def test_a_part_whose_turn_has_not_come_is_neither_satisfied_nor_part_of_the_value(images: Tensor) -> None:
    weights = torch.ones(images.shape[1:])
    balanced = Balanced([Line(weights, level=0.5), Line(weights, level=0.25)], turns=2)
    value, gradient = balanced.slope(images, seeded())
    assert (value == 0.5).all()
    assert not balanced.satisfied(1)
    assert balanced.values[1] is None
    value, _ = balanced.slope(images, seeded())
    assert (value == 0.75).all()
    assert balanced.satisfied(1)
    assert gradient.flatten(1).norm(dim=1).tolist() == pytest.approx([1, 1])


def test_a_call_in_which_nobody_is_asked_has_no_slope(images: Tensor) -> None:
    balanced = Balanced([Line(torch.ones(images.shape[1:]), level=0.0)], patience=2)
    balanced.slope(images, seeded())
    value, gradient = balanced.slope(images, seeded())
    assert (value == 0).all()
    assert (gradient == 0).all()
