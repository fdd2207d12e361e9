"""SCRFD (Guo et al. 2021), 500M with landmarks: the family that today's face swappers find faces with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from deepguard.models.anchors import AnchorDetector, cells
from deepguard.models.graph import Graph
from deepguard.models.roles import Evidence, FaceDetector, detectors
from deepguard.models.ssd import cell_major
from deepguard.types import Images
from deepguard.weights.catalogue import Weights

WEIGHTS = Weights(
    file="scrfd_500m_bnkps.onnx",
    size=2_529_618,
    sha256="6c6ba7956684796d7d582bfa1ab95dfe01dd280159f6bff1e23c1bc32bcc8431",
    licence="non-commercial research (insightface)",
    origin="SCRFD-500M with landmarks by insightface, trained on WIDER FACE, as held by ShiqiYu/libfacedetection.train",
    urls=(
        "https://github.com/ShiqiYu/libfacedetection.train/raw/"
        "204b0c9f687f2fd5c012988199a3cd47feb69a90/onnx/scrfd_500m_bnkps.onnx",
    ),
    terms="insightface allows these weights for non-commercial research only.",
)

STRIDES = (8, 16, 32)
HEADS = ("437", "480", "523", "438", "481", "524", "439", "482", "525")
"""The convolutions' own outputs: scores before their sigmoid, distances, landmarks, for each stride."""


@detectors.register("scrfd", WEIGHTS)
def scrfd(paths: Sequence[Path], device: torch.device) -> FaceDetector:
    """SCRFD-500M, which inswapper-type tools use; also finds the five landmarks. For non-commercial research.

    Threshold 0.5 and overlap 0.4 are insightface's own. At the 640 that its users look at, no face that fills the
    frame is found; at 320 all are, also when the frame cuts them.
    """
    return AnchorDetector(
        network=Network(Graph(paths[0], HEADS).to(device)),
        sides=(320, 640, 1280),
        threshold=0.5,
        overlap=0.4,
        floor=-2.8,  # its scores are compressed: a score of 0.06 is as silent as 0.03 elsewhere
        cost=0.1,
    )


@dataclass(frozen=True, slots=True)
class Network:
    """The graph, read as evidence; sides must be multiples of 32."""

    graph: Graph

    def __call__(self, images: Images) -> Evidence:
        """Return the evidence, in the order level, row, column, anchor."""
        heads = self.heads(images)
        scores, distances, marks = heads[:3], heads[3:6], heads[6:]
        points = [cells(head).repeat_interleave(2, dim=0) * step for head, step in zip(scores, STRIDES, strict=True)]
        boxes = [
            torch.cat((point - reach[..., :2], point + reach[..., 2:]), dim=-1)
            for point, reach in zip(points, _flattened(distances, 4), strict=True)
        ]
        landmarks = [
            point[:, None] + offsets.reshape(*offsets.shape[:-1], 5, 2)
            for point, offsets in zip(points, _flattened(marks, 10), strict=True)
        ]
        logits = [cell_major(head, 1)[..., 0] for head in scores]
        return Evidence(*(torch.cat(parts, dim=1) for parts in (logits, boxes, landmarks)))

    def heads(self, images: Images) -> tuple[Tensor, ...]:
        """Return three score heads, three of distances, three of landmarks, as (b, 2 anchors x values, h, w)."""
        maps: tuple[Tensor, ...] = self.graph((images * 255 - 127.5) / 128)
        return maps


def _flattened(heads: Sequence[Tensor], values: int) -> list[Tensor]:
    """Distances in pixels, cell-major."""
    return [cell_major(head, values) * step for head, step in zip(heads, STRIDES, strict=True)]
