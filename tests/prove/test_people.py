from __future__ import annotations

from pathlib import Path

import pytest

from deepguard.errors import InputError
from deepguard.prove.people import groups_in, people_in

PAIRS = "10\t300\nAda_L\t1\t2\nAda_L\t1\tGrace_H\t1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Ada_L_0001", "Ada_L_0002", "Grace_H_0001"):
        (tmp_path / f"{name}.jpg").touch()
    (tmp_path / "pairs.txt").write_text(PAIRS)
    return tmp_path


def test_people_and_pairs_are_read_as_lfw_has_them(folder: Path) -> None:
    people = people_in(folder)
    assert people.persons == ("Ada_L", "Ada_L", "Grace_H")
    assert people.genuine == ((0, 1),)


def test_a_folder_for_each_person_is_read_too(tmp_path: Path) -> None:
    for name in ("Ada_L_0001", "Ada_L_0002"):
        (tmp_path / "Ada_L").mkdir(exist_ok=True)
        (tmp_path / "Ada_L" / f"{name}.jpg").touch()
    (tmp_path / "pairs.txt").write_text("1 1\nAda_L 2 1\n")
    assert people_in(tmp_path).genuine == ((1, 0),)


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        ("1 1\nAda_L 1 7\n", "names the photo Ada_L_0007, which is not there"),
        ("1 1\nAda_L one two\n", "cannot be read"),
        ("1 1\n", "names no pair of one person"),
    ],
)
def test_a_list_of_pairs_that_does_not_fit_is_one_sentence(folder: Path, pairs: str, sentence: str) -> None:
    (folder / "pairs.txt").write_text(pairs)
    with pytest.raises(InputError, match=sentence):
        people_in(folder)


def test_a_missing_list_of_pairs_is_one_sentence(folder: Path) -> None:
    (folder / "pairs.txt").unlink()
    with pytest.raises(InputError, match="it is the list of pairs that comes with LFW"):
        people_in(folder)


def test_a_folder_of_other_photos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(InputError, match="laid out as LFW is"):
        people_in(tmp_path)
    with pytest.raises(InputError, match="laid out as UTKFace is"):
        groups_in(tmp_path)


def test_groups_are_read_from_the_names_of_the_photos(tmp_path: Path) -> None:
    for name in ("25_0_2_2017.jpg.chip.jpg", "61_1_0_2017.jpg.chip.jpg", "61_1_20170109.jpg"):
        (tmp_path / name).touch()
    groups = groups_in(tmp_path)
    assert groups.groups == ("Asian men", "white women")
    assert len(groups.photos) == 2
