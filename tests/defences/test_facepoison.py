from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import pytest
import torch
from tests.attack.toys import boxes_of, drawn, faces_at, noise_like, toy
from torch import Tensor

from deepguard.defences.facepoison import FacePoison
from deepguard.defences.search import FAINTEST, STRONGEST
from deepguard.defences.through import through
from deepguard.errors import OptionError
from deepguard.measures.ceilings import FACE
from deepguard.measures.roles import Measure
from deepguard.measures.skin import Chroma, Marbling, chroma, luma
from deepguard.measures.ssim import Ssim
from deepguard.models.detectors.retinaface import WEIGHTS as RETINAFACE
from deepguard.models.detectors.scrfd import WEIGHTS as SCRFD
from deepguard.models.roles import FaceDetector, detectors
from deepguard.types import Box, Face, Progress, ignore
from deepguard.weights.shelf import Shelf

SIZE = (128, 192)
CORNER = (96, 64)
EPSILON = 8 / 255
SLACK = 1e-6
SSIM: Mapping[str, Measure] = {"ssim": Ssim()}


def poison(surrogates: Mapping[str, FaceDetector] | None = None, **options: float) -> FacePoison:
    """The defence against one toy, as delivered; more than a photo needs, since the toy sees one pattern only."""
    return FacePoison(surrogates or {"toy": toy(192)}, measures=SSIM, **{"strength": 2.0, "steps": 12, **options})


def flat(**options: float) -> FacePoison:
    """The baseline: the same in an L-infinity ball."""
    return poison(**{"epsilon": EPSILON, "steps": 12, **options})


def used(picture: Tensor, result: Tensor, face: Face) -> float:
    """The share of the ceilings of visibility that is used on a face."""
    rows, columns = face.box.pixels(*picture.shape[-2:])
    pair = picture[..., rows, columns], result[..., rows, columns]
    measured = {"ssim": Ssim(), "marbling": Marbling(), "chroma": Chroma()}
    return FACE.used({name: float(measure(*pair)) for name, measure in measured.items()})


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


def test_noise_of_the_same_size_does_not_hide_the_face(picture: Tensor, hidden: Tensor) -> None:
    for seed in range(5):
        noisy = picture + noise_like(hidden - picture, seed)
        assert found(toy(192), noisy) == [(96, 64, 128, 96)]


def test_it_stays_hidden_in_eight_bits(hidden: Tensor) -> None:
    assert found(toy(192), (hidden * 255).round() / 255) == []


@pytest.mark.parametrize("epsilon", [1 / 255, 4 / 255, 8 / 255, 16 / 255])
def test_no_pixel_changes_by_more_than_epsilon(picture: Tensor, epsilon: float) -> None:
    change = protected(flat(epsilon=epsilon, steps=4), picture, faces_at(CORNER)) - picture
    assert float(change.abs().max()) <= epsilon + SLACK
    assert float(change.abs().max()) > 0.9 * FAINTEST * epsilon
    assert not torch.allclose(chroma(picture + change), chroma(picture), atol=0.1 * epsilon)


@pytest.mark.parametrize("strength", [0.3, 1.0, 2.0])
def test_no_face_uses_more_of_the_ceilings_than_the_strength(picture: Tensor, strength: float) -> None:
    result = protected(poison(strength=strength), picture, faces_at(CORNER))
    assert 0 < used(picture, result, faces_at(CORNER)[0]) <= 1.05 * strength


def test_only_brightness_changes(picture: Tensor, hidden: Tensor) -> None:
    torch.testing.assert_close(chroma(hidden), chroma(picture), atol=1e-6, rtol=0)
    assert not torch.equal(luma(hidden), luma(picture))


def test_a_larger_strength_changes_more_where_the_face_is_hard_to_hide() -> None:
    picture = coloured(drawn(SIZE, CORNER, contrast=0.06))
    (face,) = faces_at(CORNER)
    shares = [
        used(picture, protected(poison(strength=strength, steps=36), picture, [face]), face) for strength in (0.5, 1, 2)
    ]
    assert shares[0] < shares[1] < shares[2]


def test_without_any_measure_it_hides_and_stays_a_picture(picture: Tensor) -> None:
    result = protected(FacePoison({"toy": toy(192)}, strength=2, steps=12), picture, faces_at(CORNER))
    assert found(toy(192), result) == []
    assert 0 <= result.min() <= result.max() <= 1


@pytest.mark.parametrize("reach", [0.1, 0.3, 0.6])
def test_nothing_changes_beyond_the_faces_reach(picture: Tensor, reach: float) -> None:
    changed = (protected(poison(reach=reach, steps=6), picture, faces_at(CORNER)) != picture).any(dim=1)[0]
    wide = faces_at(CORNER)[0].box.grown(reach)
    rows, columns = changed.any(dim=1).nonzero(), changed.any(dim=0).nonzero()
    # a pixel's breadth for the grid of the change
    assert math.floor(wide.top) - 1 <= int(rows.min()) <= CORNER[1]
    assert CORNER[1] + 31 <= int(rows.max()) <= math.ceil(wide.bottom)
    assert math.floor(wide.left) - 1 <= int(columns.min()) <= CORNER[0]
    assert CORNER[0] + 31 <= int(columns.max()) <= math.ceil(wide.right)


@pytest.mark.parametrize("make", [poison, flat])
def test_the_result_has_the_pictures_shape_and_range_also_where_it_is_black_or_white(
    make: Callable[[], FacePoison],
) -> None:
    picture = torch.where(drawn(SIZE, CORNER, contrast=0.5) > 0.5, 1.0, 0.0)
    picture[..., 60:64, :] = 1.0
    result = protected(make(), picture, faces_at(CORNER))
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
    assert torch.equal(result[..., :60], picture[..., :60])


def test_all_faces_of_one_picture_are_hidden_also_at_its_border_and_close_together() -> None:
    corners = ((0, 0), (160, 96), (64, 40), (96, 40))
    picture = coloured(drawn(SIZE, *corners))
    assert len(found(toy(192), picture)) == 4
    for defence in (poison(strength=3, steps=90), flat(steps=90)):
        result = protected(defence, picture, faces_at(*corners))
        assert found(toy(192), result) == []


def test_a_face_that_sticks_out_of_the_picture_can_be_protected(picture: Tensor) -> None:
    face = Face(Box(-20, -10, 40, 50), 0.9)
    for defence in (poison(steps=6), flat(steps=2)):
        change = (protected(defence, picture, [face]) - picture).abs()
        assert float(change[..., :50, :40].max()) > 0
        assert float(change[..., 87:, :].max()) == 0


def test_a_picture_of_every_odd_size_is_worked_on() -> None:
    for height, width, side in ((85, 97, 30), (63, 56, 33), (101, 61, 70)):
        picture = torch.full((1, 3, height, width), 0.5)
        defence = poison({"toy": toy(side)}, steps=1)
        face = Face(Box(width - 40.5, height - 45.3, width - 3.2, height - 1.7), 0.9)
        assert protected(defence, picture, [face]).shape == picture.shape


def test_each_picture_of_a_batch_has_its_own_faces() -> None:
    batch = coloured(torch.cat((drawn(SIZE, CORNER), drawn(SIZE, (16, 16)), drawn(SIZE, CORNER))))
    result = poison(strength=4).protect(
        batch, [faces_at(CORNER), faces_at((16, 16)), []], rng=torch.Generator().manual_seed(1)
    )
    assert [len(faces) for faces in toy(192).detect(result)] == [0, 0, 1]
    assert torch.equal(result[2], batch[2])


@pytest.mark.parametrize("make", [poison, flat])
def test_a_grey_picture_stays_grey_and_is_hidden(make: Callable[[], FacePoison]) -> None:
    picture = drawn(SIZE, CORNER)
    result = protected(make(), picture, faces_at(CORNER))
    assert torch.equal(result[:, 0], result[:, 1])
    assert torch.equal(result[:, 0], result[:, 2])
    assert found(toy(192), result) == []


def test_several_detectors_are_silenced_by_one_picture(picture: Tensor) -> None:
    surrogates = {"red": toy(192, 0), "blue": toy(192, 2), "half": toy(96)}
    large = coloured(drawn((192, 192), (96, 64)) + drawn((192, 192), (96, 64), side=64) - 0.5)
    faces = [Face(Box(96, 64, 160, 128), 0.9), *faces_at((96, 64))]
    assert all(found(detector, large) for detector in surrogates.values())
    result = protected(poison(surrogates, strength=4, steps=90), large, faces)
    assert {name: found(detector, result) for name, detector in surrogates.items()} == {name: [] for name in surrogates}
    alone = protected(flat(epsilon=16 / 255, steps=75, surrogates={"red": toy(192, 0)}), large, faces)
    assert found(surrogates["red"], alone) == []
    assert found(surrogates["blue"], alone) != []


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(picture: Tensor) -> None:
    defence = dataclasses.replace(poison(steps=6), through=through("any"))
    before = torch.get_rng_state()
    assert torch.equal(
        protected(defence, picture, faces_at(CORNER), seed=3), protected(defence, picture, faces_at(CORNER), seed=3)
    )
    assert not torch.equal(
        protected(defence, picture, faces_at(CORNER), seed=3), protected(defence, picture, faces_at(CORNER), seed=4)
    )
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_easily_hidden_uses_less_than_it_may_and_is_hidden_still() -> None:
    picture = coloured(drawn(SIZE, CORNER, contrast=0.022))
    (face,) = faces_at(CORNER)
    assert found(toy(192), picture) != []
    for defence, most in ((poison(strength=4, steps=60), 2.0), (flat(epsilon=24 / 255, steps=20), math.inf)):
        least = protected(defence, picture, [face])
        assert found(toy(192), least) == []
        assert used(picture, least, face) < most
    assert float((least - picture).abs().max()) < 0.6 * 24 / 255


@pytest.mark.parametrize("strength", [1.0, 2.0])
def test_what_cannot_be_hidden_uses_all_that_it_may(strength: float) -> None:
    picture = coloured(drawn(SIZE, CORNER, contrast=0.06))
    (face,) = faces_at(CORNER)
    result = protected(poison(strength=strength, steps=36), picture, [face])
    assert found(toy(192), result) == found(toy(192), picture) != []
    assert used(picture, result, face) == pytest.approx(strength, rel=0.2)
    whole = protected(flat(epsilon=1 / 255), picture, [face]) - picture
    assert float(whole.abs().max()) == pytest.approx(1 / 255, rel=1e-3)


def test_the_change_survives_the_posting_that_it_goes_through() -> None:
    picture = coloured(drawn(SIZE, CORNER))
    route = through("half")
    assert route is not None
    surrogates = {"toy": toy(192), "enlarging": toy(96)}
    result = protected(dataclasses.replace(poison(surrogates, steps=30), through=route), picture, faces_at(CORNER))
    assert found(toy(192), result) == []


@pytest.mark.parametrize("option", ["shift", "shadow"])
def test_what_is_asked_for_beside_hiding_changes_the_way_and_not_the_bounds(
    picture: Tensor, hidden: Tensor, option: str
) -> None:
    (face,) = faces_at(CORNER)
    marked = dataclasses.replace(face, landmarks=((106, 76), (118, 76), (112, 82), (107, 88), (117, 88)))
    result = protected(poison(**{option: 0.5}), picture, [marked])
    assert not torch.equal(result, hidden)
    assert 0 < used(picture, result, face) <= 1.05 * 2
    torch.testing.assert_close(chroma(result), chroma(picture), atol=1e-6, rtol=0)
    assert torch.equal(protected(poison(**{option: 0.0}), picture, [marked]), hidden)


def test_watching_is_told_every_step_in_order_and_names_every_surrogate() -> None:
    corners = ((16, 32), (144, 64))
    picture = coloured(drawn(SIZE, *corners))
    told: list[Progress] = []
    surrogates = {"first": toy(192), "second": toy(192, 1)}
    protected(poison(surrogates, steps=5), picture, faces_at(*corners), watch=told.append)
    assert len(told) >= 2
    assert [each.done for each in told] == sorted({each.done for each in told})
    assert {each.total for each in told} == {10}
    assert all(0 < each.done <= each.total for each in told)
    assert all([name for name, _ in each.found] == ["first", "second"] for each in told)
    assert told[0].found == (("first", True), ("second", True))


def test_watching_learns_when_a_surrogate_falls_silent(picture: Tensor) -> None:
    told: list[Progress] = []
    protected(poison(strength=4, steps=100), picture, faces_at(CORNER), watch=told.append)
    assert told[0].found == (("toy", True),)
    assert told[-1].found == (("toy", False),)
    assert told[-1].done < 100  # whoever is silent at the faintest change needs no further steps


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
        ({"strength": 0.0}, "strength 0 is outside 0 to 4"),
        ({"strength": -1.0}, "strength -1 is outside 0 to 4"),
        ({"strength": STRONGEST + 0.01}, "strength 4.01 is outside 0 to 4"),
        ({"strength": math.nan}, "strength nan is outside 0 to 4"),
        ({"strength": math.inf}, "strength inf is outside 0 to 4"),
        ({"epsilon": -0.1}, "epsilon -0.1 is outside"),
        ({"epsilon": 2.0}, "epsilon 2 is outside"),
        ({"epsilon": math.nan}, "epsilon nan is outside"),
        ({"steps": 0}, "must be at least 1"),
        ({"jitter": 0.5}, "must be at least 1"),
        ({"jitter": math.inf}, "must be at least 1, and finite"),
        ({"reach": math.inf}, "must be at least 0, and finite"),
        ({"reach": -0.1}, "must be at least 0"),
        ({"reach": math.nan}, "must be at least 0"),
        ({"cells": 7}, "must be at least 8"),
        ({"momentum": -0.5}, "must be at least 0"),
        ({"shift": -0.1}, "must be at least 0"),
        ({"shadow": math.nan}, "must be at least 0"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: Mapping[str, float], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        poison(**options)


def test_no_detector_at_all_is_refused() -> None:
    with pytest.raises(OptionError, match="no detector is chosen"):
        FacePoison({})


@pytest.mark.parametrize("aim", ["shift", "shadow"])
def test_another_aim_beside_hiding_changes_the_result_and_still_hides(
    picture: Tensor, hidden: Tensor, aim: str
) -> None:
    result = protected(poison(**{aim: 0.3}), picture, faces_at(CORNER))
    assert found(toy(192), result) == []
    assert not torch.equal(result, hidden)


@pytest.fixture(scope="module")
def real(stock: Callable[..., Shelf]) -> dict[str, FaceDetector]:
    """Two fast detectors with their real weights."""
    shelf = stock(RETINAFACE, SCRFD)
    return {name: detectors.create(name, shelf, torch.device("cpu")) for name in ("retinaface", "scrfd")}


def test_real_detectors_miss_the_face_and_find_it_under_noise_of_the_same_size(
    real: dict[str, FaceDetector], astronaut: Tensor
) -> None:
    picture = astronaut[..., :300, 80:380]
    face = Face(Box(98, 62, 189, 177), 0.9)
    result = protected(poison(real, strength=2, steps=60), picture, [face])
    for detector in real.values():
        assert len(detector.detect(picture)[0]) == 1
        seen = detector.detect((result * 255).round() / 255)[0]
        assert not any(face.box.overlap(each.box) >= 0.3 for each in seen)
        for seed in range(3):
            noisy = (picture + noise_like((result - picture)[:, :1], seed)).clamp(0, 1)
            assert any(face.box.overlap(each.box) >= 0.3 for each in detector.detect(noisy)[0])
    assert used(picture, result, face) <= 1.1 * 2
