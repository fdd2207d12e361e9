"""S3FD as published (Zhang et al. 2017), on VGG16; loads when the user has its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from deepguard.models import vgg
from deepguard.models.anchors import AnchorDetector
from deepguard.models.roles import Evidence, FaceDetector, detectors
from deepguard.types import Images
from deepguard.weights.catalogue import Weights
from deepguard.weights.formats.state import load_state

WEIGHTS = Weights(
    file="s3fd-619a316812.pth",
    size=0,
    sha256="619a316812",
    licence="none stated for the file; BSD-3 for the package face-alignment that uses it",
    origin="S3FD on VGG16, trained on WIDER FACE, as the package face-alignment distributes it",
    urls=("https://www.adrianbulat.com/downloads/python-fan/s3fd-619a316812.pth",),
    terms="Its source states no licence for the weights; the data they were trained on are for research.",
)

BGR_MEAN = (104.0, 117.0, 123.0)
TAPS = (8, 16, 32)
"""FacePoison's layers 7, 16 and 31; the ReLU that follows 7 and 31 works in place there, so it sees its output."""


@detectors.register("s3fd-vgg16", WEIGHTS)
def s3fd_vgg16(paths: Sequence[Path], device: torch.device) -> FaceDetector:
    """S3FD as published, on VGG16 (89 MB); large and slow.

    FacePoison attacks conv2_2, pool3 and fc6. 0.5 and 0.3 are face-alignment's threshold and overlap.
    """
    network = vgg.loaded(Network, _renamed(load_state(paths[0])), paths[0], device)
    return AnchorDetector(
        network=network,
        sides=vgg.SIDES,
        threshold=0.5,
        overlap=0.3,
        taps=lambda images: vgg.outputs(network.vgg, _prepared(images), TAPS),
    )


class Network(nn.Module):
    """Images -> evidence."""

    def __init__(self) -> None:
        super().__init__()
        # the padding of 3 without dilation widens fc7's map by two cells on each side; its offsets have learned that
        self.vgg = vgg.base(padding=3, dilation=1)
        self.extras = vgg.extras()
        self.norms = nn.ModuleList(vgg.Rescaled(width) for width in vgg.WIDTHS[:3])
        self.loc = vgg.heads(vgg.WIDTHS, (4,) * 6)
        self.conf = vgg.heads(vgg.WIDTHS, (4, 2, 2, 2, 2, 2))

    def forward(self, images: Images) -> Evidence:
        """Return every anchor's evidence."""
        maps = vgg.pyramid(self.vgg, self.extras, _prepared(images))
        maps[:3] = [norm(each) for norm, each in zip(self.norms, maps[:3], strict=True)]
        logits = [head(each) for head, each in zip(self.conf, maps, strict=True)]
        # three kinds of background on the finest map, of which the strongest counts
        logits[0] = torch.cat((vgg.strongest(logits[0], 0, 3), logits[0][:, 3:]), dim=1)
        return vgg.decoded([head(each) for head, each in zip(self.loc, maps, strict=True)], logits)


def _prepared(images: Images) -> Tensor:
    """RGB in [0, 1] -> BGR in [0, 255] less the mean."""
    return images.flip(1) * 255 - images.new_tensor(BGR_MEAN)[:, None, None]


def _renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors by the names of `Network`; the file names the layers as Caffe does. Others keep theirs."""
    maps = ("conv3_3_norm", "conv4_3_norm", "conv5_3_norm", "fc7", "conv6_2", "conv7_2")
    places = {"fc6": "vgg.31", "fc7": "vgg.33"}
    numbers = iter(number for number, layer in enumerate(vgg.base(3, 1)) if isinstance(layer, nn.Conv2d))
    blocks = ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3))
    places |= {f"conv{block}_{layer + 1}": f"vgg.{next(numbers)}" for block, count in blocks for layer in range(count)}
    places |= {f"conv{6 + index // 2}_{1 + index % 2}": f"extras.{index}" for index in range(4)}
    places |= {name: f"norms.{index}" for index, name in enumerate(maps[:3])}
    for kind in ("loc", "conf"):
        places |= {f"{name}_mbox_{kind}": f"{kind}.{index}" for index, name in enumerate(maps)}
    renamed = {}
    for key, value in state.items():
        layer, _, part = key.rpartition(".")
        renamed[f"{places.get(layer, layer)}.{part}"] = value
    return renamed
