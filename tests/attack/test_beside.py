from __future__ import annotations

import torch
from torch import Tensor

from deepguard.attack.objectives import Beside, slope


def rising(images: Tensor, rng: torch.Generator) -> Tensor:
    return 3 * images.sum(dim=(1, 2, 3))


def slanting(images: Tensor, rng: torch.Generator) -> Tensor:
    return 1000 * images[..., 0].sum(dim=(1, 2))


def test_others_gradients_are_as_long_as_their_share_of_the_leading_one() -> None:
    images, rng = torch.zeros(2, 3, 4, 5), torch.Generator()
    leading = slope(rising, images, rng)[1]
    value, gradient = slope(Beside(rising, ((slanting, 0.5),)), images, rng)
    beside = gradient - leading
    assert torch.equal(value, torch.zeros(2))
    torch.testing.assert_close(beside.flatten(1).norm(dim=1), 0.5 * leading.flatten(1).norm(dim=1))
    assert float(beside[..., 1:].abs().max()) < 1e-5


def test_its_value_is_the_weighted_sum() -> None:
    images, rng = torch.ones(1, 3, 2, 2), torch.Generator()
    assert Beside(rising, ((slanting, 0.5),))(images, rng).tolist() == [3 * 12 + 500 * 6]


def test_with_nothing_beside_it_is_the_leading_one() -> None:
    images, rng = torch.ones(1, 3, 2, 2), torch.Generator()
    assert torch.equal(slope(Beside(rising, ()), images, rng)[1], slope(rising, images, rng)[1])
