from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from deepguard.attack.budgets import Linf
from deepguard.attack.climb import momentum_ascent
from deepguard.attack.features import LAYERS, Features, Importance
from deepguard.attack.objectives import slope

SIZE = (2, 3, 12, 16)


@dataclass(frozen=True)
class Chain:
    """Three linear maps, each made of the one before: features whose gradients are known in closed form."""

    kernels: tuple[Tensor, ...]

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        maps = []
        for kernel in self.kernels:
            images = functional.conv2d(images, kernel, stride=2, padding=1)
            maps.append(images)
        return tuple(maps)


@pytest.fixture
def chain() -> Chain:
    rng = torch.Generator().manual_seed(5)
    widths = (3, 4, 5, 6)
    return Chain(tuple(torch.randn(b, a, 3, 3, generator=rng) for a, b in pairwise(widths)))


@pytest.fixture
def images() -> Tensor:
    return torch.rand(SIZE, generator=torch.Generator().manual_seed(6))


def learned(chain: Chain, images: Tensor, masks: int, *, keep: float = 0.9, seed: int = 1) -> Importance:
    importance = Importance(chain, images, remember=True)
    rng = torch.Generator().manual_seed(seed)
    for _ in range(masks):
        importance.learn(keep, rng)
    return importance


def test_the_importance_of_the_deepest_features_is_the_sum_of_the_ways_in_which_masks_move_them(
    chain: Chain, images: Tensor
) -> None:
    importance = learned(chain, images, 4)
    clean, *masked = importance.remembered()
    torch.testing.assert_close(clean, chain.features(images)[-1])
    signs = torch.stack([(each - clean).sign() for each in masked]).sum(dim=0)
    expected = signs / signs.flatten(1).norm(dim=1)[:, None, None, None]
    torch.testing.assert_close(importance.weights()[-1], expected)


def test_shallower_importance_is_the_deepest_ones_carried_back_through_the_network(
    chain: Chain, images: Tensor
) -> None:
    weights = learned(chain, images, 3).weights()
    for level in (1, 0):
        shallow = torch.zeros_like(weights[level]).requires_grad_()
        deeper = functional.conv2d(shallow, chain.kernels[level + 1], stride=2, padding=1)
        (carried,) = torch.autograd.grad(deeper, shallow, weights[level + 1])
        expected = carried / carried.flatten(1).norm(dim=1)[:, None, None, None]
        torch.testing.assert_close(weights[level], expected)


def test_importance_has_length_one_for_each_map_of_each_image_alone(chain: Chain, images: Tensor) -> None:
    for each in learned(chain, images * torch.tensor([1.0, 0.01])[:, None, None, None], 5).weights():
        torch.testing.assert_close(each.flatten(1).norm(dim=1), torch.ones(2))


def test_a_mask_that_keeps_everything_teaches_nothing(chain: Chain, images: Tensor) -> None:
    assert all((each == 0).all() for each in learned(chain, images, 2, keep=1.0).weights())


def test_masks_are_black_in_the_share_that_is_not_kept_value_by_value() -> None:
    seen: list[Tensor] = []

    class Noting:
        def features(self, images: Tensor) -> tuple[Tensor, ...]:
            seen.append(images.detach())
            deep = images * 2
            return deep, deep * 3

    importance = Importance(Noting(), torch.full((1, 3, 100, 100), 0.5))
    importance.learn(0.7, torch.Generator().manual_seed(2))
    assert set(seen[1].unique().tolist()) == {0.0, 0.5}
    assert float((seen[1] > 0).float().mean()) == pytest.approx(0.7, abs=0.01)
    assert not torch.equal(seen[1][:, 0], seen[1][:, 1])


def test_learning_remembers_deep_features_only_when_asked(chain: Chain, images: Tensor) -> None:
    importance = Importance(chain, images)
    importance.learn(0.9, torch.Generator())
    assert importance.remembered() == ()
    assert len(learned(chain, images, 3).remembered()) == 4


def test_the_value_is_the_weighted_mean_of_the_features(chain: Chain, images: Tensor, rng: torch.Generator) -> None:
    weights = learned(chain, images, 3).weights()
    maps = chain.features(images)
    expected = sum(
        share * torch.stack([(one * two).mean() for one, two in zip(weight, each, strict=True)])
        for share, weight, each in zip(LAYERS, weights, maps, strict=True)
    )
    torch.testing.assert_close(Features(chain, weights)(images, rng), expected)
    assert sum(LAYERS) == pytest.approx(1)


def test_the_second_term_is_minus_the_mean_cosine_with_the_references(
    chain: Chain, images: Tensor, rng: torch.Generator
) -> None:
    importance = learned(chain, images, 3)
    weights, references = importance.weights(), importance.remembered()
    plain = Features(chain, weights)(images, rng)
    apart = Features(chain, weights, apart=0.5, references=references)(images, rng)
    assert (apart < plain - 0.4).all()  # a picture is like itself and its masked versions
    same = Features(chain, weights, apart=0.5, references=references[:1])(images, rng)
    torch.testing.assert_close(same, plain - 0.5)
    opposite = Features(chain, weights, apart=0.5, references=(-references[0],))(images, rng)
    torch.testing.assert_close(opposite, plain + 0.5)


def test_climbing_linear_features_ends_in_the_known_corner_of_the_budget(
    chain: Chain, images: Tensor, rng: torch.Generator
) -> None:
    objective = Features(chain, learned(chain, images, 5).weights())
    _, gradient = slope(objective, images, rng)
    budget = Linf(torch.full((1, 1, *SIZE[2:]), 0.02))
    change = momentum_ascent(
        lambda change, rng: slope(objective, images + change, rng),
        torch.zeros_like(images),
        budget,
        steps=20,
        rng=rng,
        heed=lambda step, change: False,
    )
    clear = gradient.abs() > 1e-5 * gradient.abs().max()
    torch.testing.assert_close(change[clear], (0.02 * gradient.sign())[clear])
    gained = objective(images + change, rng) - objective(images, rng)
    torch.testing.assert_close(gained, 0.02 * gradient.abs().sum(dim=(1, 2, 3)), rtol=1e-3, atol=0)


def test_the_slope_of_the_value_is_the_true_one(chain: Chain, images: Tensor, rng: torch.Generator) -> None:
    importance = learned(chain, images[:1], 2)
    double = Chain(tuple(kernel.double() for kernel in chain.kernels))
    objective = Features(
        double,
        tuple(each.double() for each in importance.weights()),
        apart=1.0,
        references=tuple(each.double() for each in importance.remembered()),
    )
    assert torch.autograd.gradcheck(lambda x: objective(x, rng), (images[:1].double().requires_grad_(),))


def test_the_same_chance_teaches_the_same(chain: Chain, images: Tensor) -> None:
    before = torch.get_rng_state()
    first, again, other = (learned(chain, images, 2, keep=0.6, seed=seed).weights() for seed in (1, 1, 2))
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert torch.equal(torch.get_rng_state(), before)
