"""The report against its schema, and the schema against the classes."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from tests.cli.conftest import Photo, Run

from deepguard import errors
from deepguard.filters.photo import Filters
from deepguard.prove.report import SCHEMA, FileFacts, ModelFacts, Quality, Report
from deepguard.prove.verify import Judgement, Sighting
from deepguard.types import Face

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    described: dict[str, Any] = json.loads((REFERENCE / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(described)
    return described


@pytest.fixture
def report(deepguard: Run, photo: Photo, tmp_path: Path) -> dict[str, Any]:
    """The report on a photo with a face, one without, and one that is empty; there are no weights for LPIPS."""
    face, without = photo("face.jpg"), photo("without.png", np.full((64, 64, 3), 128, np.uint8))
    empty = tmp_path / "empty.jpg"
    empty.touch()
    deepguard("protect", face, without, empty, "--report", tmp_path / "report.json")
    body: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
    return body


def test_a_real_report_of_success_and_failures_fits_the_schema(schema: dict[str, Any], report: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    validator.validate(report)
    protected, without, empty = report["photos"]
    assert protected["picture_quality"]["lpips"] is None
    assert (without["error"], empty["error"]) == ("no_face", "unreadable_image")
    assert protected["missing"]


def test_the_report_speaks_of_the_file_that_was_written(report: dict[str, Any], tmp_path: Path) -> None:
    output = report["photos"][0]["output"]
    written = tmp_path / "photos" / output["name"]
    assert output["name"] == "face.protected.jpg"
    assert output["bytes"] == written.stat().st_size


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("photos", 0, "faces", 0, "score"), 2),
        (("photos", 0, "input", "sha256"), "abc"),
        (("photos", 0, "judgements", 0, "after", "delivered", "found"), []),
        (("photos", 0, "picture_quality", "ssim"), None),
        (("photos", 0, "filters", "brightness"), 1.5),
        (("photos", 1, "error"), "mystery"),
        (("schema",), "deepguard/protect-report/2"),
    ],
)
def test_the_schema_refuses_what_is_wrong(
    schema: dict[str, Any], report: dict[str, Any], path: tuple[str | int, ...], value: object
) -> None:
    *way, last = path
    part: Any = report
    for step in way:
        part = part[step]
    part[last] = value
    assert not jsonschema.Draft202012Validator(schema).is_valid(report)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("protected", Report),
        ("file", FileFacts),
        ("quality", Quality),
        ("model", ModelFacts),
        ("judgement", Judgement),
        ("sighting", Sighting),
        ("face", Face),
        ("filters", Filters),
    ],
)
def test_the_schema_has_just_the_fields_of_the_classes(schema: dict[str, Any], name: str, kind: type) -> None:
    fields = {field.name for field in dataclasses.fields(kind)} | ({"schema"} if kind is Report else set())
    assert set(schema["$defs"][name]["properties"]) == fields
    assert set(schema["$defs"][name]["required"]) == fields


def test_the_schema_describes_every_field_and_names_every_error(schema: dict[str, Any]) -> None:
    for name, part in schema["$defs"].items():
        for field, described in part.get("properties", {}).items():
            assert described.get("description") or "const" in described, f"{name}.{field}"
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.DeepguardError)]
    assert set(schema["$defs"]["failed"]["properties"]["error"]["enum"]) == {kind.code for kind in kinds}
    assert schema["properties"]["schema"]["const"] == SCHEMA


def test_the_page_explains_every_field_and_every_code(schema: dict[str, Any]) -> None:
    page = (REFERENCE / "report.md").read_text()
    for name in ("protected", "judgement", "sighting", "model", "quality", "filters"):
        for field in schema["$defs"][name]["properties"]:
            assert f"`{field}`" in page or field in {"schema", "detector", "name"}, f"{name}.{field}"
    for code in schema["$defs"]["failed"]["properties"]["error"]["enum"]:
        assert f"`{code}`" in page, code


def test_photo_filters_stand_in_the_report(deepguard: Run, photo: Photo, tmp_path: Path) -> None:
    filters = ("--brightness", "0.25", "--contrast", "-0.5", "--sharpen", "1", "--blur-others")
    deepguard("protect", photo("face.png"), "--report", tmp_path / "report.json", *filters)
    (told,) = json.loads((tmp_path / "report.json").read_text())["photos"]
    wanted = {"saturation": 0, "warmth": 0, "brightness": 0.25, "contrast": -0.5, "sharpen": 1, "blur_others": True}
    assert told["filters"] == wanted
