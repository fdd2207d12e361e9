from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from tests.forensics.training.faces_of import Middle, fill

from deepguard.errors import InputError
from deepguard.models.embedding import ARCFACE
from deepguard.models.roles import Template
from deepguard.prove.recognition import among, by_group, encoded, impostors, levels
from deepguard.types import Box, Face, Images, Rng

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Colour:
    """Tells people apart by the mean colour of their faces."""

    template: Template = ARCFACE
    family: str = "toy"
    gradient: bool = True

    def embed(self, crops: Images) -> torch.Tensor:
        return torch.nn.functional.normalize(crops.mean(dim=(2, 3)))


def unit(rng: Rng, count: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(count, 16, generator=rng))


def test_a_level_is_what_no_larger_share_of_all_pairs_of_different_people_exceeds(rng: Rng) -> None:
    vectors = unit(rng, 600)
    persons = [str(place // 2) for place in range(600)]
    cosines = vectors @ vectors.T
    different = torch.tensor([[one // 2 != two // 2 for two in range(600)] for one in range(600)]).triu(1)
    apart = cosines[different]
    assert impostors(persons) == len(apart)
    for level, rate in zip(levels(vectors, persons, [(0, 1)]), (1e-3, 1e-4), strict=True):
        assert float((apart > level.cosine).float().mean()) == pytest.approx(level.accepted)
        assert rate * 0.8 < level.accepted <= rate


def test_the_share_of_pairs_of_one_person_above_a_level_is_told(rng: Rng) -> None:
    people = unit(rng, 200)
    vectors = torch.cat((people, people))
    vectors[-50:] = -vectors[-50:]
    persons = [str(place % 200) for place in range(400)]
    loose, strict = levels(vectors, persons, [(place, place + 200) for place in range(200)])
    assert loose.matched == strict.matched == 0.75
    assert loose.cosine <= strict.cosine


def test_too_few_pairs_are_refused(rng: Rng) -> None:
    with pytest.raises(InputError, match="are too few; name more photos"):
        levels(unit(rng, 20), [str(place) for place in range(20)], [(0, 1)])
    with pytest.raises(InputError, match="0 of one are too few"):
        levels(unit(rng, 200), [str(place) for place in range(200)], [])


def test_groups_are_judged_each_among_themselves() -> None:
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [1.0, 0.0]])
    rates = by_group(vectors, ["a", "a", "b", "b", "alone"], 0.7)
    assert rates == {"a": 1.0, "alone": 0.0, "b": 1.0}
    assert by_group(vectors, ["a", "a", "a", "b", "b"], 0.7)["a"] == pytest.approx(1 / 3)


def test_pairs_of_photos_without_a_face_are_left_out() -> None:
    assert among((0, 2, 5), [(0, 2), (0, 1), (5, 2)]) == [(0, 1), (2, 1)]


def test_photos_without_a_face_and_torn_ones_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, 3, side=40)
    fill(tmp_path, 2, seed=1, side=48)
    (tmp_path / "0-001.png").write_bytes(b"torn")
    photos = sorted(tmp_path.glob("*.png"))
    told = []
    found = encoded(photos, {"colour": Colour()}, Middle(), CPU, told.append)
    assert found.seen == (0, 2, 3, 4)
    assert found.vectors["colour"].shape == (4, 3)
    assert found.seconds["colour"] >= 0
    assert told[0].total == 5


def test_of_several_faces_the_one_nearest_to_the_middle_counts(tmp_path: Path) -> None:
    class Two:
        def detect(self, images: Images, **told: object) -> list[list[Face]]:
            marks = [tuple((x / 5 + aside, y / 5 + 8) for x, y in ARCFACE.points) for aside in (0.0, 9.0)]
            boxes = [Box(aside, 8, aside + 22, 30) for aside in (0.0, 9.0)]
            return [[Face(box, 0.9, mark) for box, mark in zip(boxes, marks, strict=True)] for _ in images]

    fill(tmp_path, 1, side=40)
    seen = []

    class Keeps(Colour):
        def embed(self, crops: Images) -> torch.Tensor:
            seen.append(crops)
            return super().embed(crops)

    encoded(list(tmp_path.glob("*.png")), {"keeps": Keeps()}, Two(), CPU)
    (crop,) = seen[0]
    assert crop.shape == (3, 112, 112)
    assert (crop > 0).all()


def test_no_landmark_anywhere_is_refused(tmp_path: Path) -> None:
    class Blind:
        def detect(self, images: Images, **told: object) -> list[list[Face]]:
            return [[Face(Box(0, 0, 9, 9), 0.9)] for _ in images]

    fill(tmp_path, 2, side=40)
    with pytest.raises(InputError, match="choose another --detector or folder"):
        encoded(list(tmp_path.glob("*.png")), {"colour": Colour()}, Blind(), CPU)


def test_the_number_of_impostor_pairs_leaves_out_those_of_one_person() -> None:
    assert impostors(["a", "a", "b", "c", "c", "c"]) == math.comb(6, 2) - 1 - 3
