"""Protecting a photo as a job: what may be asked, and what comes of it."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from PIL import Image
from tests.media.files_of import file_of

from deepguard import api
from deepguard.defences.presets import PRESETS
from deepguard.defences.roles import Recipe, defaults_of, defences, options_of
from deepguard.defences.shield import Shield
from deepguard.errors import OptionError, WeightsMissing
from deepguard.filters.photo import Filters
from deepguard.media.metadata import digital_source_type
from deepguard.media.read import decode
from deepguard.models.roles import detectors
from deepguard.prove.likeness import Likeness
from deepguard.prove.report import ModelFacts
from deepguard.prove.verify import Judgement, Sighting
from deepguard.service.kinds import protect
from deepguard.service.kinds.protect import options_from
from deepguard.service.kinds.roles import Ability, Done, Work, kinds
from deepguard.transforms.posting import POSTINGS
from deepguard.types import Box, Note, Progress, ignore
from deepguard.weights.shelf import Shelf

KNOWING = {"fooled": (0.1, 0.2), "one face": (0.1, 0.9), "judge": (0.2, 0.1), "cannot tell": (None, 0.1)}
"""Encoder -> cosine of each of two faces with itself before."""

CPU = torch.device("cpu")
FEW = {"detectors": ["mtcnn"], "steps": 2, "through": "none"}


@pytest.fixture(scope="module")
def ability(empty_shelf: Shelf) -> Ability:
    return kinds.create("protect", empty_shelf, CPU).ability(empty_shelf)


@pytest.fixture(scope="module")
def checker(ability: Ability) -> Callable[[Any], bool]:
    return jsonschema.Draft202012Validator(ability.schema).is_valid


@pytest.fixture(scope="module")
def face(astronaut: torch.Tensor) -> Image.Image:
    pixels = (astronaut[0].permute(1, 2, 0) * 255).byte().numpy()[20:200, 120:320]
    return Image.fromarray(np.ascontiguousarray(pixels))


def recipe_of(defence: str) -> Recipe:
    """The class of a defence that needs no weights."""
    return defences.create(defence, Shelf(Path()), CPU)


def worked(
    folder: Path,
    shelf: Shelf,
    image: Image.Image,
    container: str = "JPEG",
    name: str = "me.jpg",
    watch: Callable[[Progress], None] = ignore,
    **options: Any,
) -> Done:
    file = folder / "upload"
    image.save(file, container)
    facts = {"id": "an id", "attempt": 1}
    work = Work(file, name, {**FEW, **options}, 10**7, shelf, CPU, watch, facts)
    return kinds.create("protect", shelf, CPU).run(work)


@pytest.fixture(scope="module")
def told() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def done(face: Image.Image, empty_shelf: Shelf, told: list[Progress], tmp_path_factory: pytest.TempPathFactory) -> Done:
    return worked(tmp_path_factory.mktemp("work"), empty_shelf, face, watch=told.append)


def test_the_schema_offers_what_the_registries_hold(ability: Ability) -> None:
    options = ability.schema["properties"]
    assert set(options) == {each.name for each in dataclasses.fields(api.Options)}
    assert options["preset"]["enum"] == list(PRESETS)
    assert options["detectors"]["items"]["enum"] == list(detectors.names())
    assert options["through"]["enum"] == ["any", "none", *POSTINGS]
    asked_of_a_defence = {**options["extra"]["properties"], "strength": options["strength"], "steps": options["steps"]}
    assert set(asked_of_a_defence) == {each for name in defences.names() for each in options_of(recipe_of(name))}
    for name in defences.names():
        defaults = {each: schema["x-defaults"].get(name) for each, schema in asked_of_a_defence.items()}
        assert {each: value for each, value in defaults.items() if value is not None} == defaults_of(recipe_of(name))
    assert all(option["description"] for option in options.values())
    assert all("default" in option for option in options["extra"]["properties"].values())


def test_every_preset_is_described_with_what_it_sets_and_how_long_it_takes(ability: Ability) -> None:
    assert [each["name"] for each in ability.presets] == list(PRESETS)
    strong = next(each for each in ability.presets if each["name"] == "strong")
    assert strong["options"]["strength"] == PRESETS["strong"].options["strength"] > 1
    assert strong["options"]["extra"]["reach"] == defaults_of(Shield)["reach"]
    assert set(ability.seconds) == {"", *PRESETS}
    assert ability.results == ("picture", "view", "before", "comparison", "heatmap", "thumbnail", "log")


def test_the_first_guess_is_one_for_the_detectors_that_are_here(ability: Ability) -> None:
    # of nine MTCNN alone: a fifth that stays, and a ninth of the rest
    share = 0.2 + 0.8 / 9
    assert ability.seconds["balanced"] == pytest.approx((15.0 * share, 4.1 * share))
    assert ability.still == pytest.approx(0.2 / share)
    usual = defaults_of(Shield)["steps"]
    steps = {name: preset.options.get("steps", usual) for name, preset in PRESETS.items()}
    assert ability.grows == {"steps": steps, "detectors": {"": 1}}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"preset": "strong", "faces": [1, 2], "seed": 7},
        {"steps": 500, "strength": 4, "extra": {"reach": 0.5, "cells": 64}},
        {"strength": 0.05},
        {"box": {"x": 1, "y": 2.5, "width": 10, "height": 20}},
        {"filters": {"brightness": -1, "contrast": 1, "saturation": 0.5, "warmth": -0.5, "sharpen": 1}},
        {"filters": {"blur_others": True}},
    ],
)
def test_what_makes_sense_is_allowed(checker: Callable[[Any], bool], options: dict[str, Any]) -> None:
    assert checker(options)


@pytest.mark.parametrize(
    "options",
    [
        {"stepz": 5},
        {"steps": 0},
        {"steps": 501},
        {"steps": 2.5},
        {"steps": "5"},
        {"strength": 0},
        {"strength": 4.01},
        {"strength": "1"},
        {"epsilon": 0.03},
        {"minimal": True},
        {"preset": "weak"},
        {"detectors": []},
        {"detectors": ["nobody"]},
        {"through": "carrier pigeon"},
        {"faces": [0]},
        {"faces": list(range(1, 202))},
        {"box": {"x": 1, "y": 2, "width": 0, "height": 20}},
        {"box": {"x": 1, "y": 2, "width": 5}},
        {"extra": {"jitter": 1e9}},
        {"extra": {"cells": 10**9}},
        {"extra": {"surrogates": 1}},
        {"seed": -1},
        {"seed": 2**64},
        {"filters": {"brightness": 1.01}},
        {"filters": {"sharpen": -0.1}},
        {"filters": {"blur_others": 1}},
        {"filters": {"sepia": 1}},
    ],
)
def test_what_is_unknown_or_would_never_end_is_refused(checker: Callable[[Any], bool], options: dict[str, Any]) -> None:
    assert not checker(options)


def test_options_reach_the_library_as_they_are(empty_shelf: Shelf) -> None:
    given = {
        "preset": "strong",
        "defence": "facepoison",
        "detectors": ["mtcnn"],
        "strength": 0.7,
        "steps": 5.0,
        "through": "half",
        "faces": [2.0, 1],
        "box": {"x": 1, "y": 2, "width": 30, "height": 40},
        "extra": {"cells": 64.0, "reach": 1},
        "seed": 3.0,
        "filters": {"warmth": -1, "blur_others": True},
    }
    box = Box(1, 2, 31, 42)
    extra = {"cells": 64, "reach": 1}
    filters = Filters(warmth=-1, blur_others=True)
    wanted = api.Options("strong", "facepoison", ("mtcnn",), None, 0.7, 5, "half", (2, 1), box, extra, 3, filters)
    found = options_from(given, empty_shelf)
    assert found == wanted
    assert all(type(each) is int for each in (found.steps, *found.faces, found.extra["cells"], found.seed))
    assert options_from({}, empty_shelf) == api.Options()


def test_the_results_are_the_picture_what_shows_the_change_and_the_log(done: Done, face: Image.Image) -> None:
    assert [each.name for each in done.made] == ["picture", "before", "comparison", "heatmap", "thumbnail", "log"]
    picture, before, compared, heat, thumbnail, log = done.made
    assert (picture.filename, picture.media_type) == ("me.protected.jpg", "image/jpeg")
    with Image.open(io.BytesIO(picture.data)) as opened:
        assert (opened.format, opened.size) == ("JPEG", face.size)
    with Image.open(io.BytesIO(heat.data)) as opened:
        assert (opened.format, opened.size) == ("PNG", face.size)
        assert np.asarray(opened).any()
    with Image.open(io.BytesIO(compared.data)) as opened:
        assert opened.format == "PNG"
    for each in (before, thumbnail):
        with Image.open(io.BytesIO(each.data)) as opened:
            assert (opened.format, opened.size, each.media_type) == ("JPEG", face.size, "image/jpeg")
    names = [each.filename for each in done.made]
    assert names[1:] == [
        "me.before.jpg",
        "me.protected.comparison.png",
        "me.protected.heatmap.png",
        "me.protected.thumbnail.jpg",
        "me.protected.json",
    ]
    body = json.loads(log.data)
    assert body["schema"] == "deepguard/protect-report/1"
    assert body["output"]["name"] == "me.protected.jpg"
    assert body["job"] == {"id": "an id", "attempt": 1, "name": "me.jpg", "options": FEW}


def test_the_photo_before_is_the_filtered_one_in_the_same_container(
    tmp_path: Path, empty_shelf: Shelf, face: Image.Image
) -> None:
    done = worked(tmp_path, empty_shelf, face, "PNG", "me.png", filters={"brightness": -1})
    before = next(each for each in done.made if each.name == "before")
    assert (before.filename, before.media_type) == ("me.before.png", "image/png")
    assert digital_source_type(before.data) is None
    assert digital_source_type(done.made[0].data) is not None
    with Image.open(io.BytesIO(before.data)) as opened:
        assert np.abs(np.asarray(opened) - np.asarray(face) / 2).max() <= 0.5
    assert json.loads(done.made[-1].data)["filters"]["brightness"] == -1


@pytest.mark.parametrize(("container", "name"), [("TIFF", "me.tiff"), ("HEIF", "me.heic")])
def test_what_browsers_do_not_show_comes_as_jpeg_too(
    tmp_path: Path, empty_shelf: Shelf, face: Image.Image, container: str, name: str
) -> None:
    file = tmp_path / "upload"
    file.write_bytes(file_of(face, container))
    work = Work(file, name, FEW, 10**7, empty_shelf, CPU, ignore)
    made = {each.name: each for each in kinds.create("protect", empty_shelf, CPU).run(work).made}
    assert list(made) == list(protect.RESULTS)
    assert (made["view"].filename, made["before"].filename) == ("me.protected.view.jpg", "me.before.jpg")
    for each, source in (("view", made["picture"].data), ("before", file.read_bytes())):
        assert made[each].media_type == "image/jpeg"
        seen = decode(made[each].data)
        assert (seen.coding.container, seen.coding.subsampling) == ("JPEG", "4:4:4")
        assert (seen.images - decode(source).images).abs().mean() < 2 / 255


def test_the_summary_is_what_a_list_shows(done: Done) -> None:
    report = json.loads(done.made[-1].data)
    summary = done.summary
    assert (summary["variant"], summary["faces"], summary["format"], summary["device"]) == (
        "balanced",
        1,
        "JPEG",
        "cpu",
    )
    assert (summary["width"], summary["height"]) == (200, 180)
    assert summary["megapixels"] == pytest.approx(0.036)
    assert summary["bytes"] == len(done.made[0].data)
    assert summary["found_before"] == sum(sum(each["before"]) for each in report["judgements"]) == 1
    after = [each["after"] for each in report["judgements"]]
    assert summary["found_after"] == sum(sum(each["delivered"]["found"]) for each in after)
    assert set(summary["found_posted"]) == {"instagram", "kakaotalk"}
    assert "judges" not in summary
    assert summary["ssim"] == report["face_quality"][0]["ssim"]
    assert summary["lpips"] is None
    assert summary["marbling"] == report["face_quality"][0]["marbling"] > 0
    assert summary["chroma"] == report["face_quality"][0]["chroma"]
    json.dumps(summary, allow_nan=False)


def test_who_was_not_attacked_is_counted_apart() -> None:
    def told(detector: str, before: bool, after: bool) -> Judgement:
        seen = {"delivered": Sighting((after,), (after,)), "instagram": Sighting((before,), (before,))}
        return Judgement(detector, (before,), seen)

    file = SimpleNamespace(width=10, height=10, format="PNG", bytes=1)
    report: Any = SimpleNamespace(
        models=[ModelFacts("one", True, {}), ModelFacts("two", True, {}), ModelFacts("held out", False, {})],
        judgements=[told("one", True, False), told("two", True, True), told("held out", True, True)],
        preset="balanced", input=file, output=file, chosen=(1,), device="cpu", missing=(), face_quality=(),
        notes=(Note("blurred_faces", "2 were blurred", 2),), likenesses=(),
    )  # fmt: skip
    summary = protect._summary(report)
    attacked = {name: summary[name] for name in ("detectors", "found_before", "found_after", "found_posted")}
    assert attacked == {"detectors": 2, "found_before": 2, "found_after": 1, "found_posted": {"instagram": 2}}
    counts = {"detectors": 1, "found_before": 1, "found_after": 1, "found_posted": {"instagram": 1}}
    assert summary["judges"] == counts
    assert summary["notes"] == [{"code": "blurred_faces", "text": "2 were blurred", "count": 2}]
    assert not {"encoders", "held_encoders"} & set(summary)


def test_where_encoders_alone_were_attacked_they_are_counted_and_the_detectors_are_judges() -> None:
    file = SimpleNamespace(width=10, height=10, format="PNG", bytes=1)
    found = Judgement("detector", (True,), {"delivered": Sighting((True,), (True,))})
    known = [Likeness(name, "toy", 0.4, {"delivered": seen}) for name, seen in KNOWING.items()]
    report: Any = SimpleNamespace(
        models=[ModelFacts("detector", False, {}), ModelFacts("fooled", True, {}), ModelFacts("one face", True, {})],
        judgements=[found], likenesses=known, preset="balanced", input=file, output=file, chosen=(1, 2), device="cpu",
        missing=(), face_quality=(), notes=(),
    )  # fmt: skip
    summary = protect._summary(report)
    assert (summary["detectors"], summary["found_before"], summary["found_after"]) == (0, 0, 0)
    assert summary["judges"]["found_after"] == 1
    assert (summary["encoders"], summary["known_after"]) == (2, 1)
    assert (summary["held_encoders"], summary["held_known_after"]) == (1, 0)


def test_its_stages_are_those_of_its_spans_and_fill_the_whole(told: list[Progress], done: Done) -> None:
    spans = kinds.create("protect", Shelf(Path()), CPU).spans
    assert {each.stage.partition(" (")[0] for each in told} == set(spans)
    edges = list(spans.values())
    assert edges[0][0] == 0
    assert edges[-1][1] == 1
    assert all(before[1] == after[0] for before, after in itertools.pairwise(edges))
    assert any(each.seconds for each in told)
    assert any(each.found for each in told)


@pytest.mark.parametrize(
    ("container", "name", "wanted", "media_type"),
    [
        ("PNG", "a.png", "a.protected.png", "image/png"),
        ("WEBP", "holiday.jpg", "holiday.protected.webp", "image/webp"),
        ("PNG", "../../etc/passwd", "passwd.protected.png", "image/png"),
        ("PNG", "C:\\photos\\me.PNG", "me.protected.PNG", "image/png"),
        ("PNG", "", "picture.protected.png", "image/png"),
        ("PNG", "사진 1.png", "사진 1.protected.png", "image/png"),
        ("PNG", "a\x00b\n.png", "ab.protected.png", "image/png"),
        ("PNG", "x" * 250 + ".png", "x" * 200 + ".protected.png", "image/png"),
    ],
)
def test_results_are_named_after_the_file_and_its_content(
    tmp_path: Path, empty_shelf: Shelf, face: Image.Image, container: str, name: str, wanted: str, media_type: str
) -> None:
    drawn = {"x": 60, "y": 60, "width": 30, "height": 30}
    picture = worked(tmp_path, empty_shelf, face, container, name, steps=1, box=drawn).made[0]
    assert (picture.filename, picture.media_type) == (wanted, media_type)


def test_what_the_library_refuses_passes_on(tmp_path: Path, empty_shelf: Shelf, face: Image.Image) -> None:
    with pytest.raises(OptionError, match="there is no face 9"):
        worked(tmp_path, empty_shelf, face, faces=[9])
    with pytest.raises(WeightsMissing, match="models pull yunet"):
        worked(tmp_path, empty_shelf, face, detectors=["mtcnn", "yunet"])


def test_what_a_watcher_raises_stops_the_work(tmp_path: Path, empty_shelf: Shelf, face: Image.Image) -> None:
    class Enough(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.stage == "writing":
            raise Enough

    with pytest.raises(Enough):
        worked(tmp_path, empty_shelf, face, watch=stop)
