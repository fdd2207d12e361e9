from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch
from tests.attack.toys import Linear, alike, drawn, faces_at, marked, noise_like, toy
from torch import Tensor

from deepguard.defences.dipa import Dipa, dipa
from deepguard.defences.dropping import LEAST, STEPS, attention, dropped
from deepguard.defences.ink import Ink
from deepguard.defences.regions import regions
from deepguard.defences.scene import Named, Scene, estranging, vanishing
from deepguard.errors import OptionError
from deepguard.measures.ssim import Ssim
from deepguard.types import Progress

SIZE = (128, 192)
CORNER = (96, 64)
FACES = [marked(face) for face in faces_at(CORNER)]
TINT = torch.tensor([-0.04, 0.0, 0.04])[:, None, None]


def made(**options: float) -> Dipa:
    """The defence; more than a photo needs, since the toys see one pattern only and have nothing to spare."""
    return Dipa(
        {"detector": toy(192)},
        None,
        {"encoder": Linear()},
        {"ssim": Ssim()},
        **{"strength": 4.0, "steps": 40, **options},
    )


def protected(defence: Dipa, picture: Tensor, seed: int = 1) -> Tensor:
    return defence.protect(picture, [FACES], rng=torch.Generator().manual_seed(seed))


def cosine(before: Tensor, after: Tensor) -> float:
    return alike(Linear(), before, after, FACES[0].landmarks)


def chance() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.fixture(scope="module")
def picture() -> Tensor:
    grain = 0.02 * torch.randn(1, 1, *SIZE, generator=torch.Generator().manual_seed(4))
    return drawn(SIZE, CORNER, contrast=0.024) + TINT + grain


@pytest.fixture(scope="module")
def scene(picture: Tensor) -> Scene:
    (region,) = regions(FACES, *SIZE, reach=0.6, context=0.15)
    return Scene(region, picture, 0.1)


@pytest.fixture(scope="module")
def ink(scene: Scene) -> Ink:
    return Ink(scene.clean, scene.region, {"ssim": Ssim()}, scene.part)


@pytest.fixture(scope="module")
def aims(scene: Scene) -> list[Named]:
    return [*vanishing(scene, {"detector": toy(192)}, 1.0), *estranging(scene, {"encoder": Linear()}, astray=0.05)]


def test_the_detector_misses_the_face_and_the_encoder_takes_it_for_a_stranger_but_not_under_noise(
    picture: Tensor,
) -> None:
    result = protected(made(), picture)
    noisy = picture + noise_like(result - picture)
    assert [len(toy(192).detect(each)[0]) for each in (picture, noisy, result)] == [1, 1, 0]
    assert cosine(picture, result) < 0.3
    assert cosine(picture, noisy) > 0.75
    assert 0 <= result.min() <= result.max() <= 1


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(picture: Tensor) -> None:
    first, again, other = (protected(made(steps=4), picture, seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 1.0])
def test_what_is_dropped_stays_under_its_share_of_the_ceilings(
    scene: Scene, ink: Ink, aims: list[Named], share: float
) -> None:
    result = dropped(ink, aims, scene, share, chance(), lambda: None)
    assert ink.used(result) <= share
    outside = (scene.region.mask(*scene.clean.shape[-2:]) == 0).expand_as(result)
    assert outside.any()
    assert torch.equal(result[outside], scene.clean[outside])


def test_dropping_takes_detail_by_which_the_encoder_knows_the_face(scene: Scene, ink: Ink, aims: list[Named]) -> None:
    result = dropped(ink, aims, scene, 1.0, chance(), lambda: None)
    assert 0.1 < ink.used(result) <= 1
    # the detector sees means of whole blocks only, which are not detail
    assert float(aims[-1].aim.share(result)) < 0.998 * float(aims[-1].aim.share(scene.clean))


def test_where_nothing_may_be_dropped_the_picture_stays(scene: Scene, ink: Ink, aims: list[Named]) -> None:
    assert torch.equal(dropped(ink, aims, scene, 0.0, chance(), lambda: None), scene.clean)


def test_each_step_of_dropping_is_told_so_that_it_can_be_stopped(scene: Scene, ink: Ink, aims: list[Named]) -> None:
    told: list[int] = []
    dropped(ink, aims, scene, math.inf, chance(), lambda: told.append(1))
    assert len(told) == STEPS

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dropped(ink, aims, scene, math.inf, chance(), stop)


def test_attention_is_where_the_models_look_and_nowhere_none(scene: Scene, aims: list[Named]) -> None:
    where = attention(aims, scene.clean, scene, chance())
    assert where.shape == scene.clean[:, :1].shape
    assert (float(where.min()), float(where.max())) == (pytest.approx(LEAST), 1)
    assert 0.05 < float((where == 1).float().mean()) < 0.2
    (share,) = scene.region.shares()
    height, width = where.shape[-2:]
    middle = where[0, 0, round((share.top + share.bottom) / 2 * height), round((share.left + share.right) / 2 * width)]
    assert float(middle) > 0.8
    assert float(where[0, 0, 0, 0]) == pytest.approx(LEAST)


def test_attention_is_the_same_for_the_same_seed(scene: Scene, aims: list[Named]) -> None:
    first, again = (attention(aims, scene.clean, scene, chance()) for _ in range(2))
    assert torch.equal(first, again)


def test_raising_while_watching_cancels_the_dropping(picture: Tensor) -> None:
    told: list[Progress] = []

    def watch(progress: Progress) -> None:
        told.append(progress)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made().protect(picture, [FACES], rng=chance(), watch=watch)
    assert [each.done for each in told] == [0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"drop": 1.0}, "goal and drop must be below 1"),
        ({"drop": -0.5}, "drop is -0.5; it must be at least 0"),
        ({"goal": -0.6}, "goal is -0.6; it must be above -0.5"),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: Mapping[str, float], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        made(**options)
    with pytest.raises(OptionError, match="nobody to hide from"):
        Dipa({})


def test_the_recipe_makes_the_defence() -> None:
    detectors = {"detector": toy(192)}
    assert dipa([], torch.device("cpu"))(detectors) == Dipa(detectors)
