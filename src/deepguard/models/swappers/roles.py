"""What a face swapper does here, and the registry of swappers.

They are not in `models.roles` with the others, so that one import rule keeps them inside the proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from deepguard.models.align import Placing, placing, taken
from deepguard.models.embedding import ARCFACE
from deepguard.models.pasting import inside
from deepguard.models.roles import Template
from deepguard.registry import Registry
from deepguard.types import Images, Landmarks, Rng, Watch, ignore


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """Aligned faces, and where in each crop its own five landmarks lie, in pixels, as `types.Landmarks` orders them."""

    images: Images
    landmarks: Float[Tensor, "b 5 2"]


class Learned(Protocol):
    """A swapper that knows whose face it puts on others."""

    @property
    def mask(self) -> Float[Tensor, "h w"]:
        """How much of each pixel of a crop goes back into the picture, in [0, 1]; 0 at the crop's edge."""

    def swap(self, targets: Crops) -> Images:
        """Return the crops with the learned face. To be called by `prove.bench.attempt` and by nobody else."""


class Swapper(Protocol):
    """Puts one person's face on others; made for each person anew."""

    @property
    def source(self) -> Template:
        """The alignment in which it wants the face that it learns."""

    @property
    def target(self) -> Template:
        """The alignment in which it wants the faces that are replaced, and returns them."""

    @property
    def steps(self) -> int:
        """Of training, as many as are usual; 0 for a swapper that is not trained."""

    def learn(self, source: Crops, targets: Crops, *, steps: int, rng: Rng, watch: Watch = ignore) -> Learned:
        """Learn the face of `source`, which will be put on faces like `targets`.

        One that is trained does exactly `steps` steps, all chance from `rng`, and tells `watch` of them; raising from
        it ends the training.
        """


swappers: Registry[Swapper] = Registry("swapper", "deepguard.models.swappers")


def crops_at(images: Images, landmarks: Landmarks, template: Template) -> tuple[Crops, Placing]:
    """Return the crop of one picture's face with these landmarks, and where it lies there."""
    place = placing(landmarks, template)
    return Crops(taken(images, place, template), inside(place, landmarks)[None].to(images)), place


def portrait(side: int, shown: float = 130.0, eyes: float = 0.4) -> Template:
    """Return an alignment that shows the whole face in a square; with a smaller `shown` less of what is around it.

    The landmarks' mean positions are those of ArcFace's template (Deng et al. 2019), whose own crop of 112 pixels
    ends above the chin; `shown` is the side in the same pixels, `eyes` the share of it above the eyes.
    """
    scale = side / shown
    return Template(
        side, side, tuple(((x - 56) * scale + side / 2, (y - 51.6) * scale + eyes * side) for x, y in ARCFACE.points)
    )
