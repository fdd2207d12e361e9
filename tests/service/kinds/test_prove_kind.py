"""Proving as a job: what may be asked, what it goes on from, and what it makes of a proof."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image
from tests.service.kinds.proved import PIXELS, proof, report_of, worked

from deepguard import api
from deepguard.api import proving
from deepguard.errors import InputError, OptionError, UnreadableImage
from deepguard.media.sample import sample_file
from deepguard.prove.proof import Proof
from deepguard.service.kinds import prove
from deepguard.service.kinds.protect import Protect
from deepguard.service.kinds.prove import OF_PROTECTING, RESULTS, Prove
from deepguard.service.kinds.roles import Done, Work, kinds
from deepguard.types import Progress
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")


def work_of(shelf: Shelf, earlier: dict[str, Path] | None = None, file: Path | None = None) -> Work:
    return Work(file or sample_file(), "me.png", {}, PIXELS, shelf, CPU, lambda progress: None, earlier=earlier or {})


def kept(folder: Path, done: Done) -> dict[str, Path]:
    """The results from which a proof goes on, in files."""
    files = {}
    for each in (one for one in done.made if one.name in OF_PROTECTING):
        files[each.name] = folder / each.name
        files[each.name].write_bytes(each.data)
    return files


def names(done: Done) -> list[str]:
    return [each.name for each in done.made]


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory, empty_shelf: Shelf) -> dict[str, Path]:
    """What a real job of protecting has left."""
    wish = {"detectors": ["mtcnn"], "steps": 1, "through": "none"}
    work = Work(sample_file(), "me.png", wish, PIXELS, empty_shelf, CPU, lambda progress: None)
    return kept(tmp_path_factory.mktemp("earlier"), Protect().run(work))


def test_the_report_comes_first_and_can_be_read_again() -> None:
    found = proof(2)
    done = worked(found)
    assert names(done) == ["report", "picture", "thumbnail"]
    body = report_of(done)
    assert body.pop("job") == {"id": "an id", "attempt": 1, "created": "2026-11-22T05:29:00+00:00", "options": {}}
    assert Proof.from_json(body) == found
    filenames = [each.filename for each in done.made]
    assert filenames == ["할머니 생신.proof.json", "할머니 생신.protected.png", "할머니 생신.thumbnail.jpg"]


def test_nothing_may_be_seen_of_a_swap_where_nobody_asked() -> None:
    with mock.patch.object(api, "prove", wraps=api.prove):
        done = worked(proof())
    assert not {"sheet-ko", "sheet-en", "clip"} & set(names(done))


def test_both_sheets_and_the_clip_are_made_where_they_were_asked_for() -> None:
    done = worked(proof(statement="self"), options={"sheet": True, "clip": True, "statement": "self"})
    assert names(done) == list(RESULTS)
    assert {each.name: each.media_type for each in done.made}["sheet-ko"] == "image/png"
    assert report_of(done)["statement"] == {"by": "self", "at": "2026-11-22T05:29:00+00:00"}


def test_what_was_stated_and_when_goes_into_the_proof(empty_shelf: Shelf) -> None:
    facts = {"created": "2026-11-22T05:29:00+00:00"}
    wish = {
        "sheet": True,
        "statement": "agreed",
        "swappers": ["warp"],
        "counterpart": "hopper",
        "steps": 5.0,
        "seed": 3,
    }
    work = Work(sample_file(), "me.png", wish, PIXELS, empty_shelf, CPU, lambda progress: None, facts=facts)
    options = prove.options_from(work)
    assert options.statement == prove.Statement("agreed", "2026-11-22T05:29:00+00:00")
    assert (options.sheet, options.clip, options.counterpart, options.steps, options.seed) == (
        True,
        False,
        "hopper",
        5,
        3,
    )
    api.check_proof(options)


def test_the_library_refuses_a_sheet_without_a_statement_as_the_service_does(empty_shelf: Shelf) -> None:
    wish = {"sheet": True}
    work = Work(sample_file(), "me.png", wish, PIXELS, empty_shelf, CPU, lambda progress: None)
    with pytest.raises(OptionError, match="whose face"):
        Prove().run(work)


def test_it_goes_on_from_a_finished_job_and_protects_nothing_again(
    protected: dict[str, Path], empty_shelf: Shelf
) -> None:
    again = mock.patch.object(api, "protect", side_effect=AssertionError("it was protected already"))
    with again, mock.patch.object(proving, "USUAL", ("jpeg75",)):
        done = Prove().run(work_of(empty_shelf, protected))
    body = report_of(done)
    log = json.loads(protected["log"].read_bytes())
    assert names(done) == ["report", "thumbnail"]
    assert (body["original"]["sha256"], body["protected"]["sha256"]) == (
        log["input"]["sha256"],
        log["output"]["sha256"],
    )
    assert (body["original"]["name"], body["protected"]["name"]) == ("me.png", "me.protected.png")
    assert {each["detector"]: each["attacked"] for each in body["detections"]}["mtcnn"] is True
    assert body["defence"] == log["defence"]
    with Image.open(io.BytesIO(done.made[1].data)) as small:
        assert (small.format, small.size) == ("JPEG", (480, 480))


def test_a_job_about_another_photo_is_refused(protected: dict[str, Path], empty_shelf: Shelf, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.radial_gradient("L").convert("RGB").resize((512, 512)).save(other)
    with pytest.raises(OptionError):
        Prove().run(work_of(empty_shelf, protected, other))


def test_a_log_that_is_none_is_told_in_a_sentence(
    protected: dict[str, Path], empty_shelf: Shelf, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text('{"schema": "something else"}')
    with pytest.raises(InputError):
        Prove().run(work_of(empty_shelf, {**protected, "log": log}))


def test_what_is_no_picture_is_refused(empty_shelf: Shelf, tmp_path: Path) -> None:
    letter = tmp_path / "letter"
    letter.write_text("a letter")
    with pytest.raises(UnreadableImage):
        Prove().run(work_of(empty_shelf, file=letter))


def test_the_summary_tells_lists_and_statistics_what_protecting_tells_them() -> None:
    summary = worked(proof(2)).summary
    assert (summary["found_before"], summary["found_after"]) == (18, 10)
    assert (summary["faces"], summary["detectors"], summary["sheet"]) == (2, 9, False)
    json.dumps(summary, allow_nan=False)


def test_every_step_is_told_on_one_scale_and_can_be_stopped(
    protected: dict[str, Path], empty_shelf: Shelf, tmp_path: Path
) -> None:
    told: list[Progress] = []

    def stop(progress: Progress) -> None:
        told.append(progress)
        if progress.stage.startswith("attacking"):
            raise KeyboardInterrupt

    work = Work(sample_file(), "me.png", {}, PIXELS, empty_shelf, CPU, stop, earlier=protected)
    with pytest.raises(KeyboardInterrupt):
        Prove().run(work)
    assert {each.stage.partition(" (")[0] for each in told} <= set(Prove.spans)


def test_protecting_first_is_one_stage_of_the_whole() -> None:
    told: list[Progress] = []
    prove._first(told.append)(Progress("verifying (half)", 1, 4, (("mtcnn", False),), seconds=3.0))
    assert told == [Progress("protecting first", 1, 4, (("mtcnn", False),))]


def test_the_ability_is_of_the_bench_and_its_schema_has_bounds(empty_shelf: Shelf) -> None:
    ability = kinds.create("prove", empty_shelf, CPU).ability(empty_shelf)
    Draft202012Validator.check_schema(dict(ability.schema))
    fits: Callable[[object], bool] = Draft202012Validator(dict(ability.schema)).is_valid
    assert fits({})
    assert fits({"of": "an id", "swappers": ["warp", "autoencoder"], "counterpart": "hopper", "seed": 5, "steps": 10})
    for wrong in (
        {"swappers": []}, {"swappers": ["nobody"]}, {"counterpart": "me.png"}, {"steps": 0}, {"steps": 10**6},
        {"seed": -1}, {"of": 5}, {"of": "x" * 37}, {"source": "x"}, {"statement": "mine"}, {"sheet": "yes"},
    ):  # fmt: skip
        assert not fits(wrong), wrong
    assert all(each["description"] for each in ability.schema["properties"].values())
    assert ability.bench
    assert dict(ability.of) == {"protect": OF_PROTECTING}
    assert not ability.clips
    assert all(value > 0 for value in ability.seconds[""])


def test_what_would_take_part_is_named_with_the_command_that_brings_it(empty_shelf: Shelf) -> None:
    missing = Prove().ability(empty_shelf).missing
    assert {"yunet", "arcface-w600k-r50", "inswapper"} <= set(missing)
    assert not {"warp", "autoencoder", "mtcnn"} & set(missing)
    assert all(command.startswith("deepguard models ") for command in missing.values())
