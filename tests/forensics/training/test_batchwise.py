"""Changes by which every picture of a batch has its own amount."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from deepguard.forensics.training.batchwise import affine, blurred, coloured, drawn, sharpened, softened


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand((3, 3, 32, 32), generator=torch.Generator().manual_seed(0))


def _still(count: int) -> dict[str, torch.Tensor]:
    nothing = torch.zeros(count)
    return {"turn": nothing, "across": nothing, "down": nothing}


def test_amounts_are_drawn_from_the_range() -> None:
    amounts = drawn(torch.Generator().manual_seed(0), 1000, 2, 5)
    assert 2 <= float(amounts.min()) < 2.1
    assert 4.9 < float(amounts.max()) < 5


def test_no_turn_no_move_and_no_zoom_leave_a_picture_alone(images: torch.Tensor) -> None:
    torch.testing.assert_close(affine(images, scale=torch.ones(3), **_still(3)), images)


def test_a_mirror_is_the_picture_read_from_the_right(images: torch.Tensor) -> None:
    mirrored = affine(images, scale=torch.ones(3), mirror=-torch.ones(3), **_still(3))
    torch.testing.assert_close(mirrored, images.flip(-1))


def test_a_zoom_of_two_shows_the_middle_half(images: torch.Tensor) -> None:
    zoomed = affine(images, scale=torch.full((3,), 2.0), **_still(3))
    middle = functional.interpolate(images[..., 8:24, 8:24], (32, 32), mode="bilinear", align_corners=False)
    torch.testing.assert_close(zoomed[..., 4:28, 4:28], middle[..., 4:28, 4:28])


def test_each_picture_has_its_own_blur(images: torch.Tensor) -> None:
    soft = blurred(images, torch.tensor([1e-4, 1.0, 3.0]))
    torch.testing.assert_close(soft[0], images[0])
    assert float(soft[2].std()) < float(soft[1].std()) < float(images[1].std())


def test_a_blur_keeps_what_is_even() -> None:
    even = torch.full((1, 3, 16, 16), 0.3)
    torch.testing.assert_close(blurred(even, torch.tensor([2.0])), even)


def test_a_picture_made_no_smaller_stays_and_a_smaller_one_loses_detail(images: torch.Tensor) -> None:
    made = softened(images, torch.tensor([1.0, 0.5, 0.25]))
    torch.testing.assert_close(made[0], images[0])
    assert float(made[2].std()) < float(made[1].std()) < float(images[1].std())


def test_sharpening_by_nothing_changes_nothing_and_by_more_raises_contrast(images: torch.Tensor) -> None:
    made = sharpened(images * 0.2 + 0.4, torch.tensor([0.0, 0.5, 0.0]))
    torch.testing.assert_close(made[0], images[0] * 0.2 + 0.4)
    assert float(made[1].std()) > float((images[1] * 0.2 + 0.4).std())


def test_no_change_of_colour_is_none_and_hue_keeps_the_luma(images: torch.Tensor) -> None:
    rng = torch.Generator().manual_seed(0)
    torch.testing.assert_close(coloured(images, rng, shift=0, turn=0, saturation=0, light=0), images, atol=1e-3, rtol=0)
    muted = images * 0.2 + 0.4
    turned = coloured(muted, rng, shift=0, turn=0.5, saturation=0, light=0)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    torch.testing.assert_close((turned * luma).sum(1), (muted * luma).sum(1), atol=2e-3, rtol=0)
    assert float((turned - muted).abs().max()) > 0.01
