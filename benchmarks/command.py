"""How long the command takes as a whole process, and how much memory it holds at most."""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from torch.nn import functional

from benchmarks._machine import memory, place
from deepguard.cli.demo import sample_file
from deepguard.media.codec import resample
from deepguard.media.encode import encode
from deepguard.media.picture import Picture
from deepguard.media.read import read_picture
from deepguard.settings import Settings

PORTRAIT = Path("../shared/data/portraits/obama.jpg")
"""One face in 910 x 1137 pixels."""

LAUNCHER = """
import resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""A small process between: on Linux a child's largest resident set begins with its parent's, which holds torch."""


def main(arguments: Sequence[str]) -> None:
    """Print the section in Markdown."""
    options = _options(arguments)
    print("## The command", end="\n\n")
    print("Whole processes, Python's start and torch's import included: `python -m benchmarks command`.", end="\n\n")
    print(place(), end="\n\n")
    print(f"| command | seconds, median of {options.repeat} | all | peak memory |\n|---|--:|---|--:|")
    environment = {**os.environ, "DEEPGUARD_MODELS": str(options.models)}
    with tempfile.TemporaryDirectory() as folder:
        photo = options.photo or _photo(Path(folder))
        shown = read_picture(photo)
        protect = ["protect", str(photo), "--out-dir", folder, *options.set]
        title = f"deepguard protect, {photo.name}, {shown.width} x {shown.height}"
        runs = {"deepguard --help": ["--help"], " ".join((title, *options.set)): protect}
        for size in options.megapixels:
            wide = str(_framed(shown, size, Path(folder)))
            runs[f"the same in a frame, {size:g} megapixels"] = ["protect", wide, "--out-dir", folder, *options.set]
        for name, words in runs.items():
            print(row(name, [timed(words, environment) for _ in range(options.repeat)]), flush=True)


def timed(words: Sequence[str], environment: dict[str, str]) -> tuple[float, int]:
    """Run the command with these words; return its seconds and its largest resident set, as the system counts it.

    A failing command ends the benchmark.
    """
    ask = [sys.executable, "-c", LAUNCHER, sys.executable, "-m", "deepguard", *words]
    done = subprocess.run(ask, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"deepguard {' '.join(words)} ended with {done.returncode}")
    seconds, largest = done.stdout.split()
    return float(seconds), int(largest)


def row(name: str, runs: Sequence[tuple[float, int]]) -> str:
    """Return one line of the table in Markdown."""
    seconds = [each for each, _ in runs]
    each = ", ".join(f"{value:.2f}" for value in seconds)
    return f"| {name} | {statistics.median(seconds):.2f} | {each} | {memory(max(size for _, size in runs))} |"


def _framed(picture: Picture, megapixels: float, folder: Path) -> Path:
    """Write the photo in the middle of a plain grey one of that size: the same face in a larger picture."""
    side = round((megapixels * 1e6) ** 0.5)
    across, down = max(0, side - picture.width), max(0, side - picture.height)
    frame = (across // 2, across - across // 2, down // 2, down - down // 2)
    path = folder / f"framed-{megapixels:g}.png"
    wide = dataclasses.replace(read_picture(sample_file()), images=functional.pad(picture.images, frame, value=0.5))
    path.write_bytes(encode(wide, wide.images))
    return path


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks command", description=__doc__)
    parser.add_argument("--photo", type=Path, help=f"otherwise {PORTRAIT}, or the sample photo at 1000 px")
    parser.add_argument("--models", type=Path, default=Settings.from_environment().models, help="the shelf")
    parser.add_argument("--megapixels", type=float, nargs="*", default=[4, 12], help="frames around the photo")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("set", nargs="*", help="further words for protect, after --")
    return parser.parse_args(arguments)


def _photo(folder: Path) -> Path:
    """Return the portrait, or write the sample photo enlarged to a megapixel."""
    if PORTRAIT.is_file():
        return PORTRAIT
    sample = read_picture(sample_file())
    large = dataclasses.replace(sample, images=resample(sample.images, (1000, 1000)))
    path = folder / "astronaut-1000.png"
    path.write_bytes(encode(large, large.images))
    return path
