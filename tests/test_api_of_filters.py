"""Photo filters on the way through the library."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from deepguard.api import Models, Options, find, load_models, protect, protecting
from deepguard.filters.photo import Filters, apply
from deepguard.media.picture import Picture
from deepguard.media.read import decode
from deepguard.types import Box
from deepguard.weights.shelf import Shelf

FEW = Options(detectors=("mtcnn",), steps=1, through="none")
WARM = Filters(brightness=0.2, contrast=-0.1, saturation=0.3, warmth=0.5, sharpen=0.2)


@pytest.fixture(scope="module")
def models(empty_shelf: Shelf) -> Models:
    return load_models(empty_shelf, torch.device("cpu"))


@pytest.fixture(scope="module")
def face(astronaut: Tensor) -> Tensor:
    """200 x 220 pixels with one face in the middle."""
    return astronaut[..., 20:220, 110:330]


@pytest.fixture(scope="module")
def friends(face: Tensor) -> Picture:
    """The same face twice, side by side."""
    return picture_of(torch.cat((face, face), dim=3))


def picture_of(images: Tensor) -> Picture:
    pixels = (images[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return decode(buffer.getvalue())


def with_filters(filters: Filters, **more: object) -> Options:
    return dataclasses.replace(FEW, filters=filters, **more)


def test_what_is_called_before_is_the_filtered_photo_and_only_protection_differs(face: Tensor, models: Models) -> None:
    picture = picture_of(face)
    made = protect(picture, models, with_filters(WARM, extra={"epsilon": 4 / 255}))
    assert torch.equal(made.before, apply(picture.images, WARM))
    assert made.report.filters == WARM
    change = (made.after - made.before).abs()
    assert 0 < change.max() <= 4 / 255 + 0.5 / 255 + 1e-6
    assert change[..., :12].max() == 0
    assert made.report.input.sha256 == picture.sha256


def test_faces_are_searched_in_the_photo_as_given_so_that_numbers_keep_their_meaning(
    face: Tensor, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[Tensor] = []
    survey = protecting.survey
    monkeypatch.setattr(protecting, "survey", lambda images, *rest: searched.append(images) or survey(images, *rest))
    picture = picture_of(face)
    protect(picture, models, with_filters(WARM))
    assert torch.equal(searched[0], picture.images)


def test_a_face_that_is_not_chosen_is_blurred_so_that_a_detector_loses_it(friends: Picture, models: Models) -> None:
    made = protect(friends, models, with_filters(Filters(blur_others=True), faces=(2,)))
    assert len(made.report.faces) == 2
    assert made.report.chosen == (2,)
    (found,) = models.detectors["mtcnn"].detect(made.before)
    assert [each.box.left > 220 for each in found] == [True]
    assert torch.equal(made.before[..., 220:], friends.images[..., 220:])
    assert any(note.code == "blurred_faces" and note.count == 1 for note in made.report.notes)


def test_nobody_is_blurred_unless_asked_for_or_where_all_are_protected(friends: Picture, models: Models) -> None:
    for options in (dataclasses.replace(FEW, faces=(2,)), with_filters(Filters(blur_others=True))):
        made = protect(friends, models, options)
        assert torch.equal(made.before, friends.images)
        assert not any(note.code == "blurred_faces" for note in made.report.notes)


def test_with_a_drawn_box_every_face_that_does_not_touch_it_is_blurred(friends: Picture, models: Models) -> None:
    box = Box(280, 60, 340, 150)
    made = protect(friends, models, with_filters(Filters(blur_others=True), box=box))
    assert torch.equal(made.before[..., 220:], friends.images[..., 220:])
    assert not torch.equal(made.before[..., :220], friends.images[..., :220])
    alone = protect(friends, models, with_filters(Filters(), box=box))
    assert torch.equal(alone.before, friends.images)


def test_a_face_too_small_to_be_protected_is_blurred_with_the_others(
    friends: Picture, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = min(find(friends, models), key=lambda found: found.face.box.left).face
    monkeypatch.setattr(protecting, "_side", lambda face: 5.0 if face == left else 100.0)
    made = protect(friends, models, with_filters(Filters(blur_others=True)))
    assert made.report.chosen == (2,)
    assert not torch.equal(made.before[..., :220], friends.images[..., :220])
    assert not any(note.code == "small_faces" for note in made.report.notes)
    asked = protect(friends, models, with_filters(Filters(blur_others=True), faces=(1, 2)))
    assert torch.equal(asked.before, friends.images)
    assert any(note.code == "small_faces" for note in asked.report.notes)


def test_a_grey_photo_stays_grey_and_says_what_was_left_out(face: Tensor, models: Models) -> None:
    grey = face.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    made = protect(picture_of(grey), models, with_filters(Filters(brightness=0.2, warmth=1)))
    assert torch.equal(made.before[:, 0], made.before[:, 2])
    assert (made.after[:, :1] == made.after).all()
    assert any(note.code == "grey" for note in made.report.notes)
