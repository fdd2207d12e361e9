"""Whether a face shows enough to be judged, and if not, why; a verdict on nothing would be a guess.

All is measured on the face's square as it lies in the picture, never enlarged. The limits come from 1,300 faces of real
photos, and the same faces blurred, enlarged from few pixels, compressed and drawn over; docs/reference/detection.md has
the shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.models.crop import square
from deepguard.transforms.jpeg import TO_YCC
from deepguard.types import Box, Face, Images, Note

SMALLEST = 64.0
"""Pixels along the shorter side of the smallest face that is judged."""

SMALL = Note("small_face", f"the face is narrower or lower than {SMALLEST:.0f} pixels, too small to be judged")
"""Also of what the picture shows of a face that it cuts off: the rest of the crop would be made up."""

SIDE = 128
"""Pixels to which a larger face is made smaller before it is looked at, as classifiers do."""

MARGIN = 0.15
"""What is looked at beyond the face's box, as a share of its longer side."""

SHARP = 0.36
"""Least ratio of a face's fine detail to its coarse detail: of 900 real photos of 200 pixels 0.7 % have less, faces
enlarged from 20 pixels or blurred by a sigma of 3 pixels at `SIDE` have 0.36 at most but for one in 400."""

BLOCKY = 5.5
"""Levels by which pixels beside the edges of 8x8 blocks may differ beyond their neighbours: real photos have up to 3.3,
JPEG at quality 20 up to 5.4, at quality 5 to 8 mostly more."""

BLOCKS_SHOW = 256
"""Pixels of the square's side from which blocks are too small to matter at `SIDE`."""

FLAT = 0.55
"""Share of pixels without any gradient from which a face is a drawing: photos have up to 0.49, flat drawings 0.6 and
more."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is measured of a face; see the limits of this module.

    Attributes:
        side: the shorter side of its box in pixels.
        sharp: fine detail divided by coarse detail.
        blocky: extra steps at the edges of blocks, in levels of 255; 0 where blocks are too small to matter.
        flat: share of pixels, in [0, 1], that differ from their neighbours by less than one level.
    """

    side: float
    sharp: float
    blocky: float
    flat: float


def doubts(images: Images, face: Face) -> tuple[Note, ...]:
    """Return why a face of one picture (1x3xhxw) cannot be judged; empty where it can."""
    height, width = images.shape[-2:]
    shown = face.box.intersection(Box(0, 0, width, height))
    if min(shown.width, shown.height) < SMALLEST:
        # on so few pixels nothing else can be measured
        return (SMALL,)
    return tuple(_notes(look(images, face)))


def look(images: Images, face: Face) -> Look:
    """Measure a face of one picture."""
    luma = _luma(images, face)
    small = _at_most(luma, SIDE)
    blocky = _blocky(luma[0, 0]) if luma.shape[-1] < BLOCKS_SHOW else 0.0
    return Look(min(face.box.width, face.box.height), _sharp(small), blocky, _flat(small[0, 0]))


def _notes(found: Look) -> Sequence[Note]:
    notes = []
    if found.blocky > BLOCKY:
        text = "the face is too strongly compressed to be judged; find an earlier copy of the file"
        notes.append(Note("compressed", text))

    if found.flat >= FLAT:
        text = "this looks like a drawing, and drawings are not judged; the check misses many of them"
        notes.append(Note("drawing", text))
    elif found.sharp < SHARP:
        text = "the face is too blurred, or was enlarged from too few pixels, to be judged; find a sharper copy"
        notes.append(Note("blurred", text))
    return notes


def _luma(images: Images, face: Face) -> Float[Tensor, "1 1 h w"]:
    """Return the luma, in levels of 255, of the part of the face's square that lies in the picture."""
    rows, columns = square(face.box, MARGIN).pixels(*images.shape[-2:])
    shown = images[..., rows, columns]
    weights = shown.new_tensor(TO_YCC[0]).view(1, 3, 1, 1)
    return (shown * weights).sum(dim=1, keepdim=True) * 255


def _at_most(luma: Tensor, side: int) -> Tensor:
    height, width = luma.shape[-2:]
    factor = side / max(height, width)
    if factor >= 1:
        return luma
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    return functional.interpolate(luma, size, mode="bilinear", antialias=True, align_corners=False)


def _sharp(luma: Tensor) -> float:
    """Return the detail between 26 pixels and all, divided by that between 10 and 26, of the square's longer side.

    The box is about three quarters of the square: what 20 and 8 pixels across a face can show.
    """
    fine, coarse = _through(luma, 26), _through(luma, 10)
    above, below = (luma - fine).square().mean().sqrt(), (fine - coarse).square().mean().sqrt()
    return float(above / below.clamp_min(1e-3))


def _through(luma: Tensor, side: int) -> Tensor:
    size = (luma.shape[-2], luma.shape[-1])
    return functional.interpolate(_at_most(luma, side), size, mode="bicubic", align_corners=False)


def _blocky(luma: Float[Tensor, "h w"]) -> float:
    """Return the lesser of both directions' extra steps at every eighth line, wherever the grid lies."""
    return min(_steps(luma), _steps(luma.T))


def _steps(luma: Float[Tensor, "h w"]) -> float:
    step = (luma[:, 1:] - luma[:, :-1]).abs()
    extra = (step[:, 1:-1] - (step[:, :-2] + step[:, 2:]) / 2).mean(dim=0)
    whole = len(extra) // 8 * 8
    if not whole:
        return 0.0
    of_places = extra[:whole].view(-1, 8).mean(dim=0)
    return float(of_places.max() - of_places.median())


def _flat(luma: Float[Tensor, "h w"]) -> float:
    down, across = luma[1:, :-1] - luma[:-1, :-1], luma[:-1, 1:] - luma[:-1, :-1]
    return float((torch.hypot(down, across) < 1).float().mean())
