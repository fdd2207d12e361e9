"""The labelled faces that a classifier is measured on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from deepguard.errors import InputError, OptionError
from deepguard.media.read import read_picture
from deepguard.models.crop import cut
from deepguard.models.roles import CropSpec, FaceDetector
from deepguard.types import Box, Face, Images, Progress, Watch, ignore

LIST = "list.csv"
KNOWN = ("file", "label", "clip", "cropped")


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture.

    Attributes:
        file: where it is.
        fake: what it is.
        clip: the clip that it is a frame of, else its own name.
        tags: what else the list says of it, by column.
        cropped: what it shows beyond the face's square, as a share of its side, where it is a crop already; None for a
            photo.
    """

    file: Path
    fake: bool
    clip: str
    tags: Mapping[str, str]
    cropped: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Faces as crops, n x 3 x side x side, with what is known of each; `lost` had no face or could not be read."""

    crops: Images
    samples: tuple[Sample, ...]
    lost: tuple[Path, ...]

    @property
    def fake(self) -> torch.Tensor:
        """1 for a fake and 0 for a real face."""
        return torch.tensor([float(each.fake) for each in self.samples])


def listed(folder: Path, limit: int = 0, seed: int = 0) -> tuple[Sample, ...]:
    """Return a folder's pictures, at most `limit` of each label, drawn by the seed; 0 for all.

    They are named in its list.csv, with the columns file, label (real or fake), optionally clip and cropped (see
    `Sample`), and any others to tell results by; or they lie in its subfolders real and fake. OptionError where neither
    is so, InputError where one label has none.
    """
    if not folder.is_dir():
        raise OptionError(f"{folder} is no folder; name one with the subfolders real and fake, or with a {LIST}")
    rows = tuple(_of_list(folder) if (folder / LIST).is_file() else _of_folders(folder))
    for fake, label in ((False, "real"), (True, "fake")):
        if not any(each.fake == fake for each in rows):
            raise InputError(f"{folder} has no {label} pictures; a classifier is measured on both, in real and fake")
    if not limit:
        return rows
    rng = torch.Generator().manual_seed(seed)
    labels = [[row for row in rows if row.fake == fake] for fake in (False, True)]
    return tuple(each for alike in labels for each in _drawn(alike, limit, rng))


def read(
    samples: Sequence[Sample],
    spec: CropSpec,
    detector: FaceDetector,
    cropped: float | None = None,
    watch: Watch = ignore,
) -> Samples:
    """Return the samples' faces: the most certain one of each picture.

    `cropped` is a sample's own where the list says none. A crop is taken as it is, but for what it shows beyond
    `spec.margin`.
    """
    crops, kept, lost = [], [], []
    for done, sample in enumerate(samples):
        if done % 20 == 0:
            watch(Progress("reading the faces", done, len(samples)))
        crop = _face(sample.file, spec, detector, cropped if sample.cropped is None else sample.cropped)
        if crop is None:
            lost.append(sample.file)
        else:
            crops.append(crop)
            kept.append(sample)
    for fake in {each.fake for each in samples}:
        if not any(each.fake == fake for each in kept):
            label = "fake" if fake else "real"
            raise InputError(
                f"no {label} picture shows a face that a detector finds; say --cropped if they are crops of faces"
            )
    return Samples(torch.cat(crops), tuple(kept), tuple(lost))


def _face(file: Path, spec: CropSpec, detector: FaceDetector, cropped: float | None) -> Images | None:
    try:
        images = read_picture(file).images
    except (OSError, InputError):
        return None
    if cropped is not None:
        return cut(images, (_inside(images, cropped),), CropSpec(spec.side, min(spec.margin, cropped)))
    (seen,) = detector.detect(images)
    return cut(images, seen[:1], spec) if seen else None


def _inside(images: Images, cropped: float) -> Face:
    """Return the face's box in a picture that shows `cropped` beyond it."""
    height, width = images.shape[-2:]
    share = cropped / (1 + 2 * cropped)
    return Face(Box(width * share, height * share, width * (1 - share), height * (1 - share)), 1.0)


def _of_list(folder: Path) -> Iterator[Sample]:
    try:
        # with the mark that spreadsheets put before it, or without
        rows = list(csv.DictReader(io.StringIO((folder / LIST).read_text(encoding="utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"{folder / LIST} cannot be read as a table; save it as CSV in UTF-8") from error
    for number, row in enumerate(rows, start=2):
        if row.get("label") not in {"real", "fake"} or not row.get("file"):
            raise OptionError(f"{folder / LIST}, line {number}: needs the columns file and label (real or fake)")
        tags = {name: value for name, value in row.items() if name not in KNOWN}
        yield Sample(folder / row["file"], row["label"] == "fake", row.get("clip") or row["file"], tags, _cropped(row))


def _cropped(row: Mapping[str, str]) -> float | None:
    try:
        return float(row["cropped"]) if row.get("cropped") else None
    except ValueError as error:
        raise OptionError(f"{row['file']}: cropped is a share such as 0.1, not {row['cropped']}") from error


def _of_folders(folder: Path) -> Iterator[Sample]:
    for label in ("real", "fake"):
        for file in sorted((folder / label).rglob("*")):
            if file.is_file() and not file.name.startswith("."):
                inner = file.relative_to(folder / label)
                clip = str(inner.parent) if len(inner.parts) > 1 else str(inner)
                yield Sample(file, label == "fake", f"{label}/{clip}", {})


def _drawn(samples: list[Sample], limit: int, rng: torch.Generator) -> list[Sample]:
    chosen = torch.randperm(len(samples), generator=rng)[:limit].sort().values
    return [samples[place] for place in chosen.tolist()]
