from __future__ import annotations

import pytest
import torch
from torch import Tensor

from deepguard.errors import OptionError
from deepguard.filters.faces import blurred
from deepguard.filters.photo import Filters, apply
from deepguard.prove.alike import check_alike
from deepguard.prove.board.controls import noise
from deepguard.types import Box, Face

FACE = Face(Box(175, 60, 275, 190), 0.9)


@pytest.fixture
def photo(astronaut: Tensor) -> Tensor:
    return astronaut[..., :320, :400]


def test_a_photo_and_a_strong_change_of_it_are_alike(photo: Tensor, rng: torch.Generator) -> None:
    loud = noise(photo, (photo + 24 / 255).clamp(0, 1), rng)
    check_alike(photo, loud, [FACE])
    y, x = torch.arange(320)[:, None] / 20, torch.arange(400) / 20
    check_alike(photo, (photo + 0.08 * (x.sin() * y.cos())).clamp(0, 1), [FACE])


def test_filters_and_blurred_faces_do_not_matter(photo: Tensor) -> None:
    for filters in (Filters(brightness=-0.8), Filters(contrast=0.8), Filters(saturation=-1, warmth=1, sharpen=1)):
        check_alike(photo, apply(photo, filters, False), [FACE])
    check_alike(photo, blurred(photo, [FACE]), [FACE])


def test_two_sizes_are_refused_with_both(photo: Tensor) -> None:
    with pytest.raises(OptionError, match="different sizes, 400 x 320 and 400 x 319 pixels"):
        check_alike(photo, photo[..., 1:, :], [FACE])


def test_two_photos_are_refused(photo: Tensor) -> None:
    with pytest.raises(OptionError, match="two different pictures"):
        check_alike(photo, photo.flip(-1), [FACE])
    with pytest.raises(OptionError, match="two different pictures"):
        check_alike(photo, torch.full_like(photo, 0.5), [FACE])


def test_somebody_else_in_the_same_scene_is_refused(photo: Tensor) -> None:
    other = photo.clone()
    rows, columns = FACE.box.pixels(320, 400)
    other[..., rows, columns] = photo[..., rows, columns].flip(-1)
    check_alike(photo, photo, [FACE])
    with pytest.raises(OptionError, match="face 2 from the left is not the same in both pictures"):
        check_alike(photo, other, [Face(Box(20, 20, 80, 90), 0.9), FACE])


def test_plain_pictures_are_alike_only_with_themselves() -> None:
    plain = torch.full((1, 3, 64, 64), 0.5)
    check_alike(plain, plain, [])
    with pytest.raises(OptionError, match="two different pictures"):
        check_alike(plain, torch.rand(1, 3, 64, 64), [])
