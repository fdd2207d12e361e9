"""Are two pictures the same photograph, before and after its protection?"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from deepguard.errors import OptionError
from deepguard.filters.faces import blurred
from deepguard.types import Box, Face, Images

LEAST = 0.9
"""Correlation of brightness from which a place shows the same thing. Of 300 pairs of LFW photos of two people, with
their faces at the same place, the faces' correlate by 0.81 at most; noise of 24 levels of 255 leaves 0.97."""

SIDE = 24
"""Pixels to which a face is reduced before it is compared: what a protection changes is finer."""

SIDE_OF_PICTURE = 64


def check_alike(original: Images, protected: Images, faces: Sequence[Face]) -> None:
    """Raise OptionError where the second picture is not a protected version of the first.

    Both have the same size as seen upright, and show the same as a whole and at the place of each face, which may
    have been blurred. Brightness and contrast may differ, as filters change them. What encoders say does not count:
    the better a protection is, the more of them take the two for two people.
    """
    (height, width), (tall, wide) = original.shape[-2:], protected.shape[-2:]
    if (height, width) != (tall, wide):
        raise OptionError(
            f"the two pictures have different sizes, {width} x {height} and {wide} x {tall} pixels; give the photo and "
            "its protected version, as deepguard wrote it"
        )
    whole = Box(0, 0, width, height)
    if _correlation(original, protected, whole, SIDE_OF_PICTURE) < LEAST:
        raise OptionError("these are two different pictures; give a photo and the protected version of that photo")
    for number, face in enumerate(faces, start=1):
        candidates = (original, blurred(original, [face]))
        if max(_correlation(each, protected, face.box, SIDE) for each in candidates) < LEAST:
            raise OptionError(
                f"face {number} from the left is not the same in both pictures; give a photo and the protected version "
                "of that photo, never a picture of somebody else"
            )


def _correlation(one: Images, other: Images, box: Box, side: int) -> float:
    """Return how alike the brightness of one place is in both pictures, in [-1, 1]."""
    first, second = (_coarse(images, box, side) for images in (one, other))
    spread = first.norm() * second.norm()
    # two plain places are alike, a plain one and another are not
    plain = min(float(first.norm()), float(second.norm())) < 1e-4 * side
    return float(torch.allclose(first, second, atol=1e-3)) if plain else float((first * second).sum() / spread)


def _coarse(images: Images, box: Box, side: int) -> torch.Tensor:
    rows, columns = box.pixels(*images.shape[-2:])
    grey = images[..., rows, columns].mean(dim=1, keepdim=True)
    small = functional.interpolate(grey, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    return small - small.mean()
