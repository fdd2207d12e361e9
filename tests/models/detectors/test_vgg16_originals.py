"""The three VGG16 originals, with files of the right layout whose numbers are made up: nobody may hand out the real."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from deepguard.errors import WeightsCorrupt
from deepguard.models import vgg
from deepguard.models.anchors import AnchorDetector
from deepguard.models.detectors import dsfd_vgg16, pyramidbox_vgg16, s3fd_vgg16
from deepguard.models.roles import detectors
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")
NAMES = ("s3fd-vgg16", "dsfd-vgg16", "pyramidbox-vgg16")

BASE = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256)}
BASE |= {17: (512, 256), 19: (512, 512), 21: (512, 512), 24: (512, 512), 26: (512, 512), 28: (512, 512)}
EXTRAS = ((256, 1024, 1), (512, 256, 3), (128, 512, 1), (256, 128, 3))
MAPS = (256, 512, 512, 1024, 512, 256)

Shapes = dict[str, tuple[int, ...]]


def convolution(name: str, outputs: int, inputs: int, side: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs, side, side), f"{name}.bias": (outputs,)}


def vgg_shapes() -> Shapes:
    shapes: Shapes = {}
    for number, (outputs, inputs) in BASE.items():
        shapes |= convolution(f"vgg.{number}", outputs, inputs, 3)
    shapes |= convolution("vgg.31", 1024, 512, 3) | convolution("vgg.33", 1024, 1024, 1)
    for index, extra in enumerate(EXTRAS):
        shapes |= convolution(f"extras.{index}", *extra)
    return shapes


def s3fd_shapes() -> Shapes:
    """The file of face-alignment: Caffe's names."""
    blocks = ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3))
    names = [f"conv{block}_{layer + 1}" for block, count in blocks for layer in range(count)]
    shapes: Shapes = {}
    for name, (outputs, inputs) in zip(names, BASE.values(), strict=True):
        shapes |= convolution(name, outputs, inputs, 3)
    shapes |= convolution("fc6", 1024, 512, 3) | convolution("fc7", 1024, 1024, 1)
    for name, extra in zip(("conv6_1", "conv6_2", "conv7_1", "conv7_2"), EXTRAS, strict=True):
        shapes |= convolution(name, *extra)
    maps = ("conv3_3_norm", "conv4_3_norm", "conv5_3_norm", "fc7", "conv6_2", "conv7_2")
    shapes |= {f"{name}.weight": (width,) for name, width in zip(maps[:3], MAPS[:3], strict=True)}
    for name, width, classes in zip(maps, MAPS, (4, 2, 2, 2, 2, 2), strict=True):
        shapes |= convolution(f"{name}_mbox_conf", classes, width, 3) | convolution(f"{name}_mbox_loc", 4, width, 3)
    return shapes


def dsfd_shapes() -> Shapes:
    shapes = vgg_shapes()
    for index, width in enumerate(MAPS[:3], start=1):
        shapes |= {f"L2Normof{index}.weight": (width,), f"L2Normef{index}.weight": (width,)}
    for index, width in enumerate((256, 512, 1024, 512, 512, 256)):
        shapes |= convolution(f"fpn_topdown.{index}", width, (256, 256, 512, 1024, 512, 512)[index], 1)
    for index, width in enumerate((512, 1024, 512, 512, 256)):
        shapes |= convolution(f"fpn_latlayer.{index}", width, width, 1)
    for index, (width, third, rest) in enumerate(
        [(256, 85, 86), (512, 170, 172), (512, 170, 172), (1024, 341, 342), (512, 170, 172), (256, 85, 86)]
    ):
        name = f"fpn_fem.{index}"
        shapes |= convolution(f"{name}.branch1", third, width, 3)
        shapes |= convolution(f"{name}.branch2.0", third, width, 3) | convolution(f"{name}.branch2.2", third, third, 3)
        shapes |= convolution(f"{name}.branch3.0", rest, width, 3)
        shapes |= convolution(f"{name}.branch3.2", rest, rest, 3) | convolution(f"{name}.branch3.4", rest, rest, 3)
    for shot in ("pal1", "pal2"):
        for index, width in enumerate(MAPS):
            shapes |= convolution(f"loc_{shot}.{index}", 4, width, 3) | convolution(f"conf_{shot}.{index}", 2, width, 3)
    return shapes


def pyramidbox_shapes() -> Shapes:
    shapes = vgg_shapes()
    shapes |= {"L2Norm3_3.weight": (256,), "L2Norm4_3.weight": (512,), "L2Norm5_3.weight": (512,)}
    for index, (inputs, outputs) in enumerate([(1024, 512), (512, 512), (512, 256)]):
        shapes |= convolution(f"lfpn_topdown.{index}", outputs, inputs, 1)
        shapes |= convolution(f"lfpn_later.{index}", outputs, outputs, 1)
    for index, width in enumerate(MAPS):
        branches = {"1": (1024, width, 1), "2a": (256, width, 1), "2b": (256, 256, 3), "2c": (1024, 256, 1)}
        for name, layer in branches.items():
            branch = f"cpm.{index}.branch{name}"
            shapes |= convolution(f"{branch}.conv1", *layer)
            parts = ("weight", "bias", "running_mean", "running_var")
            shapes |= {f"{branch}.bn1.{part}": (layer[0],) for part in parts}
        views = {"1": (256, 1024), "dimred": (128, 1024), "2": (128, 128), "3a": (128, 128), "3b": (128, 128)}
        for name, view in views.items():
            shapes |= convolution(f"cpm.{index}.ssh_{name}", *view, 3)
        shapes |= convolution(f"loc_layers.{index}", 8, 512, 3)
        shapes |= convolution(f"conf_layers.{index}", 6 if index else 8, 512, 3)
    return shapes


SHAPES: dict[str, Callable[[], Shapes]] = {
    "s3fd-vgg16": s3fd_shapes,
    "dsfd-vgg16": dsfd_shapes,
    "pyramidbox-vgg16": pyramidbox_shapes,
}


def empty(shapes: Shapes) -> dict[str, Tensor]:
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def made_up(shapes: Shapes, rng: torch.Generator) -> dict[str, Tensor]:
    """Return kernels that treat all inputs alike, so that the file is small; features keep their size."""
    state = {}
    for name, shape in shapes.items():
        if len(shape) == 4:
            outputs, inputs, *sides = shape
            kernel = torch.randn(outputs, 1, *sides, generator=rng) / inputs
            state[name] = kernel.expand(shape)
        else:
            state[name] = torch.full((1,), 0.1 if name.endswith("bias") else 1.0).expand(shape)
    return state


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    rng = torch.Generator().manual_seed(5)
    folder = tmp_path_factory.mktemp("originals")
    found = {name: folder / f"{name}.pth" for name in NAMES}
    for name, file in found.items():
        torch.save(made_up(SHAPES[name](), rng), file)
    return found


@pytest.fixture(scope="module")
def made(files: dict[str, Path]) -> dict[str, AnchorDetector]:
    found = {}
    for name, file in files.items():
        detector = detectors.entry(name).factory([file], CPU)
        assert isinstance(detector, AnchorDetector)
        found[name] = detector
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_the_user_brings_is_taken_and_loads(name: str, files: dict[str, Path], tmp_path: Path) -> None:
    (weights,) = detectors.entry(name).weights
    pinned = replace(weights, sha256=hashlib.sha256(files[name].read_bytes()).hexdigest())
    place = Shelf(tmp_path / "shelf").take(files[name], pinned)
    assert isinstance(detectors.entry(name).factory([place], CPU), AnchorDetector)


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        (s3fd_vgg16.Network, s3fd_vgg16._renamed(empty(s3fd_shapes()))),
        (dsfd_vgg16.Network, empty(dsfd_shapes())),
        (pyramidbox_vgg16.Network, empty(pyramidbox_shapes())),
    ],
)
def test_the_layers_are_those_of_the_published_file(kind: type[nn.Module], shapes: dict[str, Tensor]) -> None:
    with torch.device("meta"):
        state = kind().state_dict()
    found = {name: tuple(value.shape) for name, value in state.items() if not name.endswith("num_batches_tracked")}
    assert found == {name: tuple(value.shape) for name, value in shapes.items()}


def test_s3fds_numbers_fill_the_published_files_89_megabytes() -> None:
    count = sum(torch.Size(shape).numel() for shape in s3fd_shapes().values())
    assert 89_000_000 < 4 * count < 90_000_000


@pytest.mark.parametrize("name", NAMES)
def test_another_networks_file_is_refused_with_one_sentence(name: str, files: dict[str, Path]) -> None:
    other = NAMES[NAMES.index(name) - 1]
    with pytest.raises(WeightsCorrupt, match="bring the file that its origin names"):
        detectors.entry(name).factory([files[other]], CPU)


@pytest.mark.parametrize("name", NAMES)
def test_a_training_checkpoint_is_refused_with_one_sentence(name: str, tmp_path: Path) -> None:
    torch.save({"epoch": 3, "weight": made_up({"vgg.0.bias": (64,)}, torch.Generator())}, tmp_path / "checkpoint.pth")
    with pytest.raises(WeightsCorrupt, match="something else than one dict of tensors"):
        detectors.entry(name).factory([tmp_path / "checkpoint.pth"], CPU)


@pytest.mark.parametrize(
    ("name", "maps"),
    [
        # S3FD's fc7 map is four cells wider: its fc6 pads by 3 and is not dilated
        ("s3fd-vgg16", [(24, 32), (12, 16), (6, 8), (7, 8), (4, 4), (2, 2)]),
        ("dsfd-vgg16", [(24, 32), (12, 16), (6, 8), (3, 4), (2, 2), (1, 1)]),
        ("pyramidbox-vgg16", [(24, 32), (12, 16), (6, 8), (3, 4), (2, 2), (1, 1)]),
    ],
)
def test_every_cell_of_six_maps_has_evidence_with_a_gradient(
    name: str, maps: list[tuple[int, int]], made: dict[str, AnchorDetector], rng: torch.Generator
) -> None:
    images = torch.rand(2, 3, 90, 120, generator=rng).requires_grad_()
    evidence = made[name].evidence(images)
    count = sum(rows * columns for rows, columns in maps)
    assert evidence.logits.shape == (2, count)
    assert evidence.boxes.shape == (2, count, 4)
    assert evidence.logits.isfinite().all()
    evidence.logits.sum().backward()
    assert images.grad is not None
    assert images.grad.isfinite().all()
    assert (images.grad.abs().amax(dim=(1, 2, 3)) > 0).all()


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("s3fd-vgg16", [(128, 32, 48), (256, 8, 12), (1024, 6, 7)]),
        ("dsfd-vgg16", [(128, 32, 48), (256, 8, 12), (1024, 2, 3)]),
        ("pyramidbox-vgg16", [(256, 16, 24), (512, 8, 12), (512, 4, 6)]),
    ],
)
def test_the_features_are_those_that_facepoison_attacks(
    name: str, shapes: list[tuple[int, int, int]], made: dict[str, AnchorDetector], rng: torch.Generator
) -> None:
    features = made[name].features(torch.rand(1, 3, 64, 96, generator=rng))
    assert [tuple(each.shape[1:]) for each in features] == shapes
    assert all((each >= 0).all() for each in features)


def test_making_a_network_leaves_torchs_global_chance_alone(files: dict[str, Path]) -> None:
    before = torch.get_rng_state()
    detectors.entry("dsfd-vgg16").factory([files["dsfd-vgg16"]], CPU)
    assert torch.equal(torch.get_rng_state(), before)


def test_heads_are_decoded_about_the_middle_of_their_cells() -> None:
    maps = [(4, 6), (2, 3), (1, 2), (1, 1), (1, 1), (1, 1)]
    offsets = [torch.zeros(1, 4, *size) for size in maps]
    logits = [torch.zeros(1, 2, *size) for size in maps]
    logits[1][0, :, 1, 2] = torch.tensor([-1.0, 2.5])
    offsets[1][0, :, 1, 2] = torch.tensor([1.0, -1.0, 0.0, 5.0])
    evidence = vgg.decoded(offsets, logits)
    best = int(evidence.logits[0].argmax())
    assert best == 4 * 6 + 1 * 3 + 2
    assert evidence.logits[0, best].item() == 3.5
    # step 8: centre (20, 12), side 32; 0.1 of a side to the right and up, and e times as high
    half = 16 * torch.tensor(1.0).exp()
    expected = torch.tensor([23.2 - 16, 8.8 - half, 23.2 + 16, 8.8 + half])
    assert torch.allclose(evidence.boxes[0, best], expected, atol=1e-4)
    assert evidence.boxes[0, 0].tolist() == [-6, -6, 10, 10]
    assert evidence.boxes[0, -1].tolist() == [-192, -192, 320, 320]


def test_of_several_kinds_of_one_class_the_strongest_counts() -> None:
    logits = torch.tensor([3.0, -1.0, 7.0, 2.0])[None, :, None, None]
    assert vgg.strongest(logits, 0, 3).item() == 7
    assert vgg.strongest(logits, 3, 4).item() == 2


def test_rescaling_gives_unit_length_times_the_factor_and_a_finite_gradient_at_nothing() -> None:
    layer = vgg.Rescaled(3)
    nn.init.constant_(layer.weight, 10.0)
    features = torch.tensor([[3.0, 0.0], [4.0, 0.0], [0.0, 0.0]])[None, :, None].requires_grad_()
    result = layer(features)
    assert torch.allclose(result[0, :, 0], torch.tensor([[6.0, 0.0], [8.0, 0.0], [0.0, 0.0]]))
    (gradient,) = torch.autograd.grad(result.sum(), features)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_of_the_file_is_said(name: str) -> None:
    (weights,) = detectors.entry(name).weights
    assert "no licence" in weights.terms
    assert "trained on WIDER FACE" in weights.origin
    assert weights.sha256 == ("619a316812" if name == "s3fd-vgg16" else "")
