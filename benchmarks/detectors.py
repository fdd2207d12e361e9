"""How many faces each detector finds in untouched pictures, how many it imagines, and how long it takes."""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import defusedxml.ElementTree
import torch
from torch.nn import functional

from benchmarks._machine import place
from deepguard.media.read import read_picture
from deepguard.models.roles import FaceDetector, detectors
from deepguard.settings import Settings
from deepguard.types import Box, Images
from deepguard.weights.shelf import Shelf

SMALLEST = 20
"""Pixels (root of the area) below which a face is not asked for; finding it is no error either."""
BANDS = (20, 32, 64, math.inf)
PAINTED = {"native/17_Ceremony_Ceremony_17_218.jpg"}
"""Left out: somebody's finds are painted over its faces."""
PORTRAITS = {
    "biden.jpg": 1,
    "obama.jpg": 1,
    "obama3.jpg": 1,
    "obama_and_biden.jpg": 3,
    "obama_partial_face2.jpg": 1,
    "two_people.jpg": 2,
}
"""Faces in each portrait, counted by eye; the third of the group is a girl at the lower edge."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture: its file, which set it is of, the boxes of its faces, and the overlap that counts as found.

    `count` is the number of faces where nobody drew boxes, `tall` by how much the height is to be stretched.
    """

    file: Path
    group: str
    boxes: tuple[Box, ...] = ()
    overlap: float = 0.5
    count: int | None = None
    tall: float = 1.0


@dataclass(slots=True)
class Tally:
    """What one detector did: for each column (found, asked for), false finds for each set, CPU seconds per picture."""

    found: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    false: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: list[float] = field(default_factory=list)


def main(arguments: Sequence[str]) -> None:
    """Print the table in Markdown."""
    options = _options(arguments)
    shelf = Shelf(options.models, offline=True)
    samples = gathered(options.data)
    names = options.detector or detectors.available(shelf)
    print(place(), end="\n\n")
    if not samples:
        print("Nothing was measured: none of the sets of pictures is here.", end="\n\n")
        return
    print(head(samples), flush=True)
    for name in names:
        tally = measured(detectors.create(name, shelf, torch.device(options.device)), samples)
        print(row(name, tally, samples), flush=True)


def gathered(data: Path) -> list[Sample]:
    """Return the samples of all sets that lie in the folder `data`."""
    samples = [*_wider(data / "wider_val"), *_dlib(data / "groups" / "dlib")]
    samples += [Sample(data / "portraits" / name, "portraits", count=count) for name, count in PORTRAITS.items()]
    samples += [Sample(file, "no faces", count=0) for file in sorted((data / "nonface").glob("*"))]
    return [sample for sample in samples if sample.file.is_file()]


def measured(detector: FaceDetector, samples: Sequence[Sample]) -> Tally:
    """Return what the detector finds with its own threshold and scales."""
    tally = Tally()
    for sample in samples:
        images = _opened(sample)
        start = time.process_time()  # of all threads; other work on the machine hardly counts
        (faces,) = detector.detect(images)
        tally.seconds.append(time.process_time() - start)
        boxes = [face.box for face in faces]
        if sample.count is None:
            _compare(tally, sample, boxes)
        else:
            tally.found[sample.group][0] += min(len(boxes), sample.count)
            tally.found[sample.group][1] += sample.count
            tally.false[sample.group] += max(0, len(boxes) - sample.count)
    return tally


def head(samples: Sequence[Sample]) -> str:
    """Return the first two lines of the table in Markdown."""
    names = [f"{column}: found" for column in _columns(samples)]
    names += [f"{group}: false" for group in _groups(samples)]
    return " | ".join(["| detector", *names, "CPU s per picture |"]) + "\n|---" + "|--:" * (len(names) + 1) + "|"


def row(name: str, tally: Tally, samples: Sequence[Sample]) -> str:
    """Return one detector's line of the table in Markdown."""
    cells = [name, *("{}/{}".format(*tally.found[column]) for column in _columns(samples))]
    cells += [str(tally.false[group]) for group in _groups(samples)]
    return "| " + " | ".join([*cells, f"{statistics.median(tally.seconds):.2f}"]) + " |"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks detectors", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the sets of pictures")
    parser.add_argument("--models", type=Path, default=Settings.from_environment().models, help="the shelf")
    parser.add_argument("--detector", action="append", help="only this one; may be repeated")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(arguments)


def _wider(folder: Path) -> list[Sample]:
    """WIDER FACE at its own size, and 200 pictures that were stretched to squares of 416 px, here with their shape."""
    samples: dict[str, Sample] = {}
    if not folder.is_dir():
        return []
    with (folder / "boxes.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            name = row["file"]
            if name in PAINTED:
                continue
            native = name.startswith("native/")
            tall = 1.0 if native else int(row["orig_height"]) / int(row["orig_width"])
            left, top, right, bottom = (float(row[edge]) for edge in ("x1", "y1", "x2", "y2"))
            blank = Sample(folder / name, "WIDER" if native else "WIDER small", tall=tall)
            sample = samples.get(name, blank)
            samples[name] = replace(sample, boxes=(*sample.boxes, Box(left, top * tall, right, bottom * tall)))
    return [samples[name] for name in sorted(samples)]


def _dlib(folder: Path) -> list[Sample]:
    """Its boxes are squares about the inner face, so less overlap counts than for tight boxes."""
    samples = []
    for name in ("testing.xml", "training.xml") if folder.is_dir() else ():
        for image in defusedxml.ElementTree.parse(folder / name).iter("image"):
            boxes = []
            for box in image.iter("box"):
                left, top, width, height = (float(box.attrib[edge]) for edge in ("left", "top", "width", "height"))
                boxes.append(Box(left, top, left + width, top + height))
            samples.append(Sample(folder / image.attrib["file"], "dlib", tuple(boxes), overlap=0.4))
    return samples


def _opened(sample: Sample) -> Images:
    images = read_picture(sample.file).images
    if sample.tall == 1:
        return images
    size = round(images.shape[-2] * sample.tall), images.shape[-1]
    return functional.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)


def _compare(tally: Tally, sample: Sample, boxes: list[Box]) -> None:
    """Give each find, best first, the face that it overlaps most and that none has yet."""
    free = list(sample.boxes)
    for box in boxes:
        best = max(free, key=box.overlap, default=None)
        if best is None or box.overlap(best) <= sample.overlap:
            tally.false[sample.group] += math.sqrt(box.area) >= SMALLEST
            continue
        free.remove(best)
    for face in sample.boxes:
        for column, lowest, highest in _bands(sample.group):
            if lowest <= math.sqrt(face.area) < highest:
                tally.found[column][0] += face not in free
                tally.found[column][1] += 1


def _groups(samples: Sequence[Sample]) -> list[str]:
    return list(dict.fromkeys(sample.group for sample in samples))


def _columns(samples: Sequence[Sample]) -> list[str]:
    asked = dict.fromkeys(sample.group for sample in samples if sample.count != 0)
    return [column for group in asked for column, *_ in _bands(group)]


def _bands(group: str) -> list[tuple[str, float, float]]:
    if not group.startswith("WIDER"):
        return [(group, SMALLEST, math.inf)]
    *limits, highest = itertools.pairwise(BANDS)
    bands = [(f"{group} {low:.0f}-{high:.0f} px", low, high) for low, high in limits]
    return [*bands, (f"{group} {highest[0]:.0f}+ px", *highest)]
