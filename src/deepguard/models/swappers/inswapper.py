"""inswapper_128 (insightface): one photo is enough, and nothing is trained. The user brings its file.

The contract is that of insightface's own `inswapper.py`: `target`, 1x3x128x128 RGB in [0, 1], and `source`, 1x512, go
in, a picture of the target's shape comes out. `source` is the unit ArcFace vector times the file's last initializer,
512x512, brought back to length 1; facefusion leaves that last step out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx
import torch
from jaxtyping import Float
from onnx import numpy_helper
from torch import Tensor
from torch.nn import functional

from deepguard.errors import WeightsCorrupt
from deepguard.models.embedding import ARCFACE
from deepguard.models.graph import Graph
from deepguard.models.roles import Encoder, Template, encoders
from deepguard.models.swappers.roles import Crops, swappers
from deepguard.types import Images, Rng, Watch, ignore
from deepguard.weights.catalogue import Weights

WEIGHTS = Weights(
    file="inswapper_128.onnx",
    size=554_253_681,
    sha256="e4a3f08c753cb72d04e10aa0f7dbe3deebbf39567d4ead6dce08e98aa49e16af",
    licence="non-commercial research (insightface)",
    origin="inswapper_128 by insightface, which replaces the face in a crop of 128 pixels by an ArcFace vector's",
    terms="insightface allows these weights for non-commercial research only, and no longer offers them to everybody.",
)
SOURCE = encoders.entry("arcface-w600k-r50")
"""The encoder that it was trained with; the source's vectors must come from it."""
SIDE, VECTOR = 128, 512
BORDER, SOFT = 0.1, 0.05
"""Of the side: by how much the mask's edge is moved inwards, and the radius of its blur (insightface)."""


def _template() -> Template:
    """ArcFace's template at side / 128 of its size, moved 8 px to the right there (insightface's `estimate_norm`)."""
    scale = SIDE / 128
    return Template(SIDE, SIDE, tuple(((x + 8) * scale, y * scale) for x, y in ARCFACE.points))


@dataclass(frozen=True, slots=True, eq=False)
class Inswapper:
    """The graph, the encoder it listens to, and the matrix between them."""

    graph: Graph
    encoder: Encoder
    emap: Float[Tensor, "512 512"]
    target: Template = field(default_factory=_template)
    steps: int = 0

    @property
    def source(self) -> Template:
        """The encoder's own alignment."""
        return self.encoder.template

    def latent(self, vectors: Float[Tensor, "b 512"]) -> Float[Tensor, "b 512"]:
        """Return what the graph is told of identity vectors: unit vectors; differentiable, for attacks through it."""
        return functional.normalize(functional.normalize(vectors) @ self.emap)

    def learn(self, source: Crops, targets: Crops, *, steps: int, rng: Rng, watch: Watch = ignore) -> Informed:
        """Read the identity of the first face of `source`."""
        with torch.no_grad():
            latent = self.latent(self.encoder.embed(source.images[:1].to(self.emap.device)))
        return Informed(self.graph, latent, _mask())


@dataclass(frozen=True, slots=True, eq=False)
class Informed:
    """The graph with one identity."""

    graph: Graph
    latent: Float[Tensor, "1 512"]
    mask: Float[Tensor, "h w"]

    def swap(self, targets: Crops) -> Images:
        """Return the crops as the graph draws them, one by one: its batch is fixed; differentiable."""
        drawn = [self.graph(crop[None].to(self.latent.device), self.latent)[0] for crop in targets.images]
        return torch.cat(drawn).clamp(0, 1).to(targets.images)


def _mask() -> Float[Tensor, "h w"]:
    """Return the whole crop but its border, softened."""
    edge = torch.arange(SIDE) + 0.5
    distance = torch.minimum(edge, SIDE - edge) / SIDE
    share = ((distance - BORDER) / (2 * SOFT) + 0.5).clamp(0, 1)
    return share[:, None] * share[None, :]


def _emap(file: Path) -> Float[Tensor, "512 512"]:
    """Return the file's last initializer."""
    initializers = onnx.load(file).graph.initializer
    matrix = (
        torch.from_numpy(numpy_helper.to_array(initializers[-1]).copy()).float() if initializers else torch.zeros(0)
    )
    if matrix.shape != (VECTOR, VECTOR):
        raise WeightsCorrupt(
            f"{file.name} is no inswapper: its last initializer is not {VECTOR} x {VECTOR}; import the right file"
        )
    return matrix


def _named(graph: Graph, file: Path) -> Graph:
    """Refuse a graph with other inputs."""
    if graph.inputs != ("target", "source"):
        raise WeightsCorrupt(
            f"{file.name} is no inswapper: its inputs are not target and source; import the right file"
        )
    return graph


@swappers.register("inswapper", WEIGHTS, *SOURCE.weights)
def inswapper(files: Sequence[Path], device: torch.device) -> Inswapper:
    """inswapper_128, which most one-photo tools use; you bring its file and ArcFace's. For non-commercial research."""
    file, *rest = files
    emap = _emap(file).to(device)
    return Inswapper(_named(Graph(file), file).to(device), SOURCE.factory(rest, device), emap)
