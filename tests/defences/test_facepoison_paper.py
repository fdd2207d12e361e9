from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch
from tests.attack.toys import drawn, faces_at, noise_like, toy
from torch import Tensor
from torch.nn import functional

from deepguard.attack.features import LAYERS, Importance
from deepguard.attack.objectives import slope
from deepguard.defences import facepoison_paper
from deepguard.defences.facepoison_paper import FIVE, FacePoisonPaper
from deepguard.defences.roles import defaults_of, options_of
from deepguard.errors import OptionError
from deepguard.models.anchors import AnchorDetector
from deepguard.models.roles import FaceDetector, detectors
from deepguard.types import Box, Face, Progress, ignore
from deepguard.weights.shelf import Shelf

SIZE = (48, 64)
CORNER = (16, 8)
EPSILON = 8 / 255
SLACK = 1e-6


def featured(seed: int = 0, factor: float = 1.0) -> AnchorDetector:
    """The toy with features that are linear in the picture."""
    rng = torch.Generator().manual_seed(seed)
    kernels = [torch.randn(4, width, 3, 3, generator=rng) for width in (3, 4, 4)]
    kernels[0] *= factor

    def taps(images: Tensor) -> tuple[Tensor, ...]:
        maps = []
        for kernel in kernels:
            images = functional.conv2d(images, kernel, stride=2, padding=1)
            maps.append(images)
        return tuple(maps)

    return replace(toy(64), taps=taps)


def poison(surrogates: Mapping[str, FaceDetector] | None = None, **options: float) -> FacePoisonPaper:
    """The defence against one toy, by few passes."""
    return FacePoisonPaper(surrogates or {"toy": featured()}, **{"masks": 4, "samples": 3, "steps": 4, **options})


def protected(
    defence: FacePoisonPaper,
    picture: Tensor,
    seed: int = 1,
    watch: Callable[[Progress], None] = ignore,
) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return defence.protect(picture, [faces_at(CORNER)] * len(picture), rng=rng, watch=watch)


@pytest.fixture(scope="module")
def picture() -> Tensor:
    return drawn(SIZE, CORNER) + torch.tensor([-0.1, 0.0, 0.1])[:, None, None]


def test_the_options_are_those_of_the_paper_with_its_figures() -> None:
    assert defaults_of(FacePoisonPaper) == {
        "epsilon": 8 / 255,
        "alpha": 2 / 255,
        "steps": 10,
        "masks": 30,
        "keep": 0.9,
        "samples": 10,
        "apart": 0.0,
    }
    assert all(options_of(FacePoisonPaper).values())


@pytest.mark.parametrize("epsilon", [1 / 255, 8 / 255, 16 / 255])
def test_the_whole_picture_changes_and_no_pixel_by_more_than_epsilon(picture: Tensor, epsilon: float) -> None:
    change = (protected(poison(epsilon=epsilon), picture) - picture).abs()
    assert float(change.max()) <= epsilon + SLACK
    assert float(change.amax(dim=1).min()) > 0
    assert float(change.mean()) > 0.5 * epsilon


def test_the_result_has_the_pictures_shape_and_range_also_where_it_is_black_or_white() -> None:
    picture = torch.where(drawn(SIZE, CORNER, contrast=0.5) > 0.5, 1.0, 0.0)
    result = protected(poison(), picture)
    assert result.shape == picture.shape
    assert float(result.min()) >= 0
    assert float(result.max()) <= 1
    assert not torch.equal(result, picture)


def test_linear_features_are_moved_to_the_known_corner_of_the_budget(picture: Tensor) -> None:
    source = featured()
    importance = Importance(source, picture)
    for seed in range(200):
        importance.learn(0.9, torch.Generator().manual_seed(seed))
    weights = importance.weights()

    def value(images: Tensor, rng: torch.Generator) -> Tensor:
        parts = zip(LAYERS, weights, source.features(images), strict=True)
        return torch.stack([share * (weight * each).mean() for share, weight, each in parts]).sum(dim=0, keepdim=True)

    _, way = slope(value, picture, torch.Generator())
    change = protected(poison(steps=12, masks=200, samples=6), picture) - picture
    clear = way.abs() > way.abs().median()
    corner = EPSILON * way.sign()
    reached = (change - corner).abs() < SLACK
    assert float(reached[clear].float().mean()) > 0.95
    assert float((change * way).sum()) > 0.95 * float((corner * way).sum())


def test_a_step_goes_by_alpha_from_a_start_anywhere_in_the_budget(picture: Tensor) -> None:
    start = protected(poison(steps=1, alpha=1e-9), picture) - picture
    assert float(start.abs().max()) > 0.9 * EPSILON
    assert float(start.mean()) == pytest.approx(0, abs=0.05 * EPSILON)
    assert float(start.std()) == pytest.approx(EPSILON / 3**0.5, rel=0.05)
    moved = protected(poison(steps=1, alpha=1 / 255), picture) - picture
    inside = (start.abs() < EPSILON - 1 / 255) & (moved != start)
    torch.testing.assert_close((moved - start)[inside].abs(), torch.full_like(start, 1 / 255)[inside])
    assert inside.float().mean() > 0.8


def test_several_detectors_count_alike_whatever_the_size_of_their_features(picture: Tensor) -> None:
    one, other, larger = featured(1), featured(2), featured(2, factor=1000.0)
    alike = protected(poison({"one": one, "other": other}), picture)
    rescaled = protected(poison({"one": one, "other": larger}), picture)
    assert float((alike - rescaled).abs().mean()) < 0.01 * EPSILON
    alone = protected(poison({"one": one}), picture)
    assert float((alike - alone).abs().mean()) > 0.1 * EPSILON


def test_the_term_that_moves_deep_features_apart_changes_the_result(picture: Tensor) -> None:
    source = featured()
    clean = source.features(picture)[-1].flatten(1)

    def likeness(result: Tensor) -> float:
        return float(functional.cosine_similarity(clean, source.features(result)[-1].flatten(1)))

    options = {"epsilon": 24 / 255, "alpha": 8 / 255, "steps": 8}
    without, apart = (protected(poison(**options, apart=weight), picture) for weight in (0.0, 100.0))
    assert likeness(apart) < likeness(without)


def test_a_grey_picture_stays_grey() -> None:
    result = protected(poison(), drawn(SIZE, CORNER))
    assert torch.equal(result[:, 0], result[:, 1])
    assert torch.equal(result[:, 0], result[:, 2])
    assert float((result - drawn(SIZE, CORNER)).abs().max()) == pytest.approx(EPSILON, abs=SLACK)


def test_a_picture_without_a_face_to_protect_stays_and_the_given_one_too(picture: Tensor) -> None:
    batch = torch.cat((picture, picture.flip(3)))
    before = batch.clone()
    result = poison().protect(batch, [[], faces_at(CORNER)], rng=torch.Generator().manual_seed(1))
    assert torch.equal(batch, before)
    assert torch.equal(result[0], batch[0])
    assert not torch.equal(result[1], batch[1])


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(picture: Tensor) -> None:
    before = torch.get_rng_state()
    defence = poison({"one": featured(1), "other": featured(2)})
    assert torch.equal(protected(defence, picture, 3), protected(defence, picture, 3))
    assert not torch.equal(protected(defence, picture, 3), protected(defence, picture, 4))
    assert torch.equal(torch.get_rng_state(), before)


def test_watching_is_told_every_pass_in_order(picture: Tensor) -> None:
    told: list[Progress] = []
    protected(poison(steps=5, masks=4, samples=3), torch.cat((picture, picture)), watch=told.append)
    # 4 masks, steps 1, 3 and 5 in the picture, steps 2 and 4 in 3 spectra each
    assert [each.done for each in told] == list(range(1, 2 * 13 + 1))
    assert {each.total for each in told} == {26}


@pytest.mark.parametrize("last", [2, 6])
def test_raising_while_watching_cancels(picture: Tensor, last: int) -> None:
    told: list[Progress] = []

    def watch(progress: Progress) -> None:
        told.append(progress)
        if len(told) == last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        protected(poison(), picture, watch=watch)
    assert len(told) == last


def test_a_large_picture_is_worked_on_smaller_and_stays_within_epsilon(
    picture: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    source = featured()

    def taps(images: Tensor) -> tuple[Tensor, ...]:
        seen.append(tuple(images.shape[-2:]))
        return source.features(images)

    monkeypatch.setattr(facepoison_paper, "CANVAS", 24 * 32)
    result = protected(poison({"toy": replace(source, taps=taps)}), picture)
    assert set(seen) == {(24, 32)}
    assert result.shape == picture.shape
    assert 0.5 * EPSILON < float((result - picture).abs().max()) <= EPSILON + SLACK


def test_detectors_that_name_no_features_are_not_among_the_surrogates() -> None:
    assert set(poison({"plain": toy(64), "toy": featured()}).surrogates) == {"toy"}


def test_where_no_detector_names_features_the_sentence_says_which_do() -> None:
    with pytest.raises(OptionError, match=r"dsfd, pyramidbox, retinaface, s3fd or yolo5face; .* --detectors"):
        FacePoisonPaper({"plain": toy(64)})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"epsilon": 0.0}, "epsilon is 0; it must be above 0"),
        ({"epsilon": 2.0}, "epsilon is 2; it must be above 0 and at most 0.251"),
        ({"epsilon": float("nan")}, "epsilon is nan"),
        ({"alpha": -0.1}, "alpha is -0.1; it must be above 0"),
        ({"keep": 1.5}, "at most 1"),
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"masks": 0}, "masks is 0; it must be at least 1"),
        ({"samples": 0}, "samples is 0; it must be at least 1"),
        ({"apart": -1.0}, "apart is -1.0; it must be at least 0"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: Mapping[str, float], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        poison(**options)


@pytest.mark.parametrize("name", FIVE)
def test_each_detector_of_the_paper_names_three_maps_that_importance_is_learned_from(
    stock: Callable[..., Shelf], name: str
) -> None:
    detector = detectors.create(name, stock(*detectors.entry(name).weights), torch.device("cpu"))
    assert set(poison({name: detector}).surrogates) == {name}
    assert isinstance(detector, AnchorDetector)
    importance = Importance(detector, torch.rand((1, 3, 97, 121), generator=torch.Generator().manual_seed(1)))
    importance.learn(0.9, torch.Generator().manual_seed(2))
    weights = importance.weights()
    assert len(weights) == len(LAYERS)
    for each in weights:
        assert float(each.norm()) == pytest.approx(1, abs=1e-4)
        assert float(each.abs().max()) < 0.9


def test_a_real_detector_misses_the_face_at_the_pictures_own_size(
    stock: Callable[..., Shelf], astronaut: Tensor
) -> None:
    detector = detectors.create("yolo5face", stock(*detectors.entry("yolo5face").weights), torch.device("cpu"))
    face = Face(Box(82, 62, 173, 177), 0.9)
    crop = astronaut[..., :256, 96:352]

    def found(images: Tensor) -> bool:
        return any(face.box.overlap(each.box) >= 0.3 for each in detector.detect(images, scales=(1.0,))[0])

    defence = poison({"yolo5face": detector}, steps=10, masks=10)
    result = defence.protect(crop, [[face]], rng=torch.Generator().manual_seed(1))
    assert found(crop)
    assert not found((result * 255).round() / 255)
    assert found(crop + noise_like(result - crop))
