from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch
from tests.attack.toys import Linear, alike, drawn, faces_at, marked, noise_like, toy
from torch import Tensor

from deepguard.attack.stranger import FLOOR, Stranger
from deepguard.defences.painter import Climb, Painter, check_climb
from deepguard.defences.regions import USUAL, regions
from deepguard.defences.roles import attacked_by, check_least, defaults_of
from deepguard.defences.scene import GOAL, Scene, estranging
from deepguard.defences.shield import FIRST, KEPT, Shield, shield
from deepguard.defences.through import through
from deepguard.errors import OptionError
from deepguard.measures.ceilings import FACE
from deepguard.measures.skin import Chroma, Marbling, chroma
from deepguard.measures.ssim import Ssim
from deepguard.models.roles import Encoder, FaceDetector
from deepguard.types import Face, Progress, ignore

SIZE = (128, 192)
CORNER = (96, 64)
FACES = [marked(face) for face in faces_at(CORNER)]
TINT = torch.tensor([-0.04, 0.0, 0.04])[:, None, None]
ENCODERS: Mapping[str, Encoder] = {"encoder": Linear()}
DETECTORS: Mapping[str, FaceDetector] = {"detector": toy(192)}


def made(
    detectors: Mapping[str, FaceDetector] = DETECTORS, encoders: Mapping[str, Encoder] = ENCODERS, **options: float
) -> Shield:
    """The defence; more than a photo needs, since the toys see one pattern only and have nothing to spare."""
    return Shield(detectors, None, encoders, {"ssim": Ssim()}, **{"strength": 4.0, "steps": 40, **options})


def protected(
    defence: Shield, picture: Tensor, faces: list[Face], seed: int = 1, watch: Callable[[Progress], None] = ignore
) -> Tensor:
    return defence.protect(picture, [faces], rng=torch.Generator().manual_seed(seed), watch=watch)


def cosine(before: Tensor, after: Tensor, face: Face = FACES[0]) -> float:
    return alike(Linear(), before, after, face.landmarks)


def grained(picture: Tensor) -> Tensor:
    """The picture with grain of five levels, as photos have."""
    return picture + 0.02 * torch.randn(1, 1, *SIZE, generator=torch.Generator().manual_seed(4))


def scene_of(picture: Tensor) -> Scene:
    (region,) = regions(FACES, *SIZE, reach=0.6, context=0.15)
    return Scene(region, picture, 0.1)


def used(picture: Tensor, result: Tensor, face: Face = FACES[0]) -> float:
    """The share of the ceilings of visibility that is used on a face."""
    rows, columns = face.box.pixels(*picture.shape[-2:])
    pair = picture[..., rows, columns], result[..., rows, columns]
    measured = {"ssim": Ssim(), "marbling": Marbling(), "chroma": Chroma()}
    return FACE.used({name: float(measure(*pair)) for name, measure in measured.items()})


@pytest.fixture(scope="module")
def picture() -> Tensor:
    return drawn(SIZE, CORNER, contrast=0.024) + TINT


@pytest.fixture(scope="module")
def hidden(picture: Tensor) -> Tensor:
    return protected(made(), picture, FACES)


def test_the_detector_misses_the_face_and_the_encoder_takes_it_for_a_stranger(picture: Tensor, hidden: Tensor) -> None:
    assert len(toy(192).detect(picture)[0]) == 1
    assert toy(192).detect(hidden)[0] == []
    assert cosine(picture, picture) == pytest.approx(1)
    assert cosine(picture, hidden) < 0.3


@pytest.mark.parametrize("seed", range(4))
def test_noise_of_the_same_size_does_neither(picture: Tensor, hidden: Tensor, seed: int) -> None:
    noisy = picture + noise_like((hidden - picture)[:, :1], seed)
    assert len(toy(192).detect(noisy)[0]) == 1
    assert cosine(picture, noisy) > 0.75


def test_it_holds_in_eight_bits(picture: Tensor, hidden: Tensor) -> None:
    delivered = (hidden * 255).round() / 255
    assert toy(192).detect(delivered)[0] == []
    assert cosine(picture, delivered) < 0.35


def test_only_brightness_changes_and_nothing_beyond_the_reach(picture: Tensor, hidden: Tensor) -> None:
    torch.testing.assert_close(chroma(hidden), chroma(picture), atol=1e-6, rtol=0)
    wide = FACES[0].box.grown(made().reach)
    outside = torch.ones(SIZE, dtype=torch.bool)
    outside[math.floor(wide.top) - 1 : math.ceil(wide.bottom) + 1, math.floor(wide.left) - 1 :] = False
    assert torch.equal(hidden[..., outside], picture[..., outside])


@pytest.mark.parametrize(
    ("detectors", "options", "most"),
    [({}, {}, 1), ({}, {"attention": True}, 1), (DETECTORS, {"first": 0.0}, 1), (DETECTORS, {"first": 0.5}, 1.5)],
    ids=["encoders", "attention", "at once", "one after the other"],
)
@pytest.mark.parametrize("strength", [1.0, 2.0])
def test_no_face_uses_more_of_the_ceilings_than_the_strength(
    picture: Tensor,
    strength: float,
    detectors: Mapping[str, FaceDetector],
    options: Mapping[str, float],
    most: float,
) -> None:
    rough = grained(picture)
    result = protected(made(detectors, strength=strength, steps=24, **options), rough, FACES)
    assert 0 < used(rough, result) <= 1.05 * strength * most
    assert cosine(rough, result) < 0.95


@pytest.mark.parametrize("levels", [1, 3])
def test_encoders_alone_move_no_pixel_further_than_is_allowed(picture: Tensor, levels: int) -> None:
    result = protected(made({}, most=levels / 255), picture, FACES)
    furthest = float((result - picture).abs().max())
    assert 0.9 * levels / 255 < furthest <= levels / 255 + 1e-6


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(picture: Tensor) -> None:
    defence = replace(made(steps=6, drop=0.3, attention=True), through=through("any"))
    before = torch.get_rng_state()
    first, again, other = (protected(defence, picture, FACES, seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_grey_picture_stays_grey() -> None:
    grey = drawn(SIZE, CORNER, contrast=0.024)
    result = protected(made(steps=8), grey, FACES)
    assert torch.equal(result[:, :1].expand_as(result), result)
    assert cosine(grey, result) < 0.9


@pytest.mark.parametrize("corners", [((16, 16), (128, 72)), ((56, 40), (112, 48))], ids=["apart", "close"])
def test_every_face_of_a_picture_is_taken_for_a_stranger(corners: tuple[tuple[int, int], ...]) -> None:
    faces = [marked(face) for face in faces_at(*corners)]
    crowd = drawn(SIZE, *corners, contrast=0.024) + TINT
    result = protected(made(), crowd, faces)
    assert toy(192).detect(result)[0] == []
    for face in faces:
        noisy = crowd + noise_like((result - crowd)[:, :1])
        assert cosine(crowd, result, face) < 0.3
        assert cosine(crowd, noisy, face) > 0.7


def test_a_face_without_landmarks_is_hidden_where_those_of_a_usual_face_lie(picture: Tensor) -> None:
    (bare,) = faces_at(CORNER)
    result = protected(made({}), picture, [bare])
    guessed = tuple((bare.box.left + x * bare.box.width, bare.box.top + y * bare.box.height) for x, y in USUAL)
    assert cosine(picture, result, replace(bare, landmarks=guessed)) < 0.3


def test_without_faces_nothing_changes(picture: Tensor) -> None:
    assert torch.equal(protected(made(), picture, []), picture)


def test_who_is_not_named_is_not_attacked(picture: Tensor) -> None:
    alone = protected(made({}, steps=20), picture, FACES)
    assert cosine(picture, alone) < 0.3
    other = protected(made(encoders={}, steps=20), picture, FACES)
    assert toy(192).detect(other)[0] == []
    assert cosine(picture, other) > 0.7


def test_encoders_come_first_where_both_are_attacked(picture: Tensor) -> None:
    first, none = (protected(made(strength=2.0, steps=20, first=share), picture, FACES) for share in (0.5, 0.0))
    assert cosine(picture, first) < cosine(picture, none)


def test_what_was_won_against_encoders_is_kept_while_detectors_are_climbed(picture: Tensor) -> None:
    goals = [each.aim.goal for each in made().aims(scene_of(picture)) if isinstance(each.aim, Stranger)]
    alone = [each.aim.goal for each in made({}).aims(scene_of(picture)) if isinstance(each.aim, Stranger)]
    assert (goals, alone) == ([KEPT], [GOAL])
    assert protected(made(steps=4, goal=0.5), picture, FACES).isfinite().all()


def test_an_aim_at_a_stranger_has_the_named_goal_and_jitter(picture: Tensor) -> None:
    (named,) = estranging(scene_of(picture), ENCODERS, astray=0.07)
    assert isinstance(named.aim, Stranger)
    assert (named.model, named.aim.goal, named.aim.jitter, named.aim.graded) == ("encoder", GOAL, 0.07, True)


def test_plain_noise_of_a_size_is_attacked_with_too_and_keeps_to_its_ball(picture: Tensor) -> None:
    result = protected(made(epsilon=6 / 255, steps=20), picture, FACES)
    assert float((result - picture).abs().max()) <= 6 / 255 + 1e-6
    assert cosine(picture, result) < 0.5


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_a_coat_keeps_to_the_ceilings_and_leaves_the_picture_to_the_next_change(
    picture: Tensor, strength: float
) -> None:
    rough = grained(picture)
    scene = scene_of(rough.clone())
    painter = Painter(made({}, strength=strength, steps=30), scene)
    coat = painter.coat(torch.Generator().manual_seed(1), lambda: None)
    assert 0.3 * strength < painter.ink.used(coat) <= 1.05 * strength
    assert torch.equal(scene.image, rough)
    assert float(painter.aims[0].aim.share(coat)) < float(painter.aims[0].aim.share(scene.clean))


def test_a_coat_can_be_stopped_at_its_first_step(picture: Tensor) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Painter(made({}), scene_of(picture)).coat(torch.Generator().manual_seed(1), stop)


@pytest.mark.parametrize(("count", "done"), [(1, 0), (5, 0), (FIRST + 5, 1)])
def test_raising_while_watching_cancels_the_first_coat_and_the_climb(picture: Tensor, count: int, done: int) -> None:
    told: list[Progress] = []

    def watch(progress: Progress) -> None:
        told.append(progress)
        if len(told) == count:
            raise KeyboardInterrupt

    before = picture.clone()
    with pytest.raises(KeyboardInterrupt):
        protected(made(strength=0.5), picture, FACES, watch=watch)
    assert len(told) == count
    assert (told[-1].done >= 1) == bool(done)
    assert torch.equal(picture, before)


def test_watching_is_told_in_order_and_names_all_that_are_attacked(picture: Tensor) -> None:
    told: list[Progress] = []
    protected(made(steps=5, drop=0.3), picture, FACES, watch=told.append)
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert (told[0].done, told[-1].done, told[-1].total) == (0, 5, 5)
    assert all([name for name, _ in each.found] == ["detector", "encoder"] for each in told)
    assert told[0].found == (("detector", True), ("encoder", True))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"goal": FLOOR}, "goal is -0.5; it must be above -0.5"),
        ({"goal": -1.0}, "goal is -1; it must be above -0.5"),
        ({"goal": math.nan}, "goal is nan"),
        ({"goal": 1.0}, "goal and drop must be below 1"),
        ({"drop": 1.0}, "goal and drop must be below 1"),
        ({"first": 1.5}, "first must be at most 1"),
        ({"most": 0.0}, "most is 0; it must be above 0 and at most 1"),
        ({"most": math.nan}, "most is nan; it must be above 0 and at most 1"),
        ({"drop": -0.1}, "drop is -0.1; it must be at least 0"),
        ({"first": -0.1}, "first is -0.1; it must be at least 0"),
        ({"astray": math.inf}, "astray is inf; it must be at least 0, and finite"),
        ({"jitter": 0.5}, "jitter is 0.5; it must be at least 1"),
        ({"drop": 0.5, "epsilon": 0.02}, "drop and attention do not go with epsilon"),
        ({"attention": True, "epsilon": 0.02}, "drop and attention do not go with epsilon"),
        ({"strength": 5.0}, "strength 5 is outside 0 to 4"),
        ({"epsilon": 0.5}, "epsilon 0.5 is outside 0 to 64/255"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: Mapping[str, float], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        made(**options)


def test_nobody_to_hide_from_is_refused() -> None:
    with pytest.raises(OptionError, match="nobody to hide from: name detectors with --detectors or encoders with"):
        Shield({})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"cells": 7}, "cells is 7; it must be at least 8"),
        ({"reach": math.inf}, "reach is inf"),
        ({"momentum": -1}, "momentum is -1"),
        ({"strength": math.nan}, "strength nan is outside"),
    ],
)
def test_a_climb_that_makes_no_sense_is_refused(options: Mapping[str, float], sentence: str) -> None:
    climb = Climb(None, strength=1.0, steps=1, reach=0.0, cells=8, momentum=0.0)
    check_climb(climb, 0.0)
    with pytest.raises(OptionError, match=sentence):
        check_climb(replace(climb, **options), 0.0)


def test_detectors_and_encoders_count_as_attacked_and_a_defence_without_encoders_has_none() -> None:
    class Old:
        surrogates = DETECTORS

    assert attacked_by(made()) == ("detector", "encoder")
    assert attacked_by(Old()) == ("detector",)
    assert attacked_by(object()) == ()


def test_the_least_is_allowed_and_the_largest_number_of_all_is_not() -> None:
    check_least(made(), drop=0, steps=40)
    with pytest.raises(OptionError, match="steps is 40; it must be at least 41, and finite"):
        check_least(made(), steps=41)


def test_the_recipe_makes_the_defence_with_its_defaults() -> None:
    recipe = shield([], torch.device("cpu"))
    assert recipe(DETECTORS) == Shield(DETECTORS)
    assert defaults_of(recipe)["drop"] == 0
