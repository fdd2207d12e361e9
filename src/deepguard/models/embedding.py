"""What most encoders share: the template that ArcFace made common, and a network read as unit vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.models.graph import Graph
from deepguard.models.roles import Template
from deepguard.types import Images

ARCFACE = Template(
    height=112,
    width=112,
    points=((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)),
)
"""Of Deng et al. 2019 (arXiv 1801.07698) and nearly all encoders since."""
SPHEREFACE = Template(height=112, width=96, points=tuple((x - 8, y) for x, y in ARCFACE.points))
"""Of Liu et al. 2017 (arXiv 1704.08063), which ArcFace's was made from by eight pixels more on either side."""

Vectors = Float[Tensor, "b d"]
"""One unit vector for each crop."""


def only_output(graph: Graph) -> Callable[[Tensor], Tensor]:
    """Return an ONNX file's network as a function of one tensor to one, as `NetworkEncoder` wants it."""

    def network(crops: Tensor) -> Tensor:
        vectors: Tensor
        (vectors,) = graph(crops)
        return vectors

    return network


@dataclass(frozen=True, slots=True)
class NetworkEncoder:
    """A network behind the `Encoder` role.

    Attributes:
        network: normalised crops, b x 3 x template's height x width -> b x d (x 1 x 1), of any length.
        mean, spread: of each channel in [0, 1]; the network sees (crop - mean) / spread.
        template, family, gradient: see `models.roles.Encoder`.
    """

    network: Callable[[Tensor], Tensor]
    mean: tuple[float, float, float]
    spread: tuple[float, float, float]
    template: Template
    family: str
    gradient: bool = True

    def embed(self, crops: Images) -> Vectors:
        """Return one unit vector per aligned crop; two of the same person have a high inner product."""
        mean, spread = (crops.new_tensor(each)[:, None, None] for each in (self.mean, self.spread))
        return functional.normalize(self.network((crops - mean) / spread).flatten(1))
