from __future__ import annotations

import math
from pathlib import Path

import pytest
from benchmarks import detectors
from benchmarks.__main__ import main
from benchmarks.detectors import Sample, Tally

from deepguard.types import Box

FACE = Box(100, 100, 140, 140)


def compared(found: list[Box], faces: tuple[Box, ...], overlap: float = 0.5) -> Tally:
    tally = Tally()
    detectors._compare(tally, Sample(Path("made up"), "dlib", faces, overlap), found)
    return tally


def test_an_unknown_benchmark_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SystemExit, match="no benchmark called soup"):
        main(["soup"])


def test_a_find_counts_where_it_overlaps_enough() -> None:
    shifted = FACE.moved(12, 0)
    assert shifted.overlap(FACE) == pytest.approx(28 / 52)
    assert compared([shifted], (FACE,)).found["dlib"] == [1, 1]
    missed = compared([shifted], (FACE,), overlap=0.6)
    assert missed.found["dlib"] == [0, 1]
    assert missed.false["dlib"] == 1


def test_a_second_find_of_one_face_is_false() -> None:
    tally = compared([FACE, FACE.moved(2, 0)], (FACE,))
    assert tally.found["dlib"] == [1, 1]
    assert tally.false["dlib"] == 1


def test_two_faces_are_found_by_two_boxes_whichever_comes_first() -> None:
    faces = (FACE, FACE.moved(60, 0))
    assert compared([faces[1], faces[0]], faces).found["dlib"] == [2, 2]


def test_a_face_smaller_than_asked_for_is_neither_missed_nor_false() -> None:
    tiny = Box(0, 0, 12, 12)
    assert compared([], (tiny,)).found["dlib"] == [0, 0]
    assert compared([tiny], (tiny,)).false["dlib"] == 0
    assert compared([tiny.moved(50, 0)], (tiny,)).false["dlib"] == 0


def test_bands_meet_without_a_gap() -> None:
    bands = detectors._bands("WIDER")
    assert [(low, high) for _, low, high in bands] == [(20, 32), (32, 64), (64, math.inf)]
    assert [name for name, *_ in bands] == ["WIDER 20-32 px", "WIDER 32-64 px", "WIDER 64+ px"]


def test_head_and_row_have_the_same_number_of_cells() -> None:
    samples = [Sample(Path("a"), "dlib", (FACE,)), Sample(Path("b"), "no faces", count=0)]
    tally = compared([FACE], (FACE,))
    tally.seconds = [0.1, 0.3, 0.2]
    first, second = detectors.head(samples).split("\n")
    assert first == "| detector | dlib: found | dlib: false | no faces: false | CPU s per picture |"
    assert second == "|---|--:|--:|--:|--:|"
    assert detectors.row("toy", tally, samples) == "| toy | 1/1 | 0 | 0 | 0.20 |"


def test_the_sets_of_pictures_are_read_with_their_boxes(shared: Path) -> None:
    samples = detectors.gathered(shared / "data")
    if not samples:
        pytest.skip("the sets of pictures are not here")
    groups = {sample.group for sample in samples}
    assert groups == {"WIDER", "WIDER small", "dlib", "portraits", "no faces"}
    assert not any("17_Ceremony" in sample.file.name and sample.group == "WIDER" for sample in samples)
    dlib = [box for sample in samples if sample.group == "dlib" for box in sample.boxes]
    assert len(dlib) == 43
    assert all(0.8 < box.width / box.height < 1.25 for box in dlib)
