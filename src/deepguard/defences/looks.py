"""What a person sees of a change: which share of the ceilings of visibility it uses, for each face and the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from deepguard.measures.ceilings import FACE, Ceilings
from deepguard.measures.roles import Measure
from deepguard.measures.skin import LEAST, luma, marbling, smooth_skin
from deepguard.types import Box, Images

Places = Bool[Tensor, "1 1 h w"]


@dataclass(frozen=True)
class Look:
    """One face in a window: where it is, how it was, and its smooth skin.

    `calm` are the smooth places of the face's box: they stand for skin where none is seen (a mask, a profile).
    """

    place: tuple[slice, slice]
    clean: Images
    skin: Places

    @classmethod
    def at(cls, clean: Images, box: Box, calm: Places) -> Look:
        """Return the look of the face with this box, in pixels of the window."""
        rows, columns = place = box.pixels(*clean.shape[-2:])
        face = clean[..., rows, columns]
        skin = smooth_skin(face)
        return cls(place, face, skin if skin.any() else calm[..., rows, columns])

    def pattern(self, images: Images) -> float:
        """Return the share of the ceiling of patterns on skin that is used; 0 where no skin is seen."""
        if int(self.skin.sum()) < LEAST:
            return 0.0
        return FACE.used({"marbling": float(marbling(luma(self.cut(images)) - luma(self.clean), self.skin))})

    def distance(self, images: Images, measures: Mapping[str, Measure]) -> float:
        """Return the share of the face's ceilings of SSIM and LPIPS that is used, the larger of the two."""
        return distance(self.clean, self.cut(images), measures, FACE)

    def cut(self, images: Images) -> Images:
        """Return the face's pixels."""
        rows, columns = self.place
        return images[..., rows, columns]


def distance(clean: Images, images: Images, measures: Mapping[str, Measure], ceilings: Ceilings) -> float:
    """Return the share of the ceilings of SSIM and LPIPS that is used, by the measures at hand; the larger of two."""
    known = ("ssim", "lpips")
    return ceilings.used({name: float(measures[name](clean, images)) for name in known if name in measures})
