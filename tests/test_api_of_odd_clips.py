"""Odd photos and clips through `api.detect`: one sentence, "cannot judge", or the same verdict as of an even one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.draw import disk, ellipse
from tests.forensics.toy_judges import CPU, bright
from tests.media.clips_of import write_clip
from torch import Tensor

from deepguard import api
from deepguard.api import DetectOptions, Judges
from deepguard.errors import InputError, UnreadableClip, UnreadableImage, UnsupportedClip
from deepguard.forensics.report import Detection
from deepguard.forensics.verdict import Word
from deepguard.media.film_reader import FilmReader
from deepguard.models.roles import FaceDetector, detectors
from deepguard.types import Box, Face, Frame, Images
from deepguard.weights.shelf import Shelf

SHARP = {"crf": "12"}


@dataclasses.dataclass(frozen=True)
class Told:
    """A detector that is told where the faces are, in shares of the picture."""

    box: Box
    threshold: float = 0.5

    def detect(self, images: Images) -> list[list[Face]]:
        height, width = images.shape[-2:]
        box = Box(self.box.left * width, self.box.top * height, self.box.right * width, self.box.bottom * height)
        return [[Face(box, 0.99)]]


@pytest.fixture(scope="module")
def models(empty_shelf: Shelf) -> Judges:
    found = {"mtcnn": detectors.create("mtcnn", empty_shelf, CPU)}
    return Judges(CPU, {"bright": bright()}, found, {"bright": {}}, ())


@pytest.fixture
def frame(astronaut: Tensor) -> NDArray[np.uint8]:
    """The part of the sample photo around its face."""
    pixels: NDArray[np.uint8] = (astronaut[0].permute(1, 2, 0) * 255).byte().numpy()[:256, 60:380]
    return pixels


def looking(models: Judges, box: Box) -> Judges:
    """The same judges, told where the face is."""
    told: dict[str, FaceDetector] = {"told": Told(box)}  # type: ignore[dict-item]
    return dataclasses.replace(models, detectors=told)


def report_of(path: Path, models: Judges, frames: int = 4) -> Detection:
    return api.detect(path, models, DetectOptions(frames=frames)).report


def codes(report: Detection) -> set[str]:
    return {note.code for note in report.notes}


def drawing(side: int) -> NDArray[np.uint8]:
    picture = np.full((side, side, 3), 240, np.uint8)
    unit = side / 100
    picture[ellipse(50 * unit, 50 * unit, 42 * unit, 32 * unit, shape=(side, side))] = (250, 200, 170)
    for across in (37, 63):
        picture[disk((45 * unit, across * unit), 5 * unit, shape=(side, side))] = 0
    picture[ellipse(74 * unit, 50 * unit, 4 * unit, 14 * unit, shape=(side, side))] = (200, 40, 40)
    return picture


@pytest.mark.parametrize("name", ["words.txt", "words.mp4", "words.jpg"])
def test_what_is_neither_photo_nor_clip_is_answered_with_the_kinds_of_both(
    tmp_path: Path, models: Judges, name: str
) -> None:
    (tmp_path / name).write_text("just some words")
    with pytest.raises(UnreadableImage, match="is neither a photo nor a clip") as caught:
        api.detect(tmp_path / name, models)
    assert name in str(caught.value)
    assert "JPEG" in str(caught.value)
    assert "MP4" in str(caught.value)


def test_an_empty_clip_and_one_that_is_not_there_are_told_as_such(tmp_path: Path, models: Judges) -> None:
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(InputError, match=r"clip\.mp4 is empty \(0 bytes\)"):
        api.detect(tmp_path / "clip.mp4", models)
    with pytest.raises(InputError, match="give a photo or a clip"):
        api.detect(tmp_path / "gone.mp4", models)


def test_a_file_with_sound_and_no_pictures_is_refused_under_its_own_name(tmp_path: Path, models: Judges) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as output:
        stream = output.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 8000
        for packet in (*stream.encode(sound), *stream.encode(None)):
            output.mux(packet)
    with pytest.raises(UnsupportedClip, match=r"^행사\.mp4 holds sound but no pictures"):
        api.detect(tmp_path / "sound.mp4", models, name="행사.mp4")


def test_a_clip_of_one_frame_is_judged_with_a_note(tmp_path: Path, frame: NDArray[np.uint8], models: Judges) -> None:
    report = report_of(write_clip(tmp_path / "one.mp4", [frame], options=SHARP), models)
    assert "short_clip" in codes(report)
    (track,) = report.tracks
    assert len(track.sightings) == 1
    assert report.word is track.word is not Word.CANNOT_JUDGE


def test_of_a_clip_with_a_broken_tail_the_beginning_is_judged_with_a_note(
    tmp_path: Path, frame: NDArray[np.uint8], models: Judges
) -> None:
    path = write_clip(tmp_path / "torn.avi", [frame] * 10, rate=10, codec="mpeg4", gop=1)
    data = path.read_bytes()
    path.write_bytes(data[: int(0.6 * len(data))])
    report = report_of(path, models)
    assert "broken_tail" in codes(report)
    assert report.frames
    assert report.word is not Word.CANNOT_JUDGE or report.tracks


def test_a_clip_of_which_no_frame_can_be_read_is_no_clip_without_faces(
    tmp_path: Path, frame: NDArray[np.uint8], models: Judges, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(self: FilmReader, times: object, longest: object) -> Iterator[Frame]:
        return iter(())

    path = write_clip(tmp_path / "clip.mp4", [frame] * 3)
    monkeypatch.setattr(FilmReader, "frames", nothing)
    with pytest.raises(UnreadableClip, match=r"clip\.mp4 is damaged, and no frame of it can be read; copy it again"):
        api.detect(path, models)


def test_sightings_in_a_clip_of_variable_rate_have_the_times_of_their_frames(
    tmp_path: Path, frame: NDArray[np.uint8], models: Judges
) -> None:
    times = [Fraction(at, 1000) for at in (0, 40, 500, 2300)]
    path = write_clip(tmp_path / "phone.mp4", [frame] * 4, times=times, options=SHARP)
    (track,) = report_of(path, models).tracks
    assert [each.time for each in track.sightings] == pytest.approx([float(time) for time in times], abs=1e-3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_clip_of_a_turned_phone_is_judged_as_an_upright_one(
    tmp_path: Path, frame: NDArray[np.uint8], models: Judges, degrees: int
) -> None:
    upright = report_of(write_clip(tmp_path / "upright.mp4", [frame] * 2, options=SHARP), models)
    lying = np.ascontiguousarray(np.rot90(frame, -degrees // 90))
    turned = report_of(write_clip(tmp_path / "turned.mp4", [lying] * 2, rotation=degrees, options=SHARP), models)
    assert (turned.input.width, turned.input.height) == (upright.input.width, upright.input.height)
    assert turned.probability == pytest.approx(upright.probability, abs=0.02)
    box, same = (each.tracks[0].sightings[0].face.box for each in (upright, turned))
    assert box.overlap(same) > 0.9


def test_a_grey_clip_is_judged(tmp_path: Path, frame: NDArray[np.uint8], models: Judges) -> None:
    grey = np.repeat(frame.mean(2, keepdims=True), 3, axis=2).astype(np.uint8)
    report = report_of(write_clip(tmp_path / "grey.mp4", [grey] * 2, pix_fmt="gray", options=SHARP), models)
    assert report.word is not Word.CANNOT_JUDGE


@pytest.mark.parametrize(
    ("box", "reason"), [(Box(0.1, 0.1, 0.9, 0.9), "drawing"), (Box(0.4, 0.4, 0.44, 0.44), "small_face")]
)
def test_a_clip_whose_faces_all_say_too_little_cannot_be_judged_and_says_why(
    tmp_path: Path, models: Judges, box: Box, reason: str
) -> None:
    path = write_clip(tmp_path / "drawn.mp4", [drawing(256)] * 3, options=SHARP)
    found = api.detect(path, looking(models, box), DetectOptions(heat=True))
    assert (found.report.word, found.report.probability, found.heat) == (Word.CANNOT_JUDGE, None, {})
    (track,) = found.report.tracks
    assert [note.code for note in track.reasons] == [reason]
    assert "not_judged" in codes(found.report)
    assert [each.faces for each in found.report.frames] == [1, 1, 1]


@pytest.mark.parametrize(
    ("picture", "box", "reason"),
    [("drawing", Box(0.1, 0.1, 0.9, 0.9), "drawing"), ("noise", Box(0.4, 0.4, 0.45, 0.45), "small_face")],
)
def test_a_drawing_and_a_face_of_ten_pixels_are_found_and_not_judged(
    tmp_path: Path, models: Judges, picture: str, box: Box, reason: str
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    Image.fromarray(drawing(200) if picture == "drawing" else noise).save(tmp_path / "photo.png")
    report = report_of(tmp_path / "photo.png", looking(models, box))
    assert (report.word, report.probability) == (Word.CANNOT_JUDGE, None)
    assert [[note.code for note in face.reasons] for face in report.faces] == [[reason]]


def test_a_face_under_a_mask_is_judged_or_says_why_not(
    tmp_path: Path, frame: NDArray[np.uint8], models: Judges
) -> None:
    covered = frame.copy()
    covered[125:190, 105:215] = (170, 200, 220)
    covered[140:145, 105:215] = covered[160:165, 105:215] = (150, 180, 200)
    Image.fromarray(covered).save(tmp_path / "mask.png")
    report = report_of(tmp_path / "mask.png", looking(models, Box(112 / 320, 60 / 256, 208 / 320, 180 / 256)))
    (face,) = report.faces
    assert (face.probability is None) == (face.word is Word.CANNOT_JUDGE) == bool(face.reasons)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 2)])
def test_a_photo_of_any_shape_has_an_answer(tmp_path: Path, models: Judges, size: tuple[int, int]) -> None:
    Image.new("L", size, 90).save(tmp_path / "strip.png")
    report = report_of(tmp_path / "strip.png", models)
    assert report.word is Word.CANNOT_JUDGE
    assert codes(report) == {"no_face"}


def test_an_hour_of_4k_is_looked_at_from_its_beginning_to_its_end(tmp_path: Path, models: Judges) -> None:
    plain = np.full((2160, 3840, 3), 90, np.uint8)
    path = write_clip(tmp_path / "hour.mp4", [plain] * 5, rate=Fraction(1, 720), options={"preset": "ultrafast"})
    report = report_of(path, looking(models, Box(0.2, 0.2, 0.21, 0.21)), frames=3)
    assert report.input.duration == pytest.approx(3600)
    assert (report.input.width, report.input.height) == (3840, 2160)
    assert [each.time for each in report.frames] == [0.0, 1440.0, 2880.0]
    assert report.word is Word.CANNOT_JUDGE


def test_a_black_picture_says_nothing(tmp_path: Path, models: Judges) -> None:
    Image.new("RGB", (200, 200)).save(tmp_path / "black.png")
    report = report_of(tmp_path / "black.png", looking(models, Box(0.1, 0.1, 0.9, 0.9)))
    assert (report.word, report.probability) == (Word.CANNOT_JUDGE, None)
