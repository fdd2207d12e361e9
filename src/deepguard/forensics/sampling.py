"""Which frames of a clip are judged: a few, spread over its whole length and all its scenes, always the same ones.

Frames are taken one at a time and not in bursts: classifiers look at single frames, neighbouring frames say the same
twice, and persons are joined by what they look like as well as by where they are (see `forensics.tracks`).
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from deepguard.errors import OptionError
from deepguard.forensics.scenes import SMALL, cuts
from deepguard.media.clip import Clip
from deepguard.types import Note, Progress, Watch, ignore

FRAMES = 32
"""Frames of a clip that are judged by default, as SBI does (Shiohara and Yamasaki, 2022)."""

_EVERY = 500_000_000
"""Pixels of all frames together up to which every frame is looked at for cuts; about 2 s of one core."""

_GLANCES = 1500
"""Frames up to which every frame is looked at for cuts."""

_KEYFRAMES = 512
"""Keyframes of a longer clip that are looked at for cuts, evenly spread."""

_OFTEN = 4
"""Keyframes a second that are looked at at most."""

_KEYFRAME_PIXELS = 1_000_000_000
"""Pixels of these keyframes together; about 7 s of one core."""

_NEAR = 30_000_000
"""Pixels that may be decoded between a keyframe and a judged frame of a longer clip; 14 frames of 1080p."""

_SPARSE = Fraction(30)
"""Seconds without a keyframe from which frames are judged where they are wanted, whatever it takes."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames of a clip are judged.

    Attributes:
        times: seconds from the clip's first frame, rising; never more than were asked for.
        cuts: when each scene but the first begins.
        notes: what a user should know of the choice.
    """

    times: tuple[Fraction, ...]
    cuts: tuple[Fraction, ...] = ()
    notes: tuple[Note, ...] = ()

    def scene(self, time: Fraction) -> int:
        """Return which scene is shown at that time, from 0."""
        return bisect_right(self.cuts, time)


def sample_times(clip: Clip, count: int = FRAMES, *, watch: Watch = ignore) -> Sampling:
    """Return when to look at a clip, `count` times at most; OptionError where that is less than once.

    Each scene gets a frame, or, where there are more scenes than frames, every so many scenes one; the others go to
    where the longest stretches are. Within a scene they stand evenly, away from its ends. In long clips they are
    moved to shortly after keyframes, so that few frames are decoded in vain.
    """
    if count < 1:
        raise OptionError("at least 1 frame of a clip has to be looked at; give --frames 1 or more")
    every = clip.roughly <= _GLANCES and clip.roughly * clip.pixels <= _EVERY
    looked = _look_at_all(clip, watch) if every else _look_at_keyframes(clip, count, watch)
    begins = [time for time, begins in looked if begins][1:]
    seen = [time for time, _ in looked]
    times = _among(seen, begins, count) if every else _near(clip, seen, begins, count)
    total = len(seen) if every else clip.count
    return Sampling(tuple(times), tuple(begins), tuple(_notes(len(times), total, len(begins) + 1)))


def _notes(judged: int, total: int | None, scenes: int) -> list[Note]:
    notes = []
    if total is None or judged < total:
        of = f"of {total:,} frames {judged}" if total else f"{judged} frames"
        notes.append(Note("sampled", f"{of} were looked at, spread over the whole clip", judged))
    if scenes > judged:
        text = f"the clip has {scenes} scenes, more than frames were looked at; a higher --frames looks at all"
        notes.append(Note("many_scenes", text, scenes))
    return notes


def _look_at_all(clip: Clip, watch: Watch) -> list[tuple[Fraction, bool]]:
    looked = []
    for done, found in enumerate(cuts(clip.every(longest=SMALL))):
        watch(Progress("looking for scenes", min(done, clip.roughly), clip.roughly))
        looked.append(found)
    return looked


def _look_at_keyframes(clip: Clip, count: int, watch: Watch) -> list[tuple[Fraction, bool]]:
    steps = max(count, min(_KEYFRAMES, _KEYFRAME_PIXELS // clip.pixels, int(clip.duration * _OFTEN)))
    wanted = [clip.duration * step / steps for step in range(steps)]
    looked = []
    for found in cuts(clip.keyframes(wanted, longest=SMALL)):
        watch(Progress("looking for scenes", bisect_right(wanted, found[0]), steps))
        looked.append(found)
    return looked


def _among(seen: Sequence[Fraction], begins: Sequence[Fraction], count: int) -> list[Fraction]:
    """Choose among the times of all frames, by their places, so that none is chosen twice."""
    edges = [0, *(bisect_right(seen, begin) - 1 for begin in begins), len(seen)]
    lengths = [Fraction(end - start) for start, end in itertools.pairwise(edges)]
    chosen = _shares(lengths, min(count, len(seen)))
    return [
        seen[start + (2 * step + 1) * int(length) // (2 * share)]
        for start, length, share in zip(edges, lengths, chosen, strict=False)
        for step in range(share)
    ]


def _near(clip: Clip, keys: Sequence[Fraction], begins: Sequence[Fraction], count: int) -> list[Fraction]:
    """Choose times of a longer clip, and move each towards the keyframe before it."""
    edges = [Fraction(0), *begins, clip.duration]
    lengths = [end - start for start, end in itertools.pairwise(edges)]
    wanted = [
        start + (2 * step + 1) * length / (2 * share)
        for start, length, share in zip(edges, lengths, _shares(lengths, count), strict=False)
        for step in range(share)
    ]
    return sorted({_moved(clip, time, [Fraction(0), *keys, clip.duration], wanted) for time in wanted})


def _moved(clip: Clip, time: Fraction, keys: Sequence[Fraction], wanted: Sequence[Fraction]) -> Fraction:
    place = bisect_right(keys, time)
    key, after = keys[place - 1], keys[min(place, len(keys) - 1)]
    gap = after - key
    if gap > _SPARSE + clip.duration / len(keys):
        return time
    sharing = bisect_right(wanted, after) - bisect_right(wanted, key)
    reach = sharing * Fraction(_NEAR, clip.pixels) / (clip.rate or 30)
    return key + (time - key) * min(Fraction(1), reach / gap) if gap else time


def _shares(lengths: Sequence[Fraction], count: int) -> list[int]:
    """Return how many of `count` frames each scene gets.

    With as many frames as scenes or more, each gets one, and each further one goes to the scene whose frames stand
    farthest apart; a scene of whole frames gets no more than it has. With fewer, every so many scenes get one.
    """
    if count <= len(lengths):
        chosen = {(2 * step + 1) * len(lengths) // (2 * count) for step in range(count)}
        return [int(scene in chosen) for scene in range(len(lengths))]
    shares = [1] * len(lengths)
    for _ in range(count - len(lengths)):
        farthest = max(range(len(lengths)), key=lambda scene: lengths[scene] / shares[scene])
        shares[farthest] += 1
    return shares
