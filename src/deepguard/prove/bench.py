"""One attempt to put a victim's face on somebody else: the only place where a swapper's output is decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.models.align import Placing, aligned
from deepguard.models.pasting import pasted
from deepguard.models.roles import Encoder
from deepguard.models.swappers.roles import Crops, Swapper, crops_at
from deepguard.prove.band import banded
from deepguard.prove.counterparts import counterpart
from deepguard.prove.driving import SEQUENCE, STILL, Pose, posed, practised
from deepguard.types import Face, Images, Landmarks, Watch, ignore

Show: TypeAlias = Literal["nothing", "tile", "clip"]
Vector: TypeAlias = Float[Tensor, " d"]

CLIP_SIDE = 360
"""Pixels of a frame's side."""


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What all arms have in common, so that nothing but the picture differs between them.

    Attributes:
        swapper: who swaps.
        counterpart: id of the bundled face that is replaced.
        judges: encoders by name.
        owner: what each judge sees in the victim's original face, by name, as `seen` tells it.
        steps: of training; None for the swapper's usual number.
        seed: of all chance in an attempt.
    """

    swapper: Swapper
    counterpart: str
    judges: Mapping[str, Encoder]
    owner: Mapping[str, Vector]
    steps: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """What came of it.

    Attributes:
        extracted: whether the attacker got a face to work with.
        cosines: of the swap with the victim's original face by each judge; None where there is none.
        tile: 1x3x512x512 with the band in its pixels; None unless it was asked for.
        frames: nx3x360x360, one for each pose of the driving sequence, the band in each; None unless asked for.
    """

    extracted: bool
    cosines: Mapping[str, float | None]
    tile: Images | None = None
    frames: Images | None = None


def attempt(
    bench: Bench, victim: Images, face: Face | None, *, show: Show = "nothing", watch: Watch = ignore
) -> Attempt:
    """Let the swapper learn the face in `victim`, 1x3xhxw on the judges' device, and put it on the counterpart's.

    `face` is what the attacker found there; None, or one without landmarks, means that there was nothing to work
    with. Unless `show` asks for more, only figures are returned. What the swapper made lives in this function alone:
    what leaves it as pixels has the band in it. All attempts of a bench have the same chance. OptionError for a
    counterpart that does not exist; raising from `watch` stops a training.
    """
    other = counterpart(bench.counterpart)
    if face is None or not face.landmarks:
        return Attempt(False, dict.fromkeys(bench.judges))
    swapper = bench.swapper
    source, _ = crops_at(victim, face.landmarks, swapper.source)
    practice, _ = _placed([pose.on(victim.device) for pose in practised(bench.counterpart)], swapper)
    rng = torch.Generator().manual_seed(bench.seed)
    steps = swapper.steps if bench.steps is None else bench.steps
    learned = swapper.learn(source, practice, steps=steps, rng=rng, watch=watch)
    scenes = [posed(other, move).on(victim.device) for move in (SEQUENCE if show == "clip" else (STILL,))]
    targets, places = _placed(scenes, swapper)
    with torch.no_grad():
        swaps = learned.swap(targets)
        pictures = [
            pasted(pose.images, swap[None], place, learned.mask)
            for pose, swap, place in zip(scenes, swaps, places, strict=True)
        ]
        return Attempt(
            True,
            _cosines(bench, pictures[0], scenes[0]),
            banded(pictures[0]).cpu() if show != "nothing" else None,
            banded(torch.cat([_smaller(picture) for picture in pictures])).cpu() if show == "clip" else None,
        )


def seen(images: Images, landmarks: Landmarks, judges: Mapping[str, Encoder]) -> dict[str, Vector]:
    """Return what each judge sees in one picture's face: unit vectors by name."""
    with torch.no_grad():
        return {name: judge.embed(aligned(images, landmarks, judge.template))[0] for name, judge in judges.items()}


def _cosines(bench: Bench, picture: Images, pose: Pose) -> dict[str, float | None]:
    """Return how much each judge takes the swap for the victim; the swap has the counterpart's geometry."""
    vectors = seen(picture, pose.landmarks, bench.judges)
    return {
        name: float(vector @ bench.owner[name].to(vector)) if name in bench.owner else None
        for name, vector in vectors.items()
    }


def _placed(poses: Sequence[Pose], swapper: Swapper) -> tuple[Crops, list[Placing]]:
    """Return the poses' faces as the swapper wants them, and where they lie."""
    crops, places = zip(*(crops_at(pose.images, pose.landmarks, swapper.target) for pose in poses), strict=True)
    together = Crops(torch.cat([each.images for each in crops]), torch.cat([each.landmarks for each in crops]))
    return together, list(places)


def _smaller(picture: Images) -> Images:
    return functional.interpolate(picture, size=(CLIP_SIDE, CLIP_SIDE), mode="bilinear", antialias=True)
