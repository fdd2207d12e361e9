"""The page's words: complete in both languages, for every error that can happen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import deepguard
from deepguard import errors
from deepguard.models.roles import detectors
from deepguard.service import attempt, guard, jobs, leases, queue, store, tracking
from deepguard.service.web.faults import STATUS
from deepguard.service.web.words import ERROR, WORDS, Words, choose


@pytest.mark.parametrize(
    ("asked", "accepted", "expected"),
    [
        ("", "", "ko"),
        ("", "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("", "en-GB,en;q=0.9,ko;q=0.8", "en"),
        ("", "fr-FR,fr;q=0.9", "en"),
        ("", "fr, ko;q=0.3, en;q=0", "ko"),
        ("", "en;q=x, ko", "ko"),
        ("en", "ko", "en"),
        ("de", "ko", "ko"),
    ],
)
def test_a_browsers_language_is_taken_where_it_is_here(asked: str, accepted: str, expected: str) -> None:
    assert choose(asked, accepted) == expected


def test_both_languages_have_every_sentence_with_the_same_gaps() -> None:
    gap, hangul = re.compile(r"{(\w+)(?::[^|{}]+\|[^|{}]+)?}"), re.compile("[가-힣]")
    for key, (korean, english) in WORDS.items():
        assert korean, key
        assert english, key
        assert set(gap.findall(korean)) == set(gap.findall(english)), key
        assert not re.search("[{}]", gap.sub("", korean + english)), key
        if key not in {"other_language", "result.place"} and not key.startswith("detector."):
            assert hangul.search(korean), key
            assert not hangul.search(english), key


def test_every_error_that_can_happen_has_words_in_both_languages() -> None:
    raised = {
        value.code
        for module in (errors, attempt, guard, jobs, leases, queue, store, tracking)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, errors.DeepguardError)
    }
    known = {key.removeprefix(ERROR) for key in WORDS if key.startswith(ERROR)}
    # one goes back to where it waited and is never shown
    assert (set(STATUS) | raised | {jobs.LOST}) - {"interrupted"} <= known
    assert {"worker_lost", "over_time", "over_memory"} <= known


def test_templates_use_only_words_that_exist() -> None:
    folder = Path(__file__).parents[3] / "src" / "deepguard" / "service" / "web"
    sources = [*(folder / "templates").glob("*.html"), folder / "page.py", folder / "screen.py"]
    used = {key for file in sources for key in re.findall(r'say\("([\w .-]+)"[,)]', file.read_text(encoding="utf-8"))}
    assert len(used) > 30
    assert used <= set(WORDS)
    for file in (folder / "templates").glob("*.html"):
        assert not re.search("[가-힣]", file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("seconds", "korean", "english"),
    [
        (0, "1초", "1 s"),
        (59, "59초", "59 s"),
        (95, "2분", "2 min"),
        (3600, "1시간", "1 hour"),
        (86400, "24시간", "24 hours"),
    ],
)
def test_times_are_told_in_units_that_suit_them(seconds: float, korean: str, english: str) -> None:
    assert (Words("ko").duration(seconds), Words("en").duration(seconds)) == (korean, english)


def test_every_detector_here_goes_by_the_name_that_people_know() -> None:
    assert [name for name in detectors.names() if f"detector.{name}" not in WORDS] == []
    assert (Words("ko").program("yolo5face"), Words("ko").program("brand-new")) == ("YOLO5Face", "brand-new")


def test_every_note_of_a_result_has_words_in_both_languages() -> None:
    package = Path(deepguard.__file__).parent
    sources = (file.read_text(encoding="utf-8") for file in package.rglob("*.py"))
    codes = {code for text in sources for code in re.findall(r'\bNote\(\s*"(\w+)"', text)}
    assert {"blurred_faces", "damaged_metadata"} < codes
    assert {f"note.{code}" for code in codes} == {key.removesuffix(".one") for key in WORDS if key.startswith("note.")}


def test_no_sentence_speaks_of_one_as_of_many() -> None:
    say = Words("en")
    # they are only said of more than one
    several = {"archive.count.more", "protect.found", "protect.start"}
    for key, (_, english) in WORDS.items():
        text = say(key, count=1, **dict.fromkeys(set(re.findall(r"{(\w+)", english)) - {"count"}, 1))
        assert key in several or not re.search(r"\b1 (?!(?:is|was|does)\b)(?:[a-z]+s|are|were|do|find)\b", text), text


def test_what_is_counted_has_a_form_for_one() -> None:
    say = Words("en")
    assert say("note.small_faces", count=1).startswith("1 face is")
    assert say("note.small_faces", count=2).startswith("2 faces are")
    found = {"detectors": 1, "faces": 2, "before": 2, "after": 0}
    many = "1 program looked for 2 faces: found 2 times in the original, 0 times in the protected photo."
    assert say("result.hidden.many", **found) == many
    assert "MTCNN" in say("result.missing", names="MTCNN")
    with pytest.raises(KeyError):
        say("result.missing")
