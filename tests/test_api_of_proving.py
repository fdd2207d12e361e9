"""`api.prove` with what a fresh installation has: MTCNN, no encoder, and the swapper that needs no weights."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from deepguard.api import (
    Models,
    Options,
    Proved,
    ProveOptions,
    check_proof,
    load_models,
    prove,
    prove_again,
    proving,
    report_from,
)
from deepguard.api import protect as protect_picture
from deepguard.errors import InputError, NoFace, OptionError, WeightsError
from deepguard.filters.photo import Filters
from deepguard.media.encode import encode
from deepguard.media.picture import Picture
from deepguard.media.read import decode
from deepguard.prove.proof import Proof, Statement
from deepguard.types import Box, Face, Progress
from deepguard.weights.shelf import Shelf

SCHEMA = json.loads((Path(__file__).parents[1] / "docs" / "reference" / "proof.schema.json").read_text())
FEW = ProveOptions(columns=("jpeg75", "crop"), protection=Options(steps=2, through="none"))
STATED = Statement("self", "2026-01-01T00:00:00+00:00")


def read(images: Tensor) -> Picture:
    buffer = io.BytesIO()
    pixels = (images[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return decode(buffer.getvalue())


@pytest.fixture(scope="module")
def models(empty_shelf: Shelf) -> Models:
    return load_models(empty_shelf, torch.device("cpu"))


@pytest.fixture(scope="module")
def photo(astronaut: Tensor) -> Picture:
    """250 x 200 pixels with one face of some 92 x 115."""
    return read(astronaut[..., 20:220, 100:350])


@pytest.fixture(scope="module")
def alone(photo: Picture, models: Models) -> Proved:
    """The photo given alone, so that it is protected first."""
    return prove(photo, None, models, FEW, names=("me.png", "me.protected.png"))


@pytest.fixture(scope="module")
def guarded(alone: Proved) -> Picture:
    """The protected version that was made."""
    return decode(alone.protected or b"")


def test_a_photo_alone_is_protected_first_and_the_result_comes_along(alone: Proved, photo: Picture) -> None:
    report = alone.report
    assert alone.protected is not None
    assert (report.original.name, report.protected.name) == ("me.png", "me.protected.png")
    assert report.original.sha256 == photo.sha256
    assert report.protected.sha256 == decode(alone.protected).sha256
    assert report.defence is not None
    assert set(report.seconds) == {"protecting", "finding", "attacking", "checking"}


def test_everything_is_in_the_report(alone: Proved) -> None:
    report = alone.report
    assert report.arms == ("original", "protected", "noise")
    assert report.columns == ("delivered", "jpeg75", "crop")
    assert [(row.detector, row.attacked) for row in report.detections] == [("mtcnn", True), ("combined", None)]
    assert report.detections[0].found["original"]["delivered"] == (True,)
    assert [(each.swapper, each.counterpart) for each in report.swaps] == [("warp", "hopper")]
    assert set(report.models) == {"mtcnn", "warp"}
    assert "retinaface" in report.missing
    jsonschema.validate(json.loads(json.dumps(report.as_json())), SCHEMA)
    assert Proof.from_json(json.loads(json.dumps(report.as_json()))) == report


def test_a_shelf_without_judges_is_said(alone: Proved) -> None:
    answers = {each.code: each for each in alone.report.checks}
    assert answers["judge_detectors"].passed is False
    assert answers["judge_encoders"].passed is False
    assert "no_encoder" in {note.code for note in alone.report.notes}


def test_who_was_attacked_is_known_by_the_report_alone(photo: Picture, models: Models) -> None:
    options = Options(steps=2, through="none")
    made = protect_picture(photo, models, options, name="me.png")
    body = json.loads(json.dumps(made.report.as_json()))
    guarded, few = decode(made.data), dataclasses.replace(FEW, columns=(), swappers=())
    told = prove(photo, guarded, models, few, made=report_from(body)).report
    assert told.detections[0].attacked is True
    silent = prove(photo, guarded, models, few).report
    assert (silent.detections[0].attacked, silent.defence) == (None, None)
    command = {"schema": body["schema"], "complete": True, "photos": [{"input": {"name": "x"}, "error": "e"}, body]}
    assert report_from(command, photo.sha256) == report_from(body)
    with pytest.raises(InputError, match="says nothing of this photo"):
        report_from(command, "0" * 64)


def test_a_report_of_another_pair_is_refused(alone: Proved, photo: Picture, models: Models) -> None:
    made = protect_picture(photo, models, Options(steps=2, through="none", seed=9))
    with pytest.raises(OptionError, match="report is of another pair"):
        prove(photo, decode(alone.protected or b""), models, FEW, made=made.report)


def test_two_different_people_are_refused(photo: Picture, models: Models) -> None:
    with pytest.raises(OptionError, match="two different pictures"):
        prove(photo, read(photo.images.flip(-1)), models, FEW)
    scene = torch.nn.functional.pad(photo.images, (250, 0, 200, 0), value=0.1)
    other = scene.clone()
    other[..., 220:370, 320:430] = scene[..., 220:370, 320:430].flip(-1)
    with pytest.raises(OptionError, match="face 1 from the left is not the same"):
        prove(read(scene), read(other), models, FEW)


def test_two_sizes_are_refused(photo: Picture, models: Models) -> None:
    with pytest.raises(OptionError, match="different sizes, 250 x 200 and 249 x 200 pixels"):
        prove(photo, read(photo.images[..., 1:]), models, FEW)


def test_a_protected_picture_without_its_original_is_refused(guarded: Picture, photo: Picture, models: Models) -> None:
    with pytest.raises(OptionError, match=r"me\.protected\.png is a protected picture itself; give its original first"):
        prove(guarded, None, models, FEW, names=("me.protected.png", ""))
    with pytest.raises(OptionError, match="give its original first: deepguard prove PHOTO PROTECTED"):
        prove(guarded, photo, models, FEW, names=("me.protected.png", "me.png"))
    with pytest.raises(OptionError, match="one and the same picture"):
        prove(photo, photo, models, FEW)


def test_a_photo_without_a_face_says_so(models: Models) -> None:
    plain = torch.full((1, 3, 120, 120), 0.5)
    with pytest.raises(NoFace, match="no face was found"):
        prove(read(plain), read(plain + 0.01), models, FEW)


def test_several_faces_have_a_place_each(photo: Picture, models: Models) -> None:
    two = torch.cat((photo.images, photo.images.flip(-1)), dim=-1)
    slightly = (two + 2 / 255).clamp(0, 1)
    report = prove(read(two), read(slightly), models, dataclasses.replace(FEW, columns=())).report
    assert len(report.faces) == len(report.face_quality) == 2
    assert report.detections[0].found["protected"]["delivered"] == (True, True)
    assert len(report.swaps[0].failed_extraction["noise"]["delivered"]) == 2


def test_of_many_faces_the_largest_are_looked_at(
    photo: Picture, guarded: Picture, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [Face(Box(5 * x, 5, 5 * x + 30 + x, 60), 0.9) for x in range(30)]
    monkeypatch.setattr(proving, "survey", lambda *_: many)
    monkeypatch.setattr(proving, "check_alike", lambda *_: None)
    report = prove(photo, guarded, models, dataclasses.replace(FEW, columns=(), swappers=())).report
    assert report.faces == tuple(many[18:])
    assert "many_faces" in {note.code for note in report.notes}


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"columns": ("jpeg76",)}, "did you mean jpeg7"),
        ({"detectors": ("mtcn",)}, "did you mean mtcnn"),
        ({"encoders": ("mobilefacenet-ms1",)}, "did you mean mobilefacenet-ms1m"),
        ({"swappers": ("wrap",)}, "did you mean warp"),
        ({"counterpart": "astronau"}, "did you mean astronaut"),
        ({"sheet": True}, "state whose face it is: --statement self or agreed"),
        ({"clip": True}, "state whose face it is"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_any_work(change: dict[str, object], hint: str) -> None:
    with pytest.raises(OptionError, match=hint):
        check_proof(dataclasses.replace(FEW, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change", [{"swappers": ("inswapper",)}, {"encoders": ("mobilefacenet-ms1m",)}, {"detectors": ("scrfd",)}]
)
def test_a_model_asked_for_by_name_that_is_not_here_says_how_to_get_it(
    change: dict[str, object], photo: Picture, models: Models
) -> None:
    with pytest.raises(WeightsError, match="deepguard models"):
        prove(photo, None, models, dataclasses.replace(FEW, **change))  # type: ignore[arg-type]


def test_a_wrong_file_in_the_place_of_a_swapper_is_refused(photo: Picture, tmp_path: Path) -> None:
    (tmp_path / "inswapper_128.onnx").write_bytes(b"something else")
    wrong = load_models(Shelf(tmp_path, offline=True), torch.device("cpu"))
    with pytest.raises(WeightsError, match=r"inswapper_128\.onnx"):
        prove(photo, None, wrong, dataclasses.replace(FEW, swappers=("inswapper",)))


@pytest.mark.parametrize(
    ("stage", "swapper"),
    [
        ("looking for faces", "warp"),
        ("attacking (noise, delivered)", "warp"),
        ("swapping (autoencoder, original)", "autoencoder"),
        ("checking", "warp"),
    ],
)
def test_raising_from_the_watch_stops_it_in_every_stage(
    photo: Picture, guarded: Picture, models: Models, stage: str, swapper: str
) -> None:
    def stop(progress: Progress) -> None:
        if progress.stage == stage:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        prove(photo, guarded, models, dataclasses.replace(FEW, columns=(), swappers=(swapper,), steps=2), watch=stop)


def test_measured_again_nothing_changed(alone: Proved, photo: Picture, guarded: Picture, models: Models) -> None:
    found = prove_again(alone.report, photo, guarded, models)
    assert (found.new, found.gone, found.replaced, found.moves) == ((), (), (), ())
    assert found.proof.detections == alone.report.detections
    assert found.proof.columns == alone.report.columns
    assert (found.proof.defence, found.proof.preset) == (alone.report.defence, "balanced")


def test_pictures_that_are_not_the_reports_are_refused(
    alone: Proved, photo: Picture, guarded: Picture, models: Models
) -> None:
    with pytest.raises(OptionError, match="the photo is not the one of the report"):
        prove_again(alone.report, guarded, photo, models)
    with pytest.raises(OptionError, match="the protected picture is not the one of the report"):
        prove_again(alone.report, photo, photo, models)


def test_the_example_of_the_page_runs(
    photo: Picture, guarded: Picture, empty_shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPGUARD_MODELS", str(empty_shelf.directory))
    page = Path(__file__).parents[1] / "docs" / "how-to" / "prove-a-photo.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(page), "exec"), names)
    (tmp_path / "a.png").write_bytes(encode(photo, photo.images))
    (tmp_path / "b.png").write_bytes(encode(guarded, guarded.images))
    assert names["matches"](tmp_path / "a.png", tmp_path / "b.png") == {}


def test_filters_are_no_part_of_the_protection_where_its_report_is_given(photo: Picture, models: Models) -> None:
    bright = Options(steps=1, through="none", defence="facepoison", filters=Filters(brightness=0.6))
    made = protect_picture(photo, models, bright)
    few = dataclasses.replace(FEW, columns=(), swappers=())
    known = prove(photo, decode(made.data), models, few, made=made.report).report
    silent = prove(photo, decode(made.data), models, few).report
    assert known.picture_quality == made.report.picture_quality
    assert silent.picture_quality.ssim < known.picture_quality.ssim
