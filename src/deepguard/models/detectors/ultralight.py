"""Ultra-Light-Fast-Generic-Face-Detector, RFB-640 (Linzaer 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from deepguard.models.anchors import AnchorDetector, cells
from deepguard.models.graph import Graph
from deepguard.models.roles import Evidence, FaceDetector, detectors
from deepguard.models.ssd import cell_major, decode_boxes, face_logit
from deepguard.types import Images
from deepguard.weights.catalogue import Weights

WEIGHTS = Weights(
    file="version-RFB-640.onnx",
    size=1_588_012,
    sha256="8f4c659275977e7a3bfbfa339a9c769ad793df50f9c0baa8c14b11baa1646430",
    licence="MIT",
    origin="Ultra-Light RFB-640 by its author (Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB)",
    urls=(
        "https://github.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB/raw/"
        "cc497be475371d891d5795e46fc80ebaddf683c5/models/onnx/version-RFB-640.onnx",
    ),
)

HEADS = ("317", "363", "403", "435", "331", "377", "417", "447")
"""The header convolutions' own outputs: four levels of classes, four of boxes."""

SIZES = ((10.0, 16.0, 24.0), (32.0, 48.0), (64.0, 96.0), (128.0, 192.0, 256.0))
"""Sides of each level's square priors in pixels; the levels' strides are 8, 16, 32 and 64."""


@detectors.register("ultralight", WEIGHTS)
def ultralight(paths: Sequence[Path], device: torch.device) -> FaceDetector:
    """Ultra-Light RFB-640, made for phones; finds boxes only.

    Its users count a face from 0.6 to 0.7 and suppress at 0.3. At their 640 some faces that fill the frame are lost;
    at 320 none was.
    """
    return AnchorDetector(
        network=Network(Graph(paths[0], HEADS).to(device)),
        sides=(320, 640, 1280),
        threshold=0.6,
        overlap=0.3,
        grid=64,
        cost=0.1,
    )


@dataclass(frozen=True, slots=True)
class Network:
    """The graph, read as evidence."""

    graph: Graph

    def __call__(self, images: Images) -> Evidence:
        """Return the evidence, in the order level, row, column, prior."""
        classes, offsets = self.heads(images)
        height, width = images.shape[-2:]
        prior = torch.cat([_priors(head, sizes, width, height) for head, sizes in zip(classes, SIZES, strict=True)])
        logits = face_logit(torch.cat([cell_major(head, 2) for head in classes], dim=1))
        moved = torch.cat([cell_major(head, 4) for head in offsets], dim=1)
        return Evidence(logits, decode_boxes(moved, prior))

    def heads(self, images: Images) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return four heads of classes and four of offsets, before softmax and decoding."""
        heads = self.graph((images * 255 - 127) / 128)
        return heads[:4], heads[4:]


def _priors(head: Tensor, sizes: Sequence[float], width: int, height: int) -> Tensor:
    """Centre and size in pixels of one level's priors, none larger than the picture.

    Centres are spread evenly over the picture, as the file's are at 640x480: a coarse level's last row, which hangs
    over the edge, is not at the middle of its cells. So in a window the coarsest level's boxes may lie up to 31 pixels
    from where they lie in the whole picture; its faces are larger than 100.
    """
    rows, columns = head.shape[-2:]
    picture = head.new_tensor([width, height])
    centres = (cells(head) + 0.5) / head.new_tensor([columns, rows]) * picture
    sides = torch.minimum(head.new_tensor(sizes)[:, None], picture)
    return torch.cat(
        (centres.repeat_interleave(len(sizes), dim=0), sides.repeat(rows * columns, 1)),
        dim=-1,
    )
