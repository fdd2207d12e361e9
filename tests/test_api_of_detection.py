"""`api.detect`, from a file to its report."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from PIL import Image
from tests.forensics.toy_judges import CPU, THRESHOLD, bright, grainy
from tests.media.clips_of import write_clip
from torch import Tensor

from deepguard import api
from deepguard.api import DetectOptions, Judges
from deepguard.errors import ImageTooLarge, InputError, OptionError, UnreadableClip, UnreadableImage, WeightsMissing
from deepguard.forensics.verdict import Word
from deepguard.media.metadata import packet
from deepguard.models.roles import classifiers, detectors
from deepguard.types import Progress
from deepguard.weights.shelf import Shelf

SCHEMA = json.loads((Path(__file__).parents[1] / "docs" / "reference" / "detection.schema.json").read_text())


@pytest.fixture(scope="module")
def models(empty_shelf: Shelf) -> Judges:
    """Toy classifiers, and the detector that comes with the installation."""
    return Judges(
        device=CPU,
        classifiers={"bright": bright()},
        detectors={"mtcnn": detectors.create("mtcnn", empty_shelf, CPU)},
        files={"bright": {"bright.bin": "0" * 64}},
        missing=("meso4",),
    )


@pytest.fixture
def photo(tmp_path: Path, astronaut: Tensor) -> Path:
    return saved(tmp_path / "photo.png", astronaut)


def saved(path: Path, images: Tensor, **options: Any) -> Path:
    pixels = (images[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(pixels).save(path, **options)
    return path


def checked(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report as it is written, held to the schema."""
    body: dict[str, Any] = json.loads(json.dumps(report))
    jsonschema.validate({"schema": body["schema"], "complete": True, "files": [body]}, SCHEMA)
    return body


def test_a_photo_gets_a_report_that_keeps_the_schema(photo: Path, models: Judges) -> None:
    found = api.detect(photo, models, DetectOptions(heat=True))
    body = checked(found.report.as_json())
    assert body["input"]["sha256"] == hashlib.sha256(photo.read_bytes()).hexdigest()
    assert (body["input"]["width"], body["input"]["duration"]) == (512, None)
    assert body["threshold"] == dataclasses.asdict(THRESHOLD)
    assert body["classifiers"] == [{"name": "bright", "files": {"bright.bin": "0" * 64}, "calibrated": True}]
    assert (body["missing"], body["detectors"]) == (["meso4"], ["mtcnn"])
    (face,) = body["faces"]
    assert (body["word"], body["probability"]) == (face["word"], face["probability"])
    assert set(body["seconds"]) == {"reading", "finding", "judging"}
    assert list(found.heat) == [1]


def test_a_clip_gets_a_report_that_keeps_the_schema(tmp_path: Path, astronaut: Tensor, models: Judges) -> None:
    frame = (astronaut[0].permute(1, 2, 0) * 255).byte().numpy()[:256, 60:380]
    path = write_clip(tmp_path / "clip.mp4", [frame] * 6, rate=10, options={"crf": "12"})
    found = api.detect(path, models, DetectOptions(frames=2, heat=True))
    body = checked(found.report.as_json())
    assert (body["input"]["format"], body["input"]["frames"]) == ("MP4", 6)
    assert body["input"]["duration"] == pytest.approx(0.6)
    assert body["faces"] == []
    (track,) = body["tracks"]
    assert len(track["sightings"]) == len(body["frames"]) == 2
    assert (body["word"], body["probability"]) == (track["word"], track["probability"])
    assert "sampled" in {note["code"] for note in body["notes"]}
    assert list(found.heat) == [1]


def test_an_animation_is_judged_as_a_clip(tmp_path: Path, astronaut: Tensor, models: Judges) -> None:
    frame = Image.fromarray((astronaut[0].permute(1, 2, 0) * 255).byte().numpy()[:256, 60:380])
    brighter = frame.point(lambda level: min(255, level + 20))
    frame.save(tmp_path / "moving.webp", save_all=True, append_images=[brighter], duration=200, lossless=True)
    report = api.detect(tmp_path / "moving.webp", models).report
    checked(report.as_json())
    assert report.input.format == "WEBP"
    assert len(report.frames) == 2
    assert len(report.tracks) == 1


def test_a_photo_without_a_face_cannot_be_judged(tmp_path: Path, rng: torch.Generator, models: Judges) -> None:
    path = saved(tmp_path / "noise.png", torch.rand((1, 3, 120, 160), generator=rng))
    body = checked(api.detect(path, models).report.as_json())
    assert (body["word"], body["probability"], body["faces"]) == ("cannot_judge", None, [])
    assert [note["code"] for note in body["notes"]] == ["no_face"]


def test_a_face_that_is_too_small_is_found_and_not_judged(tmp_path: Path, astronaut: Tensor, models: Judges) -> None:
    small = torch.nn.functional.interpolate(astronaut, scale_factor=0.5, mode="bilinear", antialias=True)
    body = checked(api.detect(saved(tmp_path / "small.png", small), models).report.as_json())
    assert body["word"] == "cannot_judge"
    assert [reason["code"] for face in body["faces"] for reason in face["reasons"]] == ["small_face"]
    assert {note["code"] for note in body["notes"]} == {"not_judged"}


def test_a_grey_photo_is_judged(tmp_path: Path, astronaut: Tensor, models: Judges) -> None:
    grey = (astronaut[0].mean(0) * 255).byte().numpy()
    Image.fromarray(grey).save(tmp_path / "grey.jpg", quality=95)
    report = api.detect(tmp_path / "grey.jpg", models).report
    assert len(report.faces) == 1
    assert report.word is not Word.CANNOT_JUDGE


def test_a_photo_turned_by_its_exif_is_judged_upright(photo: Path, tmp_path: Path, models: Judges) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(photo) as opened:
        opened.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    upright, turned = (api.detect(path, models).report for path in (photo, tmp_path / "turned.png"))
    assert turned.probability == pytest.approx(upright.probability, abs=1e-3)


def test_a_masked_face_is_judged_or_says_why_not(shared: Path, models: Judges) -> None:
    folder = shared / "data" / "masked_crops"
    files = sorted(folder.rglob("*.jpg"))[:5] if folder.is_dir() else []
    if not files:
        pytest.skip("photos of masked faces are not here")
    for file in files:
        report = api.detect(file, models).report
        checked(report.as_json())
        assert report.word is not Word.CANNOT_JUDGE or report.notes


def test_a_damaged_photo_is_refused_with_a_sentence(photo: Path, models: Judges) -> None:
    photo.write_bytes(photo.read_bytes()[:2000])
    with pytest.raises(UnreadableImage, match=r"photo\.png is damaged"):
        api.detect(photo, models)


@pytest.mark.parametrize("data", [b"", b"just some text, and more of it", b"%PDF-1.7 of no use"])
def test_what_is_neither_picture_nor_clip_is_refused_with_a_sentence(
    tmp_path: Path, data: bytes, models: Judges
) -> None:
    (tmp_path / "file.jpg").write_bytes(data)
    with pytest.raises(InputError, match=r"file\.jpg is"):
        api.detect(tmp_path / "file.jpg", models)


def test_a_damaged_clip_is_refused_with_a_sentence(tmp_path: Path, models: Judges) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(64))
    with pytest.raises(UnreadableClip, match=r"clip\.mp4"):
        api.detect(tmp_path / "clip.mp4", models)


def test_a_file_that_is_not_there_is_refused_with_a_sentence(tmp_path: Path, models: Judges) -> None:
    with pytest.raises(UnreadableImage, match="cannot be read"):
        api.detect(tmp_path / "gone.jpg", models)


def test_a_huge_photo_is_refused_before_it_is_decoded(photo: Path, models: Judges) -> None:
    with pytest.raises(ImageTooLarge, match="make it smaller"):
        api.detect(photo, models, limit=512 * 511)


def test_the_name_that_a_report_tells_may_be_given(photo: Path, models: Judges) -> None:
    report = api.detect(photo, models, name="김.png").report
    assert report.input.name == "김.png"
    photo.write_bytes(b"")
    with pytest.raises(UnreadableImage, match="김"):
        api.detect(photo, models, name="김.png")


def test_classifiers_are_chosen_by_name_and_the_first_calibrated_one_decides(photo: Path, models: Judges) -> None:
    both = dataclasses.replace(models, classifiers={"grainy": grainy(), "bright": bright()})
    alone = api.detect(photo, models).report
    body = checked(_of_two(photo, both).as_json())
    assert body["probability"] == pytest.approx(alone.probability)
    assert [each["classifier"] for each in body["faces"][0]["opinions"]] == ["bright", "grainy"]


def _of_two(photo: Path, models: Judges) -> Any:
    options = DetectOptions(classifiers=("bright", "grainy"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifiers, "entry", lambda name: name)
        return api.detect(photo, models, options).report


def test_a_classifier_without_calibration_gives_a_figure_and_no_word(photo: Path, models: Judges) -> None:
    raw = dataclasses.replace(models, classifiers={"bright": bright(calibrated=False)})
    body = checked(api.detect(photo, raw).report.as_json())
    assert (body["threshold"], body["word"]) == (None, "uncertain")
    assert "uncalibrated" in {note["code"] for note in body["notes"]}


def test_a_file_that_says_it_was_made_by_ai_is_told_so(tmp_path: Path, astronaut: Tensor, models: Judges) -> None:
    words = packet().replace(b"algorithmicallyEnhanced", b"trainedAlgorithmicMedia")
    path = saved(tmp_path / "made.jpg", astronaut, xmp=words, quality=95)
    assert "states_ai" in {note.code for note in api.detect(path, models).report.notes}


def test_options_that_do_not_fit_are_refused_with_what_would(photo: Path, models: Judges) -> None:
    with pytest.raises(OptionError, match="efficientnet"):
        api.check_detection(DetectOptions(classifiers=("efficientnet-b0",)))
    for frames in (0, api.MOST_FRAMES + 1):
        with pytest.raises(OptionError, match="frames"):
            api.check_detection(DetectOptions(frames=frames))
    with pytest.raises(WeightsMissing, match="meso4"):
        api.detect(photo, models, DetectOptions(classifiers=("meso4",)))


def test_progress_is_told_and_raising_stops_the_work(photo: Path, models: Judges) -> None:
    stages: list[str] = []
    api.detect(photo, models, watch=lambda progress: stages.append(progress.stage))
    assert list(dict.fromkeys(stages)) == ["looking for faces", "judging"]

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.detect(photo, models, watch=stop)


def test_on_a_fresh_machine_the_usual_classifier_and_a_detector_are_there(photo: Path, empty_shelf: Shelf) -> None:
    if api.USUAL[0] not in classifiers.available(empty_shelf):
        pytest.skip("the shipped classifier is not here")
    loaded = api.load_classifiers(empty_shelf, CPU)
    assert tuple(loaded.classifiers) == api.USUAL
    assert list(loaded.detectors) == ["mtcnn"]
    body = checked(api.detect(photo, loaded, DetectOptions(heat=True)).report.as_json())
    assert len(body["faces"][0]["opinions"][0]["copies"]) == 5
    assert body["threshold"] is not None


def test_a_classifier_whose_weights_are_not_here_is_refused_with_what_brings_them(empty_shelf: Shelf) -> None:
    with pytest.raises(WeightsMissing, match="meso4"):
        api.load_classifiers(empty_shelf, CPU, ("meso4",))
