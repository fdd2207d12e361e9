"""Photos that are hard or hopeless to protect, and what a person is told of them."""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from PIL import Image
from tests.attack.toys import SIDE, drawn, toy
from torch import Tensor

from deepguard.api import Models, Options, find, load_models, protect
from deepguard.errors import DeepguardError, NoFace, OptionError, WeightsMissing
from deepguard.media.picture import Picture
from deepguard.media.read import decode
from deepguard.models.anchors import AnchorDetector
from deepguard.models.roles import FaceDetector
from deepguard.prove.report import Report
from deepguard.types import Box
from deepguard.weights.shelf import Shelf

SIZE = (128, 192)
CORNER = (96, 64)
FEW = Options(detectors=("yunet",), steps=12, strength=2.0, through="none")


@pytest.fixture
def fresh(empty_shelf: Shelf) -> Models:
    return load_models(empty_shelf, torch.device("cpu"))


def with_toys(fresh: Models, **toys: FaceDetector) -> Models:
    """These toys in the place of detectors whose names they have, and nothing else."""
    missing = tuple(name for name in (*fresh.missing, *fresh.detectors) if name not in toys)
    return dataclasses.replace(fresh, detectors=toys, files={name: {} for name in toys}, missing=missing)


def picture_of(images: Tensor, mode: str = "RGB") -> Picture:
    pixels = (images[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).convert(mode).save(buffer, "PNG")
    return decode(buffer.getvalue())


def coloured(images: Tensor) -> Tensor:
    return images + torch.tensor([-0.1, 0.0, 0.1])[:, None, None]


def notes(report: Report) -> Mapping[str, str]:
    return {note.code: note.text for note in report.notes}


SMALL = 12
"""Pixels along a face's side that is too small to be protected."""


def far_sighted() -> AnchorDetector:
    """A toy that finds faces of 32 pixels, and in a second look small ones."""
    return dataclasses.replace(toy(192), sides=(192, 192 * SIDE // SMALL), enlargement=SIDE / SMALL, longest=40.0)


def test_a_face_under_sixteen_pixels_alone_says_from_which_size_on_it_could_be_protected(fresh: Models) -> None:
    picture = picture_of(coloured(drawn(SIZE, (96, 60), side=SMALL, contrast=0.05)))
    models = with_toys(fresh, yunet=far_sighted())
    assert [each.large for each in find(picture, models)] == [False]
    with pytest.raises(NoFace, match=r"only 12 pixels wide; from 16 pixels on it can be protected"):
        protect(picture, models, FEW)


def test_a_small_face_beside_a_large_one_is_left_as_it_is_and_counted_in_a_note(fresh: Models) -> None:
    both = drawn(SIZE, (24, 100), side=SMALL, contrast=0.05) + drawn(SIZE, CORNER) - 0.5
    given, models = picture_of(coloured(both)), with_toys(fresh, yunet=far_sighted())
    assert [each.large for each in find(given, models)] == [False, True]
    made = protect(given, models, FEW)
    assert made.report.chosen == (2,)
    assert notes(made.report)["small_faces"] == "faces smaller than 16 pixels, which were left as they are: 1"
    assert torch.equal(made.after[..., 96:120, 20:40], made.before[..., 96:120, 20:40])
    assert not torch.equal(made.after, made.before)


def test_sixty_faces_in_one_photo_are_protected_together(fresh: Models) -> None:
    corners = [(12 + 40 * column, 12 + 40 * row) for row in range(6) for column in range(10)]
    picture = picture_of(coloured(drawn((264, 416), *corners)))
    made = protect(picture, with_toys(fresh, yunet=toy(416)), dataclasses.replace(FEW, steps=9))
    assert len(made.report.faces) == len(made.report.chosen) == len(made.report.face_quality) == 60
    (judgement,) = made.report.judgements
    assert len(judgement.before) == len(judgement.after["delivered"].found) == 60
    assert sum(judgement.after["delivered"].found) < sum(judgement.before) / 2
    for face in made.report.faces:
        rows, columns = face.box.pixels(264, 416)
        assert not torch.equal(made.after[..., rows, columns], made.before[..., rows, columns])


@pytest.mark.parametrize("size", [(128, 128), (101, 90)])
def test_a_face_that_fills_the_frame_and_more_is_worked_on(fresh: Models, size: tuple[int, int]) -> None:
    picture = torch.full((1, 3, *size), 0.5)
    picture[..., :96, :90] = drawn((96, 90), (0, 0), side=88, contrast=0.05)[..., :96, :90]
    models = with_toys(fresh, yunet=toy(max(size) * SIDE // 88))
    for box in (Box(0, 0, size[1], size[0]), Box(-40, -40, 300, 300)):
        made = protect(picture_of(coloured(picture)), models, dataclasses.replace(FEW, box=box))
        assert made.report.faces[0].box == Box(0, 0, size[1], size[0])
        assert made.after.shape == made.before.shape
        assert not torch.equal(made.after, made.before)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_grey_photo_stays_grey_in_its_own_kind_of_file(fresh: Models, mode: str) -> None:
    given = picture_of(drawn(SIZE, CORNER), mode)
    made = protect(given, with_toys(fresh, yunet=toy(192)), FEW)
    with Image.open(io.BytesIO(made.data)) as written:
        assert written.mode == mode
    assert (made.after[:, :1] == made.after).all()
    assert made.report.judgements[0].after["delivered"].found == (False,)


def test_a_photo_that_was_protected_before_has_no_face_and_the_sentence_says_what_to_do(fresh: Models) -> None:
    models = with_toys(fresh, yunet=toy(192))
    once = protect(picture_of(coloured(drawn(SIZE, CORNER))), models, FEW)
    assert once.report.judgements[0].after["delivered"].found == (False,)
    with pytest.raises(NoFace, match="no face was found; if there is one, draw a box around it: --box"):
        protect(decode(once.data), models, FEW)
    (face,) = once.report.faces
    twice = protect(decode(once.data), models, dataclasses.replace(FEW, box=face.box))
    assert notes(twice.report)["unseen_before"].endswith("even before: yunet; was this photo protected already?")
    assert "not_clean" not in notes(twice.report)


def test_of_a_photo_protected_from_some_the_note_names_those(fresh: Models) -> None:
    picture = picture_of(coloured(drawn(SIZE, CORNER)))
    once = protect(picture, with_toys(fresh, yunet=toy(192)), FEW)
    models = with_toys(fresh, yunet=toy(192), scrfd=dataclasses.replace(toy(192), threshold=0.1))
    twice = protect(decode(once.data), models, dataclasses.replace(FEW, detectors=("yunet", "scrfd")))
    assert "even before: yunet;" in notes(twice.report)["unseen_before"]


def test_where_the_ceiling_is_met_and_the_face_is_found_the_note_says_so_and_what_goes_further(fresh: Models) -> None:
    picture = picture_of(coloured(drawn(SIZE, CORNER, contrast=0.05)))
    made = protect(picture, with_toys(fresh, yunet=toy(192)), dataclasses.replace(FEW, strength=0.8, steps=24))
    assert made.report.judgements[0].after["delivered"].found == (True,)
    text = notes(made.report)["not_clean"]
    assert text.startswith("this one cannot be hidden cleanly: yunet still finds a face")
    assert "--preset strong or a larger strength" in text
    clean = protect(picture_of(coloured(drawn(SIZE, CORNER))), with_toys(fresh, yunet=toy(192)), FEW)
    assert "not_clean" not in notes(clean.report)


def test_a_change_that_may_be_seen_is_called_so(fresh: Models) -> None:
    picture = picture_of(coloured(drawn(SIZE, CORNER, contrast=0.05)))
    made = protect(picture, with_toys(fresh, yunet=toy(192)), dataclasses.replace(FEW, strength=4.0, steps=24))
    assert "times what is hardly seen; a smaller strength is fainter" in notes(made.report)["visible"]


def test_detectors_of_a_preset_that_are_not_here_are_named_as_missing(fresh: Models) -> None:
    models = with_toys(fresh, yunet=toy(192))
    report = protect(picture_of(coloured(drawn(SIZE, CORNER))), models, Options(steps=3, through="none")).report
    assert "mtcnn" in report.missing
    assert "yunet" not in report.missing


@pytest.mark.parametrize(
    ("changes", "kind", "sentence"),
    [
        ({"detectors": ("s3fd",)}, WeightsMissing, "none of s3fd is on the shelf; run: deepguard models pull"),
        ({"strength": 0.0}, OptionError, "strength 0 is outside 0 to 4; 1 is usual"),
        ({"strength": -0.5}, OptionError, "strength -0.5 is outside 0 to 4; 1 is usual"),
        ({"strength": 4.01}, OptionError, "strength 4.01 is outside 0 to 4; 1 is usual"),
        ({"strength": 400}, OptionError, "strength 400 is outside 0 to 4; 1 is usual"),
        ({"strength": math.nan}, OptionError, "strength nan is outside 0 to 4; 1 is usual"),
        ({"strength": math.inf}, OptionError, "strength inf is outside 0 to 4; 1 is usual"),
        ({"extra": {"reach": math.nan}}, OptionError, "reach is nan; it must be at least 0, and finite"),
    ],
)
def test_what_cannot_be_worked_with_is_refused_in_one_sentence_before_any_work(
    fresh: Models, changes: Mapping[str, object], kind: type[DeepguardError], sentence: str
) -> None:
    told: list[object] = []
    with pytest.raises(kind) as raised:
        protect(
            picture_of(coloured(drawn(SIZE, CORNER))),
            with_toys(fresh, yunet=toy(192)),
            dataclasses.replace(FEW, **changes),
            watch=told.append,
        )
    assert str(raised.value) == sentence
    assert told == []
