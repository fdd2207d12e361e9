"""What a defence works on: one region of one picture, at a size that can be worked on, and what is aimed at there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from torch.nn import functional

from deepguard.attack.stranger import Stranger
from deepguard.attack.vanish import Vanish, View
from deepguard.defences.regions import Region
from deepguard.models.anchors import resized
from deepguard.models.roles import Encoder, FaceDetector
from deepguard.parallel import in_parallel
from deepguard.types import Images, PerImage, Rng

CANVAS = 1_000_000
"""Pixels of the largest window that is worked on at the picture's own size; a larger one is worked on smaller."""

GOAL = -0.3
"""Cosine with the face before that is aimed at: two strangers' is 0 on average, and judges follow by halves."""

UNSEEN = 0.5
"""Share of its threshold up to which a detector's score for the untouched faces makes a view not worth working on."""


class Aim(Protocol):
    """An objective that can tell how far it is from being met."""

    @property
    def graded(self) -> bool:
        """Whether it matters by how much it is met or missed, rather than whether it is met."""

    def __call__(self, images: Images, rng: Rng) -> PerImage:
        """Return the value for each image; above -1 the aim is met."""

    def share(self, images: Images) -> PerImage:
        """Return what the model says, without chance, as a share of what is aimed at; below 1 the aim is met."""


@dataclass(frozen=True)
class Named:
    """An aim, and the model that it is about."""

    model: str
    aim: Aim


class Scene:
    """A region of a picture.

    Attributes:
        region: where, and which faces.
        image: the whole picture, 1x3xhxw.
        part: share of the picture that is worked on, all regions together.
        window: the region's pixels (a view of `image`).
        scale: by how much smaller the region is worked on; at most 1.
        clean, around: the region's pixels and the whole picture at that scale.
    """

    def __init__(self, region: Region, image: Images, part: float) -> None:
        self.region = region
        self.image = image
        self.part = part
        self.window = region.cut(image)
        self.scale = min(1.0, math.sqrt(CANVAS / (self.window.shape[-2] * self.window.shape[-1])))
        self.clean = self.shrunk(self.window)
        self.around = self.shrunk(image)

    @property
    def long_side(self) -> float:
        """The longer side of the whole picture in pixels, at the scale that is worked at."""
        return max(self.image.shape[-2:]) * self.scale

    def shrunk(self, images: Images) -> Images:
        """Return images at the scale that is worked at."""
        if self.scale == 1:
            return images.clone()
        height, width = images.shape[-2:]
        size = max(1, round(height * self.scale)), max(1, round(width * self.scale))
        return functional.interpolate(images, size=size, mode="area")


def vanishing(scene: Scene, detectors: Mapping[str, FaceDetector], jitter: float) -> Iterator[Named]:
    """Yield for each detector, at each scale at which it looks at the picture, the aim that it finds nobody."""
    height, width = scene.image.shape[-2:]
    for name, detector in detectors.items():
        for scale, limits in zip(detector.scales(height, width), detector.limits(height, width), strict=True):
            yield Named(name, _vanish(scene, detector, scale, limits, jitter))


def estranging(scene: Scene, encoders: Mapping[str, Encoder], *, astray: float, goal: float = GOAL) -> Iterator[Named]:
    """Yield for each encoder the aim that it takes the faces for strangers."""
    for name, encoder in encoders.items():
        aim = Stranger.of(encoder, scene.clean, scene.region.guessed(), goal)
        yield Named(name, replace(aim, jitter=astray))


def worth(aims: Sequence[Named], scene: Scene) -> list[Named]:
    """Return the aims that are not met from the start, or all where all are."""
    shares = in_parallel([partial(each.aim.share, scene.clean) for each in aims])
    return [each for each, share in zip(aims, shares, strict=True) if float(share) > UNSEEN] or list(aims)


def _vanish(scene: Scene, detector: FaceDetector, scale: float, limits: tuple[float, float], jitter: float) -> Vanish:
    height, width = scene.image.shape[-2:]
    window = scene.region.window
    view = View.of(window, height, width, scale, whole=detector.whole)
    whole, _ = resized(scene.image, scale)
    top, left = view.start
    true = whole[..., top : top + view.size[0], left : left + view.size[1]]
    return Vanish(
        detector,
        scene.region.shares(),
        view,
        scene.around,
        residue=true - view.take(scene.clean, scene.around),
        size=(scene.clean.shape[-2], scene.clean.shape[-1]),
        sides=(limits[0] / window.width, limits[1] / window.width),
        jitter=jitter,
    )
