from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from deepguard.models.anchors import overlaps
from deepguard.models.detectors import mtcnn as module
from deepguard.models.detectors.mtcnn import Mtcnn
from deepguard.models.roles import detectors
from deepguard.types import Box
from deepguard.weights.formats.state import load_state
from deepguard.weights.shelf import Shelf

FACE = torch.tensor([181.0, 60.0, 268.0, 175.0])


@pytest.fixture(scope="module")
def detector(empty_shelf: Shelf) -> Mtcnn:
    made = detectors.create("mtcnn", empty_shelf, torch.device("cpu"))
    assert isinstance(made, Mtcnn)
    return made


def shrunk(images: Tensor, factor: float) -> Tensor:
    return functional.interpolate(images, scale_factor=factor, mode="bilinear", antialias=True, align_corners=False)


def test_it_is_available_with_an_empty_shelf(empty_shelf: Shelf) -> None:
    assert "mtcnn" in detectors.available(empty_shelf)


def test_the_sample_photo_has_one_face_in_its_place(detector: Mtcnn, astronaut: Tensor) -> None:
    (faces,) = detector.detect(astronaut)
    assert len(faces) == 1
    box = faces[0].box
    found = torch.tensor([[box.left, box.top, box.right, box.bottom]])
    assert overlaps(FACE, found).item() > 0.9
    assert faces[0].score > 0.99


def test_landmarks_are_eyes_nose_and_mouth_from_the_pictures_left(detector: Mtcnn, astronaut: Tensor) -> None:
    eye, other_eye, nose, mouth, other_mouth = detector.detect(astronaut)[0][0].landmarks
    # read off the picture by eye
    for point, place in [(eye, (204, 102)), (other_eye, (247, 104)), (nose, (224, 127)), (mouth, (202, 139))]:
        assert math.dist(point, place) < 6
    assert math.dist(other_mouth, (245, 142)) < 6


@pytest.mark.parametrize("width", [20, 30, 60])
def test_a_small_face_is_found(detector: Mtcnn, astronaut: Tensor, width: int) -> None:
    factor = width / 87
    (faces,) = detector.detect(shrunk(astronaut, factor))
    assert len(faces) == 1
    box = faces[0].box
    found = torch.tensor([[box.left, box.top, box.right, box.bottom]])
    assert overlaps(FACE * factor, found).item() > 0.75


def test_a_face_that_fills_the_picture_is_found(detector: Mtcnn, astronaut: Tensor) -> None:
    close = functional.interpolate(astronaut[:, :, 55:180, 175:272], size=(800, 620), mode="bilinear")
    (faces,) = detector.detect(close)
    assert len(faces) == 1
    assert faces[0].box.width > 480


def test_plain_pictures_hold_no_face(detector: Mtcnn, rng: torch.Generator) -> None:
    plain = torch.cat([torch.full((1, 3, 90, 120), level) for level in (0.0, 0.5, 1.0)])
    noise = torch.rand(1, 3, 90, 120, generator=rng)
    assert detector.detect(torch.cat([plain, noise])) == [[], [], [], []]


def test_large_pictures_are_looked_at_smaller_and_small_ones_as_they_are(detector: Mtcnn) -> None:
    assert detector.scales(3000, 4000) == (0.16, 0.32)
    assert detector.scales(400, 300) == (1.0,)


def test_a_larger_scale_finds_a_face_that_is_too_small_otherwise(detector: Mtcnn, astronaut: Tensor) -> None:
    tiny = shrunk(astronaut, 10 / 87)
    assert detector.detect(tiny) == [[]]
    (faces,) = detector.detect(tiny, scales=(4.0,))
    assert faces[0].box.left == pytest.approx(181 * 10 / 87, abs=1.5)


def test_a_face_seen_at_several_scales_is_one_face(detector: Mtcnn, astronaut: Tensor) -> None:
    (faces,) = detector.detect(astronaut, scales=(0.5, 1.0, 1.5))
    assert len(faces) == 1
    assert faces[0].box.left == pytest.approx(181, abs=5)


@pytest.mark.parametrize("side", [64, 100, 180, 300, 512])
@pytest.mark.parametrize("noise", [0.0, 0.1, 0.2])
def test_evidence_and_detection_agree_at_every_threshold_up_to_the_detectors_own(
    detector: Mtcnn, astronaut: Tensor, rng: torch.Generator, side: int, noise: float
) -> None:
    view = shrunk(astronaut, side / 512)
    view = (view + noise * torch.randn(view.shape, generator=rng)).clamp(0, 1)
    best = detector.evidence(view).logits.max().sigmoid().item()
    for threshold in (0.7, 0.5, 0.3, 0.1):
        assert bool(detector.detect(view, threshold=threshold)[0]) == (best > threshold)


def test_a_higher_threshold_holds_for_the_last_stage(detector: Mtcnn, astronaut: Tensor) -> None:
    score = detector.detect(astronaut)[0][0].score
    assert len(detector.detect(astronaut, threshold=score - 1e-6)[0]) == 1
    assert detector.detect(astronaut, threshold=score + 1e-6) == [[]]


def test_the_best_evidence_lies_on_the_face(detector: Mtcnn, astronaut: Tensor) -> None:
    evidence = detector.evidence(astronaut)
    best = evidence.logits[0].argmax()
    assert overlaps(FACE, evidence.boxes[0, best][None]).item() > 0.8
    assert evidence.landmarks is not None
    assert math.dist(evidence.landmarks[0, best, 2].tolist(), (224, 127)) < 8


def test_a_margin_is_the_weakest_stages_and_its_gradient_reaches_both() -> None:
    earlier = torch.tensor([3.0, -1.0, -20.0, 8.0], requires_grad=True)
    later = torch.tensor([-2.0, 5.0, 1.0, 8.0], requires_grad=True)
    margin = module._weakest(earlier, later)
    assert torch.allclose(margin, torch.minimum(earlier, later), atol=1e-5)
    margin.sum().backward()
    assert earlier.grad is not None
    assert later.grad is not None
    assert torch.allclose(earlier.grad + later.grad, torch.ones(4))
    assert torch.equal(earlier.grad > later.grad, torch.tensor([False, True, True, False]))


def test_signed_steps_down_the_evidence_hide_the_face_from_detection(detector: Mtcnn, astronaut: Tensor) -> None:
    clean = astronaut[:, :, 20:220, 130:320]
    assert detector.detect(clean)[0]
    view, mean = clean, torch.zeros_like(clean)
    for step in range(30):
        leaf = view.clone().requires_grad_()
        above = (detector.evidence(leaf).logits - detector.floor).clamp(min=0).pow(4).sum()
        (gradient,) = torch.autograd.grad(above, leaf)
        mean = mean / 2 + gradient / gradient.abs().mean()
        size = 2 / 255 * (1 - 0.7 * step / 30)
        view = (view - size * mean.sign()).clamp(clean - 12 / 255, clean + 12 / 255).clamp(0, 1)
    assert detector.detect(view) == [[]]


@pytest.mark.parametrize("size", [(12, 12), (13, 40), (21, 12), (97, 64)])
def test_any_size_from_twelve_pixels_on_has_evidence_with_a_gradient(
    detector: Mtcnn, astronaut: Tensor, size: tuple[int, int]
) -> None:
    view = functional.interpolate(astronaut[:, :, 40:200, 150:300], size=size).requires_grad_()
    evidence = detector.evidence(view)
    evidence.logits.max().backward()
    assert view.grad is not None
    assert view.grad.isfinite().all()
    assert view.grad.abs().max() > 0


def test_a_batch_is_judged_as_its_images_are_alone(detector: Mtcnn, astronaut: Tensor) -> None:
    corners = [(0, 100), (200, 100), (0, 120)]
    batch = torch.cat([astronaut[:, :, top : top + 200, left : left + 200] for top, left in corners])
    together = detector.detect(batch)
    alone = [detector.detect(each[None])[0] for each in batch]
    assert [len(faces) for faces in together] == [1, 0, 1]
    for faces, others in zip(together, alone, strict=True):
        for face, other in zip(faces, others, strict=True):
            assert face.score == pytest.approx(other.score, abs=1e-4)
            assert face.box.overlap(other.box) > 0.999
    joint = detector.evidence(batch).logits.max(dim=1).values
    singles = torch.stack([detector.evidence(each[None]).logits.max() for each in batch])
    assert torch.allclose(joint, singles, atol=1e-3)


def test_a_face_that_passes_only_at_a_lower_threshold_scores_below_the_detectors_own(
    detector: Mtcnn, astronaut: Tensor, rng: torch.Generator
) -> None:
    weak = 0
    for noise in (0.1, 0.15, 0.2, 0.25, 0.3):
        view = (astronaut + noise * torch.randn(astronaut.shape, generator=rng)).clamp(0, 1)
        usual, low = detector.detect(view)[0], detector.detect(view, threshold=0.1)[0]
        sure = [face for face in low if face.score > detector.threshold]
        assert all(one.box.overlap(other.box) > 0.99 for one, other in zip(sure, usual, strict=True))
        weak += len(low) - len(usual)
    assert weak > 0


@pytest.mark.parametrize("corner", [(0, 0), (700, 333), (1101, 603)])
def test_a_window_about_a_face_gives_what_the_whole_picture_gives(
    detector: Mtcnn, astronaut: Tensor, corner: tuple[int, int]
) -> None:
    picture = torch.full((1, 3, 800, 1300), 0.5)
    face = astronaut[:, :, 20:217, 130:329]
    left, top = corner
    picture[..., top : top + 197, left : left + 199] = face
    (whole,) = detector.detect(picture)[0]
    asked = Box(left + 50, top + 40, left + 140, top + 155)
    (near,) = detector.detect(picture, near=[asked])[0]
    assert near.box.overlap(whole.box) > 0.999
    assert near.score == pytest.approx(whole.score, abs=1e-5)
    assert detector.detect(picture, near=[Box(300, 500, 400, 600)]) == [[]]
    assert detector.detect(picture, near=[]) == [[]]


@pytest.mark.parametrize(
    ("name", "pools", "side"),
    [("pnet", (2, 0, 0), 12), ("rnet", (3, 3, 0), 24), ("onet", (3, 3, 2, 0), 48)],
)
def test_the_package_holds_the_networks_of_the_torch_port(
    detector: Mtcnn, shared: Path, rng: torch.Generator, name: str, pools: tuple[int, ...], side: int
) -> None:
    state = load_state(shared / "models" / "mtcnn" / f"{name}.pt")
    network = {"pnet": detector.proposal, "rnet": detector.refinement, "onet": detector.output}[name]
    inputs = torch.rand(4, 3, side, side, generator=rng) * 2 - 1
    assert torch.allclose(network(inputs).flatten(1), port(state, inputs, pools), atol=1e-4)


def port(state: dict[str, Tensor], inputs: Tensor, pools: tuple[int, ...]) -> Tensor:
    """Evaluate the torch port's weights: its dense layers read columns before rows before channels."""
    values = inputs
    for number, pool in enumerate(pools, start=1):
        values = functional.conv2d(values, state[f"conv{number}.weight"], state[f"conv{number}.bias"])
        values = functional.prelu(values, state[f"prelu{number}.weight"])
        values = functional.max_pool2d(values, pool, 2, ceil_mode=True) if pool else values
    if "conv4_1.weight" in state:
        heads = [(state[f"conv4_{head}.weight"], state[f"conv4_{head}.bias"]) for head in (2, 1)]
        return torch.cat([functional.conv2d(values, *head) for head in heads], dim=1).flatten(1)
    layer = len(pools) + 1
    values = values.permute(0, 3, 2, 1).flatten(1)
    values = functional.linear(values, state[f"dense{layer}.weight"], state[f"dense{layer}.bias"])
    values = functional.prelu(values, state[f"prelu{layer}.weight"])
    names = [f"dense{layer + 1}_{head}" for head in (2, 3, 1)]
    heads = [(state[f"{each}.weight"], state[f"{each}.bias"]) for each in names if f"{each}.bias" in state]
    return torch.cat([functional.linear(values, *head) for head in heads], dim=1)
