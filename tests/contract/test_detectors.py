"""What every detector of the registry promises, whoever wrote it: this file names none of them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from deepguard.models.roles import SAME, FaceDetector, detectors
from deepguard.types import Box, Face
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")
NAMES = detectors.names()

Make = Callable[[str], FaceDetector]


class Elsewhere(TorchFunctionMode):
    """Makes figures that name no device on another one, as they would be beside images on a GPU.

    Whole numbers stay: sizes and places are read on the CPU, and torch takes them from there as indices.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in _device_constructors() and (kwargs or {}).get("device") is None and result.is_floating_point():
            return result.to("meta")
        return result


@pytest.fixture(scope="module")
def make(stock: Callable[..., Shelf], empty_shelf: Shelf) -> Make:
    """Return a function that makes a detector once, and skips the test where its weights are not here."""
    made: dict[str, FaceDetector] = {}

    def create(name: str) -> FaceDetector:
        if name not in made:
            brought = [weights for weights in detectors.entry(name).weights if not weights.package]
            made[name] = detectors.create(name, stock(*brought) if brought else empty_shelf, CPU)
        return made[name]

    return create


@pytest.fixture(scope="module")
def views(astronaut: Tensor) -> Tensor:
    """Two views of 160 px, each with the face at about 50 px, elsewhere in each."""
    small = functional.interpolate(astronaut, scale_factor=0.55, mode="bilinear", antialias=True, align_corners=False)
    return torch.cat([small[:, :, 0:160, 40:200], small[:, :, 20:180, 90:250]])


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_pinned_licensed_and_described(name: str) -> None:
    entry = detectors.entry(name)
    assert len(entry.summary) > 20
    assert entry.weights
    for weights in entry.weights:
        # whom no hash protects must be brought by hand, and the user has read what is known of them
        pinned = re.fullmatch(r"[0-9a-f]{64}", weights.sha256) is not None and weights.size > 0
        assert pinned or (weights.terms and re.fullmatch(r"[0-9a-f]{10,64}|", weights.sha256))
        assert weights.licence
        assert weights.origin
        assert bool(weights.urls) or weights.package or weights.terms
        assert all(url.startswith("https://") for url in weights.urls)


def test_no_two_detectors_put_different_files_under_one_name() -> None:
    every = [weights for name in NAMES for weights in detectors.entry(name).weights]
    assert len({weights.file for weights in every}) == len(set(every))


@pytest.mark.parametrize("name", NAMES)
def test_threshold_floor_and_scales_make_sense(name: str, make: Make) -> None:
    detector = make(name)
    assert 0 < detector.threshold < 1
    assert detector.cost > 0
    assert detector.floor < math.log(detector.threshold / (1 - detector.threshold))
    for size in ((1, 1), (64, 48), (512, 512), (3000, 4000), (20, 2000)):
        scales = detector.scales(*size)
        assert scales
        assert all(0 < scale <= 2 for scale in scales)
        limits = detector.limits(*size)
        assert len(limits) == len(scales)
        assert limits[0][1] == math.inf
        assert limits[-1][0] == 0
        assert all(0 <= least < most for least, most in limits)
    assert max(detector.scales(3000, 4000)) < 1


@pytest.mark.parametrize("name", NAMES)
def test_evidence_has_the_promised_shapes_and_a_gradient_for_every_image(name: str, make: Make, views: Tensor) -> None:
    images = views.clone().requires_grad_()
    evidence = make(name).evidence(images)
    count = evidence.logits.shape[1]
    assert count > 0
    assert evidence.logits.shape == (2, count)
    assert evidence.boxes.shape == (2, count, 4)
    assert evidence.landmarks is None or evidence.landmarks.shape == (2, count, 5, 2)
    assert evidence.logits.isfinite().all()
    assert evidence.boxes.isfinite().all()
    evidence.logits.max(dim=1).values.sum().backward()
    assert images.grad is not None
    assert images.grad.isfinite().all()
    assert (images.grad.abs().amax(dim=(1, 2, 3)) > 0).all()


@pytest.mark.parametrize("size", [(33, 47), (64, 200)])
@pytest.mark.parametrize("name", NAMES)
def test_any_size_has_evidence(name: str, size: tuple[int, int], make: Make, astronaut: Tensor) -> None:
    evidence = make(name).evidence(functional.interpolate(astronaut, size=size))
    assert evidence.logits.isfinite().all()
    assert evidence.boxes.shape == (*evidence.logits.shape, 4)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_images_give_the_same_evidence_and_gradient(name: str, make: Make, views: Tensor) -> None:
    def once() -> tuple[Tensor, Tensor]:
        images = views.clone().requires_grad_()
        logits = make(name).evidence(images).logits
        return logits, torch.autograd.grad(logits.max(dim=1).values.sum(), images)[0]

    before = torch.get_rng_state()
    first, second = once(), once()
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_judged_as_its_images_are_alone(name: str, make: Make, views: Tensor) -> None:
    detector = make(name)
    together = detector.evidence(views).logits.max(dim=1).values
    alone = torch.cat([detector.evidence(each[None]).logits.max(dim=1).values for each in views])
    assert torch.allclose(together, alone, atol=2e-3)
    found = detector.detect(views)
    for faces, each in zip(found, views, strict=True):
        (others,) = detector.detect(each[None])
        assert len(faces) == len(others)
        assert all(face.box.overlap(other.box) > 0.99 for face, other in zip(faces, others, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_images_are_left_as_they_were(name: str, make: Make, views: Tensor) -> None:
    before = views.clone()
    make(name).detect(views)
    make(name).evidence(views)
    assert torch.equal(views, before)


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_made_where_the_images_are(name: str, make: Make, views: Tensor) -> None:
    detector = make(name)
    with Elsewhere():
        evidence = detector.evidence(views)
        found = detector.detect(views)
    assert evidence.logits.device == evidence.boxes.device == views.device
    assert torch.equal(evidence.logits, detector.evidence(views).logits)
    assert found == detector.detect(views)


@pytest.mark.parametrize("name", NAMES)
def test_the_sample_photos_one_face_is_found_in_its_place(name: str, make: Make, astronaut: Tensor) -> None:
    detector = make(name)
    (faces,) = detector.detect(astronaut)
    assert len(faces) == 1
    (face,) = faces
    assert detector.threshold < face.score <= 1
    # its published detectors put the edges within some 15 px of this
    assert abs(face.box.left - 178) < 15
    assert abs(face.box.right - 269) < 15
    assert abs(face.box.top - 62) < 15
    assert abs(face.box.bottom - 177) < 15
    assert len(face.landmarks) in {0, 5}
    if face.landmarks:
        (eye, _), (other_eye, _), (nose, nose_down), (mouth, mouth_down), (other_mouth, _) = face.landmarks
        assert eye < nose < other_eye
        assert mouth < other_mouth
        assert nose_down < mouth_down


@pytest.mark.parametrize("name", NAMES)
def test_the_evidence_of_a_view_says_what_detection_finds_in_it(name: str, make: Make, views: Tensor) -> None:
    detector = make(name)
    for scale in (1.0, 2.0):
        size = [round(160 * scale)] * 2
        seen = functional.interpolate(views, size=size, mode="bilinear", align_corners=False)
        best = detector.evidence(seen).logits.max(dim=1).values.sigmoid()
        found = detector.detect(views, scales=(scale,))
        assert [bool(faces) for faces in found] == (best > detector.threshold).tolist()


@pytest.mark.parametrize("name", NAMES)
def test_a_lower_threshold_never_finds_less_and_the_best_comes_first(name: str, make: Make, views: Tensor) -> None:
    detector = make(name)
    for usual, low in zip(detector.detect(views), detector.detect(views, threshold=0.1), strict=True):
        assert len(low) >= len(usual)
        scores = [face.score for face in low]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("scale", [None, 0.5, 1.2])
@pytest.mark.parametrize("name", NAMES)
def test_who_is_asked_about_one_face_says_of_it_what_is_said_of_the_whole_picture(
    name: str, scale: float | None, make: Make, astronaut: Tensor
) -> None:
    detector = make(name)
    picture = torch.full((1, 3, 700, 1100), 0.4)
    picture[..., 150:662, 500:1012] = astronaut
    picture[..., 20:260, 30:270] = astronaut[..., :240, 100:340]
    asked = Box(681, 210, 768, 325)
    scales = None if scale is None else (scale,)

    def told(near: list[Box] | None) -> list[Face]:
        (faces,) = detector.detect(picture, threshold=0.1, scales=scales, near=near)
        return [face for face in faces if face.box.overlap(asked) >= SAME]

    whole, near = told(None), told([asked])
    assert len(whole) == len(near) >= 1
    for one, other in zip(whole, near, strict=True):
        assert one.box.overlap(other.box) > 0.6  # where anchors are spread over the picture, a window's lie elsewhere
        assert logit(one.score) == pytest.approx(logit(other.score), abs=0.05)
    assert detector.detect(picture, near=[]) == [[]]


def logit(score: float) -> float:
    return math.log(score / max(1 - score, 1e-6))


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_of_one_colour_holds_no_face(name: str, make: Make) -> None:
    plain = torch.stack([torch.full((3, 96, 128), level) for level in (0.0, 0.5, 1.0)])
    assert make(name).detect(plain) == [[], [], []]
