"""What a transform does."""

from __future__ import annotations

from typing import Protocol

from deepguard.types import Images, Rng


class Transform(Protocol):
    """A random differentiable change of pictures, such as posting makes."""

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Return the changed images, in [0, 1]; their size may differ. All chance comes from `rng`, on the CPU.

        The draws do not depend on the images' device, so that the same seed gives the same change everywhere.
        """
