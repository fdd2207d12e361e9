"""YuNet (Wu et al. 2023), the detector that comes with OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.models.anchors import AnchorDetector, cells, product_logit
from deepguard.models.graph import Graph
from deepguard.models.roles import Evidence, FaceDetector, detectors
from deepguard.models.ssd import cell_major
from deepguard.types import Images
from deepguard.weights.catalogue import Weights

WEIGHTS = Weights(
    file="yunet_n_dynamic.onnx",
    size=322_906,
    sha256="104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12",
    licence="Apache-2.0 / BSD",
    origin="YuNet-n by Shiqi Yu (ShiqiYu/libfacedetection.train), trained on WIDER FACE",
    urls=(
        "https://github.com/ShiqiYu/libfacedetection.train/raw/"
        "02246e79b1e976c83d1e135a85e0628120c93769/onnx/yunet_n_dynamic.onnx",
    ),
)

STRIDES = (8, 16, 32)
HEADS = ("297", "299", "301", "309", "311", "313", "303", "305", "307", "315", "317", "319")
"""The convolutions' own outputs: class and object before their sigmoids, boxes, landmarks, for each stride."""


@detectors.register("yunet", WEIGHTS)
def yunet(paths: Sequence[Path], device: torch.device) -> FaceDetector:
    """YuNet, which OpenCV offers; tiny, also finds the five landmarks.

    Its users count a face from 0.6 (loose) to 0.9 (OpenCV's default); what hides at 0.6 hides at all of them. They
    look at the picture's own size, or at 320; both are among the views of usual photos.
    """
    return AnchorDetector(
        network=Network(Graph(paths[0], HEADS).to(device)),
        sides=(320, 640, 1280),
        threshold=0.6,
        overlap=0.3,
        cost=0.1,
    )


@dataclass(frozen=True, slots=True)
class Network:
    """The graph, read as evidence; sides must be multiples of 32."""

    graph: Graph

    def __call__(self, images: Images) -> Evidence:
        """Return the evidence, in the order level, row, column."""
        heads = self.heads(images)
        logits = [
            _mean_logit(cell_major(kind, 1)[..., 0], cell_major(thing, 1)[..., 0])
            for kind, thing in zip(heads[:3], heads[3:6], strict=True)
        ]
        boxes, landmarks = [], []
        for box, marks, step in zip(heads[6:9], heads[9:], STRIDES, strict=True):
            cell = cells(box)
            values = cell_major(box, 4)
            centre, half = (cell + values[..., :2]) * step, values[..., 2:].exp() * step / 2
            boxes.append(torch.cat((centre - half, centre + half), dim=-1))
            offsets = cell_major(marks, 10).reshape(len(marks), -1, 5, 2)
            landmarks.append((cell[:, None] + offsets) * step)
        return Evidence(*(torch.cat(parts, dim=1) for parts in (logits, boxes, landmarks)))

    def heads(self, images: Images) -> tuple[Tensor, ...]:
        """Return three heads each of class, object, boxes (4) and landmarks (10), before any sigmoid."""
        maps: tuple[Tensor, ...] = self.graph(images.flip(1) * 255)
        return maps


def _mean_logit(kind: Tensor, thing: Tensor) -> Tensor:
    """The logit of sqrt(sigmoid(kind) * sigmoid(thing)), the score that OpenCV computes.

    With q the product and p its root: p / (1 - p) = q / (1 - q) * (1 + p) / p.
    """
    half = (functional.logsigmoid(kind) + functional.logsigmoid(thing)) / 2
    return product_logit(kind, thing) + functional.softplus(-half)
