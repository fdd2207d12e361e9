"""The attacker of classifiers, on a classifier whose best attack is known."""

from __future__ import annotations

import torch

from deepguard.forensics.attackers import attacked
from deepguard.types import Images, PerImage


def _brightness(images: Images) -> PerImage:
    return images.mean(dim=(1, 2, 3))


def test_a_fake_is_made_darker_and_a_real_one_brighter_by_all_that_is_allowed() -> None:
    images = torch.full((2, 3, 4, 4), 0.5)
    changed = attacked(
        _brightness, images, torch.tensor([1.0, 0.0]), epsilon=0.1, steps=10, rng=torch.Generator().manual_seed(0)
    )
    torch.testing.assert_close(changed[0], torch.full((3, 4, 4), 0.4))
    torch.testing.assert_close(changed[1], torch.full((3, 4, 4), 0.6))


def test_the_change_stays_inside_the_ball_and_the_picture_inside_its_range() -> None:
    rng = torch.Generator().manual_seed(1)
    images = torch.rand((4, 3, 8, 8), generator=rng)
    changed = attacked(_brightness, images, torch.tensor([1.0, 0, 1, 0]), epsilon=0.2, steps=3, rng=rng)
    assert float((changed - images).abs().max()) <= 0.2 + 1e-6
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1
    assert not changed.requires_grad
