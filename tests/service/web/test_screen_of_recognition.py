"""What the plain page says of a job that attacked encoders and left detectors alone."""

from __future__ import annotations

from typing import Any

import pytest

from deepguard.service.web.screen import _figures, _sentences
from deepguard.service.web.words import Words

JUDGES = {"detectors": 9, "found_before": 9, "found_after": 9, "found_posted": {"instagram": 9}}
ALONE: dict[str, Any] = {
    "faces": 1,
    "detectors": 0,
    "found_before": 0,
    "found_after": 0,
    "found_posted": {"instagram": 0},
    "judges": JUDGES,
    "encoders": 2,
    "known_after": 0,
    "held_encoders": 2,
    "held_known_after": 1,
}


def said(**changes: Any) -> list[str]:
    return list(_sentences(Words("en"), ALONE | changes))


def test_recognition_leads_and_detectors_are_told_as_judges() -> None:
    first, held, judges, hint = said()
    assert first == "2 programs that know faces now take the face for somebody else's."
    assert held == "Of 2 programs that know faces and were not attacked, 1 still takes a face for the same person."
    assert "not attacked (9)" in judges
    assert "‘Strong’" in hint
    assert not any("in the original either" in each for each in said())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"known_after": 1}, "Of 2 programs that know faces, 1 still takes the face for the same person."),
        ({"known_after": 2}, "2 programs that know faces still take the face for the same person."),
        ({"faces": 3}, "2 programs that know faces now take each of 3 faces for somebody else's."),
        ({"faces": 3, "known_after": 1}, "Of 2 programs that know faces, 1 still knows at least one of 3 faces."),
    ],
)
def test_who_still_knows_a_face_is_counted(changes: dict[str, Any], sentence: str) -> None:
    assert said(**changes)[0] == sentence


def test_without_encoders_detectors_lead_as_before() -> None:
    counts = {"encoders": 0, "held_encoders": 0, "detectors": 9, "found_before": 9, "found_after": 2, "judges": None}
    first, posted = said(**counts)
    assert "9" in first
    assert "2" in first
    assert "Instagram" in posted


def test_a_face_without_landmarks_is_not_told_in_the_words_of_a_proof() -> None:
    note = {"code": "no_landmarks", "text": "", "count": 0}
    assert said(notes=[note])[-1].startswith("Where eyes and mouth could not be placed")


def test_figures_of_detectors_that_were_left_alone_are_left_out() -> None:
    names = [name for name, _ in _figures(Words("en"), {"summary": ALONE})]
    assert names
    assert not any("look for faces" in name for name in names)
    both = [name for name, _ in _figures(Words("en"), {"summary": ALONE | {"detectors": 9}})]
    assert any("look for faces" in name for name in both)
