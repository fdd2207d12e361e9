"""Animated GIF, WebP and PNG files are clips like others."""

from __future__ import annotations

import contextlib
import io
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from PIL import Image
from tests.media.clips_of import number_of, numbered

from deepguard.errors import ClipTooLarge, InputError, UnreadableClip
from deepguard.media import animation
from deepguard.media.video import open_clip

LENGTHS = [50 + 10 * at for at in range(10)]
STARTS = list(accumulate((Fraction(length, 1000) for length in LENGTHS), initial=Fraction(0)))
every_kind = pytest.mark.parametrize("kind", ["gif", "webp", "png"])


def bytes_of(kind, count=10, **options):
    pictures = [Image.fromarray(numbered(at)) for at in range(count)]
    lossless = {"lossless": True} if kind == "webp" else {}
    buffer = io.BytesIO()
    settings = {"duration": LENGTHS[:count], **lossless, **options}
    pictures[0].save(buffer, kind.upper(), save_all=True, append_images=pictures[1:], **settings)
    return buffer.getvalue()


def made(folder, kind, **options):
    path = folder / f"moving.{kind}"
    path.write_bytes(bytes_of(kind, **options))
    return open_clip(path)


@every_kind
def test_an_animation_tells_what_it_is(tmp_path, kind):
    clip = made(tmp_path, kind)
    assert (clip.container, clip.codec, clip.width, clip.height) == (kind.upper(), kind, 96, 64)
    assert (clip.duration, clip.count, clip.variable, clip.notes) == (STARTS[-1], 10, True, ())
    assert clip.rate == 10 / STARTS[-1]


@every_kind
def test_every_frame_has_the_time_that_the_file_gives_it(tmp_path, kind):
    frames = [(number_of(frame.images), frame.time) for frame in made(tmp_path, kind).every()]
    assert frames == list(zip(range(10), STARTS, strict=False))


@every_kind
def test_wanted_times_give_the_frames_that_are_shown_then(tmp_path, kind):
    clip = made(tmp_path, kind)
    wanted = [Fraction(-1), STARTS[3], STARTS[4] - Fraction(1, 1000), STARTS[7], STARTS[8], Fraction(60)]
    assert [number_of(frame.images) for frame in clip.frames(wanted)] == [0, 3, 7, 8, 9]
    assert [number_of(frame.images) for frame in clip.keyframes(wanted)] == [0, 3, 7, 8, 9]


@every_kind
def test_frames_are_made_smaller(tmp_path, kind):
    (frame,) = made(tmp_path, kind).frames([STARTS[5]], longest=48)
    assert frame.images.shape == (1, 3, 32, 48)
    assert number_of(frame.images) == 5


def test_frames_that_hurry_are_shown_as_long_as_browsers_show_them(tmp_path):
    assert made(tmp_path, "gif", duration=10).duration == 1
    assert made(tmp_path, "gif", duration=20).duration == Fraction(1, 5)


def test_a_picture_before_the_animation_is_none_of_its_frames(tmp_path):
    clip = made(tmp_path, "png", duration=40, default_image=True)
    assert [number_of(frame.images) for frame in clip.every()] == list(range(1, 10))
    assert clip.duration == Fraction(9, 25)


def test_what_is_transparent_is_white(tmp_path):
    clear = np.zeros((32, 32, 4), np.uint8)
    clear[:, :16] = (255, 0, 0, 255)
    path = tmp_path / "clear.png"
    others = [Image.fromarray(clear[:, ::-1])]
    Image.fromarray(clear).save(path, save_all=True, append_images=others, duration=100)
    first = next(open_clip(path).every()).images[0]
    assert first[:, 16, 4].tolist() == [1, 0, 0]
    assert first[:, 16, 28].tolist() == [1, 1, 1]


def test_a_gif_of_one_frame_is_a_short_clip(tmp_path):
    clip = made(tmp_path, "gif", count=1)
    assert [note.code for note in clip.notes] == ["short_clip"]
    assert [number_of(frame.images) for frame in clip.frames([Fraction(3)])] == [0]


@pytest.mark.parametrize("kind", ["gif", "png"])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_of_a_cut_animation_the_rest_is_read_and_a_note_says_so(tmp_path, kind, share):
    data = bytes_of(kind)
    (tmp_path / f"cut.{kind}").write_bytes(data[: int(share * len(data))])
    clip = open_clip(tmp_path / f"cut.{kind}")
    assert "broken_tail" in [note.code for note in clip.notes]
    found = [(number_of(frame.images), frame.time) for frame in clip.every()]
    assert 2 <= len(found) < 10
    assert found == list(zip(range(len(found)), STARTS, strict=False))


def refused(path, kind):
    with pytest.raises(InputError) as caught:
        open_clip(path)
    assert type(caught.value) is kind
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@every_kind
def test_an_animation_without_a_whole_frame_is_refused(tmp_path, kind):
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(bytes_of(kind)[:90])
    assert "copy it again" in refused(path, UnreadableClip)


@every_kind
@pytest.mark.parametrize("damage", range(6))
def test_noise_in_an_animation_is_survived(tmp_path, kind, damage):
    data = bytearray(bytes_of(kind))
    rng = np.random.default_rng(damage)
    for at in rng.integers(60, len(data), 20):
        data[at] = rng.integers(256)
    path = tmp_path / f"noise.{kind}"
    path.write_bytes(data)
    with contextlib.suppress(UnreadableClip):
        assert list(open_clip(path).every())


@every_kind
def test_animations_that_would_fill_the_memory_or_the_day_are_refused(tmp_path, monkeypatch, kind):
    path = tmp_path / f"large.{kind}"
    path.write_bytes(bytes_of(kind))
    monkeypatch.setattr(animation, "MAX_ANIMATION_PIXELS", 50_000)
    assert "make a film of it" in refused(path, ClipTooLarge)
    monkeypatch.setattr(animation, "MAX_CLIP_PIXELS", 5_000)
    assert "make it smaller" in refused(path, ClipTooLarge)
    monkeypatch.setattr(animation, "MAX_ANIMATION_BYTES", 100)
    assert "make a film of it" in refused(path, ClipTooLarge)


def test_a_webp_that_promises_a_huge_canvas_is_refused_before_it_is_decoded(tmp_path):
    data = bytearray(bytes_of("webp"))
    data[24:30] = (16382).to_bytes(3, "little") * 2
    (tmp_path / "bomb.webp").write_bytes(data)
    assert "make it smaller" in refused(tmp_path / "bomb.webp", ClipTooLarge)


@every_kind
def test_looking_an_animation_over_is_told_and_can_be_stopped(tmp_path, kind):
    told = []

    def stop(progress):
        told.append(progress)
        if len(told) > 4:
            raise KeyboardInterrupt

    path = tmp_path / f"moving.{kind}"
    path.write_bytes(bytes_of(kind))
    with pytest.raises(KeyboardInterrupt):
        open_clip(path, watch=stop)
    assert told[-1].total == 10
