"""`deepguard detect` with toy classifiers and the detector of the installation."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Photo, Run, files_in, one_sentence, portrait
from tests.forensics.toy_judges import CPU, bright
from tests.media.clips_of import write_clip

from deepguard import api, errors
from deepguard.forensics.report import SCHEMA, ClassifierFacts, Detection, MediaFacts
from deepguard.forensics.verdict import FaceVerdict, FrameVerdict, Opinion, Sighting, Threshold, TrackVerdict, Word
from deepguard.models.roles import detectors
from deepguard.types import Face, Note
from deepguard.weights.shelf import Shelf

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
GREY = np.full((64, 64, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    described: dict[str, Any] = json.loads((REFERENCE / "detection.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(described)
    return described


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, empty_shelf: Shelf) -> None:
    """A toy in the place of the classifier: verdicts are of brightness."""
    found = {"mtcnn": detectors.create("mtcnn", empty_shelf, CPU)}
    models = api.Judges(CPU, {"efficientnet-b0-sbi": bright(name="efficientnet-b0-sbi")}, found, {}, ("meso4",))
    monkeypatch.setattr(api, "load_classifiers", lambda *rest: models)


def clip(folder: Path, name: str = "clip.mp4", frames: int = 6) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return write_clip(folder / name, [portrait()] * frames, rate=10, options={"crf": "12"})


def test_the_verdict_comes_first_then_a_table_then_what_it_costs_and_that_it_is_no_proof(
    deepguard: Run, photo: Photo
) -> None:
    result = deepguard("detect", photo())
    assert result.exit_code == 0
    lines = [line for line in result.stdout.splitlines() if line.strip()]
    assert lines[0] == "photo.jpg: looking for faces"
    verdict = next(line for line in lines if "probability of fake" in line)
    assert re.fullmatch(
        r"photo.jpg: (likely real|uncertain|likely fake); probability of fake \d+ %, between \d+ % and \d+ %", verdict
    )
    assert lines.index(verdict) < next(at for at, line in enumerate(lines) if line.lstrip().startswith("face "))
    said = " ".join(lines)
    assert "3.0% of real faces are called fake" in said
    assert "measured on: a set of toys" in said
    assert "no proof" in lines[-1]
    assert not any(letter < " " or letter == "\x7f" for line in lines for letter in line)


def test_no_verdict_ever_promises_that_a_file_is_safe_or_authentic(deepguard: Run, photo: Photo) -> None:
    dark = photo("dark.png", (portrait() * 0.2).astype(np.uint8))
    said = deepguard("detect", dark).stdout.lower()
    assert "likely real" in said
    assert not re.search(r"\b(safe|authentic|genuine|certain|proven)\b", said)


def test_the_figure_of_a_classifier_without_calibration_is_not_called_a_probability(
    deepguard: Run, photo: Photo, empty_shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"mtcnn": detectors.create("mtcnn", empty_shelf, CPU)}
    raw = api.Judges(CPU, {"meso4": bright(name="meso4", calibrated=False)}, found, {}, ())
    monkeypatch.setattr(api, "load_classifiers", lambda *rest: raw)
    said = deepguard("detect", photo()).stdout
    assert "photo.jpg: uncertain; a figure of" in said
    assert "probability of fake" not in said


def test_a_clip_is_judged_person_by_person(deepguard: Run, tmp_path: Path) -> None:
    result = deepguard("detect", clip(tmp_path), "--frames", 3)
    assert result.exit_code == 0
    assert "clip.mp4: judging" in result.stdout
    assert re.search(r"^ *person +seen +frames", result.stdout, re.MULTILINE)
    assert "of 6 frames 3 were looked at" in result.stdout


def test_a_folder_is_searched_for_photos_and_clips_also_protected_ones(
    deepguard: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("a.jpg")
    photo("deep/b.protected.png")
    photo(".hidden/c.jpg")
    clip(tmp_path / "photos" / "deep")
    report = tmp_path / "report.json"
    result = deepguard("detect", tmp_path / "photos", "--report", report, "--frames", 2)
    assert result.exit_code == 0
    names = [each["input"]["name"] for each in json.loads(report.read_text())["files"]]
    assert names == ["a.jpg", "b.protected.png", "clip.mp4"]
    assert "3 of 3 files looked at: 3 " in result.stdout


def test_one_failure_does_not_stop_the_rest_and_the_report_has_all(
    deepguard: Run, photo: Photo, tmp_path: Path, schema: dict[str, Any]
) -> None:
    first, last = photo("a.jpg"), photo("c.jpg")
    broken = first.with_name("b.jpg")
    broken.write_bytes(first.read_bytes()[:500])
    result = deepguard("detect", first.parent, "--report", tmp_path / "report.json")
    assert result.exit_code == 1
    assert str(broken) in one_sentence(result)
    assert "2 of 3 files looked at" in result.stdout
    body = json.loads((tmp_path / "report.json").read_text())
    jsonschema.validate(body, schema)
    assert [each.get("error") for each in body["files"]] == [None, "unreadable_image", None]
    assert body["files"][2]["input"]["name"] == last.name


def test_a_photo_without_a_face_ends_with_its_own_code_and_a_report(
    deepguard: Run, photo: Photo, tmp_path: Path, schema: dict[str, Any]
) -> None:
    paths = photo("face.jpg"), photo("grey.png", GREY)
    result = deepguard("detect", *paths, "--report", tmp_path / "report.json")
    assert result.exit_code == 3
    assert "grey.png: cannot judge" in result.stdout
    assert "no face was found" in result.stdout
    body = json.loads((tmp_path / "report.json").read_text())
    jsonschema.validate(body, schema)
    assert body["files"][1]["word"] == "cannot_judge"


def test_why_a_face_is_not_judged_is_said_in_a_sentence(deepguard: Run, photo: Photo) -> None:
    small = np.asarray(Image.fromarray(portrait()).resize((100, 100), Image.Resampling.LANCZOS))
    result = deepguard("detect", photo("small.png", small))
    assert result.exit_code == 0
    assert "small.png: cannot judge" in result.stdout
    assert "face 1: the face is narrower or lower than 64 pixels" in result.stdout


def test_heat_maps_go_into_the_folder_and_never_over_one_another(deepguard: Run, photo: Photo, tmp_path: Path) -> None:
    heat = tmp_path / "heat"
    result = deepguard("detect", photo("a/one.jpg"), photo("b/one.jpg"), "--heat", heat)
    assert result.exit_code == 0
    assert files_in(heat) == {"one.jpg.1.png", "one.jpg.1.2.png"}
    assert "written: " in result.stdout
    assert files_in(tmp_path / "photos") == {"a/one.jpg", "b/one.jpg"}


def test_what_is_wrong_for_every_file_is_said_before_the_first(deepguard: Run, photo: Photo, tmp_path: Path) -> None:
    path = photo()
    wrong = {
        "did you mean efficientnet-b0-sbi": ("--classifiers", "efficientnet-b0"),
        "frames of a clip": ("--frames", "0"),
        "is one of the files": ("--report", path),
    }
    for sentence, words in wrong.items():
        result = deepguard("detect", path, *words)
        assert result.exit_code == 2
        assert sentence in one_sentence(result)
    assert deepguard("detect", path, "--report", tmp_path).exit_code == 1
    assert files_in(path.parent) == {"photo.jpg"}


def test_a_folder_with_nothing_to_judge_is_told(deepguard: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = deepguard("detect", tmp_path / "empty")
    assert result.exit_code == 1
    assert "no photo or clip is in" in one_sentence(result)


def test_ctrl_c_leaves_a_report_of_what_was_done(
    deepguard: Run, photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = api.detect

    def work(source: Path, *rest: Any, **named: Any) -> api.Detected:
        if source.name == "b.jpg":
            raise KeyboardInterrupt
        return real(source, *rest, **named)

    monkeypatch.setattr(api, "detect", work)
    result = deepguard("detect", photo("a.jpg"), photo("b.jpg"), "--report", tmp_path / "report.json")
    assert result.exit_code == 130
    body = json.loads((tmp_path / "report.json").read_text())
    assert not body["complete"]
    assert [each["input"]["name"] for each in body["files"]] == ["a.jpg"]


def test_a_file_for_which_memory_does_not_suffice_is_told(
    deepguard: Run, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*rest: Any, **named: Any) -> api.Detected:
        raise MemoryError

    monkeypatch.setattr(api, "detect", work)
    result = deepguard("detect", photo())
    assert result.exit_code == 1
    assert "not enough memory" in one_sentence(result)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("judged", Detection),
        ("file", MediaFacts),
        ("classifier", ClassifierFacts),
        ("threshold", Threshold),
        ("face_verdict", FaceVerdict),
        ("track_verdict", TrackVerdict),
        ("frame_verdict", FrameVerdict),
        ("sighting", Sighting),
        ("opinion", Opinion),
        ("face", Face),
        ("note", Note),
    ],
)
def test_the_schema_of_detection_has_just_the_fields_of_the_classes(
    schema: dict[str, Any], name: str, kind: type
) -> None:
    fields = {field.name for field in dataclasses.fields(kind)} | ({"schema"} if kind is Detection else set())
    assert set(schema["$defs"][name]["properties"]) == fields
    assert set(schema["$defs"][name]["required"]) == fields


def test_the_schema_of_detection_describes_every_field_and_names_every_word_and_error(schema: dict[str, Any]) -> None:
    for name, part in schema["$defs"].items():
        for field, described in part.get("properties", {}).items():
            assert described.get("description") or "const" in described, f"{name}.{field}"
    assert schema["properties"]["schema"]["const"] == SCHEMA
    assert schema["$defs"]["judged"]["properties"]["word"]["enum"] == [word.value for word in Word]
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.DeepguardError)]
    assert set(schema["$defs"]["failed"]["properties"]["error"]["enum"]) == {kind.code for kind in kinds}


def test_the_page_on_detection_explains_every_word_field_and_code(schema: dict[str, Any]) -> None:
    page = (REFERENCE / "detection.md").read_text()
    for field in schema["$defs"]["judged"]["properties"]:
        assert f"`{field}`" in page or f"`{field}." in page, field
    for word in Word:
        assert f"`{word}`" in page
    source = "".join(file.read_text() for file in (REFERENCE.parents[1] / "src/deepguard/forensics").glob("*.py"))
    codes = set(re.findall(r"Note\(\s*\"(\w+)\"", source))
    assert {"no_face", "small_face", "tampered", "several_faces"} <= codes
    for code in codes:
        assert f"`{code}`" in page, code
