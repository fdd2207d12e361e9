"""A picture's faces to verdicts and heat maps."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tests.forensics.toy_judges import CPU, SPEC, Bright, bright, calibration, grainy
from torch import Tensor

from deepguard.errors import WeightsCorrupt
from deepguard.forensics.heat import SHOWN, can_localise, heat_of
from deepguard.forensics.judge import judge_faces
from deepguard.forensics.loading import BATCH, judge_of, scores
from deepguard.forensics.purify import COPIES
from deepguard.forensics.verdict import Word
from deepguard.models.roles import CropSpec
from deepguard.types import Box, Face, Progress

FACE = Face(Box(172, 60, 268, 180), 1.0)
SMALL = Face(Box(10, 10, 40, 40), 1.0)


@pytest.fixture
def crops(rng: torch.Generator) -> Tensor:
    return torch.rand((40, 3, 32, 32), generator=rng)


def test_every_face_gets_a_verdict_with_its_number_and_those_that_cannot_be_judged_a_reason(astronaut: Tensor) -> None:
    judged = judge_faces(astronaut, [SMALL, FACE], [bright()])
    small, clear = judged.faces
    assert (small.number, small.word, small.probability, small.opinions) == (1, Word.CANNOT_JUDGE, None, ())
    assert [note.code for note in small.reasons] == ["small_face"]
    assert (clear.number, clear.face) == (2, FACE)
    assert clear.word is not Word.CANNOT_JUDGE
    assert clear.low is not None
    assert clear.probability is not None
    assert clear.high is not None
    assert 0 <= clear.low <= clear.probability <= clear.high <= 1
    assert tuple(clear.opinions[0].copies) == COPIES
    assert judged.heat == {}


def test_a_brighter_face_gets_a_higher_figure_from_a_judge_of_brightness(astronaut: Tensor) -> None:
    dark, light = (judge_faces(astronaut * 0.5 + shift, [FACE], [bright()]).faces[0] for shift in (0.0, 0.5))
    assert (dark.probability or 0) < 0.4 < (light.probability or 0)


def test_faces_are_judged_together_as_they_are_one_by_one(astronaut: Tensor) -> None:
    faces = [FACE, Face(Box(180, 70, 260, 170), 1.0), Face(Box(100, 60, 200, 180), 1.0)]
    together = judge_faces(astronaut, faces, [bright(), grainy()]).faces
    alone = [judge_faces(astronaut, [face], [bright(), grainy()]).faces[0] for face in faces]
    for one, other in zip(together, alone, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-5)


def test_a_judge_sees_batches_of_a_limited_size_and_every_copy_of_every_crop(crops: Tensor) -> None:
    sizes: list[int] = []
    judge = bright()
    real = judge.logits

    def counted(batch: Tensor) -> Tensor:
        sizes.append(len(batch))
        return real(batch)

    found = scores(crops, replace(judge, logits=counted))
    assert found.shape == (40, len(COPIES))
    assert sum(sizes) == 40 * len(COPIES)
    assert max(sizes) <= BATCH
    assert torch.allclose(found[:, 0], Bright().fakeness(crops), atol=1e-5)


def test_no_crops_need_no_judge(crops: Tensor) -> None:
    assert scores(crops[:0], bright()).shape == (0, len(COPIES))


def test_a_calibration_for_other_crops_is_refused() -> None:
    with pytest.raises(WeightsCorrupt, match="for other crops"):
        judge_of("bright", Bright(crop=CropSpec(64, 0.15)), CPU, calibration())


def test_heat_maps_are_pictures_by_the_numbers_of_the_judged_faces(astronaut: Tensor) -> None:
    judged = judge_faces(astronaut, [SMALL, FACE], [bright()], heat=True)
    assert list(judged.heat) == [2]
    with Image.open(io.BytesIO(judged.heat[2])) as opened:
        assert (opened.format, opened.size) == ("PNG", (SHOWN, SHOWN))


def test_a_judge_that_cannot_tell_where_it_looks_makes_no_heat_map(astronaut: Tensor) -> None:
    assert not can_localise(grainy().classifier)
    assert judge_faces(astronaut, [FACE], [grainy()], heat=True).heat == {}


def test_the_heat_is_the_probability_were_the_whole_face_like_the_place() -> None:
    crop = torch.full((1, 3, 32, 32), 0.2)
    crop[..., :8, 24:] = 0.9
    (heat,) = heat_of(crop, bright(slope=8.0))
    assert heat.shape == (4, 4)
    assert float(heat[0, 3]) == pytest.approx(torch.sigmoid(torch.tensor((0.9 - 0.5) * 8)).item(), abs=1e-5)
    assert float(heat[2, 0]) == pytest.approx(torch.sigmoid(torch.tensor((0.2 - 0.5) * 8)).item(), abs=1e-5)


def test_where_nothing_speaks_for_fake_the_face_shows_as_it_is(astronaut: Tensor) -> None:
    dark = (astronaut * 0.2).clamp(0, 1)
    (data,) = judge_faces(dark, [FACE], [bright(slope=1000.0)], heat=True).heat.values()
    with Image.open(io.BytesIO(data)) as opened:
        pixels = np.asarray(opened)
    assert pixels.max() <= 0.2 * 255 + 3


def test_progress_is_told(astronaut: Tensor) -> None:
    told: list[Progress] = []
    judge_faces(astronaut, [SMALL, FACE], [bright()], watch=told.append)
    assert [(each.stage, each.done, each.total) for each in told] == [("judging", 0, 1), ("judging", 1, 1)]


def test_a_picture_without_faces_has_no_verdicts(astronaut: Tensor) -> None:
    assert judge_faces(astronaut, [], [bright()], heat=True).faces == ()


def test_the_toys_take_the_crops_that_their_calibration_names() -> None:
    assert bright().classifier.crop == SPEC
