"""What a reader of the whole verdict should know."""

from __future__ import annotations

import dataclasses

import pytest
from tests.forensics.toy_judges import bright, grainy

from deepguard.forensics.notes import MANY, on_brief, on_judges, on_limit, on_origin, on_verdicts
from deepguard.forensics.verdict import FaceVerdict, TrackVerdict, Word
from deepguard.types import Box, Face


def verdicts(judged: int, silent: int = 0) -> list[FaceVerdict]:
    words = [Word.LIKELY_REAL] * judged + [Word.CANNOT_JUDGE] * silent
    return [
        FaceVerdict(number, Face(Box(0, 0, 80, 80), 1.0), word, 0.1 if word is Word.LIKELY_REAL else None)
        for number, word in enumerate(words, start=1)
    ]


def test_no_face_is_said() -> None:
    assert [note.code for note in on_verdicts([], [bright()])] == ["no_face"]


def test_faces_that_were_not_judged_are_counted() -> None:
    (note,) = on_verdicts(verdicts(2, 3), [bright()])
    assert (note.code, note.count) == ("not_judged", 3)


def test_many_faces_make_a_false_alarm_likelier_and_that_is_said_with_its_size() -> None:
    assert list(on_verdicts(verdicts(MANY - 1), [bright()])) == []
    (note,) = on_verdicts(verdicts(20), [bright()])
    assert note.code == "several_faces"
    # 1 - 0.97 ** 20
    assert "46%" in note.text
    assert list(on_verdicts(verdicts(20), [grainy(calibrated=False)])) == []


def test_somebody_who_is_called_fake_in_one_frame_and_does_not_decide_is_told() -> None:
    once = TrackVerdict(1, 0.0, 0.0, Word.LIKELY_FAKE, 0.97)
    long = TrackVerdict(2, 0.0, 9.0, Word.LIKELY_REAL, 0.1)
    (note,) = on_brief([once, long], [long])
    assert (note.code, note.count) == ("seen_once", 1)
    assert "person 1;" in note.text
    assert list(on_brief([once], [once])) == []
    assert list(on_brief([dataclasses.replace(once, word=Word.UNCERTAIN), long], [long])) == []


def test_classifiers_without_calibration_are_named() -> None:
    assert list(on_judges([bright()])) == []
    (note,) = on_judges([bright(), grainy(calibrated=False)])
    assert (note.code, note.count) == ("uncalibrated", 1)
    assert "grainy" in note.text


def test_what_the_file_says_of_itself_is_told_and_only_where_it_says_ai() -> None:
    address = "http://cv.iptc.org/newscodes/digitalsourcetype/"
    (note,) = on_origin(address + "trainedAlgorithmicMedia")
    assert note.code == "states_ai"
    for other in (None, "", address + "digitalCapture", address + "algorithmicallyEnhanced"):
        assert list(on_origin(other)) == []


@pytest.mark.parametrize(("count", "notes"), [(3, 0), (100, 0), (101, 1)])
def test_a_crowd_above_the_limit_is_told(count: int, notes: int) -> None:
    assert len(list(on_limit(count, 100))) == notes
