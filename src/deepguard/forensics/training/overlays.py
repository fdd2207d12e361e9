"""Protected photos in training: their changes are laid over other faces.

Real and fake ones get them alike, so that a change of ours says nothing of what a face is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.errors import InputError
from deepguard.forensics.training.batchwise import drawn
from deepguard.media.files import MARK
from deepguard.media.read import read_picture
from deepguard.types import Images, Rng


@dataclass(frozen=True, slots=True, eq=False)
class Overlays:
    """Changes of protected pictures, n x 3 x side x side; none, and nothing is laid."""

    changes: Float[Tensor, "n 3 h w"]

    @classmethod
    def read(cls, folder: Path | None, side: int) -> Overlays:
        """Return the changes of a folder that holds photos and, beside them, their protected versions.

        InputError where a folder is named that has none.
        """
        if folder is None:
            return cls(torch.zeros(0, 3, side, side))
        changes = [each for each in map(_change, sorted(folder.glob(f"*{MARK}.*"))) if each is not None]
        if not changes:
            raise InputError(
                f"{folder} has no protected photos beside their originals; run: deepguard protect {folder}"
            )
        resized = [functional.interpolate(each, (side, side), mode="bilinear", antialias=True) for each in changes]
        return cls(torch.cat(resized))

    def laid(self, images: Images, rng: Rng, likely: float) -> Images:
        """Return the pictures, each with probability `likely` under a drawn change times 0.5 to 1.5, half mirrored."""
        if not len(self.changes):
            return images
        count = len(images)
        which = torch.randint(len(self.changes), (count,), generator=rng)
        change = self.changes[which]
        mirrored = (drawn(rng, count) < 0.5).view(-1, 1, 1, 1)
        change = torch.where(mirrored, change.flip(-1), change)
        size = drawn(rng, count, 0.5, 1.5) * (drawn(rng, count) < likely)
        return (images + size.view(-1, 1, 1, 1) * change).clamp(0, 1)


def _change(protected: Path) -> Images | None:
    """Return what protection changed; None where the original is missing or of another size."""
    stem = protected.name[: protected.name.rindex(MARK)]
    original = protected.with_name(stem + protected.suffix)
    if not original.is_file():
        return None
    before = read_picture(original).images
    after = read_picture(protected).images
    return after - before if before.shape == after.shape else None
