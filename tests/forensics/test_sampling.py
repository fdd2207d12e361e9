"""Which frames of a clip are judged: spread over its length and its scenes, never too many, always the same."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from tests.media.clips_of import write_clip
from torch.nn import functional

from deepguard.errors import OptionError
from deepguard.forensics import sampling
from deepguard.forensics.sampling import sample_times
from deepguard.forensics.scenes import cuts
from deepguard.media.video import open_clip
from deepguard.types import Frame

HEIGHT, WIDTH = 64, 96


def place(seed):
    """A scene's worth of smooth colours, unlike those of any other seed."""
    coarse = torch.rand((1, 3, 4, 5), generator=torch.Generator().manual_seed(seed))
    return functional.interpolate(coarse, (2 * HEIGHT, 2 * WIDTH), mode="bicubic").clamp(0, 1)


def shot(seed, frames, speed=0.3):
    """A camera that moves over a place, as small images."""
    whole = place(seed)
    moves = [int(speed * at) % WIDTH for at in range(frames)]
    return [whole[..., move // 2 : move // 2 + HEIGHT, move : move + WIDTH] for move in moves]


def timed(images, rate=25):
    return [Frame(image, Fraction(at, rate)) for at, image in enumerate(images)]


def begun(images):
    return [time * 25 for time, begins in cuts(timed(images)) if begins]


def clip_of(folder, shots, name="clip.mp4", **options):
    images = list(itertools.chain.from_iterable(shots))
    pixels = (np.ascontiguousarray(image[0].permute(1, 2, 0).mul(255).byte().numpy()) for image in images)
    return open_clip(write_clip(folder / name, pixels, **{"options": {"preset": "ultrafast"}, **options}))


def by_scene(found):
    counts = [0] * (len(found.cuts) + 1)
    for time in found.times:
        counts[found.scene(time)] += 1
    return counts


def test_cuts_are_found_where_they_are_and_movement_is_none():
    assert begun(shot(1, 30) + shot(2, 20, 0.6) + shot(3, 10) + shot(1, 30)) == [0, 30, 50, 60]


def test_one_scene_has_no_cut():
    assert begun(shot(1, 60, 0.6)) == [0]


def test_a_plain_clip_with_noise_has_no_cut():
    noise = torch.Generator().manual_seed(1)
    assert begun([0.4 + 0.02 * torch.rand((1, 3, 36, 64), generator=noise) for _ in range(40)]) == [0]


def test_a_dissolve_is_one_cut():
    one, other = shot(1, 1)[0], shot(7, 1)[0]
    blend = [one * (1 - share) + other * share for share in torch.linspace(0, 1, 20).tolist()]
    found = begun([one] * 30 + blend + [other] * 30)
    assert len(found) == 2
    assert 45 <= found[1] <= 55


def test_a_flash_does_not_make_scenes_of_single_frames():
    white = [torch.ones((1, 3, HEIGHT, WIDTH))]
    found = begun(shot(1, 30) + white + shot(1, 30))
    assert all(later - earlier >= 25 // 4 for earlier, later in itertools.pairwise(found))
    assert len(found) <= 3


def test_frames_are_spread_evenly_over_one_scene(tmp_path):
    found = sample_times(clip_of(tmp_path, [shot(1, 100)]), 10)
    assert found.times == tuple(Fraction(at, 25) for at in range(5, 100, 10))
    assert found.cuts == ()
    assert [(note.code, note.count) for note in found.notes] == [("sampled", 10)]


def test_every_scene_gets_a_frame_and_long_ones_more(tmp_path):
    found = sample_times(clip_of(tmp_path, [shot(1, 90), shot(2, 8), shot(3, 30)]), 8)
    assert found.cuts == (Fraction(90, 25), Fraction(98, 25))
    assert by_scene(found) == [5, 1, 2]
    assert [found.scene(time) for time in (Fraction(0), Fraction(89, 25), Fraction(90, 25), Fraction(99))] == [
        0,
        0,
        1,
        2,
    ]


def test_with_more_scenes_than_frames_they_are_spread_over_the_scenes(tmp_path):
    found = sample_times(clip_of(tmp_path, [shot(seed, 10) for seed in range(1, 9)]), 4)
    assert len(found.cuts) == 7
    assert by_scene(found) == [0, 1, 0, 1, 0, 1, 0, 1]
    assert [note.code for note in found.notes] == ["sampled", "many_scenes"]


def test_of_a_short_clip_all_frames_are_taken(tmp_path):
    clip = clip_of(tmp_path, [shot(1, 7)])
    found = sample_times(clip)
    assert found.times == tuple(frame.time for frame in clip.every())
    assert found.notes == ()


def test_of_one_frame_that_one_is_taken(tmp_path):
    assert sample_times(clip_of(tmp_path, [shot(1, 1)])).times == (0,)


def test_never_more_frames_than_asked_for_and_each_can_be_read(tmp_path):
    clip = clip_of(tmp_path, [shot(1, 25), shot(2, 15)])
    for count in (1, 2, 5, 17, 39, 40, 500):
        found = sample_times(clip, count)
        assert len(found.times) == min(count, 40)
        assert [frame.time for frame in clip.frames(found.times)] == list(found.times)


def test_no_frame_at_all_is_refused(tmp_path):
    with pytest.raises(OptionError, match="--frames 1 or more"):
        sample_times(clip_of(tmp_path, [shot(1, 7)]), 0)


def test_the_choice_is_always_the_same(tmp_path):
    clip = clip_of(tmp_path, [shot(1, 40), shot(2, 40)])
    assert sample_times(clip, 9) == sample_times(clip, 9)


@pytest.fixture
def by_keyframes(monkeypatch):
    monkeypatch.setattr(sampling, "_GLANCES", 10)


@pytest.mark.usefixtures("by_keyframes")
def test_in_a_long_clip_scenes_are_found_by_keyframes_alone(tmp_path, monkeypatch):
    shots = [shot(1, 120, 0.1), shot(2, 50, 0.1), shot(3, 130, 0.1)]
    clip = clip_of(tmp_path, shots, gop=50, options={"preset": "veryfast"})
    monkeypatch.setattr(type(clip), "every", None)
    found = sample_times(clip, 12)
    assert found.cuts == (Fraction(120, 25), Fraction(170, 25))
    assert len(found.times) == 12
    assert by_scene(found) == [5, 2, 5]


@pytest.mark.usefixtures("by_keyframes")
def test_in_a_long_clip_of_large_frames_those_shortly_after_keyframes_are_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "_NEAR", 5 * HEIGHT * WIDTH)
    clip = clip_of(tmp_path, [shot(1, 300, 0.1)], gop=50)
    found = sample_times(clip, 6)
    after = [time * 25 % 50 for time in found.times]
    assert len(found.times) == 6
    assert max(after) <= 5
    assert {int(time * 25 // 50) for time in found.times} == set(range(6))
    assert [frame.time * 25 for frame in clip.frames(found.times)] == [int(time * 25) for time in found.times]


@pytest.mark.usefixtures("by_keyframes")
def test_where_keyframes_are_far_apart_frames_are_taken_between_them_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "_NEAR", HEIGHT * WIDTH)
    monkeypatch.setattr(sampling, "_SPARSE", Fraction(1))
    clip = clip_of(tmp_path, [shot(1, 300, 0.1)], gop=300)
    assert sample_times(clip, 3).times == (Fraction(2), Fraction(6), Fraction(10))


def test_an_hour_is_sampled_over_its_whole_length_from_a_bounded_number_of_keyframes(tmp_path, monkeypatch):
    pictures = [np.ascontiguousarray(image[0].permute(1, 2, 0).mul(255).byte().numpy()) for image in shot(1, 30)]
    hour = (pictures[second % 30] for second in range(3600))
    path = write_clip(tmp_path / "hour.mp4", hour, rate=1, gop=10, options={"preset": "ultrafast", "crf": "40"})
    clip = open_clip(path)
    assert clip.duration == 3600
    told = []
    monkeypatch.setattr(type(clip), "every", None)
    found = sample_times(clip, 32, watch=told.append)
    assert len(found.times) == 32
    gaps = [later - earlier for earlier, later in itertools.pairwise((Fraction(0), *found.times, clip.duration))]
    assert max(gaps) < 200
    assert len(told) <= 512
    assert {progress.stage for progress in told} == {"looking for scenes"}
    assert len(list(clip.frames(found.times))) == 32


def test_the_watch_stops_the_search(tmp_path):
    class Stopped(Exception):
        pass

    def stop(progress):
        if progress.done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        sample_times(clip_of(tmp_path, [shot(1, 30)]), watch=stop)
