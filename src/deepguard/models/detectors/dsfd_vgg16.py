"""DSFD (Li et al. 2019) on VGG16, in the port that FacePoison attacks; loads when the user has its file."""

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
    file="dsfd_vgg_0.880.pth",
    size=0,
    sha256="",
    licence="none stated",
    origin="DSFD on VGG16, trained on WIDER FACE by yxlijun (DSFD.pytorch); 0.880 is its precision on the hard part",
    terms="Its source states no licence for the weights; the data they were trained on are for research.",
)

RGB_MEAN = (123.0, 117.0, 104.0)
TAPS = (8, 16, 32)
"""FacePoison's layers 7, 16 and 31; the ReLU that follows 7 and 31 works in place there, so it sees its output."""


@detectors.register("dsfd-vgg16", WEIGHTS)
def dsfd_vgg16(paths: Sequence[Path], device: torch.device) -> FaceDetector:
    """DSFD on VGG16, the port that FacePoison attacks; large and slow.

    FacePoison attacks conv2_2, pool3 and fc6. 0.4 and 0.3 are the port's threshold and overlap.
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
    """Images -> evidence of the second shot; the first shot's heads are filled, but only training uses them."""

    def __init__(self) -> None:
        super().__init__()
        self.vgg = vgg.base(padding=3, dilation=3)
        self.extras = vgg.extras()
        for index, width in enumerate(vgg.WIDTHS[:3], start=1):
            self.add_module(f"L2Normof{index}", vgg.Rescaled(width))
            self.add_module(f"L2Normef{index}", vgg.Rescaled(width))
        up = vgg.WIDTHS[::-1]
        self.fpn_topdown = nn.ModuleList(
            nn.Conv2d(wide, narrow, 1) for wide, narrow in zip((up[0], *up[:-1]), up, strict=True)
        )
        self.fpn_latlayer = nn.ModuleList(nn.Conv2d(width, width, 1) for width in up[1:])
        self.fpn_fem = nn.ModuleList(Enhance(width) for width in vgg.WIDTHS)
        for shot in ("pal1", "pal2"):
            self.add_module(f"loc_{shot}", vgg.heads(vgg.WIDTHS, (4,) * 6))
            self.add_module(f"conf_{shot}", vgg.heads(vgg.WIDTHS, (2,) * 6))

    def forward(self, images: Images) -> Evidence:
        """Return every anchor's evidence."""
        maps = self.enhanced(vgg.pyramid(self.vgg, self.extras, _prepared(images)))
        offsets = [head(each) for head, each in zip(self._part("loc_pal2"), maps, strict=True)]
        logits = [head(each) for head, each in zip(self._part("conf_pal2"), maps, strict=True)]
        return vgg.decoded(offsets, logits)

    def enhanced(self, maps: list[Tensor]) -> list[Tensor]:
        """Return the second shot's six maps: from coarse to fine, each times the one above, then widened."""
        top = functional.relu(self.fpn_topdown[0](maps[-1]))
        fused = [top]
        for down, across, fine in zip(self.fpn_topdown[1:], self.fpn_latlayer, maps[-2::-1], strict=True):
            fused.insert(0, vgg.multiplied(functional.relu(down(fused[0])), across(fine)))
        wide = [enhance(each) for enhance, each in zip(self.fpn_fem, fused, strict=True)]
        norms = [self.get_submodule(f"L2Normef{index}") for index in (1, 2, 3)]
        return [norm(each) for norm, each in zip(norms, wide[:3], strict=True)] + wide[3:]

    def _part(self, name: str) -> list[nn.Module]:
        return list(self.get_submodule(name).children())


class Enhance(nn.Module):
    """DSFD's feature enhance module: one, two and three dilated convolutions side by side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        third = width // 3
        rest = width - 2 * third
        self.branch1 = _dilated(width, third)
        self.branch2 = nn.Sequential(_dilated(width, third), nn.ReLU(), _dilated(third, third))
        self.branch3 = nn.Sequential(
            *(_dilated(width, rest), nn.ReLU()), *(_dilated(rest, rest), nn.ReLU()), _dilated(rest, rest)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the three branches at the same size and with as many channels in all."""
        return functional.relu(torch.cat((self.branch1(features), self.branch2(features), self.branch3(features)), 1))


def _dilated(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=3, dilation=3)


def _prepared(images: Images) -> Tensor:
    """RGB in [0, 1] -> RGB in [0, 255] less the mean."""
    return images * 255 - images.new_tensor(RGB_MEAN)[:, None, None]
