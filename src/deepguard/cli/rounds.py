"""Photos of a board, one after the other: each result is written down as it comes, and one failure ends nothing."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import click
import torch

from deepguard.cli.batch import shown
from deepguard.cli.progress import Display, duration
from deepguard.cli.tables import console_for, say
from deepguard.errors import DeepguardError, ImageTooLarge, InputError, NoFace
from deepguard.media.files import pictures_below, write
from deepguard.media.picture import Picture
from deepguard.media.read import read_picture
from deepguard.prove.board.journal import Journal
from deepguard.prove.board.records import Absent
from deepguard.prove.board.tables import counted
from deepguard.types import Watch

_PATH = click.Path(path_type=Path)


def board_options(out: str, images: str) -> Callable[[Any], Any]:
    """Return a decorator that adds what every board's command takes: --images, --out, --seed and --device.

    `out` is the usual folder of the results, `images` the help text of --images, which is passed on as `places`.
    """
    added = (
        click.option("--images", "places", type=_PATH, multiple=True, required=True, help=images),
        click.option("--out", type=_PATH, default=Path(out), show_default=True, help="Folder of the results."),
        click.option(
            "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of all chance."
        ),
        click.option("--device", help="cpu, cuda or cuda:1; otherwise a GPU where there is one."),
    )
    return lambda command: reduce(lambda done, option: option(done), reversed(added), command)


def write_board(file: Path, body: Any, page: Path, markdown: str) -> None:
    """Write a board's JSON values and its page."""
    for path, text in ((file, json.dumps(body, indent=1, ensure_ascii=False)), (page, markdown)):
        write(path, text.encode("utf-8", "backslashreplace"))


@dataclass
class Rounds:
    """The photos of one call.

    Attributes:
        photos: name -> file.
        journal: what is known from an earlier run, and what comes.
        measure: number from 0, name, photo and watch -> what came of it, or why it is left out.
        page: where the board lies once it is written, for the last sentence.
        entries: what came of each photo so far.
        failed: photos that could not be measured.
    """

    photos: Mapping[str, Path]
    journal: Journal
    measure: Callable[[int, str, Picture, Watch], Any]
    page: Path
    entries: list[Any] = field(default_factory=list)
    failed: list[Absent] = field(default_factory=list)

    def run(self, write: Callable[[bool], None]) -> int:
        """Measure all photos, write the board, and return the exit code.

        `write` is told whether the run came to its end: Ctrl-C leaves a board of what was done.
        """
        console = console_for()
        if self.journal.entries:
            known = counted(len(self.journal.entries), "photo")
            say(console, f"{known} known from an earlier run in {shown(self.page.parent)}")
        try:
            self._all()
        except KeyboardInterrupt:
            write(False)
            raise
        write(True)
        say(console, f"written: {shown(self.page)} and {shown(self.page.with_suffix('.json').name)}")
        return 1 if self.failed else 0

    def _all(self) -> None:
        start, measured_now = time.monotonic(), 0
        for number, (name, path) in enumerate(self.photos.items(), start=1):
            try:
                new = self._one(number, name, path)
            except DeepguardError as error:
                self.failed.append(Absent(name, str(error)))
                say(console_for(stderr=True), f"deepguard: {shown(name)}: {shown(str(error))}")
                continue
            left = len(self.photos) - number
            if new and not measured_now and left:
                pace = duration(left * (time.monotonic() - start))
                say(console_for(), f"the other {left} at this pace: about {pace}")
            measured_now += new

    def _one(self, number: int, name: str, path: Path) -> bool:
        """Take a photo from the journal, or measure it and write it there; tell whether it was measured now."""
        picture = read_picture(path)
        known = self.journal.entry(name, picture.sha256)
        if known is not None:
            self.entries.append(known)
            return False
        console, title = console_for(), f"[{number}/{len(self.photos)}] {shown(name)}"
        with Display(console, title) as watch:
            try:
                entry = self.measure(number - 1, name, picture, watch)
            except NoFace as error:
                entry = Absent(name, str(error), picture.sha256)
            except (MemoryError, torch.OutOfMemoryError) as error:
                raise ImageTooLarge(
                    "there is not enough memory for this picture; make it smaller and try again"
                ) from error
        absent = isinstance(entry, Absent)
        if absent:
            say(console, f"{title}: left out, {entry.reason}")
        self.journal.add(entry)
        self.entries.append(entry)
        return not absent


def photos_in(places: Sequence[Path]) -> dict[str, Path]:
    """Return every photo by its name with its folder's; InputError where there is none."""
    found: dict[Path, str] = {}
    for place in places:
        root = place.resolve()
        for path in pictures_below(place) if place.is_dir() else [place]:
            inside = path.relative_to(place) if place.is_dir() else Path(path.name)
            folder = root.name if place.is_dir() else root.parent.name
            found.setdefault(path.resolve(), str(Path(folder) / inside))
    if not found:
        raise InputError(f"no JPEG, PNG, WebP, TIFF, BMP or HEIC photo is in {', '.join(map(str, places))}")
    photos: dict[str, Path] = {}
    for path, name in found.items():
        # two folders of one name may hold files of one name
        photos[name if name not in photos else str(path)] = path
    return photos


def machine(device: torch.device) -> str:
    """Return what figures of time were measured on."""
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{device} with {torch.get_num_threads()} threads, {platform.machine()}; {versions}"


BYTES = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts the largest resident memory."""
