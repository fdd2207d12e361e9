from fractions import Fraction

import pytest
import torch

from deepguard.media.film_writer import packet_of
from deepguard.media.metadata import COMPOSITE
from deepguard.media.video import open_clip
from deepguard.prove.band import banded
from deepguard.prove.bench import CLIP_SIDE
from deepguard.prove.clip import clip
from deepguard.prove.driving import COUNT


@pytest.fixture(scope="module")
def frames():
    levels = torch.linspace(0.2, 0.8, COUNT)[:, None, None, None].expand(-1, 3, CLIP_SIDE, CLIP_SIDE)
    return banded(levels)


def looked_at(data, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(data)
    return open_clip(tmp_path / "clip.mp4")


def test_both_arms_are_side_by_side_for_five_seconds_at_most(frames, tmp_path):
    made = looked_at(clip({"original": frames, "protected": frames}), tmp_path)
    assert made.codec == "h264"
    assert made.duration <= 5
    assert made.count == COUNT
    assert (made.width % 2, made.height % 2) == (0, 0)
    assert made.width >= 2 * CLIP_SIDE


def test_the_band_is_at_the_foot_of_both_sides_of_every_frame_after_encoding(frames, tmp_path):
    made = looked_at(clip({"original": frames, "protected": frames}), tmp_path)
    times = [Fraction(place, 12) for place in range(0, COUNT, 8)]
    for frame in made.frames(times):
        foot = frame.images[0, :, -30:-4]
        for side in (foot[..., :CLIP_SIDE], foot[..., -CLIP_SIDE:]):
            red = (side[0] - side[1:].amax(dim=0)) > 0.3
            assert red.float().mean() > 0.4


def test_the_clip_is_marked_as_composite(frames):
    data = clip({"original": frames, "protected": frames})
    assert COMPOSITE.encode() in packet_of(data)
    assert packet_of(b"no film") == b""


def test_an_arm_without_a_swap_is_a_grey_field_that_says_so(frames, tmp_path):
    made = looked_at(clip({"original": frames, "protected": None}), tmp_path)
    (frame,) = made.frames([Fraction(1)])
    right = frame.images[0, :, 60:, -CLIP_SIDE:]
    assert (right - 0.2).abs().median() < 0.05
    assert right.max() > 0.8
