from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pytest
import torch
from tests.attack.toys import boxes_of, drawn, faces_at, noise_like, toy
from torch import Tensor

from deepguard.defences.facepoison import FacePoison
from deepguard.defences.through import through
from deepguard.errors import OptionError
from deepguard.models.detectors.ultralight import WEIGHTS as ULTRALIGHT
from deepguard.models.detectors.yunet import WEIGHTS as YUNET
from deepguard.models.roles import FaceDetector, detectors
from deepguard.types import Box, Face, Progress, ignore
from deepguard.weights.shelf import Shelf

SIZE = (128, 192)
CORNER = (96, 64)
EPSILON = 8 / 255
SLACK = 1e-6


def poison(**options: float | bool) -> FacePoison:
    """The defence against one toy, as delivered."""
    return FacePoison({"toy": toy(192)}, **{"epsilon": EPSILON, "steps": 12, **options})


def protected(
    defence: FacePoison, picture: Tensor, faces: list[Face], seed: int = 1, watch: Callable[[Progress], None] = ignore
) -> Tensor:
    return defence.protect(picture, [faces], rng=torch.Generator().manual_seed(seed), watch=watch)


def coloured(picture: Tensor) -> Tensor:
    """The picture with a different tone in each colour."""
    return picture + torch.tensor([-0.1, 0.0, 0.1])[:, None, None]


def found(detector: FaceDetector, picture: Tensor) -> list[tuple[int, ...]]:
    return sorted(boxes_of(detector.detect(picture)[0]))


@pytest.fixture(scope="module")
def picture() -> Tensor:
    return coloured(drawn(SIZE, CORNER))


@pytest.fixture(scope="module")
def hidden(picture: Tensor) -> Tensor:
    return protected(poison(), picture, faces_at(CORNER))


def test_the_detector_no_longer_finds_the_face(picture: Tensor, hidden: Tensor) -> None:
    assert found(toy(192), picture) == [(96, 64, 128, 96)]
    assert found(toy(192), hidden) == []
    assert toy(192).detect(hidden, threshold=0.3) == [[]]


def test_noise_of_the_same_size_does_not_hide_the_face(picture: Tensor, hidden: Tensor) -> None:
    for seed in range(5):
        noisy = picture + noise_like(hidden - picture, seed)
        assert found(toy(192), noisy) == [(96, 64, 128, 96)]


def test_it_stays_hidden_in_eight_bits(hidden: Tensor) -> None:
    assert found(toy(192), (hidden * 255).round() / 255) == []


@pytest.mark.parametrize("epsilon", [1 / 255, 4 / 255, 8 / 255, 16 / 255])
def test_no_pixel_changes_by_more_than_epsilon(picture: Tensor, epsilon: float) -> None:
    change = protected(poison(epsilon=epsilon, steps=4), picture, faces_at(CORNER)) - picture
    assert float(change.abs().max()) <= epsilon + SLACK
    assert float(change.abs().max()) > 0.5 * epsilon


@pytest.mark.parametrize("reach", [0.1, 0.3, 0.6])
def test_nothing_changes_beyond_the_faces_reach(picture: Tensor, reach: float) -> None:
    changed = (protected(poison(reach=reach, steps=3), picture, faces_at(CORNER)) != picture).any(dim=1)[0]
    wide = faces_at(CORNER)[0].box.grown(reach)
    rows, columns = changed.any(dim=1).nonzero(), changed.any(dim=0).nonzero()
    # a pixel's breadth for the grid of the change
    assert math.floor(wide.top) - 1 <= int(rows.min()) <= CORNER[1]
    assert CORNER[1] + 31 <= int(rows.max()) <= math.ceil(wide.bottom)
    assert math.floor(wide.left) - 1 <= int(columns.min()) <= CORNER[0]
    assert CORNER[0] + 31 <= int(columns.max()) <= math.ceil(wide.right)


def test_the_result_has_the_pictures_shape_and_range_also_where_it_is_black_or_white() -> None:
    picture = torch.where(drawn(SIZE, CORNER, contrast=0.5) > 0.5, 1.0, 0.0)
    picture[..., 60:64, :] = 1.0
    result = protected(poison(epsilon=16 / 255, steps=4), picture, faces_at(CORNER))
    assert result.shape == picture.shape
    assert result.dtype == torch.float32
    assert float(result.min()) >= 0
    assert float(result.max()) <= 1
    assert not torch.equal(result, picture)


def test_the_given_picture_is_left_as_it_was(picture: Tensor) -> None:
    before = picture.clone()
    protected(poison(steps=2), picture, faces_at(CORNER))
    assert torch.equal(picture, before)


def test_without_faces_nothing_changes(picture: Tensor) -> None:
    assert torch.equal(protected(poison(), picture, []), picture)


def test_only_the_chosen_faces_are_hidden() -> None:
    corners = ((16, 32), (80, 48), (144, 64))
    picture = coloured(drawn(SIZE, *corners))
    result = protected(poison(), picture, faces_at(corners[1]))
    assert found(toy(192), picture) == [(16, 32, 48, 64), (80, 48, 112, 80), (144, 64, 176, 96)]
    assert found(toy(192), result) == [(16, 32, 48, 64), (144, 64, 176, 96)]
    assert torch.equal(result[..., : 16 + 48], picture[..., : 16 + 48])


def test_all_faces_of_one_picture_are_hidden_also_at_its_border_and_close_together() -> None:
    corners = ((0, 0), (160, 96), (64, 40), (96, 40))
    picture = coloured(drawn(SIZE, *corners))
    assert len(found(toy(192), picture)) == 4
    result = protected(poison(steps=40), picture, faces_at(*corners))
    assert found(toy(192), result) == []
    assert float((result - picture).abs().max()) <= EPSILON + SLACK


def test_a_face_that_sticks_out_of_the_picture_can_be_protected(picture: Tensor) -> None:
    face = Face(Box(-20, -10, 40, 50), 0.9)
    change = (protected(poison(steps=2), picture, [face]) - picture).abs()
    assert float(change.max()) <= EPSILON + SLACK
    assert float(change[..., 78:, :].max()) == 0


def test_a_picture_of_every_odd_size_is_worked_on() -> None:
    for height, width, side in ((85, 97, 30), (63, 56, 33), (101, 61, 70)):
        picture = torch.full((1, 3, height, width), 0.5)
        defence = FacePoison({"toy": toy(side)}, steps=1)
        face = Face(Box(width - 40.5, height - 45.3, width - 3.2, height - 1.7), 0.9)
        assert protected(defence, picture, [face]).shape == picture.shape


def test_each_picture_of_a_batch_has_its_own_faces() -> None:
    batch = coloured(torch.cat((drawn(SIZE, CORNER), drawn(SIZE, (0, 0)), drawn(SIZE, CORNER))))
    result = poison().protect(batch, [faces_at(CORNER), faces_at((0, 0)), []], rng=torch.Generator().manual_seed(1))
    assert [len(faces) for faces in toy(192).detect(result)] == [0, 0, 1]
    assert torch.equal(result[2], batch[2])


def test_a_grey_picture_stays_grey_and_is_hidden() -> None:
    picture = drawn(SIZE, CORNER)
    result = protected(poison(), picture, faces_at(CORNER))
    assert torch.equal(result[:, 0], result[:, 1])
    assert torch.equal(result[:, 0], result[:, 2])
    assert found(toy(192), result) == []


def test_several_detectors_are_silenced_by_one_picture(picture: Tensor) -> None:
    surrogates = {"red": toy(192, 0), "blue": toy(192, 2), "half": toy(96)}
    large = coloured(drawn((192, 192), (96, 64)) + drawn((192, 192), (96, 64), side=64) - 0.5)
    faces = [Face(Box(96, 64, 160, 128), 0.9), *faces_at((96, 64))]
    assert all(found(detector, large) for detector in surrogates.values())
    result = protected(FacePoison(surrogates, epsilon=16 / 255, steps=25), large, faces)
    assert {name: found(detector, result) for name, detector in surrogates.items()} == {name: [] for name in surrogates}
    alone = protected(FacePoison({"red": toy(192, 0)}, epsilon=16 / 255, steps=25), large, faces)
    assert found(surrogates["red"], alone) == []
    assert found(surrogates["blue"], alone) != []


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(picture: Tensor) -> None:
    defence = FacePoison({"toy": toy(192)}, through=through("any"), steps=3)
    before = torch.get_rng_state()
    assert torch.equal(
        protected(defence, picture, faces_at(CORNER), seed=3), protected(defence, picture, faces_at(CORNER), seed=3)
    )
    assert not torch.equal(
        protected(defence, picture, faces_at(CORNER), seed=3), protected(defence, picture, faces_at(CORNER), seed=4)
    )
    assert torch.equal(torch.get_rng_state(), before)


def test_the_minimal_change_is_no_larger_and_still_hides(picture: Tensor) -> None:
    options = {"epsilon": 24 / 255, "steps": 20}
    whole = protected(poison(**options), picture, faces_at(CORNER)) - picture
    least = protected(poison(**options, minimal=True), picture, faces_at(CORNER)) - picture
    assert (least.abs() <= whole.abs() + SLACK).all()
    assert float(least.abs().mean()) < 0.9 * float(whole.abs().mean())
    assert found(toy(192), picture + least) == []


def test_what_cannot_be_hidden_keeps_the_full_change_when_the_least_is_asked_for(picture: Tensor) -> None:
    options = {"epsilon": 1 / 255, "steps": 4}
    whole = protected(poison(**options), picture, faces_at(CORNER))
    least = protected(poison(**options, minimal=True), picture, faces_at(CORNER))
    assert found(toy(192), whole) == [(96, 64, 128, 96)]
    torch.testing.assert_close(least, whole)


def test_the_change_survives_the_posting_that_it_goes_through() -> None:
    picture = coloured(drawn(SIZE, CORNER))
    route = through("half")
    assert route is not None
    surrogates = {"toy": toy(192), "enlarging": toy(96)}
    result = protected(FacePoison(surrogates, through=route, steps=20), picture, faces_at(CORNER))
    assert found(toy(192), result) == []


def test_watching_is_told_every_step_in_order_and_names_every_surrogate() -> None:
    corners = ((16, 32), (144, 64))
    picture = coloured(drawn(SIZE, *corners))
    told: list[Progress] = []
    surrogates = {"first": toy(192), "second": toy(192, 1)}
    protected(FacePoison(surrogates, steps=5), picture, faces_at(*corners), watch=told.append)
    assert len(told) >= 2
    assert [each.done for each in told] == sorted({each.done for each in told})
    assert {each.total for each in told} == {10}
    assert all(0 < each.done <= each.total for each in told)
    assert all([name for name, _ in each.found] == ["first", "second"] for each in told)
    assert told[0].found == (("first", True), ("second", True))


def test_watching_learns_when_a_surrogate_falls_silent(picture: Tensor) -> None:
    told: list[Progress] = []
    protected(poison(epsilon=16 / 255, steps=200), picture, faces_at(CORNER), watch=told.append)
    assert told[0].found == (("toy", True),)
    assert told[-1].found == (("toy", False),)
    assert told[-1].done < 200  # silence for some steps ends the climb


def test_raising_while_watching_cancels(picture: Tensor) -> None:
    told: list[Progress] = []

    def watch(progress: Progress) -> None:
        told.append(progress)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        protected(poison(), picture, faces_at(CORNER), watch=watch)
    assert len(told) == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"epsilon": 0.0}, "epsilon 0 is outside"),
        ({"epsilon": -0.1}, "epsilon -0.1 is outside"),
        ({"epsilon": 2.0}, "epsilon 2 is outside"),
        ({"epsilon": math.nan}, "epsilon nan is outside"),
        ({"steps": 0}, "must be at least 1"),
        ({"jitter": 0.5}, "must be at least 1"),
        ({"reach": -0.1}, "must be at least 0"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: Mapping[str, float], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        poison(**options)


def test_no_detector_at_all_is_refused() -> None:
    with pytest.raises(OptionError, match="no detector is chosen"):
        FacePoison({})


@pytest.fixture(scope="module")
def real(stock: Callable[..., Shelf]) -> dict[str, FaceDetector]:
    """Two fast detectors with their real weights."""
    shelf = stock(YUNET, ULTRALIGHT)
    return {name: detectors.create(name, shelf, torch.device("cpu")) for name in ("yunet", "ultralight")}


def test_real_detectors_miss_the_face_and_find_it_under_noise_of_the_same_size(
    real: dict[str, FaceDetector], astronaut: Tensor
) -> None:
    face = Face(Box(178, 62, 269, 177), 0.9)
    result = protected(FacePoison(real, epsilon=16 / 255, steps=25), astronaut, [face])
    change = result - astronaut
    noisy = (astronaut + noise_like(change)).clamp(0, 1)
    for detector in real.values():
        assert len(detector.detect(astronaut)[0]) == 1
        seen = detector.detect((result * 255).round() / 255)[0]
        assert not any(face.box.overlap(each.box) >= 0.3 for each in seen)
        assert len(detector.detect(noisy)[0]) == 1
    assert float(change.abs().max()) <= 16 / 255 + SLACK
