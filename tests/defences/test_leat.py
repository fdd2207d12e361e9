from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch
from tests.attack.toys import Linear, alike, drawn, faces_at, marked, noise_like, toy
from torch import Tensor

from deepguard.defences.leat import Leat, leat
from deepguard.defences.leat_paper import LeatPaper, leat_paper
from deepguard.defences.regions import USUAL
from deepguard.defences.roles import Defence, attacked_by
from deepguard.defences.scene import GOAL
from deepguard.defences.shield import Shield
from deepguard.errors import OptionError, WeightsMissing
from deepguard.measures.skin import chroma
from deepguard.measures.ssim import Ssim
from deepguard.models.roles import Encoder
from deepguard.types import Face, Progress, ignore

SIZE = (128, 192)
CORNER = (96, 64)
FACES = [marked(face) for face in faces_at(CORNER)]
TINT = torch.tensor([-0.04, 0.0, 0.04])[:, None, None]
ENCODERS: Mapping[str, Encoder] = {"one": Linear(), "two": Linear(seed=3)}
COMMAND = "no encoder is at hand; run: deepguard models pull mobilefacenet-ms1m mobilefacenet-casia"


def ours(**options: float) -> Leat:
    return Leat({}, None, ENCODERS, {"ssim": Ssim()}, **{"strength": 2.0, "steps": 40, **options})


def published(**options: float) -> LeatPaper:
    return LeatPaper({}, None, ENCODERS, **{"steps": 8, **options})


def protected(
    defence: Defence, picture: Tensor, faces: list[Face], seed: int = 1, watch: Callable[[Progress], None] = ignore
) -> Tensor:
    return defence.protect(picture, [faces], rng=torch.Generator().manual_seed(seed), watch=watch)


def cosines(before: Tensor, after: Tensor, face: Face = FACES[0]) -> list[float]:
    return [alike(Linear(seed=seed), before, after, face.landmarks) for seed in (2, 3)]


@pytest.fixture(scope="module")
def picture() -> Tensor:
    return drawn(SIZE, CORNER) + TINT


@pytest.mark.parametrize("defence", [ours(), published()], ids=["ours", "published"])
def test_every_encoder_takes_the_face_for_a_stranger_and_not_under_noise_of_the_same_size(
    picture: Tensor, defence: Defence
) -> None:
    result = protected(defence, picture, FACES)
    assert max(cosines(picture, result)) < 0.3
    for seed in range(3):
        noisy = picture + noise_like((result - picture)[:, :1], seed)
        assert min(cosines(picture, noisy)) > 0.75


@pytest.mark.parametrize("defence", [ours(), published()], ids=["ours", "published"])
def test_faces_without_landmarks_are_hidden_where_those_of_a_usual_face_lie(defence: Defence) -> None:
    bare = faces_at((16, 16), (128, 72))
    crowd = drawn(SIZE, (16, 16), (128, 72)) + TINT
    result = protected(defence, crowd, bare)
    for face in bare:
        box = face.box
        guessed = tuple((box.left + x * box.width, box.top + y * box.height) for x, y in USUAL)
        assert max(cosines(crowd, result, replace(face, landmarks=guessed))) < 0.4


@pytest.mark.parametrize("defence", [ours(steps=6), published()], ids=["ours", "published"])
def test_the_same_seed_gives_the_same_picture_and_another_seed_another(picture: Tensor, defence: Defence) -> None:
    first, again, other = (protected(defence, picture, FACES, seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("defence", [ours(steps=6), published()], ids=["ours", "published"])
def test_a_grey_picture_stays_grey(defence: Defence) -> None:
    grey = drawn(SIZE, CORNER)
    result = protected(defence, grey, FACES)
    assert torch.equal(result[:, :1].expand_as(result), result)
    assert not torch.equal(result, grey)


@pytest.mark.parametrize("defence", [ours(steps=6), published()], ids=["ours", "published"])
def test_nothing_changes_beyond_the_surroundings_of_the_face(picture: Tensor, defence: Defence) -> None:
    before = picture.clone()
    changed = (protected(defence, picture, FACES) != picture).any(dim=1)[0]
    wide = FACES[0].box.grown(0.3)
    changed[math.floor(wide.top) : math.ceil(wide.bottom), math.floor(wide.left) : math.ceil(wide.right)] = False
    assert not changed.any()
    assert torch.equal(protected(defence, picture, []), picture)
    assert torch.equal(picture, before)


@pytest.mark.parametrize("defence", [ours(steps=6), published()], ids=["ours", "published"])
def test_raising_while_watching_cancels(picture: Tensor, defence: Defence) -> None:
    told: list[Progress] = []

    def watch(progress: Progress) -> None:
        told.append(progress)
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        protected(defence, picture, FACES, watch=watch)
    assert [each.done for each in told] == [1, 2, 3]


@pytest.mark.parametrize("kind", [Leat, LeatPaper])
def test_without_an_encoder_the_command_that_brings_one_is_told(kind: type[Leat | LeatPaper]) -> None:
    with pytest.raises(WeightsMissing, match=COMMAND):
        kind({"toy": toy(192)})


@pytest.mark.parametrize("kind", [Leat, LeatPaper])
def test_detectors_are_left_alone(kind: type[Leat | LeatPaper]) -> None:
    assert attacked_by(kind({"toy": toy(192)}, None, ENCODERS)) == ("one", "two")


def test_ours_is_the_shield_without_detectors(picture: Tensor) -> None:
    shield = Shield({}, None, ENCODERS, {"ssim": Ssim()}, strength=2.0, steps=6, reach=0.3, goal=GOAL)
    assert torch.equal(protected(ours(steps=6), picture, FACES), protected(shield, picture, FACES))
    torch.testing.assert_close(chroma(protected(ours(steps=6), picture, FACES)), chroma(picture), atol=1e-6, rtol=0)


@pytest.mark.parametrize("epsilon", [1 / 255, 6.4 / 255, 16 / 255])
def test_the_published_one_keeps_to_its_ball_and_uses_it(picture: Tensor, epsilon: float) -> None:
    change = protected(published(epsilon=epsilon), picture, FACES) - picture
    assert 0.95 * epsilon < float(change.abs().max()) <= epsilon + 1e-6


def test_the_published_one_keeps_to_its_ball_also_where_the_windows_of_groups_overlap() -> None:
    corners = ((8, 8), (8, 44), (8, 80), (44, 80), (80, 80), (80, 16))
    crowd = drawn((128, 128), *corners) + TINT
    change = protected(published(), crowd, faces_at(*corners)) - crowd
    assert float(change.abs().max()) <= 6.4 / 255 + 1e-6


def test_the_published_one_stays_a_picture_where_it_is_black_or_white() -> None:
    hard = (drawn(SIZE, CORNER) > 0.5).float()
    result = protected(published(), hard, FACES)
    assert 0 <= result.min() <= result.max() <= 1


def test_the_published_one_tells_every_step_of_every_group() -> None:
    corners = ((8, 8), (144, 80))
    told: list[Progress] = []
    protected(published(steps=3), drawn(SIZE, *corners), faces_at(*corners), watch=told.append)
    assert [(each.done, each.total) for each in told] == [(done, 6) for done in range(1, 7)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"epsilon": 0.0}, "epsilon is 0; it must be above 0 and at most 64/255"),
        ({"epsilon": math.nan}, "epsilon is nan; it must be above 0"),
        ({"alpha": 0.3}, "alpha is 0.3; it must be above 0 and at most 64/255"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: Mapping[str, float], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        published(**options)
    with pytest.raises(OptionError, match="strength 9 is outside"):
        ours(strength=9)


def test_the_recipes_make_the_defences() -> None:
    cpu = torch.device("cpu")
    assert leat([], cpu)({}, None, ENCODERS) == Leat({}, None, ENCODERS)
    assert leat_paper([], cpu)({}, None, ENCODERS) == LeatPaper({}, None, ENCODERS)
