"""A batch in shares, side by side."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from deepguard.forensics.training.sides import SMALLEST, Sides
from deepguard.models.efficientnet import EfficientNetB0

COUNT = 2 * SMALLEST


@pytest.fixture
def network() -> EfficientNetB0:
    torch.manual_seed(0)
    return EfficientNetB0(dropout=0.0)


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    return torch.rand((COUNT, 3, 32, 32), generator=rng), torch.arange(COUNT).ge(SMALLEST).float()


def gradients(network: EfficientNetB0, batch: tuple[Tensor, Tensor], count: int, *, judging: bool) -> dict[str, Tensor]:
    network.zero_grad()
    with Sides(network, count, contextlib.nullcontext) as sides:
        for each in sides.networks:
            each.train(not judging)
        loss = sides.learn(*batch, functional.binary_cross_entropy_with_logits)
    assert loss > 0
    return {name: value.grad.clone() for name, value in network.named_parameters() if value.grad is not None}


def test_shares_learn_what_the_whole_batch_does(network: EfficientNetB0, batch: tuple[Tensor, Tensor]) -> None:
    """Where nothing is normalised by the batch, as in judging mode, shares must not be told from the whole."""
    one, two = (gradients(network, batch, count, judging=True) for count in (1, 2))
    network.zero_grad()
    functional.binary_cross_entropy_with_logits(network.eval()(batch[0]), batch[1]).backward()  # type: ignore[no-untyped-call]
    for name, value in network.named_parameters():
        assert value.grad is not None
        torch.testing.assert_close(one[name], value.grad, msg=name)
        torch.testing.assert_close(two[name], value.grad, msg=name)


def test_the_same_batch_gives_the_same_gradient_to_the_bit(
    network: EfficientNetB0, batch: tuple[Tensor, Tensor]
) -> None:
    one, other = (gradients(network, batch, 2, judging=False) for _ in range(2))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("still", [False, True])
def test_shares_have_the_same_weights_and_statistics_move_unless_still(
    network: EfficientNetB0, batch: tuple[Tensor, Tensor], still: bool
) -> None:
    before = network.stem.norm.running_mean.clone()  # type: ignore[operator]
    with Sides(network, 2, contextlib.nullcontext) as sides:
        assert sides.networks[1].logit.weight is network.logit.weight
        sides.train(still=still)
        sides.learn(*batch, functional.binary_cross_entropy_with_logits)
        assert all(each.training for each in sides.networks)
    assert torch.equal(network.stem.norm.running_mean, before) == still


def test_every_image_is_attacked_in_its_place(network: EfficientNetB0, batch: tuple[Tensor, Tensor]) -> None:
    images, fake = batch
    network.eval()
    with Sides(network, 2, contextlib.nullcontext) as sides:
        changed = sides.attacked(images, fake, epsilon=0.05, steps=2, rng=torch.Generator().manual_seed(0))
    away = (changed - images).abs().amax(dim=(1, 2, 3))
    assert bool((away > 0.01).all())
    assert bool((away <= 0.05 + 1e-6).all())


def test_a_batch_too_small_for_shares_is_one(network: EfficientNetB0, batch: tuple[Tensor, Tensor]) -> None:
    images, fake = batch
    with Sides(network, 4, contextlib.nullcontext) as sides:
        assert sides._count(images) == 2
        assert sides._count(images[:3]) == 1
        assert sides.learn(images[:3], fake[:3], functional.binary_cross_entropy_with_logits).isfinite()
