"""Whether a face shows enough to be judged."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.draw import disk, ellipse
from torch import Tensor
from torch.nn import functional

from deepguard.forensics.judgeable import SMALLEST, doubts, look
from deepguard.media.codec import recompress
from deepguard.media.read import read_picture
from deepguard.transforms.blur import Blur
from deepguard.types import Box, Face

# where the astronaut's face is
FACE = Face(Box(172, 60, 268, 180), 1.0)


def enlarged(images: Tensor, factor: float) -> Tensor:
    return functional.interpolate(images, scale_factor=factor, mode="bicubic", align_corners=False).clamp(0, 1)


def reduced(images: Tensor, factor: float) -> Tensor:
    return functional.interpolate(images, scale_factor=factor, mode="bilinear", antialias=True).clamp(0, 1)


def scaled(face: Face, factor: float) -> Face:
    return Face(face.box.scaled(factor), face.score)


def codes(images: Tensor, face: Face = FACE) -> list[str]:
    return [note.code for note in doubts(images, face)]


def drawn(side: int, seed: int) -> Tensor:
    """A face as a child draws it: an oval, eyes, hair and a mouth in plain colours."""
    colours = np.random.default_rng(seed).uniform(0.2, 1.0, (5, 3))
    picture = np.broadcast_to(colours[0], (side, side, 3)).copy()
    shape = (side, side)
    unit = side / 100
    picture[ellipse(50 * unit, 50 * unit, 42 * unit, 32 * unit, shape=shape)] = colours[1]
    picture[ellipse(18 * unit, 50 * unit, 16 * unit, 34 * unit, shape=shape)] = colours[2]
    for across in (37, 63):
        picture[ellipse(45 * unit, across * unit, 5 * unit, 9 * unit, shape=shape)] = 1.0
        picture[disk((45 * unit, across * unit), 3 * unit, shape=shape)] = 0.0
    picture[ellipse(74 * unit, 50 * unit, 4 * unit, 14 * unit, shape=shape)] = colours[4]
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float()


def test_a_sharp_face_can_be_judged(astronaut: Tensor) -> None:
    assert codes(astronaut) == []
    found = look(astronaut, FACE)
    assert found.side == 96
    assert found.sharp > 0.5
    assert found.flat < 0.3


def test_a_face_below_the_limit_is_too_small_whatever_else_it_is(astronaut: Tensor) -> None:
    small = reduced(astronaut, 0.5)
    (note,) = doubts(small, scaled(FACE, 0.5))
    assert note.code == "small_face"
    assert "64 pixels" in note.text
    assert codes(small, Face(Box(10, 10, 20, 20), 1.0)) == ["small_face"]
    assert codes(torch.rand(1, 3, 200, 200), Face(Box(10, 10, 10 + SMALLEST, 90), 1.0)) == []


@pytest.mark.parametrize("sigma", [3.0, 6.0])
def test_a_blurred_face_cannot_be_judged(astronaut: Tensor, sigma: float, rng: torch.Generator) -> None:
    assert codes(Blur(sigma, sigma)(astronaut, rng)) == ["blurred"]


def test_a_face_enlarged_from_twenty_pixels_cannot_be_judged_also_after_jpeg(astronaut: Tensor) -> None:
    # its longer side is 120 pixels
    large = enlarged(reduced(astronaut, 20 / 120), 120 / 20)
    assert codes(large) == ["blurred"]
    assert codes(recompress(large, "jpeg", 75)) == ["blurred"]


def test_a_large_face_may_be_as_soft_as_does_not_show_when_made_smaller(
    astronaut: Tensor, rng: torch.Generator
) -> None:
    large = Blur(3.0, 3.0)(enlarged(astronaut, 4), rng)
    assert codes(large, scaled(FACE, 4)) == []


def test_a_face_compressed_to_blocks_cannot_be_judged(astronaut: Tensor) -> None:
    assert codes(recompress(astronaut, "jpeg", 5)) == ["compressed"]
    assert codes(recompress(astronaut, "jpeg", 30)) == []
    assert codes(recompress(astronaut, "jpeg", 75)) == []


def test_where_the_blocks_begin_does_not_matter(astronaut: Tensor) -> None:
    blocky = recompress(astronaut, "jpeg", 5)[..., 3:, 5:]
    assert codes(blocky, Face(FACE.box.moved(-5, -3), 1.0)) == ["compressed"]


@pytest.mark.parametrize("side", [90, 128, 300, 600])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_drawing_in_plain_colours_is_not_judged(side: int, seed: int) -> None:
    face = Face(Box(0.1 * side, 0.1 * side, 0.9 * side, 0.9 * side), 1.0)
    assert codes(drawn(side, seed), face) == ["drawing"]


def test_a_face_at_the_edge_is_measured_on_what_the_picture_has_of_it(astronaut: Tensor) -> None:
    assert codes(astronaut[..., 60:, 172:], Face(Box(-6, -4, 96, 120), 1.0)) == []
    plain = torch.full((1, 3, 100, 100), 0.5)
    assert codes(plain, Face(Box(-50, -50, 70, 70), 1.0)) == ["drawing"]


@pytest.mark.parametrize(
    "box", [Box(-50, 10, 60, 110), Box(450, 460, 560, 575), Box(-300, -300, -200, -200), Box(600, 10, 700, 110)]
)
def test_a_face_of_which_the_picture_shows_too_little_or_nothing_is_not_judged(astronaut: Tensor, box: Box) -> None:
    assert codes(astronaut, Face(box, 1.0)) == ["small_face"]


def test_no_figure_is_ever_undefined(astronaut: Tensor) -> None:
    for images in (torch.zeros(1, 3, 70, 70), torch.ones(1, 3, 70, 70), astronaut):
        found = look(images, Face(Box(0, 0, 70, 66), 1.0))
        assert all(math.isfinite(each) for each in (found.sharp, found.blocky, found.flat))


def test_nearly_all_real_faces_can_be_judged(shared: Path) -> None:
    folder = shared / "data" / "utkface200"
    if not folder.is_dir():
        pytest.skip("real photos are not here")
    files = sorted(folder.glob("*.jpg"))[::50]
    # aligned by their authors: the face fills the picture
    judged = [not doubts(read_picture(file).images, Face(Box(20, 20, 180, 180), 1.0)) for file in files]
    assert len(judged) >= 50
    assert sum(judged) / len(judged) >= 0.98
