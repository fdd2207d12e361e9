from __future__ import annotations

import pytest
import torch
from tests.attack.toys import EYES, Linear
from torch import Tensor

from deepguard.attack.objectives import slope
from deepguard.attack.stranger import Stranger
from deepguard.types import Landmarks

MARKS: Landmarks = tuple((x / 24, y / 24) for x, y in EYES)


def picture(seed: int = 0) -> Tensor:
    return torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(seed))


def toy(**options: float) -> Stranger:
    return Stranger(**{**vars(Stranger.of(Linear(), picture(), (MARKS,), goal=0.0)), **options})


def chance() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_the_untouched_picture_is_the_same_person_and_a_stranger_is_none() -> None:
    aim = toy()
    torch.testing.assert_close(aim.share(picture()), torch.tensor([3.0]))
    assert float(aim.share(picture(1))) < 3
    assert float(aim(picture(), chance())) < float(aim(picture(1), chance())) < 0


def test_the_value_tells_the_cosine_and_is_above_minus_one_where_the_goal_is_met() -> None:
    aim = toy(jitter=0.0)
    torch.testing.assert_close(aim(picture(), chance()), torch.tensor([-9.0]))
    inverted = 1 - picture()
    assert float(aim(inverted, chance())) > -1
    assert float(aim.share(inverted)) < 1


def test_a_step_along_its_slope_makes_the_face_less_alike() -> None:
    aim = toy()
    start = picture() + 0.02 * torch.randn(1, 3, 24, 24, generator=chance())
    _, gradient = slope(aim, start, chance())
    moved = start + 0.05 * gradient.sign()
    assert float(aim.share(moved)) < float(aim.share(start))


def test_slopes_are_blurred_where_the_eyes_are_far_apart() -> None:
    wide = Stranger.of(Linear(), picture().repeat_interleave(4, -1).repeat_interleave(4, -2), (MARKS,), goal=0.0)
    large = picture(1).repeat_interleave(4, -1).repeat_interleave(4, -2)
    _, gradient = slope(wide, large, chance())
    leaf = large.clone().requires_grad_()
    (sharp,) = torch.autograd.grad(wide(leaf, chance()).sum(), leaf)
    assert float(gradient.diff(dim=-1).norm() / gradient.norm()) < float(sharp.diff(dim=-1).norm() / sharp.norm())


def test_jitter_moves_the_crop_and_the_seed_says_how() -> None:
    aim = toy(jitter=0.2)
    other = torch.Generator().manual_seed(9)
    assert float(aim(picture(), chance())) == float(aim(picture(), chance())) != float(aim(picture(), other))


def test_a_smaller_picture_is_met_at_the_same_place() -> None:
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 4, generator=chance()), size=24, mode="bilinear")
    aim = Stranger.of(Linear(), smooth, (MARKS,), goal=0.0)
    half = torch.nn.functional.interpolate(smooth, scale_factor=0.5, mode="area")
    assert 2.7 < float(aim.share(half)) <= 3


@pytest.mark.parametrize("count", [1, 2])
def test_every_face_counts_and_the_most_alike_one_is_told(count: int) -> None:
    aim = Stranger.of(Linear(), picture(), (MARKS,) * count, goal=0.0)
    assert len(aim.clean) == count
    torch.testing.assert_close(aim.share(picture()), torch.tensor([3.0]))
