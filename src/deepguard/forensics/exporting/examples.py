"""Crops that look like those that will be judged: to fit int8 ranges on, and to compare an exported file on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from deepguard.errors import NoFace
from deepguard.forensics.purify import copies
from deepguard.media.files import pictures_below
from deepguard.media.read import read_picture
from deepguard.media.sample import sample_file
from deepguard.models.crop import cut
from deepguard.models.roles import CropSpec, FaceDetector
from deepguard.types import Box, Face, Images

SAMPLE_FACE = Box(178, 62, 269, 177)
"""Where the sample photo's face is."""
PLACES = (-0.15, 0.0, 0.15)
"""By which share of its size the sample's face is moved to either side."""
LIGHTS = ((1.0, 0.0), (0.6, 0.0), (0.6, 0.4))
"""Contrast, and what is added to it: as it is, dark, pale."""
MOST = 64
"""Faces of a user's pictures that are taken at most."""


def sample_crops(spec: CropSpec) -> Images:
    """Return the sample photo's face in several places, sizes and lights, with the copies that judging makes."""
    images = read_picture(sample_file()).images
    boxes = [
        SAMPLE_FACE.moved(across * SAMPLE_FACE.width, down * SAMPLE_FACE.height).grown(larger)
        for across, down, larger in zip(PLACES, PLACES[1:] + PLACES[:1], (0.0, 0.2, -0.1), strict=True)
    ]
    crops = cut(images, [Face(box, 1.0) for box in boxes], spec)
    lit = torch.cat([crops * contrast + light for contrast, light in LIGHTS])
    return _with_copies(torch.cat((lit, lit.flip(-1))))


def crops_of_pictures(folder: Path, detector: FaceDetector, spec: CropSpec) -> Images:
    """Return faces of the pictures below a folder, with the copies that judging makes; NoFace where there is none."""
    cropped = list(itertools.islice(_faces(pictures_below(folder), detector, spec), MOST))
    if not cropped:
        raise NoFace(f"no face was found in the pictures below {folder}; name a folder with photos of faces")
    return _with_copies(torch.cat(cropped))


def _faces(files: Sequence[Path], detector: FaceDetector, spec: CropSpec) -> Iterator[Images]:
    for file in files:
        images = read_picture(file).images
        for face in detector.detect(images)[0]:
            yield cut(images, [face], spec)


def _with_copies(crops: Images) -> Images:
    return torch.cat(list(copies(crops.clamp(0, 1)).values()))
