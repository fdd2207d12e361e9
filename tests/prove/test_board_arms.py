from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from tests.attack.toys import drawn, faces_at, toy
from tests.media.files_of import file_of

from deepguard.errors import NoFace
from deepguard.measures.roles import measures
from deepguard.media.encode import encode
from deepguard.media.picture import Picture, to_pixels
from deepguard.media.read import decode
from deepguard.prove.board import arms
from deepguard.prove.board.arms import PAPER, Bench, Controls, Order, measured
from deepguard.prove.board.records import Photo
from deepguard.prove.quality import compare
from deepguard.prove.report import FileFacts, ModelFacts, Report
from deepguard.prove.verify import judge
from deepguard.types import Images, Progress, Watch
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")
CORNER = (64, 48)
FACES = tuple(faces_at(CORNER))
PLAIN = drawn((128, 192))
WITH_FACE = drawn((128, 192), CORNER, contrast=0.08)
DETECTORS = {"one": toy(192), "two": toy(192), "three": toy(192)}
ALL = Controls(leave_one_out=True, paper=True, noise=True)
NONE = Controls(leave_one_out=False, paper=False, noise=False)
FACTS = FileFacts("a", "PNG", "0" * 64, 1, 192, 128)


@dataclass(frozen=True)
class Result:
    data: bytes
    report: Report


@dataclass
class Protecting:
    """Stands for the program: ours wipes the face away; the paper's draws stripes over the whole picture."""

    measures: Mapping[str, Any]
    orders: list[Order] = field(default_factory=list)

    def __call__(self, picture: Picture, order: Order, watch: Watch) -> Result:
        self.orders.append(order)
        watch(Progress("protect", 0, 1, seconds=5.0))
        stripes = 0.1 * (torch.arange(192) % 2 * 2 - 1)
        images = picture.images + stripes if order.defence == PAPER else PLAIN
        data = encode(picture, images)
        after = decode(data).images
        judgements = judge(picture.images, {"delivered": after, "instagram": after}, FACES, DETECTORS)
        attacked = order.detectors or tuple(DETECTORS)
        return Result(data, self._report(judgements, attacked, compare(picture.images, after, FACES, self.measures)))

    def _report(self, judgements: Any, attacked: tuple[str, ...], qualities: Any) -> Report:
        return Report(
            version="0",
            created="",
            input=FACTS,
            output=FACTS,
            device="cpu",
            seed=0,
            seconds={"finding": 1.0, "protecting": 2.0},
            preset="balanced",
            defence="facepoison",
            through="any",
            options={"steps": 2},
            faces=FACES,
            chosen=(1,),
            judgements=judgements,
            models=tuple(ModelFacts(name, name in attacked, {}) for name in DETECTORS),
            missing=(),
            picture_quality=qualities[0],
            face_quality=qualities[1],
        )


@pytest.fixture(scope="module")
def picture() -> Picture:
    return decode(file_of(to_pixels(WITH_FACE[0]), "PNG"))


@pytest.fixture
def bench(empty_shelf: Shelf) -> Bench:
    scales = {name: measures.create(name, empty_shelf, CPU) for name in measures.available(empty_shelf)}
    return Bench(
        protect=Protecting(scales),
        detectors=DETECTORS,
        tapped=("one", "two"),
        measures=scales,
        device=CPU,
        defences=("facepoison", PAPER),
        presets=("balanced", "strong"),
        chains=("instagram", "jpeg75", "half"),
        seed=3,
    )


def tried(photo: Photo) -> list[str]:
    return [each.name for each in photo.arms]


def test_every_change_is_tried_once_and_in_order(picture: Picture, bench: Bench) -> None:
    photo = measured("a.png", picture, bench, ALL)
    assert tried(photo) == [
        "facepoison balanced",
        "facepoison strong",
        "facepoison balanced without one",
        "facepoison balanced without two",
        "facepoison balanced without three",
        "facepoison-paper one",
        "facepoison-paper two",
        "noise",
        "scaled one",
        "scaled two",
    ]
    assert [each.attacked for each in photo.arms][2:7] == [
        ("two", "three"),
        ("one", "three"),
        ("one", "two"),
        ("one",),
        ("two",),
    ]
    assert (photo.name, photo.sha256, photo.width, photo.height) == ("a.png", picture.sha256, 192, 128)
    assert (photo.faces, photo.small) == (FACES, 0)


def test_controls_that_are_not_asked_for_are_left_out(picture: Picture, bench: Bench) -> None:
    assert tried(measured("a.png", picture, bench, NONE)) == ["facepoison balanced", "facepoison strong"]
    noise = measured("a.png", picture, bench, replace(NONE, noise=True))
    assert tried(noise) == ["facepoison balanced", "facepoison strong", "noise"]


def test_the_published_recipe_alone_is_held_against_nothing(picture: Picture, bench: Bench) -> None:
    alone = replace(bench, defences=(PAPER,))
    assert tried(measured("a.png", picture, alone, ALL)) == ["facepoison-paper one", "facepoison-paper two"]


def test_ours_is_judged_after_every_chain_and_the_controls_as_delivered(picture: Picture, bench: Bench) -> None:
    photo = measured("a.png", picture, bench, ALL)
    versions = {each.name: list(each.judgements[0].after) for each in photo.arms}
    assert versions["facepoison balanced"] == ["delivered", "instagram", "jpeg75", "half"]
    assert versions["facepoison-paper one"] == ["delivered", "instagram"]
    assert versions["noise"] == versions["scaled one"] == ["delivered"]
    assert {tuple(judged.detector for judged in each.judgements) for each in photo.arms} == {tuple(DETECTORS)}


def test_what_is_found_is_what_is_there(picture: Picture, bench: Bench) -> None:
    made = {each.name: each for each in measured("a.png", picture, bench, ALL).arms}
    assert all(judged.before == (True,) for each in made.values() for judged in each.judgements)
    ours = made["facepoison balanced"].judgements[0].after
    assert [seen.found for seen in ours.values()] == [(False,)] * 4
    assert made["noise"].judgements[0].after["delivered"].retry is None


def test_the_untouched_photo_is_judged_once_and_no_retry_is_made(
    picture: Picture, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[list[str], object]] = []

    def judged(original: Images, versions: Mapping[str, Images], *rest: Any, **options: Any) -> Any:
        calls.append((list(versions), options["retry"]))
        return judge(original, versions, *rest, **options)

    monkeypatch.setattr(arms, "judge", judged)
    measured("a.png", picture, bench, ALL)
    ((versions, retry),) = calls
    assert len(versions) == 2 * 2 + 1 + 2
    assert retry == ()


def test_a_scaled_change_is_as_faint_as_ours_and_nearly_as_strong_as_that_allows(
    picture: Picture, bench: Bench
) -> None:
    made = {each.name: each for each in measured("a.png", picture, bench, ALL).arms}
    limit, scaled = made["facepoison balanced"].excess, made["scaled one"]
    assert made["facepoison-paper one"].excess > limit
    assert scaled.excess <= limit
    assert 0 < scaled.settings["factor"] < 1
    assert scaled.attacked == ("one",)


def test_the_watch_is_told_which_change_is_made_and_no_estimate_of_a_part(picture: Picture, bench: Bench) -> None:
    told: list[Progress] = []
    measured("a.png", picture, bench, ALL, told.append)
    stages = list(dict.fromkeys(each.stage.partition(" (")[0] for each in told))
    assert stages[:2] == ["facepoison balanced", "facepoison strong"]
    assert stages[-4:] == ["noise", "scaled one", "scaled two", "judging"]
    assert all(each.seconds is None for each in told)


def test_a_photo_without_a_face_says_so(picture: Picture, bench: Bench) -> None:
    def refuse(*_: object) -> Result:
        raise NoFace("no face was found")

    with pytest.raises(NoFace):
        measured("a.png", picture, replace(bench, protect=refuse), ALL)
