"""What models do here, and the registry of each role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from deepguard.registry import Registry
from deepguard.types import Box, Face, Images, Landmarks, PerImage

SAME = 0.3
"""Intersection over union from which two boxes count as the same face. Lower than the usual 0.5, since detectors
draw their boxes differently, and so that a face that is still found counts as found rather than as hidden."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a detector saw in a batch, before any threshold; differentiable.

    Attributes:
        logits: face logits of every anchor: sigmoid(logit) is the score that users of the detector compare
            with their threshold.
        boxes: left, top, right, bottom of each anchor's face, in pixels of the given images.
        landmarks: five points (x, y) for each anchor, in the order of `types.Landmarks`, where the detector has them.
        pressed: what an attack should lower in place of `logits`, where that is easier and lowers them as well; never
            below them.
    """

    logits: Float[Tensor, "b n"]
    boxes: Float[Tensor, "b n 4"]
    landmarks: Float[Tensor, "b n 5 2"] | None = None
    pressed: Float[Tensor, "b n"] | None = None


class FaceDetector(Protocol):
    """Finds faces."""

    @property
    def threshold(self) -> float:
        """The score in (0, 1) from which users of this detector count a face as found."""

    @property
    def floor(self) -> float:
        """The logit below which an anchor is silent even for somebody who lowers the threshold."""

    @property
    def whole(self) -> bool:
        """Whether what it says of one place depends on the whole picture, as with means over all of it."""

    @property
    def cost(self) -> float:
        """Processor seconds that a view of one megapixel takes, roughly: by it, what takes longest is begun first."""

    def scales(self, height: int, width: int) -> tuple[float, ...]:
        """Return the factors by which `detect` resizes a picture of this size before it looks at it."""

    def limits(self, height: int, width: int) -> tuple[tuple[float, float], ...]:
        """Return, for each of `scales`, between which longer sides in picture pixels faces are taken from that view."""

    def detect(
        self,
        images: Images,
        *,
        threshold: float | None = None,
        scales: tuple[float, ...] | None = None,
        near: Sequence[Box] | None = None,
    ) -> list[list[Face]]:
        """Return each image's faces, best first; not differentiable.

        `threshold` and `scales` replace the detector's own; with given scales all that is seen counts, whatever
        its size. With `near`, boxes in pixels of the images, only faces are asked for that overlap one of them by
        `SAME`: what is said of these is what would be said of the whole picture, but no more of it need be looked at
        than that takes.
        """

    def evidence(self, images: Images) -> Evidence:
        """Return every anchor's evidence at the images' own size, which may be any; differentiable."""


class FeatureSource(Protocol):
    """A detector whose inner features a method attacks (FacePoison)."""

    def features(self, images: Images) -> tuple[Tensor, ...]:
        """Return the feature maps that the method names, shallow to deep; differentiable."""


detectors: Registry[FaceDetector] = Registry("detector", "deepguard.models.detectors")


@dataclass(frozen=True, slots=True)
class CropSpec:
    """How a model wants to see a face: see `models.crop.cut`.

    Attributes:
        side: pixels of the square crop.
        margin: what is shown beyond the face's square, as a share of its side, on each side.
        aligned: whether that square follows the five landmarks, where there are, so that all faces are of one size,
            whichever detector found them; else it is the box's.
    """

    side: int
    margin: float
    aligned: bool = False


class Classifier(Protocol):
    """Says how fake a crop is."""

    @property
    def crop(self) -> CropSpec:
        """The crop that it was trained on."""

    def fakeness(self, crops: Images) -> PerImage:
        """Return each crop's logit, of crops as `crop` wants them: above 0 means fake; differentiable."""


class Localiser(Protocol):
    """A classifier that can tell where it looks (Grad-CAM)."""

    def maps(self, crops: Images) -> Float[Tensor, "b c h w"]:
        """Return late feature maps that still tell places; differentiable."""

    def verdict(self, maps: Float[Tensor, "b c h w"]) -> PerImage:
        """Return the logits that follow from the maps; `verdict(maps(crops))` is `fakeness(crops)`."""


classifiers: Registry[Classifier] = Registry("classifier", "deepguard.models.classifiers")


@dataclass(frozen=True, slots=True)
class Template:
    """Where a model wants to see a face's landmarks: see `models.align.aligned`.

    Attributes:
        height, width: pixels of the crop.
        points: x and y of the five landmarks in the crop, in pixels, in the order of `types.Landmarks`.
    """

    height: int
    width: int
    points: Landmarks


class Encoder(Protocol):
    """Says who a face is."""

    @property
    def template(self) -> Template:
        """The alignment that it was trained on."""

    @property
    def family(self) -> str:
        """The kind of network and of training; what hides from one of a family often hides from its others."""

    @property
    def gradient(self) -> bool:
        """Whether `embed` can be differentiated; one that cannot only judges."""

    def embed(self, crops: Images) -> Float[Tensor, "b d"]:
        """Return one unit vector per aligned crop; two of the same person have a high inner product."""


encoders: Registry[Encoder] = Registry("encoder", "deepguard.models.encoders")
