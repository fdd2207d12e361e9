"""Posting as a differentiable transform."""

from __future__ import annotations

from dataclasses import dataclass

from deepguard.errors import OptionError
from deepguard.transforms.jpeg import Jpeg
from deepguard.transforms.posting import Cap, Compress, Posting, Scale, Step
from deepguard.transforms.resize import Kernel, scaled
from deepguard.types import Images, Rng


@dataclass(frozen=True, slots=True)
class Posted:
    """The steps of a posting chain, with qualities drawn from its ranges.

    WebP has no differentiable form here: JPEG at the same quality number stands for it. On three sample
    photos at 60 to 90 the JPEG of like structural similarity lay within 12 numbers of the WebP, mostly within 6.

    A chain with steps that only a proof takes raises OptionError.

    Attributes:
        posting: the chain.
        long_side: pixels of the whole picture's longer side where the images are crops of one, so that a
            crop shrinks as much as it would inside its picture; 0 where the images are whole pictures. Where the crop
            was scaled before, at the scale of the crop.
    """

    posting: Posting
    long_side: float = 0.0

    def __post_init__(self) -> None:
        if not all(isinstance(step, Step) for step in self.posting.steps):
            raise OptionError(f"the chain {self.posting.name} is one that only proofs take; choose another one")

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Return the images as they are seen after posting; their size may be smaller."""
        long_side = float(self.long_side or max(images.shape[-2:]))
        for step in self.posting.steps:
            match step:
                case Compress(_, lowest, highest):
                    images = Jpeg(lowest, highest)(images, rng)
                case Cap(cap, kernel):
                    images, long_side = _shrunk(images, long_side, min(1.0, cap / long_side), kernel)
                case Scale(factor, kernel):
                    images, long_side = _shrunk(images, long_side, factor, kernel)
        return images


def _shrunk(images: Images, long_side: float, factor: float, kernel: Kernel) -> tuple[Images, float]:
    return scaled(images, factor, kernel), long_side * factor
