"""A clip's persons to verdicts."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.forensics.toy_judges import bright
from tests.media.clips_of import write_clip
from torch import Tensor

from deepguard.forensics.clips import MOST, JudgedClip, judge_clip, lasting
from deepguard.forensics.verdict import Sighting, TrackVerdict, Word
from deepguard.media.video import open_clip
from deepguard.types import Box, Face, Progress

FACE = Face(Box(172, 60, 268, 180), 1.0)


@pytest.fixture
def still(astronaut: Tensor) -> NDArray[np.float32]:
    """The astronaut as rows and columns of colours in [0, 1]."""
    pixels: NDArray[np.float32] = astronaut[0].permute(1, 2, 0).numpy()
    return pixels


def clip_of(folder: Path, still: NDArray[np.float32], levels: Sequence[float]) -> Path:
    """A clip of the still at these brightnesses, a frame each, ten frames a second."""
    frames = [np.rint(np.clip(still * level, 0, 1) * 255).astype(np.uint8) for level in levels]
    return write_clip(folder / "clip.mp4", frames, rate=10, options={"crf": "12"})


def always(*faces: Face) -> Callable[[Tensor], tuple[Face, ...]]:
    return lambda images: faces


def judged(path: Path, *faces: Face, count: int = 12, heat: bool = False, slope: float = 20.0) -> JudgedClip:
    return judge_clip(open_clip(path), always(*faces), [bright(slope)], count, heat=heat)


def test_a_person_gets_one_verdict_from_all_frames_and_each_frame_its_own(
    tmp_path: Path, still: NDArray[np.float32]
) -> None:
    found = judged(clip_of(tmp_path, still, [0.5, 0.7, 0.9, 1.1]), FACE)
    (track,) = found.tracks
    assert track.number == 1
    assert (track.first, track.last) == pytest.approx((0.0, 0.3))
    assert [each.time for each in track.sightings] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    probabilities = [each.probability or 0 for each in track.sightings]
    assert probabilities == sorted(probabilities)
    assert probabilities[0] < (track.probability or 0) < probabilities[-1]
    assert [each.probability for each in found.frames] == pytest.approx(probabilities)
    assert [each.faces for each in found.frames] == [1, 1, 1, 1]
    assert track.low is not None
    assert track.high is not None
    assert track.low <= (track.probability or 0) <= track.high


def test_the_frames_that_speak_most_are_named_loudest_first(tmp_path: Path, still: NDArray[np.float32]) -> None:
    levels = [1.0, 1.6, 1.2, 1.8]
    (track,) = judged(clip_of(tmp_path, still, levels), FACE).tracks
    assert track.word is not Word.LIKELY_REAL
    assert track.loudest == pytest.approx((0.3, 0.1, 0.2))
    (dark,) = judged(clip_of(tmp_path, still, [0.4, 0.2, 0.5, 0.3]), FACE).tracks
    assert dark.word is Word.LIKELY_REAL
    assert dark.loudest == pytest.approx((0.1, 0.3, 0.0))


def test_one_odd_frame_of_many_does_not_decide(tmp_path: Path, still: NDArray[np.float32]) -> None:
    steady = [0.6] * 12
    (without,) = judged(clip_of(tmp_path, still, steady), FACE).tracks
    (odd,) = judged(clip_of(tmp_path, still, [*steady[:-1], 1.6]), FACE).tracks
    assert odd.probability == pytest.approx(without.probability or 0, abs=0.01)
    assert max(each.probability or 0 for each in odd.sightings) > 2 * (odd.probability or 0)


def test_two_persons_get_two_verdicts_counted_from_left_to_right(tmp_path: Path, still: NDArray[np.float32]) -> None:
    other = Face(Box(300, 60, 396, 180), 1.0)
    left, right = judged(clip_of(tmp_path, still, [0.8] * 3), other, FACE).tracks
    assert left.sightings[0].face.box == FACE.box
    assert right.sightings[0].face.box == other.box
    assert (left.number, right.number) == (1, 2)


def test_frames_in_which_a_face_cannot_be_judged_are_counted_and_say_nothing(
    tmp_path: Path, still: NDArray[np.float32]
) -> None:
    small = Face(Box(180, 70, 220, 120), 1.0)
    (track,) = judged(clip_of(tmp_path, still, [0.8] * 3), small).tracks
    assert (track.word, track.probability, track.loudest) == (Word.CANNOT_JUDGE, None, ())
    (reason,) = track.reasons
    assert (reason.code, reason.count) == ("small_face", 3)
    assert "frames" not in reason.text


def test_a_person_who_can_be_judged_in_some_frames_is_judged_by_these(
    tmp_path: Path, still: NDArray[np.float32]
) -> None:
    sizes = iter([Face(Box(188, 60, 251, 180), 1.0), FACE, FACE])
    path = clip_of(tmp_path, still, [0.8] * 3)
    (track,) = judge_clip(open_clip(path), lambda images: (next(sizes),), [bright()], 3).tracks
    assert [each.probability is None for each in track.sightings] == [True, False, False]
    assert track.probability == pytest.approx(track.sightings[1].probability, abs=0.01)
    assert track.reasons[0].text.endswith("in 1 of 3 frames")


def test_a_clip_without_faces_has_frames_and_no_persons(tmp_path: Path, still: NDArray[np.float32]) -> None:
    found = judged(clip_of(tmp_path, still, [0.8] * 3))
    assert found.tracks == ()
    assert [(each.faces, each.probability) for each in found.frames] == [(0, None)] * 3


def test_of_a_crowd_the_largest_faces_are_judged_and_the_others_counted(
    tmp_path: Path, still: NDArray[np.float32]
) -> None:
    crowd = [Face(Box(16 * x, 0, 16 * x + 70 + x, 90 + x), 1.0) for x in range(MOST + 5)]
    found = judged(clip_of(tmp_path, still, [0.8]), *crowd)
    assert found.frames[0].faces == MOST + 5
    assert len(found.tracks) == MOST
    assert "many_faces" in {note.code for note in found.notes}


def test_heat_maps_are_of_each_judged_persons_loudest_frame(tmp_path: Path, still: NDArray[np.float32]) -> None:
    small = Face(Box(20, 20, 50, 60), 1.0)
    found = judged(clip_of(tmp_path, still, [0.5, 1.0]), FACE, small, heat=True)
    assert list(found.heat) == [next(each.number for each in found.tracks if each.word is not Word.CANNOT_JUDGE)]
    with Image.open(io.BytesIO(next(iter(found.heat.values())))) as opened:
        assert opened.format == "PNG"


def test_of_a_crowd_those_most_like_a_fake_get_heat_maps(
    tmp_path: Path, still: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepguard.forensics.clips.MOST_MAPS", 1)
    found = judged(clip_of(tmp_path, still, [0.8] * 2), FACE, Face(Box(300, 60, 396, 180), 1.0), heat=True)
    loudest = max(found.tracks, key=lambda track: track.probability or 0)
    assert list(found.heat) == [loudest.number]


def test_more_frames_than_asked_for_are_never_looked_at(tmp_path: Path, still: NDArray[np.float32]) -> None:
    found = judged(clip_of(tmp_path, still, [0.8] * 20), FACE, count=5)
    assert len(found.frames) == 5
    assert "sampled" in {note.code for note in found.notes}


def test_boxes_are_told_in_the_clips_own_pixels(
    tmp_path: Path, still: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepguard.forensics.clips.LONGEST", 256)
    half = Face(FACE.box.scaled(0.5), 1.0, ((100.0, 50.0),))
    (track,) = judged(clip_of(tmp_path, still, [0.8]), half).tracks
    assert track.sightings[0].face == Face(FACE.box, 1.0, ((200.0, 100.0),))


def test_progress_is_told_frame_by_frame_and_raising_stops_the_work(tmp_path: Path, still: NDArray[np.float32]) -> None:
    path = clip_of(tmp_path, still, [0.8] * 3)
    told: list[Progress] = []
    judge_clip(open_clip(path), always(FACE), [bright()], 3, watch=told.append)
    assert [each.done for each in told if each.stage == "judging"] == [0, 1, 2, 3]

    def stop(progress: Progress) -> None:
        if progress.stage == "judging" and progress.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge_clip(open_clip(path), always(FACE), [bright()], 3, watch=stop)


def test_who_is_judged_in_one_frame_only_does_not_speak_for_the_clip_where_others_are_judged_in_more() -> None:
    once = track_of(1, Word.LIKELY_FAKE, 1)
    twice = track_of(2, Word.LIKELY_REAL, 2)
    assert lasting([once, twice]) == (twice,)
    assert lasting([once]) == (once,)
    assert lasting([]) == ()


def track_of(number: int, word: Word, frames: int) -> TrackVerdict:
    sightings = tuple(Sighting(float(at), FACE, 0.5) for at in range(frames))
    return TrackVerdict(number, 0.0, float(frames - 1), word, 0.5, sightings=sightings)
