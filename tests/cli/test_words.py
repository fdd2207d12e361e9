"""What the command draws: progress on a terminal and elsewhere, the tables, and the sentences above them."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Mapping

import pytest
from rich.console import Console

from deepguard.cli.progress import Display, duration
from deepguard.cli.tables import show, summary
from deepguard.defences.presets import NINE
from deepguard.measures.ceilings import FACE, PICTURE
from deepguard.prove.likeness import Likeness
from deepguard.prove.report import FileFacts, ModelFacts, Quality, Report
from deepguard.prove.verify import Judgement, Sighting
from deepguard.types import Box, Face, Note, Progress

VERSIONS = ("delivered", "jpeg75", "instagram", "kakaotalk", "reposted")
ENCODERS = {"known": 0.1, "held": 0.9}
SEEN, HIDDEN = Sighting((True,), (True,)), Sighting((False,), (False,))


def judged(detector: str, **seen: bool) -> Judgement:
    return Judgement(detector, (True,), {name: SEEN if seen.get(name) else HIDDEN for name in VERSIONS})


def report(*judgements: Judgement, attacked: Mapping[str, bool] | None = None, notes: tuple[Note, ...] = ()) -> Report:
    file = FileFacts("photo.jpg", "JPEG", "0" * 64, 1, 100, 100)
    models = tuple(ModelFacts(each.detector, (attacked or {}).get(each.detector, True), {}) for each in judgements)
    return Report(
        version="1",
        created="2026-01-01T00:00:00+00:00",
        input=file,
        output=file,
        device="cpu",
        seed=0,
        seconds={"finding": 1.0},
        preset="balanced",
        defence="facepoison",
        through="any",
        options={},
        faces=(Face(Box(0, 0, 50, 50), 1.0),),
        chosen=(1,),
        judgements=judgements,
        models=models,
        missing=("dlib",),
        picture_quality=Quality(0.99, 44.4, None),
        face_quality=(Quality(0.9, None, 0.1, 1.25, 0.3),),
        notes=(Note("odd", "a note on [red]this[/red] photo"), *notes),
    )


def printed(made: Report, width: int = 80, *, terminal: bool = False) -> list[str]:
    console = Console(
        file=io.StringIO(), width=width, markup=False, highlight=False, force_terminal=terminal, no_color=True
    )
    show(console, made)
    assert isinstance(console.file, io.StringIO)
    return re.sub("\x1b\\[[0-9;]*m", "", console.file.getvalue()).splitlines()


def test_the_first_sentence_counts_the_detectors_and_names_the_worst_posting() -> None:
    made = report(judged("a"), judged("b", instagram=True), judged("c", instagram=True, jpeg75=True))
    assert list(summary(made)) == ["3 of 3 detectors no longer find the face; after instagram 1 of 3."]


def test_posting_that_changes_nothing_is_said_in_one_breath() -> None:
    assert list(summary(report(judged("a")))) == [
        "1 of 1 detector no longer finds the face, also after jpeg75, instagram, kakaotalk, reposted."
    ]


def test_failure_is_said_as_plainly() -> None:
    seen = dict.fromkeys(VERSIONS, True)
    assert list(summary(report(judged("a", **seen), judged("b", **seen)))) == ["All 2 detectors still find the face."]
    assert list(summary(report(judged("a", **seen)))) == ["The detector still finds the face."]


def test_judges_are_counted_apart() -> None:
    made = report(judged("a"), judged("b", delivered=True), judged("c"), attacked={"b": False, "c": False})
    first, second = summary(made)
    assert first.startswith("1 of 1 detector")
    assert second.startswith("Of those that only judged, 1 of 2 detectors no longer find the face")


def test_where_encoders_alone_are_attacked_they_come_first_and_detectors_are_said_to_be_left_alone() -> None:
    seen = dict.fromkeys(VERSIONS, True)
    made = report(judged("a", **seen), judged("b", **seen), attacked={"a": False, "b": False})
    known, held = (Likeness(name, "toy", 0.4, dict.fromkeys(VERSIONS, (cosine,))) for name, cosine in ENCODERS.items())
    models = (*made.models, ModelFacts(known.encoder, True, {}), ModelFacts(held.encoder, False, {}))
    assert list(summary(dataclasses.replace(made, models=models, likenesses=(known, held)))) == [
        "None of 1 encoders to hide from still know the person.",
        "1 of 1 encoders that only judged still knows the person.",
        "Detectors were left alone: all 2 detectors still find the face.",
    ]


def test_judges_beside_detectors_that_never_found_the_face_are_no_detectors_left_alone() -> None:
    blind = Judgement("b", (False,), dict.fromkeys(VERSIONS, HIDDEN))
    first, second = summary(report(judged("a"), blind, attacked={"a": False}))
    assert first == "None of the detectors to hide from found the face before."
    assert second.startswith("Of those that only judged, 1 of 1 detector")


def test_a_detector_that_never_found_the_face_is_not_counted() -> None:
    blind = Judgement("b", (False,), dict.fromkeys(VERSIONS, HIDDEN))
    assert next(iter(summary(report(judged("a"), blind)))).startswith("1 of 1 detector")
    assert list(summary(report(blind))) == ["None of the detectors to hide from found the face before."]


def test_nine_detectors_and_five_versions_fit_into_80_columns() -> None:
    lines = printed(report(*[judged(name) for name in NINE], attacked={"retinaface": False}), terminal=True)
    assert max(map(len, lines)) <= 80
    head = next(line for line in lines if line.startswith("detector"))
    assert head.split() == ["detector", "before", *VERSIONS]
    for name in NINE:
        (row,) = [line for line in lines if line.startswith(name)]
        assert row.count("0 (0)") == len(VERSIONS), "the row is in one line"
    assert any(line.startswith("retinaface (judge)") for line in lines)


def test_sentences_stay_on_one_line_where_a_program_reads_them_and_notes_are_printed_as_they_are() -> None:
    lines = printed(report(judged("a")), width=40)
    assert any(
        line.startswith("This raises the cost of misuse;") and line.endswith("find or know the face.") for line in lines
    )
    assert "a note on [red]this[/red] photo" in lines


def test_the_skin_of_each_face_stands_beside_its_likeness_with_what_is_hardly_noticed() -> None:
    lines = printed(report(judged("a")))
    (head,) = [line for line in lines if "SSIM" in line and "tint" in line and "pattern" in line and ":" not in line]
    (face,) = [line for line in lines if line.startswith("face 1")]
    assert head.split() == ["SSIM", "PSNR", "LPIPS", "pattern", "tint"]
    assert face.split()[-2:] == ["1.25", "0.30"]
    (sentence,) = [line for line in lines if line.startswith("Hardly noticed")]
    for ceiling in (PICTURE.ssim, PICTURE.lpips, FACE.ssim, FACE.lpips, FACE.marbling, FACE.chroma):
        assert f" {ceiling:g}" in sentence


def test_that_a_photo_cannot_be_hidden_cleanly_follows_the_first_sentence() -> None:
    note = Note("not_clean", "this one cannot be hidden cleanly: some detectors still find a face")
    lines = printed(report(judged("a", delivered=True), notes=(note,)))
    assert lines[:2] == ["The detector still finds the face.", note.text]
    assert lines.count(note.text) == 1


def test_what_was_not_measured_is_not_a_figure() -> None:
    text = "\n".join(printed(report(judged("a"))))
    assert "not measured" in text
    assert "identical" in text
    assert "LPIPS was not measured, since its weights are not here; run: deepguard models pull lpips" in text
    assert "Not tested, since their weights are not here: dlib; run: deepguard models pull" in text


@pytest.mark.parametrize("width", [20, 80])
def test_a_terminal_shows_every_detector_and_is_clean_in_the_end(width: int) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, no_color=True, markup=False, highlight=False)
    found = tuple((name, name == "mtcnn") for name in NINE)
    with Display(console, "a rather long name of a photo.jpg") as watch:
        watch(Progress("protect", 0, 40, seconds=12.3))
        watch(Progress("protect", 40, 40, found))
        shown = file.getvalue()
    if width == 80:
        assert "mtcnn       still sees a face" in shown
        assert shown.count("no longer sees a face") == len(NINE) - 1
    for name in NINE:
        assert f"\n{name} " in shown, "each has a line of its own"
    assert file.getvalue().count("\x1b[?25l") == file.getvalue().count("\x1b[?25h") == 1, "the cursor is back"
    erased = file.getvalue().removeprefix(shown)
    assert erased.count("\x1b[2K") >= len(NINE) + 2


def test_elsewhere_each_stage_is_one_plain_line() -> None:
    file = io.StringIO()
    with Display(Console(file=file, width=80), "photo.jpg") as watch:
        for stage in ("looking for faces (a)", "looking for faces (b)", "protect", "protect", "verifying (a)"):
            watch(Progress(stage, 1, 2))
    assert file.getvalue().splitlines() == [
        "photo.jpg: looking for faces",
        "photo.jpg: protect",
        "photo.jpg: verifying",
    ]


def test_an_interrupted_terminal_gets_its_cursor_back() -> None:
    file = io.StringIO()
    display = Display(Console(file=file, force_terminal=True), "photo.jpg")

    def stopped() -> None:
        with display as watch:
            watch(Progress("protect", 1, 40))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert file.getvalue().count("\x1b[?25l") == file.getvalue().count("\x1b[?25h") == 1


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.1, "1 s"), (99.4, "99 s"), (100, "2 min"), (3600, "60 min"), (9000, "2.5 h")]
)
def test_times_are_said_roughly(seconds: float, words: str) -> None:
    assert duration(seconds) == words
