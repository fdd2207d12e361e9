"""YOLO5Face (Qi et al. 2021), yolov5n-0.5 on ShuffleNetV2 blocks: the very network that FacePoison attacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from deepguard.models.anchors import AnchorDetector, cells, product_logit
from deepguard.models.graph import Graph
from deepguard.models.roles import Evidence, FaceDetector, detectors
from deepguard.types import Images
from deepguard.weights.catalogue import Weights

WEIGHTS = Weights(
    file="yolov5n-0.5.onnx",
    size=1_809_111,
    sha256="ffeda7b88900bd8fb3c3cd71876d199aca389a1378d11e07d22faf4c5fc6b4ae",
    licence="GPL-3.0",
    origin="YOLO5Face yolov5n-0.5 by its authors (deepcam-cn/yolov5-face), trained on WIDER FACE",
    urls=(
        "https://github.com/deepcam-cn/yolov5-face/raw/"
        "b8d9b0bbb33f5c0d96a2bec770470f5389d46f1c/torch2tensorrt/yolov5n-0.5.onnx",
    ),
)

HEADS = ("949", "969", "989")
FEATURES = ("424", "536", "768")
"""The outputs of the file's blocks model.1, model.3 and model.5 (64, 128 and 256 channels)."""

LEVELS = (
    (8, ((4.0, 5.0), (8.0, 10.0), (13.0, 16.0))),
    (16, ((23.0, 29.0), (43.0, 55.0), (73.0, 105.0))),
    (32, ((146.0, 217.0), (231.0, 300.0), (335.0, 433.0))),
)
"""Strides, and each level's anchors as (width, height), in pixels; from the authors' yolov5n-0.5 weights."""

LETTERBOX_GREY = 114 / 255


@detectors.register("yolo5face", WEIGHTS)
def yolo5face(paths: Sequence[Path], device: torch.device) -> FaceDetector:
    """YOLO5Face, yolov5n-0.5: small and sharp on small faces, also finds the five landmarks.

    Its users count a face from 0.3 to 0.5. Faces that fill the frame, or are cut by it, were all found at 320 and
    lost from 960 on; faces of 20 px in large pictures need 1280.
    """
    network = Network(Graph(paths[0], HEADS).to(device))
    return AnchorDetector(
        network=network,
        sides=(320, 640, 1280),
        threshold=0.5,
        overlap=0.45,
        padding=LETTERBOX_GREY,
        taps=network.features,
        cost=0.13,
    )


@dataclass(frozen=True, slots=True)
class Network:
    """The graph, read as evidence; sides must be multiples of 32."""

    graph: Graph

    def __call__(self, images: Images) -> Evidence:
        """Return the evidence, in the order level, anchor, row, column."""
        levels = [
            _decoded(head, step, anchors) for head, (step, anchors) in zip(self.heads(images), LEVELS, strict=True)
        ]
        logits, boxes, marks = (torch.cat(parts, dim=1) for parts in zip(*levels, strict=True))
        return Evidence(logits, boxes, marks)

    def heads(self, images: Images) -> list[Tensor]:
        """Return (b, 3 anchors, h, w, 16 values) for strides 8, 16 and 32, before any sigmoid."""
        return [head.reshape(len(head), 3, 16, *head.shape[2:]).permute(0, 1, 3, 4, 2) for head in self.graph(images)]

    def features(self, images: Images) -> tuple[Tensor, ...]:
        """Return what the downsampling blocks put out at strides 8, 16 and 32."""
        maps: tuple[Tensor, ...] = self.graph(images, outputs=FEATURES)
        return maps


def _decoded(head: Tensor, step: int, anchors: Sequence[tuple[float, float]]) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes go through sigmoids, landmarks do not."""
    cell = cells(head[:, 0, ..., 0]).expand(3, -1, 2)
    anchor = head.new_tensor(anchors)[:, None]
    values = head.flatten(2, 3)
    centre = (2 * values[..., :2].sigmoid() - 0.5 + cell) * step
    half = (2 * values[..., 2:4].sigmoid()) ** 2 * anchor / 2
    marks = values[..., 5:15].reshape(*values.shape[:-1], 5, 2) * anchor[..., None, :] + cell[..., None, :] * step
    logits = product_logit(values[..., 4], values[..., 15])
    return logits.flatten(1), torch.cat((centre - half, centre + half), dim=-1).flatten(1, 2), marks.flatten(1, 2)
