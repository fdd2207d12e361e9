"""How long judging takes: faces a second in a crowd, a one-minute clip, the first verdict; and the classifier alone."""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor

from benchmarks._machine import place
from benchmarks.command import row, timed
from deepguard import api
from deepguard.forensics.exporting.examples import sample_crops
from deepguard.forensics.exporting.graph import run, session_of
from deepguard.forensics.exporting.onnx_file import onnx_bytes
from deepguard.forensics.fast import BATCH
from deepguard.forensics.loading import in_torch
from deepguard.media.codec import resample
from deepguard.media.encode import encode
from deepguard.media.read import read_picture
from deepguard.media.sample import sample_file
from deepguard.models.roles import Classifier
from deepguard.settings import Settings
from deepguard.types import Images
from deepguard.weights.shelf import Shelf

PEOPLE = Path("../shared/data/lfw150")
"""Small press photos with one face each; the sample photo stands for them where they are not here."""
COLUMNS, ROWS, TILE = 8, 5, 250
"""The crowd: so many photos beside and above each other, of so many pixels."""
RATE, SECONDS, HEIGHT, WIDTH = 25, 60, 720, 1280
"""The clip: frames a second, length, pixels."""


def main(arguments: Sequence[str]) -> None:
    """Print the section in Markdown."""
    options = _options(arguments)
    print("## Detect: time and memory", end="\n\n")
    print(place(), end="\n\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        crowd, clip = Path(folder) / "crowd.png", Path(folder) / "clip.mp4"
        write_crowd(crowd)
        processes(crowd, clip, options)
        in_one_process(crowd, options)
    if not options.without_classifier:
        alone(options)


def processes(crowd: Path, clip: Path, options: argparse.Namespace) -> None:
    """Print what whole processes take, Python's start and torch's import included."""
    print(f"| command | seconds, median of {options.repeat} | all | peak memory |\n|---|--:|---|--:|")
    environment = {**os.environ, "DEEPGUARD_MODELS": str(options.models)}
    runs = {
        "deepguard detect, one face in 512 x 512": sample_file(),
        f"deepguard detect, {COLUMNS * ROWS} photos as one picture": crowd,
    }
    if options.seconds:
        write_clip(clip, options.seconds)
        runs[f"deepguard detect, a clip of {options.seconds} s, {WIDTH} x {HEIGHT}, {RATE} frames a second"] = clip
    for name, path in runs.items():
        times = [timed(["detect", str(path)], environment) for _ in range(options.repeat)]
        print(row(name, times), flush=True)
    print()


def in_one_process(crowd: Path, options: argparse.Namespace) -> None:
    """Print how many faces of the crowd are judged in a second by a process that goes on, and where the time goes."""
    judges = api.load_classifiers(Shelf(options.models, offline=True), torch.device("cpu"))
    seconds, reports = [], []
    for _ in range(options.repeat + 1):
        start = time.perf_counter()
        reports.append(api.detect(crowd, judges).report)
        seconds.append(time.perf_counter() - start)
    faces = sum(face.probability is not None for face in reports[-1].faces)
    # the first one makes the graph
    steady = statistics.median(seconds[1:])
    parts = reports[-1].seconds.items()
    names = " and ".join((*judges.detectors, *judges.classifiers))
    spent = ", ".join(f"{name} {value:.2f} s" for name, value in parts)
    print(f"One process, {faces} faces judged by {names}: **{faces / steady:.1f} faces a second**")
    print(
        f"({steady:.2f} s, median of {options.repeat}; the first {seconds[0]:.2f} s; {spent}).", end="\n\n", flush=True
    )


def alone(options: argparse.Namespace) -> None:
    """Print how many crops a second the classifier judges, by what runs it, and how int8 compares."""
    judges = api.load_classifiers(Shelf(options.models, offline=True), torch.device("cpu"))
    name, judge = next(iter(judges.classifiers.items()))
    crops = sample_crops(judge.classifier.crop)
    runners = dict(_runners(judge.classifier, crops))
    print(f"| {name} by | crops a second, {BATCH} at once | 64 at once | largest difference of a logit |")
    print("|---|--:|--:|--:|")
    expected = runners["torch"](crops)
    for each, logits in runners.items():
        speeds = " | ".join(f"{_speed(logits, crops, count, options.repeat):.0f}" for count in (BATCH, 64))
        print(f"| {each} | {speeds} | {(logits(crops) - expected).abs().max().item():.2g} |", flush=True)
    print()


def write_crowd(path: Path) -> None:
    """Write many photos of one face each as one picture."""
    files = sorted(PEOPLE.glob("*.jpg"))[: COLUMNS * ROWS] if PEOPLE.is_dir() else []
    photos = [read_picture(file).images for file in files] or [read_picture(sample_file()).images[..., :260, 90:350]]
    tiles = [resample(photo, (TILE, TILE)) for photo in photos]
    rows = [
        torch.cat([tiles[(line * COLUMNS + each) % len(tiles)] for each in range(COLUMNS)], 3) for line in range(ROWS)
    ]
    wall = torch.cat(rows, 2)
    path.write_bytes(encode(dataclasses.replace(read_picture(sample_file()), images=wall), wall))


def write_clip(path: Path, seconds: int) -> None:
    """Write a clip that wanders over a wall of six sample photos."""
    photo = (read_picture(sample_file()).images[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    wall = np.tile(photo, (2, 3, 1))
    across, down = wall.shape[1] - WIDTH, wall.shape[0] - HEIGHT
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(RATE * seconds):
            angle = number / RATE
            left, top = round(across * (1 + np.sin(angle)) / 2), round(down * (1 + np.cos(angle / 3)) / 2)
            shown = np.ascontiguousarray(wall[top : top + HEIGHT, left : left + WIDTH])
            output.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        output.mux(stream.encode(None))


def _runners(classifier: Classifier, crops: Images) -> Iterator[tuple[str, Callable[[Images], Tensor]]]:
    yield "torch", in_torch(classifier, torch.device("cpu"))
    for name, ranges in (("onnxruntime", None), ("onnxruntime, int8", crops[1::2])):
        session = session_of(onnx_bytes(classifier, {}, ranges))
        yield name, lambda batch, session=session: run(session, batch)


def _speed(logits: Callable[[Images], Tensor], crops: Images, count: int, repeat: int) -> float:
    logits(crops[:count])
    seconds = []
    for _ in range(3 * repeat):
        start = time.perf_counter()
        logits(crops[:count])
        seconds.append(time.perf_counter() - start)
    return min(count, len(crops)) / statistics.median(seconds)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks detect", description=__doc__)
    parser.add_argument("--models", type=Path, default=Settings.from_environment().models, help="the shelf")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="length of the clip; 0 leaves it out")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--without-classifier", action="store_true", help="leave the classifier alone out")
    return parser.parse_args(arguments)
