"""What the four detectors that come as ONNX files have in common."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from deepguard.models.anchors import suppress
from deepguard.models.detectors import scrfd, ultralight, yolo5face, yunet
from deepguard.models.roles import detectors
from deepguard.types import Box

GOLDEN = {
    "yolo5face": (yolo5face.WEIGHTS, "yolo5face-n0.5"),
    "scrfd": (scrfd.WEIGHTS, "scrfd-500m"),
    "yunet": (yunet.WEIGHTS, "yunet-n"),
    "ultralight": (ultralight.WEIGHTS, "ultralight-rfb640"),
}
FACE = Box(178, 58, 271, 178)
"""Where the astronaut's face is, as the four see it on average."""


@pytest.fixture(scope="module", params=GOLDEN)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def detector(name, stock):
    return detectors.create(name, stock(GOLDEN[name][0]), torch.device("cpu"))


def resized(images, height, width):
    return functional.interpolate(images, size=(height, width), mode="bilinear", antialias=True).clamp(0, 1)


def test_detections_equal_the_golden_ones(name, detector, shared):
    golden = np.load(shared / "models" / "golden" / f"{GOLDEN[name][1]}.npz")
    images = torch.from_numpy(golden["input_u8"]).float() / 255
    images = images.flip(1) if golden["channel_order"] == "BGR" else images
    with torch.no_grad():
        evidence = detector.evidence(images)
    found = evidence.logits[0].sigmoid() > float(golden["score_thr"])
    assert int(found.sum()) == int(golden["n_before_nms"])
    boxes, scores = evidence.boxes[0][found], evidence.logits[0][found].sigmoid()
    kept = suppress(boxes, scores, float(golden["nms_iou"]))
    np.testing.assert_allclose(boxes[kept], golden["det_boxes_xyxy"], atol=1e-2)
    np.testing.assert_allclose(scores[kept], golden["det_scores"], atol=1e-5)
    if name == "ultralight":
        assert evidence.landmarks is None
    else:
        np.testing.assert_allclose(evidence.landmarks[0][found][kept], golden["det_landmarks"], atol=1e-2)


@pytest.mark.parametrize("zoom", [0.5, 1.0, 2.0])
def test_the_astronaut_is_found_once_and_in_place(zoom, detector, astronaut):
    scales = tuple(zoom * scale for scale in detector.scales(512, 512))
    (faces,) = detector.detect(astronaut, scales=scales)
    assert [face.box.overlap(FACE) > 0.7 for face in faces] == [True]
    for x, y in faces[0].landmarks:
        assert FACE.left < x < FACE.right
        assert FACE.top < y < FACE.bottom


def test_landmarks_come_in_their_order(name, detector, astronaut):
    landmarks = detector.detect(astronaut)[0][0].landmarks
    if name == "ultralight":
        assert landmarks == ()
        return
    left_eye, right_eye, nose, left_mouth, right_mouth = landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_a_face_of_20_px_is_found(detector, astronaut):
    scale = 20 / FACE.height
    small = resized(astronaut, round(512 * scale), round(512 * scale))
    # on a canvas so large that the picture is not enlarged for the detector
    canvas = torch.full((1, 3, 400, 640), 0.5)
    canvas[..., 100 : 100 + small.shape[2], 300 : 300 + small.shape[3]] = small
    for images, place in ((small, FACE.scaled(scale)), (canvas, FACE.scaled(scale).moved(300, 100))):
        assert max(face.box.overlap(place) for face in detector.detect(images)[0]) > 0.5


@pytest.mark.parametrize("side", [150, 400, 1000])
@pytest.mark.parametrize("margin", [0.05, -0.05])
def test_a_face_that_fills_the_frame_is_found(side, margin, detector, astronaut):
    frame = FACE.grown(margin)
    crop = astronaut[..., round(frame.top) : round(frame.bottom), round(frame.left) : round(frame.right)]
    height, width = crop.shape[2:]
    images = resized(crop, side, round(side * width / height))
    place = FACE.moved(-frame.left, -frame.top).scaled(side / height)
    assert max(face.box.overlap(place) for face in detector.detect(images)[0]) > 0.5


def test_a_picture_without_a_face_gives_none(detector, astronaut):
    assert detector.detect(astronaut[..., 300:, 300:]) == [[]]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (33, 97), (150, 210)])
def test_evidence_takes_any_size_and_depends_on_the_picture(height, width, detector, astronaut):
    images = resized(astronaut[..., :320, 60:380], height, width).requires_grad_(True)
    evidence = detector.evidence(images)
    assert evidence.boxes.shape == (*evidence.logits.shape, 4)
    assert torch.isfinite(evidence.boxes).all()
    (gradient,) = torch.autograd.grad(evidence.logits.max(), images)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0


def test_each_pixel_under_the_face_has_a_gradient(detector, astronaut):
    images = astronaut[..., :320, 60:380].clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(detector.evidence(images).logits.amax(), images)
    assert (gradient[..., 70:170, 120:210].abs().amax(dim=1) > 0).float().mean() > 0.95


def test_a_small_step_changes_the_best_score_as_much_as_the_gradient_says(detector, astronaut):
    images = astronaut[..., :320, 60:380].clone().requires_grad_(True)
    evidence = detector.evidence(images).logits
    best = evidence.argmax()
    (gradient,) = torch.autograd.grad(evidence[0, best], images)
    with torch.no_grad():
        moved = detector.evidence(images - 0.02 * gradient / gradient.norm()).logits
        change = float(moved[0, best] - evidence[0, best])
    assert change == pytest.approx(-0.02 * float(gradient.norm()), rel=0.15)


def test_a_batch_gives_what_its_images_give_alone_and_again(detector, astronaut):
    images = torch.cat((astronaut[..., :200, 100:330], astronaut[..., :200, 100:330].flip(-1)))
    with torch.no_grad():
        both, again = detector.evidence(images), detector.evidence(images)
        alone = [detector.evidence(image[None]) for image in images]
    assert torch.equal(both.logits, again.logits)
    assert torch.equal(both.boxes, again.boxes)
    assert torch.allclose(both.logits, torch.cat([each.logits for each in alone]), atol=1e-3)
    assert torch.allclose(both.boxes, torch.cat([each.boxes for each in alone]), atol=1e-2, rtol=1e-4)


def test_weights_are_pinned_with_their_licence_and_source():
    for weights, _ in GOLDEN.values():
        assert len(weights.sha256) == 64
        assert weights.size > 0
        assert weights.licence
        assert all(url.startswith("https://") for url in weights.urls)
    assert {weights.file for weights, _ in GOLDEN.values() if weights.terms} == {"scrfd_500m_bnkps.onnx"}
