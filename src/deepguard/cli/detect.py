"""`deepguard detect`."""

from __future__ import annotations

from pathlib import Path

import click

from deepguard import api
from deepguard.cli.judging import Inquiry
from deepguard.cli.values import Names
from deepguard.errors import InputError
from deepguard.media.files import media_below

EXAMPLES = """
\b
Examples:
  deepguard detect photo.jpg
  deepguard detect clip.mp4 --frames 64 --heat heat/
  deepguard detect inbox/ --report verdicts.json
\b
Exit codes: 0 all judged, 1 some failed, 2 wrong usage, 3 no face found, 130 stopped
"""


@click.command(epilog=EXAMPLES)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--classifiers", type=Names(), help="Who judges; the first calibrated one decides.")
@click.option("--frames", type=int, default=api.FRAMES, show_default=True, help="Frames of a clip to look at, at most.")
@click.option("--heat", type=click.Path(path_type=Path), help="Folder for pictures of what speaks for fake.")
@click.option("--report", type=click.Path(path_type=Path), help="Write all that was found out as JSON.")
@click.option("--device", help="cpu, cuda or cuda:1; otherwise a GPU where there is one.")
@click.option("--offline", is_flag=True, help="Never use the network.")
def detect(
    paths: tuple[Path, ...],
    classifiers: tuple[str, ...] | None,
    frames: int,
    heat: Path | None,
    report: Path | None,
    device: str | None,
    offline: bool,
) -> None:
    """Judge whether the faces of photos and clips are real, and say why.

    The verdict is a word with a probability, and no proof: likely real, uncertain, likely fake, or cannot judge.
    A folder is searched for photos and clips in all its folders.
    """
    options = api.DetectOptions(classifiers=classifiers, frames=frames, heat=heat is not None)
    api.check_detection(options)
    raise SystemExit(Inquiry(options, device, report, heat, offline).run(sources(paths)))


def sources(paths: tuple[Path, ...]) -> list[Path]:
    """Return every picture and clip, each once; InputError where there is none."""
    found: dict[Path, Path] = {}
    for path in paths:
        for source in media_below(path) if path.is_dir() else [path]:
            found.setdefault(source.resolve(), source)
    if not found:
        raise InputError(f"no photo or clip is in {', '.join(map(str, paths))}")
    return list(found.values())
