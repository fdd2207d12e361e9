"""Self-blended pictures (Shiohara and Yamasaki 2022, arXiv 2204.08376), made on the fly for a whole batch.

A fake is a real face blended into a slightly changed copy of itself, or into another person's aligned one (Face X-ray,
Li et al. 2020, arXiv 1912.13458): what is left to see is what every face swap leaves, the border and the two halves'
different colours and sharpness. Masks follow the five landmarks instead of the authors' 81.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from jaxtyping import Float
from skimage.draw import polygon2mask
from torch import Tensor
from torch.nn import functional

from deepguard.forensics.training.batchwise import affine, blurred, coloured, drawn, sharpened, softened
from deepguard.types import Images, Rng

MEAN_FACE = ((0.355, 0.40), (0.645, 0.40), (0.50, 0.58), (0.385, 0.745), (0.615, 0.745))
"""Five landmarks of a frontal face with room around it, in shares of the side: those that the outlines belong to."""
CLOSE_UP = ((0.30, 0.30), (0.70, 0.30), (0.50, 0.51), (0.34, 0.70), (0.66, 0.70))
"""The same in a crop as judging sees it; for faces of which no detector named any."""
OUTLINES = {
    "face": "18,30 30,18 50,14 70,18 82,30 86,50 82,68 72,86 60,95 50,97 40,95 28,86 18,68 14,50",
    "brows": "22,36 30,31 40,30 50,32 60,30 70,31 78,36 81,50 79,64 73,78 62,90 50,95 38,90 27,78 21,64 19,50",
    "inner": "24,32 50,27 76,32 80,50 74,70 64,86 50,90 36,86 26,70 20,50",
    "lower": "20,50 50,52 80,50 80,66 72,84 60,94 50,96 40,94 28,84 20,66",
    "eyes": "20,32 50,30 80,32 82,46 68,52 50,48 32,52 18,46",
    "mouth": "32,66 50,62 68,66 70,78 50,88 30,78",
}
"""Outlines of what is swapped, in hundredths of the side of the mean face's picture."""
LIKELY = (0.2, 0.3, 0.2, 0.1, 0.1, 0.1)
RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
"""Shares of the blend, each as likely (the authors')."""
OTHER = 0.5
"""Share of the fakes whose inner face is another person's."""
STRAINED = 1.5
"""Ratio of the two stretches of an affine fit up to which it is used: beyond, the heads look different ways."""
SEAMLESS, COARSE = 0.4, 7
"""Share of these that take their light and colours from the target, all that a picture of so many pixels a side still
shows: what blending in the gradient domain (Perez et al. 2003) does, with which many swappers end."""


def self_blended(images: Images, landmarks: Float[Tensor, "b 5 2"], rng: Rng) -> Images:
    """Return one fake of each real face; `landmarks` in shares of the side, NaN where there are none."""
    points = torch.where(torch.isnan(landmarks), torch.tensor(CLOSE_UP).expand_as(landmarks), landmarks)
    masks = _masks(images, points, rng)
    source, target = images, images
    other = (drawn(rng, len(images)) < OTHER).view(-1, 1, 1, 1)
    source = torch.where(other, _someone_else(images, points, masks, rng), source)
    at_source = (drawn(rng, len(images)) < 0.5).view(-1, 1, 1, 1)
    changed = _changed(torch.where(at_source, source, target), rng)
    source, target = torch.where(at_source, changed, source), torch.where(at_source, target, changed)
    moved = affine(
        torch.cat([source, masks], 1),
        turn=torch.zeros(len(images)),
        scale=drawn(rng, len(images), 0.95, 1 / 0.95),
        across=drawn(rng, len(images), -0.03, 0.03),
        down=drawn(rng, len(images), -0.015, 0.015),
    )
    source, masks = moved[:, :3], moved[:, 3:]
    ratio = torch.tensor(RATIOS)[torch.randint(len(RATIOS), (len(images),), generator=rng)].view(-1, 1, 1, 1)
    share = _soft(masks, rng) * torch.where(other, torch.ones_like(ratio), ratio)
    return (source * share + target * (1 - share)).clamp(0, 1)


def _masks(images: Images, points: Float[Tensor, "b 5 2"], rng: Rng) -> Float[Tensor, "b 1 h w"]:
    """Return hard masks in [0, 1], bent by a smooth field so that no two have one outline."""
    side = images.shape[-1]
    weights = torch.tensor(LIKELY)
    kinds = torch.multinomial(weights, len(images), replacement=True, generator=rng)
    flat = _outlines(side)[kinds]
    matrices = torch.from_numpy(np.stack([_fit(np.array(MEAN_FACE), each.numpy()) for each in points])).float()
    grid = functional.affine_grid(matrices, [len(images), 1, side, side], align_corners=False)
    bend = torch.randn((len(images), 2, 6, 6), generator=rng) * 0.05
    bend = functional.interpolate(bend, (side, side), mode="bicubic", align_corners=False)
    return functional.grid_sample(flat, grid + bend.permute(0, 2, 3, 1), align_corners=False)


def _soft(masks: Float[Tensor, "b 1 h w"], rng: Rng) -> Float[Tensor, "b 1 h w"]:
    """Return masks with soft borders inside the hard ones: blurred, the saturated core kept, blurred again."""
    count, side = len(masks), masks.shape[-1]
    core = (blurred(masks, drawn(rng, count, 0.5, 0.03 * side)) > 0.95).float()
    soft = blurred(core, drawn(rng, count, 0.5, 0.06 * side))
    return soft / soft.amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-3)


def _changed(images: Images, rng: Rng) -> Images:
    """Return the faces in slightly other colours and sharpness."""
    count = len(images)
    images = coloured(images, rng, shift=0.04, turn=0.06, saturation=0.2, light=0.1)
    duller = softened(images, drawn(rng, count, 0.25, 0.9))
    crisper = sharpened(images, drawn(rng, count, 0.2, 0.6))
    pick = drawn(rng, count).view(-1, 1, 1, 1)
    return torch.where(pick < 0.4, duller, torch.where(pick < 0.7, crisper, images))


def _someone_else(images: Images, points: Float[Tensor, "b 5 2"], masks: Tensor, rng: Rng) -> Images:
    """Return the next person of the batch, landmarks on landmarks, in colours more or less those inside the mask.

    Half of the faces are stretched until their features lie in place, as swappers do, the others keep their shape.
    """
    order = torch.roll(torch.arange(len(images)), 1)
    stretched = (drawn(rng, len(images)) < 0.5).tolist()
    matrices = [
        (_stretched if stretched[here] else _fit)(points[there].numpy(), points[here].numpy())
        for here, there in enumerate(order.tolist())
    ]
    grid = functional.affine_grid(torch.from_numpy(np.stack(matrices)).float(), list(images.shape), align_corners=False)
    moved = functional.grid_sample(images[order], grid, padding_mode="reflection", align_corners=False)
    weight = masks / masks.sum(dim=(2, 3), keepdim=True).clamp_min(1)

    def spread(faces: Images) -> tuple[Tensor, Tensor]:
        mean = (faces * weight).sum(dim=(2, 3), keepdim=True)
        return mean, ((faces - mean).square() * weight).sum(dim=(2, 3), keepdim=True).sqrt().clamp_min(0.02)

    (mean, deviation), (wanted, wide) = spread(moved), spread(images)
    alike = (moved - mean) / deviation * wide + wanted
    match = drawn(rng, len(images)).sqrt().view(-1, 1, 1, 1)
    coarse = functional.interpolate(images - moved, (COARSE, COARSE), mode="area")
    seamless = moved + functional.interpolate(coarse, images.shape[-2:], mode="bicubic")
    pick = (drawn(rng, len(images)) < SEAMLESS).view(-1, 1, 1, 1)
    return torch.where(pick, seamless, moved.lerp(alike, match)).clamp(0, 1)


def _fit(given: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the 2x3 matrix for `affine_grid` under which the picture of `given` points shows them at `wanted`.

    Least-squares similarity (Umeyama 1991) from wanted to given places, both in [-1, 1].
    """
    source, target = wanted * 2 - 1, given * 2 - 1
    middle, aim = source.mean(0), target.mean(0)
    from_, to = source - middle, target - aim
    u, values, v = np.linalg.svd(to.T @ from_ / len(given))
    sign = np.diag([1.0, math.copysign(1.0, np.linalg.det(u @ v))])
    turn = u @ sign @ v
    scale = float((values * np.diag(sign)).sum() / max(from_.var(0).sum(), 1e-6))
    return np.concatenate([scale * turn, (aim - scale * turn @ middle)[:, None]], axis=1)


def _stretched(given: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the least-squares affine matrix in the place of the similarity of `_fit`, where it strains little."""
    from_ = np.concatenate([wanted * 2 - 1, np.ones((len(wanted), 1))], axis=1)
    made = np.linalg.lstsq(from_, given * 2 - 1, rcond=None)[0].T
    widest, narrowest = np.linalg.svd(made[:, :2], compute_uv=False)
    return made if widest <= STRAINED * narrowest else _fit(given, wanted)


@functools.cache
def _outlines(side: int) -> Float[Tensor, "k 1 h w"]:
    masks = []
    for outline in OUTLINES.values():
        corners = np.array([[float(value) for value in point.split(",")] for point in outline.split()]) / 100 * side
        masks.append(polygon2mask((side, side), corners[:, ::-1]))  # type: ignore[no-untyped-call]
    return torch.from_numpy(np.stack(masks)).float()[:, None]
