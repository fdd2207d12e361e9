"""Detection as a job: what may be asked, and what it makes of a verdict."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from tests.service.kinds.verdicts import FACE, clip_file, clip_found, face_verdict, photo_found, worked

from deepguard import api
from deepguard.errors import ClipTooLarge, OptionError, UnreadableImage
from deepguard.forensics.evidence import SCHEMA, Shot
from deepguard.forensics.verdict import Word
from deepguard.media.film_reader import FilmReader
from deepguard.media.sample import sample_file
from deepguard.service.kinds import detect as kind
from deepguard.service.kinds.detect import RESULTS, Detect
from deepguard.service.kinds.roles import Done, kinds
from deepguard.types import Frame, Progress
from deepguard.weights.shelf import Shelf


@pytest.fixture(scope="module")
def photo() -> Done:
    return worked(sample_file(), photo_found(face_verdict(1), face_verdict(2, Word.CANNOT_JUDGE)))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Done:
    return worked(clip_file(tmp_path_factory.mktemp("clip")), clip_found())


def made(done: Done, name: str) -> bytes:
    return next(each.data for each in done.made if each.name == name)


def size_of(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.format == "JPEG"
        return opened.size


def test_a_photo_gives_the_report_first_then_the_evidence_and_what_shows_it(photo: Done) -> None:
    assert [each.name for each in photo.made] == [name for name in RESULTS if name != "frames"]
    report = json.loads(made(photo, "report"))
    assert (report["schema"], report["word"]) == ("deepguard/detect-report/1", "likely_fake")
    assert report["job"] == {"id": "an id", "attempt": 1, "options": {}}
    assert report["sheets"]["heat"]["numbers"] == [1]
    assert size_of(made(photo, "preview")) == (512, 512)
    assert size_of(made(photo, "thumbnail")) == (480, 480)
    assert size_of(made(photo, "heat")) == (224, 224)


def test_a_clip_gives_a_sheet_of_the_frames_that_were_looked_at(clip: Done) -> None:
    assert [each.name for each in clip.made] == list(RESULTS)
    frames = json.loads(made(clip, "report"))["sheets"]["frames"]
    assert frames["times"] == [float(at) for at in range(12)]
    assert size_of(made(clip, "frames")) == (12 * frames["width"], frames["height"])
    assert clip.summary["clip"] is True
    assert clip.summary["clip_megabytes"] == pytest.approx(1.234567)
    assert "megapixels" not in clip.summary


def test_the_summary_tells_lists_and_statistics_the_verdict(photo: Done) -> None:
    summary = photo.summary
    assert (summary["verdict"], summary["faces"], summary["clip"]) == ("likely_fake", 2, False)
    assert 0 <= summary["low"] <= summary["probability"] <= summary["high"] <= 1
    assert summary["megapixels"] == pytest.approx(512 * 512 / 1e6)
    assert summary["missing"] == ["vit-deepfake-v2"]
    json.dumps(summary, allow_nan=False)


def test_the_evidence_is_a_pdf_and_json_named_after_the_file(photo: Done) -> None:
    names = {each.name: (each.filename, each.media_type) for each in photo.made}
    assert names["evidence"] == ("할머니 생신.evidence.pdf", "application/pdf")
    assert names["evidence-json"] == ("할머니 생신.evidence.json", "application/json")
    assert made(photo, "evidence").startswith(b"%PDF")
    kept = json.loads(made(photo, "evidence-json"))
    assert kept["schema"] == SCHEMA
    assert kept["report"]["input"]["sha256"] == json.loads(made(photo, "report"))["input"]["sha256"]


def test_nothing_to_judge_is_a_result_and_no_error() -> None:
    done = worked(sample_file(), photo_found())
    assert done.summary["verdict"] == "cannot_judge"
    assert done.summary["probability"] is None
    assert {"heat", "frames"}.isdisjoint(each.name for each in done.made)


def test_a_face_at_the_edge_and_a_strange_name_do_no_harm() -> None:
    edge = face_verdict(1, Word.UNCERTAIN, type(FACE)(type(FACE.box)(-40.0, -30.0, 60.0, 70.0), 0.9))
    done = worked(sample_file(), photo_found(edge), name="../..\\ab\x00\u202ec😀.png")
    assert next(iter(done.made)).filename == "abc😀.detection.json"


def test_every_step_of_it_is_told_and_can_be_stopped() -> None:
    told: list[Progress] = []
    worked(sample_file(), photo_found(face_verdict()), watch=told.append)
    assert {each.stage for each in told} <= set(Detect.spans)

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worked(sample_file(), photo_found(face_verdict()), watch=stop)


def test_the_options_have_bounds_and_the_ability_says_that_clips_are_taken(empty_shelf: Shelf) -> None:
    ability = kinds.create("detect", empty_shelf, torch.device("cpu")).ability(empty_shelf)
    fits = jsonschema.Draft202012Validator(ability.schema).is_valid
    assert fits({})
    assert fits({"frames": 32, "classifiers": ["efficientnet-b0-sbi"]})
    for wrong in ({"frames": 0}, {"frames": 10**6}, {"classifiers": ["nobody"]}, {"classifiers": []}, {"other": 1}):
        assert not fits(wrong), wrong
    assert len(ability.clips) == 2
    assert all(value > 0 for value in ability.clips)
    assert all(each["description"] for each in ability.schema["properties"].values())


def test_more_frames_than_the_service_allows_are_refused() -> None:
    with pytest.raises(OptionError, match="at most 100 frames"):
        worked(sample_file(), photo_found(), options={"frames": 101}, clip_frames=100)


def test_a_clip_that_is_too_long_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ClipTooLarge, match="cut out the part that matters"):
        worked(clip_file(tmp_path), clip_found(), clip_seconds=6)


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(b"neither of them")
    with pytest.raises(UnreadableImage):
        worked(file, photo_found())


def test_where_no_number_is_given_the_usual_one_is_asked_for_or_what_is_allowed() -> None:
    assert api.FRAMES <= api.MOST_FRAMES
    worked(sample_file(), photo_found(), clip_frames=3)


def test_frames_that_cannot_be_read_again_are_left_out_and_the_report_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FilmReader, "frames", lambda *given: iter(()))
    done = worked(clip_file(tmp_path), clip_found())
    assert [each.name for each in done.made] == ["report", "evidence", "evidence-json", "heat"]
    assert json.loads(made(done, "report"))["sheets"]["frames"]["times"] == []


def test_the_sheet_tells_the_times_of_the_frames_that_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = FilmReader.frames

    def but_the_third(self: FilmReader, times: Sequence[Fraction], longest: int | None) -> Iterator[Frame]:
        yield from (frame for frame in every(self, times, longest) if frame.time != 2)

    monkeypatch.setattr(FilmReader, "frames", but_the_third)
    done = worked(clip_file(tmp_path), clip_found())
    frames = json.loads(made(done, "report"))["sheets"]["frames"]
    assert frames["times"] == [float(at) for at in range(12) if at != 2]
    assert size_of(made(done, "frames")) == (11 * frames["width"], frames["height"])


def test_however_many_people_a_clip_shows_it_is_gone_through_as_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = clip_found()
    many = dataclasses.replace(found.report, tracks=found.report.tracks * 40)
    every, asked = FilmReader.frames, []

    def counted(self: FilmReader, times: Sequence[Fraction], longest: int | None) -> Iterator[Frame]:
        asked.append(longest)
        return every(self, times, longest)

    monkeypatch.setattr(FilmReader, "frames", counted)
    worked(clip_file(tmp_path), dataclasses.replace(found, report=many))
    assert len(asked) == 3
    assert None not in asked


def test_close_ups_of_huge_frames_are_cut_where_the_face_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Shot] = []
    monkeypatch.setattr(kind, "document", lambda report, moment, shots: shown.extend(shots) or b"%PDF")
    path = clip_file(tmp_path)
    worked(path, clip_found())
    monkeypatch.setattr(kind, "LONGEST", 256)
    worked(path, clip_found())
    assert [(each.number, each.time) for each in shown[:4]] == [(1, 5.0), (1, 6.0), (1, 4.0), (2, 2.0)]
    assert [each.heat is None for each in shown[:4]] == [False, True, True, True]
    large, halved = (pixels(each.picture) for each in (shown[0], shown[4]))
    assert np.abs(large - halved).mean() < 6


def pixels(data: bytes) -> NDArray[np.float64]:
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened.convert("RGB")).astype(float)
