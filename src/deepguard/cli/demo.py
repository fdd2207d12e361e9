"""`deepguard demo`: the whole way with one photo."""

from __future__ import annotations

from pathlib import Path

import click

from deepguard.cli.batch import Batch, Work
from deepguard.media.files import write
from deepguard.media.sample import sample_file


@click.command()
@click.argument("photo", required=False, type=click.Path(path_type=Path))
@click.option(
    "--out-dir",
    type=click.Path(path_type=Path),
    default=Path("out"),
    show_default=True,
    help="Folder for the results.",
)
def demo(photo: Path | None, out_dir: Path) -> None:
    """Protect PHOTO, or the sample (astronaut Eileen Collins, NASA, public domain), and show the difference.

    Writes the protected picture, a before / after / difference picture and the report into the folder.
    """
    source = photo or sample(out_dir)
    stem = source.stem
    work = Work(source, out_dir, source.parent)
    batch = Batch(report=out_dir / f"{stem}.report.json", compare=out_dir / f"{stem}.comparison.png")
    raise SystemExit(batch.run([work]))


def sample(folder: Path) -> Path:
    """Copy the sample photo into a folder and return its path."""
    path = folder / "astronaut.png"
    write(path, sample_file().read_bytes())
    return path
