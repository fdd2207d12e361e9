from __future__ import annotations

import pytest
import torch
from tests.defences.portraits import masked, portrait
from torch import Tensor

from deepguard.defences.looks import Look, distance
from deepguard.measures.ceilings import FACE, PICTURE
from deepguard.measures.skin import Marbling, smooth_skin
from deepguard.measures.ssim import Ssim
from deepguard.types import Box

SIZE = (64, 72)
BOX = Box(12.4, 8.3, 52.6, 56.8)
CUT = (..., slice(8, 57), slice(12, 53))


class Far:
    """A distance of its own choosing."""

    unit, better, of = "", "lower", "any"

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, clean: Tensor, changed: Tensor) -> Tensor:
        return torch.full((len(clean),), self.value)


def rough(picture: Tensor, level: float = 0.02) -> Tensor:
    grain = 2 * torch.rand((1, 1, *SIZE), generator=torch.Generator().manual_seed(2)) - 1
    return picture + level * grain


@pytest.fixture
def clean() -> Tensor:
    return portrait(SIZE, BOX)


@pytest.fixture
def nowhere() -> Tensor:
    return torch.zeros(1, 1, *SIZE, dtype=torch.bool)


def test_a_face_is_seen_in_the_pixels_that_its_box_touches(clean: Tensor, nowhere: Tensor) -> None:
    look = Look.at(clean, BOX, nowhere)
    assert torch.equal(look.clean, clean[CUT])
    assert torch.equal(look.cut(rough(clean)), rough(clean)[CUT])
    assert torch.equal(look.skin, smooth_skin(clean[CUT]))


def test_of_a_face_that_sticks_out_what_is_inside_is_seen(clean: Tensor, nowhere: Tensor) -> None:
    look = Look.at(clean, Box(-9, -7, 40, 300), nowhere)
    assert look.clean.shape == (1, 3, 64, 40)


@pytest.mark.parametrize("level", [0.01, 0.05])
def test_the_pattern_is_the_share_of_the_ceiling_of_marbling(clean: Tensor, nowhere: Tensor, level: float) -> None:
    changed = rough(clean, level)
    share = Marbling()(clean[CUT], changed[CUT]).item() / FACE.marbling
    assert Look.at(clean, BOX, nowhere).pattern(changed) == pytest.approx(share, rel=1e-4)
    assert share > 0.1


def test_a_pattern_beside_the_skin_is_none(clean: Tensor, nowhere: Tensor) -> None:
    changed = clean.clone()
    changed[..., 60:, :] = 0
    look = Look.at(clean, BOX, nowhere)
    assert look.pattern(changed) == 0
    assert look.pattern(clean) == 0


def test_where_no_skin_is_seen_the_calm_places_of_the_face_stand_for_it(clean: Tensor, nowhere: Tensor) -> None:
    hidden = masked(clean, BOX)
    assert not smooth_skin(hidden[CUT]).any()
    calm = nowhere.clone()
    calm[..., 20:40, 20:40] = True
    look = Look.at(hidden, BOX, calm)
    assert torch.equal(look.skin, calm[CUT])
    assert look.pattern(rough(hidden)) > 0.1
    elsewhere = torch.where(torch.arange(SIZE[0])[:, None] < 15, rough(hidden), hidden)
    assert look.pattern(elsewhere) < 0.1 * look.pattern(rough(hidden))


@pytest.mark.parametrize("calm", [0, 49])
def test_where_neither_skin_nor_enough_calm_is_seen_there_is_no_pattern(
    clean: Tensor, nowhere: Tensor, calm: int
) -> None:
    few = nowhere.clone()
    few[0, 0, 30, 13:53] = calm > 0
    few[0, 0, 31, 13 : 13 + max(0, calm - 40)] = True
    hidden = masked(clean, BOX)
    assert Look.at(hidden, BOX, few).pattern(rough(hidden)) == 0


def test_a_face_of_a_few_pixels_is_looked_at_without_a_pattern(clean: Tensor, nowhere: Tensor) -> None:
    look = Look.at(clean, Box(30.2, 30.4, 32.1, 31.9), nowhere)
    assert look.clean.shape[-2:] == (2, 3)
    assert look.pattern(rough(clean)) == 0
    assert look.distance(rough(clean), {"ssim": Ssim()}) > 0


def test_the_distance_is_the_larger_share_of_those_at_hand(clean: Tensor) -> None:
    changed = rough(clean)
    ssim = (1 - Ssim()(clean, changed).item()) / 0.07
    assert distance(clean, changed, {"ssim": Ssim()}, FACE) == pytest.approx(ssim, rel=1e-4)
    assert distance(clean, changed, {"ssim": Ssim(), "lpips": Far(0.009)}, FACE) == pytest.approx(ssim, rel=1e-4)
    assert distance(clean, changed, {"ssim": Ssim(), "lpips": Far(0.9)}, FACE) == pytest.approx(10)
    assert distance(clean, changed, {"lpips": Far(0.1)}, PICTURE) == pytest.approx(2)


def test_the_distance_is_the_faces_own(clean: Tensor, nowhere: Tensor) -> None:
    look = Look.at(clean, BOX, nowhere)
    beside = clean.clone()
    beside[..., :8, :] = 1
    assert look.distance(beside, {"ssim": Ssim()}) == pytest.approx(0, abs=1e-4)
    share = (1 - Ssim()(clean[CUT], rough(clean)[CUT]).item()) / 0.07
    assert look.distance(rough(clean), {"ssim": Ssim()}) == pytest.approx(share, rel=1e-4)


def test_without_ssim_and_lpips_no_distance_is_seen(clean: Tensor) -> None:
    assert distance(clean, rough(clean), {}, FACE) == 0
    assert distance(clean, rough(clean), {"marbling": Marbling(), "psnr": Far(12)}, FACE) == 0
