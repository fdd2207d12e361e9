"""What the single-shot detectors that FacePoison attacks promise, each with its real weights."""

import importlib

import numpy as np
import pytest
import torch
from torch.nn import functional

from deepguard.models.anchors import suppress
from deepguard.models.roles import detectors
from deepguard.types import Box

GOLDEN = {
    "retinaface": "retinaface-mobilenet0.25",
    "s3fd": "s3fd-mobilenetv2",
    "dsfd": "dsfd-light",
    "pyramidbox": "pyramidbox-lite",
}
STRIDES = {"retinaface": (8, 16, 32), "s3fd": (8, 16, 32), "dsfd": (8, 16, 32), "pyramidbox": (8, 8, 8)}
FACE = Box(178, 58, 272, 180)
"""The astronaut's face, in pixels of the 512x512 photo."""


@pytest.fixture(params=sorted(GOLDEN))
def name(request):
    return request.param


@pytest.fixture
def detector(name, stock):
    return detectors.create(name, stock(*detectors.entry(name).weights), torch.device("cpu"))


@pytest.fixture
def golden(name, shared):
    with np.load(shared / "models" / "golden" / f"{GOLDEN[name]}.npz") as file:
        return dict(file)


@pytest.fixture
def images(golden):
    return torch.from_numpy(golden["input_u8"]).flip(1).float() / 255


def best(detector, images, **options):
    faces = detector.detect(images, **options)[0]
    assert faces, "no face was found"
    return faces[0]


def test_raw_heads_equal_the_golden_ones(name, detector, golden, images):
    prepared = importlib.import_module(f"deepguard.models.detectors.{name}")._prepared
    with torch.no_grad():
        heads = detector.network.args[0](prepared(images))
    for key, head in zip(("raw_loc", "raw_conf", "raw_landm"), heads, strict=False):
        assert torch.allclose(head[0], torch.from_numpy(golden[key]), rtol=0, atol=1e-4), key


def test_detections_equal_the_golden_ones(detector, golden, images):
    with torch.no_grad():
        evidence = detector.evidence(images)
    scores = evidence.logits[0].sigmoid()
    sure = scores > float(golden["score_thr"])
    kept = suppress(evidence.boxes[0][sure], scores[sure], float(golden["nms_iou"]))
    assert int(sure.sum()) == int(golden["n_before_nms"])
    assert np.allclose(evidence.boxes[0][sure][kept], golden["det_boxes_xyxy"], rtol=0, atol=1e-2)
    assert np.allclose(scores[sure][kept], golden["det_scores"], rtol=0, atol=1e-5)
    if "det_landmarks" in golden:
        assert np.allclose(evidence.landmarks[0][sure][kept], golden["det_landmarks"], rtol=0, atol=1e-2)
    else:
        assert evidence.landmarks is None


def test_every_anchor_pulls_on_the_picture(detector, images):
    images.requires_grad_()
    evidence = detector.evidence(images)
    evidence.logits.logsumexp(dim=1).sum().backward()
    assert torch.isfinite(images.grad).all()
    assert images.grad.abs().max() > 0
    assert evidence.boxes.shape == (*evidence.logits.shape, 4)


def test_features_are_three_maps_with_gradient(name, detector, images):
    images.requires_grad_()
    maps = detector.features(images)
    assert [(320 / each.shape[-2], 320 / each.shape[-1]) for each in maps] == [(step, step) for step in STRIDES[name]]
    for each in maps:
        (gradient,) = torch.autograd.grad(each.square().mean(), images, retain_graph=True)
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() > 0


def test_the_astronaut_is_found(detector, astronaut):
    face = best(detector, astronaut)
    assert face.score > 0.9
    assert face.box.overlap(FACE) > 0.6


@pytest.mark.parametrize("scale", [0.4, 0.8])
def test_the_astronaut_is_found_at_other_scales_in_the_same_pixels(detector, astronaut, scale):
    assert best(detector, astronaut, scales=(scale,)).box.overlap(FACE) > 0.6


def test_a_face_of_20_pixels_is_found(detector, astronaut):
    factor = 20 / FACE.height
    small = functional.interpolate(astronaut, scale_factor=factor, mode="bilinear", antialias=True)
    picture = torch.full((1, 3, 480, 640), 0.45)
    picture[..., 300 : 300 + small.shape[-2], 400 : 400 + small.shape[-1]] = small
    assert best(detector, picture).box.overlap(FACE.scaled(factor).moved(400, 300)) > 0.5


@pytest.mark.parametrize("side", [130, 700])
def test_a_face_that_fills_the_frame_is_found(detector, astronaut, side):
    tight = FACE.grown(0.05)
    crop = astronaut[..., int(tight.top) : int(tight.bottom), int(tight.left) : int(tight.right)]
    factor = side / crop.shape[-2]
    large = functional.interpolate(crop, scale_factor=factor, mode="bicubic").clamp(0, 1)
    inside = FACE.moved(-int(tight.left), -int(tight.top)).scaled(factor)
    assert best(detector, large).box.overlap(inside) > 0.5


@pytest.mark.parametrize("size", [(1, 1), (33, 250), (301, 203)])
def test_pictures_of_any_size_are_judged(detector, astronaut, size):
    evidence = detector.evidence(astronaut[..., 60 : 60 + size[0], 150 : 150 + size[1]])
    assert torch.isfinite(evidence.logits).all()
    assert evidence.boxes.shape == (*evidence.logits.shape, 4)
    assert torch.isfinite(evidence.boxes).all()


def test_a_batch_of_two_equals_two_pictures(detector, astronaut):
    pair = torch.cat((astronaut[..., :256, 100:356], astronaut[..., 256:, :256]))
    together = detector.evidence(pair)
    for index, image in enumerate(pair):
        alone = detector.evidence(image[None])
        assert torch.allclose(together.logits[index], alone.logits[0], rtol=0, atol=1e-4)
        assert torch.allclose(together.boxes[index], alone.boxes[0], rtol=0, atol=1e-2)


def test_the_same_picture_gives_the_same_evidence_and_gradient(detector, images):
    runs = []
    for _ in range(2):
        leaf = images.clone().requires_grad_()
        logits = detector.evidence(leaf).logits
        logits.relu().sum().backward()
        runs.append((logits.detach(), leaf.grad))
    assert torch.equal(runs[0][0], runs[1][0])
    assert torch.equal(runs[0][1], runs[1][1])


def test_detection_leaves_the_picture_and_chance_alone(name, detector, stock, astronaut):
    before, state = astronaut.clone(), torch.get_rng_state()
    detector.detect(astronaut)
    detectors.create(name, stock(*detectors.entry(name).weights), torch.device("cpu"))
    assert torch.equal(before, astronaut)
    assert torch.equal(state, torch.get_rng_state())


def test_evidence_has_gradient_after_a_call_in_inference_mode(detector):
    size = (72, 88)  # no other test asks for these priors
    with torch.inference_mode():
        detector.evidence(torch.rand(1, 3, *size))
    images = torch.rand(1, 3, *size, requires_grad=True)
    detector.evidence(images).boxes.sum().backward()
    assert images.grad.abs().max() > 0


def test_nothing_in_the_network_is_left_to_train(detector):
    assert not any(parameter.requires_grad for parameter in detector.network.args[0].parameters())
