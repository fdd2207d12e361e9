"""PyramidBox (Tang et al. 2018) on VGG16, in the port that FacePoison attacks; loads when the user has its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from deepguard.models import vgg
from deepguard.models.anchors import AnchorDetector
from deepguard.models.roles import Evidence, FaceDetector, detectors
from deepguard.types import Images
from deepguard.weights.catalogue import Weights
from deepguard.weights.formats.state import load_state

WEIGHTS = Weights(
    file="pyramidbox_120000_99.02.pth",
    size=0,
    sha256="",
    licence="none stated",
    origin="PyramidBox on VGG16, trained on WIDER FACE by yxlijun (Pyramidbox.pytorch) for 120,000 steps",
    terms="Its source states no licence for the weights; the data they were trained on are for research.",
)

RGB_MEAN = (123.0, 117.0, 104.0)
TAPS = (15, 22, 29)
"""FacePoison's layers 15, 22 and 28; the ReLU that follows 28 works in place there, so it sees its output."""
JUDGED = 512
"""Channels of every context module's output."""


@detectors.register("pyramidbox-vgg16", WEIGHTS)
def pyramidbox_vgg16(paths: Sequence[Path], device: torch.device) -> FaceDetector:
    """PyramidBox on VGG16, the port that FacePoison attacks; large and slow.

    FacePoison attacks conv3_3, conv4_3 and conv5_3. 0.4 and 0.3 are the port's threshold and overlap.
    """
    network = vgg.loaded(Network, load_state(paths[0]), paths[0], device)
    return AnchorDetector(
        network=network,
        sides=vgg.SIDES,
        threshold=0.4,
        overlap=0.3,
        taps=lambda images: vgg.outputs(network.vgg, _prepared(images), TAPS),
    )


class Network(nn.Module):
    """Images -> evidence of faces; each head also judges heads, which only training uses."""

    def __init__(self) -> None:
        super().__init__()
        self.vgg = vgg.base(padding=6, dilation=6)
        self.extras = vgg.extras()
        self.L2Norm3_3 = vgg.Rescaled(256)
        self.L2Norm4_3 = vgg.Rescaled(512)
        self.L2Norm5_3 = vgg.Rescaled(512)
        self.lfpn_topdown = nn.ModuleList((nn.Conv2d(1024, 512, 1), nn.Conv2d(512, 512, 1), nn.Conv2d(512, 256, 1)))
        self.lfpn_later = nn.ModuleList((nn.Conv2d(512, 512, 1), nn.Conv2d(512, 512, 1), nn.Conv2d(256, 256, 1)))
        self.cpm = nn.ModuleList(Context(width) for width in vgg.WIDTHS)
        self.loc_layers = vgg.heads((JUDGED,) * 6, (8,) * 6)
        self.conf_layers = vgg.heads((JUDGED,) * 6, (8, 6, 6, 6, 6, 6))

    def forward(self, images: Images) -> Evidence:
        """Return every anchor's evidence."""
        maps = self.fused(vgg.pyramid(self.vgg, self.extras, _prepared(images)))
        judged = [context(each) for context, each in zip(self.cpm, maps, strict=True)]
        offsets = [head(each)[:, :4] for head, each in zip(self.loc_layers, judged, strict=True)]
        raw = [head(each) for head, each in zip(self.conf_layers, judged, strict=True)]
        # the strongest of three kinds of background on the finest map, of three kinds of face on the others
        finest = torch.cat((vgg.strongest(raw[0], 0, 3), raw[0][:, 3:4]), dim=1)
        others = [torch.cat((each[:, :1], vgg.strongest(each, 1, 4)), dim=1) for each in raw[1:]]
        return vgg.decoded(offsets, [finest, *others])

    def fused(self, maps: list[Tensor]) -> list[Tensor]:
        """Return the six maps; the three finest are multiplied with the next coarser one and rescaled."""
        lower = [maps[3]]
        for down, across, fine in zip(self.lfpn_topdown, self.lfpn_later, maps[2::-1], strict=True):
            lower.insert(0, vgg.multiplied(functional.relu(down(lower[0])), across(fine)))
        norms = (self.L2Norm3_3, self.L2Norm4_3, self.L2Norm5_3)
        return [norm(each) for norm, each in zip(norms, lower[:3], strict=True)] + maps[3:]


class Context(nn.Module):
    """PyramidBox's context-sensitive predict module: a residual unit, then three sizes of view (SSH)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch1 = Normalised(width, 1024, 1)
        self.branch2a = Normalised(width, 256, 1)
        self.branch2b = Normalised(256, 256, 3)
        self.branch2c = Normalised(256, 1024, 1)
        self.ssh_1 = nn.Conv2d(1024, 256, 3, padding=1)
        self.ssh_dimred = nn.Conv2d(1024, 128, 3, padding=1)
        self.ssh_2 = nn.Conv2d(128, 128, 3, padding=1)
        self.ssh_3a = nn.Conv2d(128, 128, 3, padding=1)
        self.ssh_3b = nn.Conv2d(128, 128, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return 512 channels at the same size."""
        change = functional.relu(self.branch2b(functional.relu(self.branch2a(features))))
        both = functional.relu(self.branch2c(change) + self.branch1(features))
        narrow = functional.relu(self.ssh_dimred(both))
        deep = self.ssh_3b(functional.relu(self.ssh_3a(narrow)))
        return functional.relu(torch.cat((self.ssh_1(both), self.ssh_2(narrow), deep), dim=1))


class Normalised(nn.Module):
    """A convolution that keeps the size, then BatchNorm."""

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, side, padding=side // 2)
        self.bn1 = nn.BatchNorm2d(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Return the normalised features."""
        normalised: Tensor = self.bn1(self.conv1(features))
        return normalised


def _prepared(images: Images) -> Tensor:
    """RGB in [0, 1] -> RGB in [0, 255] less the mean."""
    return images * 255 - images.new_tensor(RGB_MEAN)[:, None, None]
