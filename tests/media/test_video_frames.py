"""The frame that is shown at a time is the one that is given for it, in every container, upright, in true colours."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
import torch
from tests.media.clips_of import number_of, numbered, write_clip

from deepguard.media import film_reader
from deepguard.media.video import open_clip

FRAMES = 60
FILMS = {
    "h264.mp4": {},
    "h264.mov": {},
    "h264.mkv": {},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "mpeg4.avi": {"codec": "mpeg4"},
    "h264.avi": {},
    "h264.ts": {},
    "h264.flv": {},
    "mpeg2.mpg": {"codec": "mpeg2video"},
    "wmv2.wmv": {"codec": "wmv2"},
    "mjpeg.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "fragmented.mp4": {"container": {"movflags": "frag_keyframe+empty_moov"}},
    "hevc.mp4": {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": "log-level=none"}},
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "9", "crf": "10", "svtav1-params": "lp=1"}},
    "long_gop.mkv": {"gop": 250},
}

every_film = pytest.mark.parametrize("name", FILMS)


def film(folder, name, **changes):
    path = folder / name
    return open_clip(write_clip(path, (numbered(at) for at in range(FRAMES)), **{**FILMS[name], **changes}))


@every_film
def test_facts_of_a_film_are_those_it_was_made_with(tmp_path, name):
    clip = film(tmp_path, name)
    assert (clip.name, clip.width, clip.height, clip.rotation) == (name, 96, 64, 0)
    assert (clip.rate, clip.variable, clip.count) == (25, False, FRAMES)
    assert clip.duration == Fraction(FRAMES, 25)
    assert clip.codec == {"mpeg2": "mpeg2video", "long_gop": "h264", "fragmented": "h264"}.get(
        name.split(".")[0], name.split(".")[0]
    )
    assert clip.notes == ()


@every_film
def test_every_frame_comes_in_order_with_its_time(tmp_path, name):
    frames = [(number_of(frame.images), frame.time) for frame in film(tmp_path, name).every()]
    assert frames == [(at, Fraction(at, 25)) for at in range(FRAMES)]


@every_film
def test_wanted_times_give_the_frames_that_are_shown_then(tmp_path, name):
    wanted = [Fraction(0), Fraction(1, 30), *(Fraction(at, 25) for at in (7, 8, 23, 24, 35, 48)), Fraction(59, 25)]
    found = [(number_of(frame.images), frame.time) for frame in film(tmp_path, name).frames(wanted)]
    assert found == [(at, Fraction(at, 25)) for at in (0, 7, 8, 23, 24, 35, 48, 59)]


def test_a_time_that_was_rounded_finds_its_frame_again(tmp_path):
    clip = film(tmp_path, "h264.mp4", rate=Fraction(30000, 1001))
    times = [frame.time for frame in clip.every()]
    rounded = [Fraction(round(float(time), 3)) for time in times]
    assert any(wanted < time for wanted, time in zip(rounded, times, strict=True))
    assert [frame.time for frame in clip.frames(rounded)] == times


def test_a_time_after_the_end_gives_the_last_frame_and_one_before_the_beginning_the_first(tmp_path):
    found = film(tmp_path, "h264.mp4").frames([Fraction(-1), Fraction(100)])
    assert [number_of(frame.images) for frame in found] == [0, FRAMES - 1]


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_variable_frame_rate_keeps_every_frames_own_time(tmp_path, container):
    lengths = [Fraction((20, 50, 100, 33)[at % 4], 1000) for at in range(FRAMES)]
    times = list(accumulate(lengths[:-1], initial=Fraction(0)))
    clip = open_clip(write_clip(tmp_path / f"vfr.{container}", map(numbered, range(FRAMES)), times=times))
    assert clip.variable
    assert float(clip.rate) == pytest.approx(FRAMES / float(clip.duration))
    assert [frame.time for frame in clip.every()] == times
    wanted = [Fraction(at, 7) for at in range(21)]
    shown = sorted({bisect_right(times, time) - 1 for time in wanted})
    assert [number_of(frame.images) for frame in clip.frames(wanted)] == shown


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
@pytest.mark.parametrize("flipped", [False, True])
def test_clips_of_turned_phones_are_upright(tmp_path, degrees, flipped):
    coded = np.zeros((64, 96, 3), np.uint8)
    coded[:32, :48], coded[:32, 48:], coded[32:, :48] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    clip = open_clip(write_clip(tmp_path / "phone.mp4", [coded] * 3, rotation=degrees, flipped=flipped))
    # libavutil turns counter-clockwise and mirrors what it has turned
    turned = np.rot90(coded, degrees // 90)
    upright = turned[:, ::-1] if flipped else turned
    found = next(clip.every()).images[0].permute(1, 2, 0).numpy()
    assert (clip.height, clip.width) == found.shape[:2] == upright.shape[:2]
    for row, column in ((0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)):
        at = int(row * clip.height), int(column * clip.width)
        assert found[at] == pytest.approx(upright[at] / 255, abs=0.1)


def test_rotation_is_told_in_degrees_clockwise(tmp_path):
    told = [
        open_clip(write_clip(tmp_path / f"{degrees}.mp4", [numbered(1)] * 5, rotation=-degrees)).rotation
        for degrees in (0, 90, 180, 270)
    ]
    assert told == [0, 90, 180, 270]


def test_pixels_that_are_not_square_become_so(tmp_path):
    clip = film(tmp_path, "h264.mp4", aspect=Fraction(4, 3))
    assert (clip.width, clip.height) == (128, 64)
    frame = next(clip.frames([Fraction(37, 25)]))
    assert frame.images.shape == (1, 3, 64, 128)
    assert number_of(frame.images) == 37


def test_frames_are_made_smaller_while_decoding(tmp_path):
    clip = film(tmp_path, "h264.mp4", rotation=90)
    frames = [next(clip.frames([Fraction(1)], longest=longest)).images for longest in (48, 1000)]
    assert [tuple(images.shape) for images in frames] == [(1, 3, 48, 32), (1, 3, 96, 64)]
    assert all(images.dtype == torch.float32 and 0 <= images.min() <= images.max() <= 1 for images in frames)


MATRICES = {"bt709": (1, (0.2126, 0.7152, 0.0722)), "bt601": (6, (0.299, 0.587, 0.114))}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
def test_colours_follow_the_files_own_matrix_and_range(tmp_path, matrix, full):
    """Each colour is turned into luma and chroma by the standard's formula, coded, and has to come back."""
    number, (kr, kg, kb) = MATRICES[matrix]
    for colour in ((0.9, 0.2, 0.1), (0.1, 0.8, 0.3), (0.2, 0.3, 0.9), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)):
        red, _, blue = colour
        luma = float(np.dot((kr, kg, kb), colour))
        chroma = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
        scales, offset = ((255, 255), 0) if full else ((219, 224), 16)
        planes = [offset + scales[0] * luma, *(128 + scales[1] * part for part in chroma)]
        frames = [np.stack([np.full((32, 32), round(plane), np.uint8) for plane in planes])] * 2
        colours = {"colorspace": number, "color_range": 2 if full else 1}
        path = tmp_path / f"{matrix}{full}{red}.mkv"
        clip = open_clip(write_clip(path, frames, planes=True, colours=colours, options={"qp": "0"}))
        found = next(clip.every()).images[0, :, 16, 16]
        assert found.tolist() == pytest.approx(colour, abs=0.015)


def test_a_grey_clip_has_equal_channels(tmp_path):
    clip = open_clip(write_clip(tmp_path / "grey.mkv", map(numbered, range(5)), codec="ffv1", pix_fmt="gray"))
    frame = list(clip.every())[3]
    assert frame.images.shape[1] == 3
    assert (frame.images == frame.images[:, :1]).all()
    assert number_of(frame.images) == 3


def test_ten_bits_a_channel_are_read(tmp_path):
    clip = open_clip(write_clip(tmp_path / "ten.mkv", map(numbered, range(5)), codec="ffv1", pix_fmt="yuv420p10le"))
    assert [number_of(frame.images) for frame in clip.every()] == list(range(5))


def test_hdr_is_read_with_a_note(tmp_path):
    colours = {"color_trc": 16, "color_primaries": 9, "colorspace": 9}
    clip = open_clip(write_clip(tmp_path / "hdr.mkv", map(numbered, range(5)), colours=colours))
    assert [note.code for note in clip.notes] == ["hdr"]


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "vp9.webm", "mpeg4.avi", "h264.avi"])
def test_keyframes_are_given_without_what_lies_between(tmp_path, name):
    clip = film(tmp_path, name)
    found = [(number_of(frame.images), frame.time) for frame in clip.keyframes([Fraction(at, 10) for at in range(24)])]
    assert found == [(at, Fraction(at, 25)) for at in (0, 12, 24, 36, 48)]


def test_where_a_container_seeks_roughly_keyframes_are_still_true_ones(tmp_path):
    found = film(tmp_path, "h264.ts").keyframes([Fraction(at, 10) for at in range(24)])
    times = {number_of(frame.images): frame.time for frame in found}
    assert len(times) >= 4
    assert all(number % 12 == 0 and time == Fraction(number, 25) for number, time in times.items())


def test_one_keyframe_in_all_is_given_once(tmp_path):
    found = film(tmp_path, "long_gop.mkv").keyframes([Fraction(at, 10) for at in range(24)])
    assert [frame.time for frame in found] == [0]


def test_nothing_of_a_clip_stays_open_when_reading_stops_early(tmp_path):
    clip = film(tmp_path, "h264.mp4")
    frames = clip.every()
    next(frames)
    frames.close()
    (tmp_path / "h264.mp4").unlink()
    with pytest.raises(StopIteration):
        next(frames)


def test_hash_and_size_are_the_files(tmp_path):
    clip = film(tmp_path, "h264.mp4")
    data = (tmp_path / "h264.mp4").read_bytes()
    assert clip.size == len(data)
    assert clip.sha256 == hashlib.sha256(data).hexdigest()


def test_reading_is_told_to_the_watch_and_stopped_by_it(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", map(numbered, range(5)))

    class Stopped(Exception):
        pass

    def stop(progress):
        raise Stopped(progress.stage)

    with pytest.raises(Stopped, match="reading the file"):
        open_clip(path, watch=stop)


def test_a_stream_that_is_joined_midway_begins_at_its_next_keyframe(tmp_path):
    path = write_clip(tmp_path / "stream.ts", map(numbered, range(FRAMES)))
    data = path.read_bytes()
    path.write_bytes(data[len(data) // 188 // 2 * 188 :])
    numbers = [number_of(frame.images) for frame in open_clip(path).every()]
    assert numbers[0] % 12 == 0
    assert numbers == list(range(numbers[0], FRAMES))


def test_a_stream_without_keyframes_is_read_all_the_same(tmp_path, monkeypatch):
    options = {"x264-params": "intra-refresh=1:keyint=10:bframes=0"}
    path = write_clip(tmp_path / "refreshed.ts", map(numbered, range(FRAMES)), gop=10, options=options)
    data = path.read_bytes()
    path.write_bytes(data[len(data) // 188 // 4 * 188 :])
    monkeypatch.setattr(film_reader, "_KEYLESS", 3)
    numbers = [number_of(frame.images) for frame in open_clip(path).every()]
    assert numbers[-20:] == list(range(FRAMES - 20, FRAMES))
