from __future__ import annotations

import dataclasses
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from tests.prove.proofs import Grey, face
from torch import Tensor

from deepguard.errors import InputError, NoFace
from deepguard.measures.psnr import Psnr
from deepguard.measures.ssim import Ssim
from deepguard.media.picture import Picture
from deepguard.media.read import decode
from deepguard.prove.board.arms import Order
from deepguard.prove.board.identity import IdentityBoard, Known, Likened, Person, Stand, board_from, measured
from deepguard.prove.board.identity_tables import markdown, matched, robustness
from deepguard.prove.board.records import Absent
from deepguard.prove.report import ModelFacts, Quality
from deepguard.types import Face, Progress, Watch

QUALITY = Quality(0.97, 40.0, 0.03)
WHO = Known("who", "toy", 0.5, 0.7)
JUDGE = Known("judge", "toy", 0.5, 0.7)
OTHER = Known("other", "far", None, None)


def likened(name: str, cosine: float, *, after: float | None = None, kind: str = "ours") -> Likened:
    values = {"delivered": cosine, "jpeg90": cosine if after is None else after}
    cosines = {column: dict.fromkeys(("who", "judge", "other"), value) for column, value in values.items()}
    attacked = ("who",) if kind == "ours" else ()
    seconds = {"protecting": 2.0} if kind == "ours" else {}
    quality = None if kind == "clean" else QUALITY
    return Likened(name, kind, attacked, cosines, quality, quality, 0.9, seconds)  # type: ignore[arg-type]


def person(name: str, ours: float, *, reference: str | None = None, after: float | None = None) -> Person:
    arms = (
        likened("clean", 0.9, kind="clean"),
        likened("shield balanced", ours, after=after),
        likened("noise", 0.85, kind="noise"),
    )
    return Person(name, "a" * 64, reference or f"{name}2", 150, 150, face(), arms)


def board(*people: Person, complete: bool = True) -> IdentityBoard:
    return IdentityBoard(
        "1",
        "2026-01-01T00:00:00+00:00",
        complete,
        "cpu",
        {"limit": None, "defences": ("shield",)},
        (WHO, JUDGE, OTHER),
        ("jpeg90",),
        people,
        (Absent("x|y.jpg", "no face"),),
        (),
    )


def test_attacked_encoders_and_judges_have_rows_of_their_own() -> None:
    page = markdown(board(person("a", 0.1), person("b", 0.6)))
    assert (
        "| who (toy, attacked) | 2/2, 100 % [34 %, 100 %] | 1/2, 50 % [9 %, 91 %] | 2/2, 100 % [34 %, 100 %] |" in page
    )
    assert "| judge (toy, judge) | 2/2" in page
    assert "| other (far, judge) | - | - | - |" in page
    for row in ("**attacked**", "**judges of the same family**"):
        assert f"| {row} | 100 % [34 %, 100 %] | 50 % [9 %, 91 %] | 100 % [34 %, 100 %] |" in page
    assert "| **judges of other families** | - | - | - |" in page
    assert "## Compared with another photo of the person: 2 people" in page
    assert (
        "| shield balanced | 0.970 (0.970) | 0.030 (0.030) | 0.970 (0.970) | 0.030 (0.030) | 0.900 (0.900) | 2.0 |"
        in page
    )
    assert "- x|y.jpg: no face" in page


def test_people_without_another_photo_are_counted_apart() -> None:
    page = markdown(board(person("a", 0.1), person("b", 0.6, reference="b"), complete=False))
    assert "## Compared with another photo of the person: 1 person" in page
    assert "## Compared with their own original: 1 person" in page
    assert "The run was stopped before its end" in page


def test_a_match_needs_a_threshold_and_a_column_that_was_taken() -> None:
    arms = [likened("x", 0.6), likened("x", 0.4)]
    found = matched(arms, WHO, "delivered")
    assert found is not None
    assert (found.count, found.of) == (1, 2)
    strict = matched(arms, WHO, "delivered", strict=True)
    assert strict is not None
    assert strict.count == 0
    assert matched(arms, OTHER, "delivered") is None
    nothing = matched(arms, WHO, "half")
    assert nothing is not None
    assert nothing.of == 0


@pytest.mark.parametrize(
    ("ours", "after", "expected"), [(0.1, 0.1, 1.0), (0.1, 0.5, 0.5), (0.1, -0.5, 1.0), (0.88, 0.1, None)]
)
def test_robustness_is_the_share_of_the_loss_that_a_probe_leaves(
    ours: float, after: float, expected: float | None
) -> None:
    found = robustness([person("a", ours, after=after)], "shield balanced", "who")
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_board_read_back_is_the_same_and_anything_else_is_refused() -> None:
    made = board(person("a", 0.1))
    assert board_from(json.loads(json.dumps(made.as_json()))) == dataclasses.replace(
        made, options={"limit": None, "defences": ["shield"]}
    )
    with pytest.raises(InputError, match="give what deepguard bench identity wrote"):
        board_from({"schema": "other"})


@dataclasses.dataclass(frozen=True)
class Told:
    """As much of a report as the board reads."""

    models: tuple[ModelFacts, ...] = (ModelFacts("who", True, {}), ModelFacts("mtcnn", True, {}))
    seconds: dict[str, float] = dataclasses.field(default_factory=lambda: {"protecting": 1.0})


@dataclasses.dataclass(frozen=True)
class Done:
    data: bytes
    report: Told = dataclasses.field(default_factory=Told)


def read(images: Tensor) -> Picture:
    buffer = io.BytesIO()
    pixels = (images[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return decode(buffer.getvalue())


def stand(faces: list[Face]) -> Stand:
    def protect(picture: Picture, order: Order, watch: Watch) -> Done:
        watch(Progress("climbing", 0, 1))
        buffer = io.BytesIO()
        dark = (picture.images[0].permute(1, 2, 0) * 200).round().to(torch.uint8).numpy()
        Image.fromarray(np.ascontiguousarray(dark)).save(buffer, "PNG")
        return Done(buffer.getvalue())

    return Stand(
        protect=protect,  # type: ignore[arg-type]
        faces=lambda picture, watch: faces,
        orders=(Order("shield", "balanced"),),
        encoders={"who": Grey(), "judge": Grey()},
        measures={"ssim": Ssim(), "psnr": Psnr()},
        columns=("jpeg75", "crop"),
        device=torch.device("cpu"),
        seed=0,
    )


def test_a_person_is_measured_in_all_arms_and_columns(astronaut: Tensor) -> None:
    photo, other = read(astronaut[..., 20:220, 130:330]), read(astronaut[..., 25:225, 130:330])
    told: list[str] = []
    found = measured(
        "a",
        photo,
        ("b", other),
        stand([face(5, 5, 20), face(45, 30, 110)]),
        lambda each: told.append(each.stage),
        control=True,
    )
    assert [(arm.name, arm.kind, arm.attacked) for arm in found.arms] == [
        ("clean", "clean", ()),
        ("shield balanced", "ours", ("who",)),
        ("noise", "noise", ()),
    ]
    assert found.face.box.width == 110
    assert found.another
    assert all(set(arm.cosines) == {"delivered", "jpeg75", "crop"} for arm in found.arms)
    assert found.arms[0].picture_quality is None
    assert found.arms[1].picture_quality is not None
    assert found.arms[1].seconds == {"protecting": 1.0}
    assert told == ["shield balanced (climbing)"]


def test_without_another_photo_the_original_is_the_reference(astronaut: Tensor) -> None:
    photo = read(astronaut[..., 20:220, 130:330])
    found = measured("a", photo, ("a", photo), stand([face(45, 30, 110)]), control=False)
    assert not found.another
    assert found.arms[0].cosines["delivered"] == {"who": 1.0, "judge": 1.0}
    assert [arm.name for arm in found.arms] == ["clean", "shield balanced"]


def test_a_face_without_landmarks_is_no_face_here(astronaut: Tensor) -> None:
    photo = read(astronaut[..., 20:220, 130:330])
    with pytest.raises(NoFace, match="no face with landmarks was found in a"):
        measured("a", photo, ("a", photo), stand([face(marks=False)]), control=False)
