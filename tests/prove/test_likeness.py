from __future__ import annotations

import pytest
import torch
from tests.attack.toys import EYES, Linear, alike
from torch import Tensor
from torch.nn import functional

from deepguard.models.thresholds import thresholds
from deepguard.prove.likeness import Likeness, likenesses
from deepguard.types import Box, Face

SIZE = (96, 120)


def face_at(left: float, top: float) -> Face:
    """A face of twice the size of the encoder's crop."""
    return Face(Box(left, top, left + 48, top + 48), 0.9, tuple((left + 2 * x, top + 2 * y) for x, y in EYES))


FACES = (face_at(4.0, 8.0), face_at(64.0, 40.0))
BARE = Face(Box(4, 8, 52, 56), 0.9)


def smooth(seed: int) -> Tensor:
    """A picture without fine detail, so that a smaller one shows the same."""
    coarse = torch.rand(1, 3, 8, 10, generator=torch.Generator().manual_seed(seed))
    return functional.interpolate(coarse, size=SIZE, mode="bicubic").clamp(0, 1)


@pytest.fixture(scope="module")
def original() -> Tensor:
    return smooth(1)


def test_each_face_of_each_version_is_held_against_itself_before(original: Tensor) -> None:
    half = torch.cat((original[..., :60], smooth(2)[..., 60:]), dim=-1)
    versions = {"delivered": half, "same": original}
    (told,) = likenesses(original, versions, FACES, {"toy": Linear()})
    assert (told.encoder, told.family, told.threshold) == ("toy", "toy", None)
    assert list(told.after) == ["delivered", "same"]
    assert told.after["same"] == (pytest.approx(1, abs=1e-4), pytest.approx(1, abs=1e-4))
    expected = [alike(Linear(), original, half, face.landmarks) for face in FACES]
    assert told.after["delivered"] == tuple(pytest.approx(each, abs=1e-4) for each in expected)
    assert told.after["delivered"][0] == pytest.approx(1, abs=1e-4)
    assert expected[1] < 0.6


def test_every_encoder_answers_for_itself_and_in_the_given_order(original: Tensor) -> None:
    encoders = {"b": Linear(seed=5), "a": Linear()}
    told = likenesses(original, {"delivered": smooth(2)}, FACES, encoders)
    assert [each.encoder for each in told] == ["b", "a"]
    assert told[0].after != told[1].after
    assert likenesses(original, {"delivered": original}, FACES, {}) == ()


@pytest.mark.parametrize("factor", [0.25, 0.5, 1.5])
def test_a_version_of_another_size_is_cut_at_the_same_place(original: Tensor, factor: float) -> None:
    resized = functional.interpolate(original, scale_factor=factor, mode="bilinear", antialias=True)
    (told,) = likenesses(original, {"posted": resized}, FACES, {"toy": Linear()})
    assert all(each is not None and each > 0.99 for each in told.after["posted"])


def test_a_face_without_landmarks_is_not_measured(original: Tensor) -> None:
    (told,) = likenesses(original, {"delivered": original}, (BARE, FACES[1]), {"toy": Linear()})
    assert told.after["delivered"] == (None, pytest.approx(1, abs=1e-4))
    assert told.matched("delivered") == (None, None)


def test_an_encoder_that_was_calibrated_has_its_threshold(original: Tensor) -> None:
    known = thresholds("mobilefacenet-ms1m")
    assert known is not None
    (told,) = likenesses(original, {"delivered": original}, (BARE, FACES[1]), {"mobilefacenet-ms1m": Linear()})
    assert told.threshold == known.far_1e3
    assert told.matched("delivered") == (None, True)


def test_only_above_the_threshold_two_faces_count_as_one_person() -> None:
    told = Likeness("toy", "toy", 0.3, {"delivered": (0.31, 0.3, -0.2, None)})
    assert told.matched("delivered") == (True, False, False, None)
