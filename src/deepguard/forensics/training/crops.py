"""The faces to train on: found once, kept as 8-bit crops in one file, so that a batch costs no decoding."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from deepguard.errors import InputError, OptionError, OutputError
from deepguard.forensics.training.config import Source
from deepguard.media.files import write
from deepguard.media.picture import to_pixels
from deepguard.media.read import read_picture
from deepguard.models.crop import LEVEL, cut, roll, shown
from deepguard.models.roles import CropSpec, FaceDetector
from deepguard.types import Box, Face, Images, Progress, Watch, ignore

KEPT = CropSpec(side=160, margin=0.16, aligned=True)
"""Somewhat more than a classifier sees, so that training can move and zoom."""
SPLITS = ("train", "validation", "test")
SHARES = (0.8, 0.9)
"""Of the groups, in the order of their names' hashes: up to the first for training, to the second for validation."""
SMALL, LOOK = 256, 128
"""Longer side up to which a picture is one face, and that to which it is resized to find its landmarks; pixels."""


@dataclass(frozen=True, slots=True)
class Record:
    """One crop: its source, file, label, group, split, what it shows beyond the face, and its five landmarks.

    `landmarks` are in shares of the crop's side, empty where none were found.
    """

    source: str
    file: str
    fake: bool
    generated: bool
    group: str
    split: str
    margin: float
    landmarks: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """All crops of a run, `pixels` n x 160 x 160 x 3 in the order of `records`."""

    pixels: np.ndarray
    records: tuple[Record, ...]

    def images(self, places: Sequence[int]) -> Images:
        """Return those crops, `KEPT.side` pixels a side."""
        chosen = torch.from_numpy(np.ascontiguousarray(self.pixels[list(places)]))
        return chosen.permute(0, 3, 1, 2).float().div_(255)

    def landmarks(self, places: Sequence[int]) -> Tensor:
        """Return their landmarks, n x 5 x 2 in shares of the side; NaN where there are none."""
        nothing = ((float("nan"),) * 2,) * 5
        return torch.tensor([self.records[place].landmarks or nothing for place in places])


def gathered(
    sources: Sequence[Source], folder: Path, detector: FaceDetector, seed: int, watch: Watch = ignore
) -> Crops:
    """Return the crops of all sources, from `folder` where an earlier run left them.

    Raises OptionError for a list that cannot be used, InputError where a source has no picture of a face,
    OutputError where the folder cannot be written.
    """
    wanted = {"sources": [asdict(each) for each in sources], "seed": seed, "crop": asdict(KEPT)}
    index, store = folder / "crops.json", folder / "crops.npy"
    kept = _kept(index, store, wanted)
    if kept is not None:
        return kept
    listed = [each for source in sources for each in _listed(source, seed)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # what is half made has no index, so that nobody takes it for another run's
        index.unlink(missing_ok=True)
        pixels = open_memmap(store, "w+", np.uint8, (len(listed), KEPT.side, KEPT.side, 3))
        _reserve(store)
        records: list[Record] = []
        for done, (source, record) in enumerate(listed):
            if done % 50 == 0:
                watch(Progress("preparing the faces", done, len(listed)))
            seen = _crop(Path(source.folder) / record.file, record, source, detector)
            if seen is not None:
                pixels[len(records)], each = seen
                records.append(each)
        pixels.flush()
        write(index, json.dumps({"wanted": wanted, "records": [asdict(each) for each in records]}).encode())
    except OSError as error:
        raise OutputError(f"the crops cannot be kept in {folder} ({error.strerror}); free space there") from error
    return Crops(pixels, tuple(records))


def _kept(index: Path, store: Path, wanted: dict[str, object]) -> Crops | None:
    """Return the crops that an earlier run left; None where there are none, or others, or damaged ones."""
    try:
        body = json.loads(index.read_text(encoding="utf-8"))
        if body["wanted"] != wanted:
            return None
        crops = Crops(np.load(store, mmap_mode="r"), tuple(_record(each) for each in body["records"]))
        return crops if len(crops.records) <= len(crops.pixels) else None
    except (OSError, EOFError, ValueError, LookupError, TypeError):
        return None


def _reserve(store: Path) -> None:
    """Take the file's room now: a full disk would otherwise kill the process while it writes into memory."""
    if hasattr(os, "posix_fallocate"):
        with store.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, store.stat().st_size)


def _record(body: dict[str, object]) -> Record:
    points = tuple((float(x), float(y)) for x, y in body.pop("landmarks"))  # type: ignore[attr-defined]
    return Record(**body, landmarks=points)  # type: ignore[arg-type]


def _listed(source: Source, seed: int) -> list[tuple[Source, Record]]:
    rows = list(_of_list(source) if source.list else _of_folders(source))
    if not rows:
        raise InputError(f"{source.folder} has no pictures to train on; put them into its subfolders real and fake")
    rng = np.random.default_rng(seed)
    kept = []
    for fake in (False, True):
        alike = [row for row in rows if row.fake == fake]
        if source.most and len(alike) > source.most:
            alike = [alike[place] for place in sorted(rng.permutation(len(alike))[: source.most])]
        kept += alike
    return [(source, row) for row in kept]


def _of_list(source: Source) -> Iterator[Record]:
    try:
        # with the mark that spreadsheets put before it, or without
        with Path(source.list).open(encoding="utf-8-sig", newline="") as stream:
            for number, row in enumerate(csv.DictReader(stream), start=2):
                yield _of_row(row, source, number)
    except OSError as error:
        raise OptionError(f"{source.list} cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"{source.list} cannot be read as a table; save it as CSV in UTF-8") from error


def _of_row(row: dict[str, str], source: Source, number: int) -> Record:
    if row.get("label") not in {"real", "fake"} or not row.get("file"):
        raise OptionError(f"{source.list}, line {number}: needs the columns file and label, and label is real or fake")
    group = row.get("group") or row["file"]
    split = row.get("split") or _split(group)
    if split not in SPLITS:
        raise OptionError(f"{source.list}, line {number}: split is one of {', '.join(SPLITS)}, not {split}")
    fake = row["label"] == "fake"
    return Record(source.name, row["file"], fake, fake and source.generated, group, split, max(source.cropped, 0.0))


def _of_folders(source: Source) -> Iterator[Record]:
    for label in ("real", "fake"):
        fake = label == "fake"
        for file in sorted((Path(source.folder) / label).rglob("*")):
            if file.is_file() and not file.name.startswith("."):
                name = str(file.relative_to(source.folder))
                yield Record(
                    source.name, name, fake, fake and source.generated, name, _split(name), max(source.cropped, 0.0)
                )


def _split(group: str) -> str:
    """Return the split of a group by its name alone, so that a larger list moves nobody."""
    place = int.from_bytes(hashlib.sha256(group.encode()).digest()[:4]) / 2**32
    return next((split for split, share in zip(SPLITS, SHARES, strict=False) if place < share), SPLITS[-1])


def _crop(file: Path, record: Record, source: Source, detector: FaceDetector) -> tuple[np.ndarray, Record] | None:
    """Return the crop and its record, None where the file shows no face or cannot be read."""
    try:
        images = read_picture(file).images
    except (OSError, InputError):
        return None
    # landmarks are for blending, which only real faces are
    seen = [] if source.cropped >= 0 and record.fake else _seen(images, detector)
    if source.cropped < 0 and not seen:
        return None
    height, width = images.shape[-2:]
    whole = Face(Box(0, 0, width, height), 1.0)
    face = whole if source.cropped >= 0 else seen[0]
    spec = replace(KEPT, margin=0.0 if source.cropped >= 0 else _room(face, height, width))
    crop = cut(images, (face,), spec)
    margin = source.cropped if source.cropped >= 0 else spec.margin
    points = _placed(seen[0], shown(face, spec), upright=face is whole) if seen and seen[0].landmarks else ()
    made = Record(record.source, record.file, record.fake, record.generated, record.group, record.split, margin, points)
    return to_pixels(crop[0].clamp(0, 1)), made


def _room(face: Face, height: int, width: int) -> float:
    """Return the margin that is kept: no more than the picture has, as its edge pixels, drawn out, are no skin."""
    bare = shown(face, replace(KEPT, margin=0.0))
    across, down = (bare.left + bare.right) / 2, (bare.top + bare.bottom) / 2
    reach = min(across, down, width - across, height - down)
    return min(KEPT.margin, max(0.0, (reach / bare.width) - 0.5))


def _seen(images: Images, detector: FaceDetector) -> list[Face]:
    longer = max(images.shape[-2:])
    # a picture so small is one face, for which one small look is enough
    scales = (LOOK / longer,) if longer <= SMALL else None
    return detector.detect(images, scales=scales)[0]


def _placed(seen: Face, window: Box, *, upright: bool) -> tuple[tuple[float, float], ...]:
    """Return landmarks as shares of the side of the crop that shows `window`; none of a face that `cut` turned."""
    if not upright and abs(roll(seen)) > math.radians(LEVEL):
        return ()
    return tuple(((x - window.left) / window.width, (y - window.top) / window.height) for x, y in seen.landmarks)
