from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.prove.proofs import bright, face
from torch import Tensor

from deepguard.errors import OptionError
from deepguard.prove.posting import Place, medians, sent
from deepguard.transforms.posted import Posted
from deepguard.transforms.posting import COLUMNS, POSTINGS, TRIALS, column, posting
from deepguard.transforms.steps import Restore
from deepguard.types import Box

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "posting.md"


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def middle(picture: Tensor) -> tuple[float, float]:
    """The brightest place, of pixels' edges."""
    light = (picture.mean(dim=1)[0] - 0.4).clamp(min=0)
    rows, columns = (torch.arange(side) + 0.5 for side in light.shape)
    return float((light.sum(0) * columns).sum() / light.sum()), float((light.sum(1) * rows).sum() / light.sum())


@pytest.mark.parametrize("name", [name for name in COLUMNS if not name.startswith(("grain", "salt", "denoise"))])
def test_a_place_is_known_after_every_chain(name: str) -> None:
    picture = bright(*((x, y) for x in range(180, 188, 2) for y in range(60, 68, 2)))
    after = sent(picture, column(name), seeded())
    assert after.place.point(184, 64) == pytest.approx(middle(after.images), abs=0.6)


def test_a_crop_moves_faces_and_a_screenshot_enlarges_them() -> None:
    picture = bright(size=(200, 400))
    cropped = sent(picture, column("crop"), seeded())
    assert tuple(cropped.images.shape[-2:]) == (190, 380)
    (moved,) = cropped.place.faces([face(50, 60)])
    assert (moved.box.left, moved.box.top) == (40, 55)
    assert moved.landmarks[0] == pytest.approx((face(50, 60).landmarks[0][0] - 10, face(50, 60).landmarks[0][1] - 5))
    shown = sent(picture, column("screenshot"), seeded())
    assert shown.place.face(face(50, 60)).box == Box(65, 78, 195, 208)


def test_landmarks_are_pixel_centres_and_boxes_edges() -> None:
    halved = Place(0.5, 0.5).face(face(0, 0, 112))
    assert halved.landmarks[0] == (38.5 / 2 - 0.5, 51.5 / 2 - 0.5)
    assert halved.box == Box(0, 0, 56, 56)


@pytest.mark.parametrize("name", TRIALS)
def test_what_comes_back_is_in_eight_bits_and_the_same_for_the_same_chance(name: str) -> None:
    picture = torch.rand((1, 3, 60, 90), generator=seeded()).mul(255).round() / 255
    once, again = (sent(picture, column(name), seeded()).images for _ in range(2))
    assert torch.equal(once, again)
    assert (once * 255 - (once * 255).round()).abs().max() < 1e-3
    other = sent(picture, column(name), torch.Generator().manual_seed(4)).images
    assert torch.equal(once, other) != column(name).random


def test_a_resized_picture_comes_back_at_its_own_size() -> None:
    assert sent(bright(size=(61, 91)), column("resized25"), seeded()).images.shape[-2:] == (61, 91)
    assert isinstance(column("resized25").steps[-1], Restore)


def test_salt_turns_as_many_pixels_black_as_white() -> None:
    after = sent(torch.full((1, 3, 400, 500), 0.5), column("salt-003"), seeded()).images[0, 0]
    assert ((after == 0).sum() / after.numel()).item() == pytest.approx(0.0015, abs=3e-4)
    assert ((after == 1).sum() / after.numel()).item() == pytest.approx(0.0015, abs=3e-4)


def test_the_median_takes_a_single_pixel_away() -> None:
    picture = torch.full((1, 3, 9, 9), 0.2)
    picture[..., 4, 4] = 1
    assert sent(picture, column("denoise"), seeded()).images.max() < 0.21


def test_medians_are_those_of_numpy_across_strips() -> None:
    picture = torch.rand((1, 3, 300, 20), generator=seeded())
    wide = np.pad(picture[0].numpy(), ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = [wide[:, down : down + 300, across : across + 20] for down in range(3) for across in range(3)]
    assert torch.equal(medians(picture, 3)[0], torch.from_numpy(np.median(around, axis=0).astype(np.float32)))


def test_a_chain_that_only_proofs_take_is_refused_by_an_attack_and_names_are_helped() -> None:
    assert not set(TRIALS) & set(POSTINGS)
    with pytest.raises(OptionError, match="denoise is one that only proofs take; a protection looks through: jpeg75"):
        posting("denoise")
    with pytest.raises(OptionError, match="denoise is one that only proofs take"):
        Posted(column("denoise"))
    with pytest.raises(OptionError, match="did you mean denoise"):
        column("denois")
    assert column("instagram") is posting("instagram")


@pytest.mark.parametrize("name", TRIALS)
def test_the_page_describes_every_chain_that_only_proofs_take(name: str) -> None:
    (row,) = (line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}` |"))
    assert column(name).summary in row
    assert column(name).source in row
