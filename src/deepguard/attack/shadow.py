"""The objective that keeps a change as plain as a soft shadow."""

from __future__ import annotations

from dataclasses import dataclass

from deepguard.types import Images, PerImage, Rng


@dataclass(frozen=True)
class Shadow:
    """How little a change is seen as one, by the penalties of the shadow attack (Ghiasi, Shafahi, Goldstein 2020).

    Value: minus the weighted sum of three penalties of images - clean, at most 0, which is no change at all. Their
    sums over pixels are means here, so that the weights do not depend on the picture's size.

    Attributes:
        clean: the images as they were.
        tint: weight of the sum over channels of (mean |change|)^2, which holds back an overall tone; 0.5 to 1.
        rough: weight of the mean squared step from a value to the next, across and down: anisotropic total variation.
        colour: weight of the mean squared difference of each two channels: a grey change costs nothing.
    """

    clean: Images
    tint: float = 0.5
    rough: float = 0.3
    colour: float = 0.5

    def __call__(self, images: Images, rng: Rng) -> PerImage:
        """Return the value for each image, which must have the clean ones' size."""
        change = images - self.clean
        tint = change.abs().mean(dim=(2, 3)).square().sum(dim=1)
        across, down = change.diff(dim=3).square(), change.diff(dim=2).square()
        rough = (across.sum(dim=(1, 2, 3)) + down.sum(dim=(1, 2, 3))) / change[0].numel()
        colour = (change - change.roll(1, dims=1)).square().sum(dim=1).mean(dim=(1, 2))
        return -(self.tint * tint + self.rough * rough + self.colour * colour)
