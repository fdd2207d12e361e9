"""Writes the lists of pictures that the shipped classifier was trained on; run with the folders of the sets.

The sets are not part of this project: their terms are in the model card. Usage:

    python training/lists.py --dfdc FOLDER --utkface FOLDER --stylegan FOLDER --held-out FOLDER --out FOLDER
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ADULTS = range(20, 80)
Row = tuple[str, str, str]


def dfdc(folder: Path, fakes: int) -> Iterator[Row]:
    """Return the real faces of the list `metadata.csv` and up to `fakes` forgeries of each, by source video."""
    taken: dict[str, int] = {}
    with (folder.parent / "metadata.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    real = {row["videoname"] for row in rows if row["label"] == "REAL"}
    for row in rows:
        file = row["videoname"].removesuffix(".mp4") + ".jpg"
        if row["label"] == "REAL":
            yield file, "real", row["videoname"]
        elif row["original"] in real and taken.get(row["original"], 0) < fakes:
            taken[row["original"]] = taken.get(row["original"], 0) + 1
            yield file, "fake", row["original"]


def utkface(folder: Path, held_out: set[str]) -> Iterator[Row]:
    """Return the adults that are not held out."""
    for file in sorted(folder.iterdir()):
        age = re.match(r"(\d+)_[01]_[0-4]_", file.name)
        if age and int(age[1]) in ADULTS and file.name not in held_out:
            yield file.name, "real", file.name


def generated(folder: Path) -> Iterator[Row]:
    """Return made-up faces and the photos beside them, from subfolders real and ai."""
    for name, label in (("real", "real"), ("ai", "fake")):
        for file in sorted((folder / name).iterdir()):
            yield f"{name}/{file.name}", label, file.name


def write(rows: Iterable[Row], file: Path) -> None:
    """Write a list."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("file", "label", "group"))
        writer.writerows(rows)


def main() -> None:
    """Write the lists of the sets that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("dfdc", "utkface", "stylegan", "held-out", "out"):
        parser.add_argument(f"--{name}", type=Path, required=name == "out")
    parser.add_argument("--fakes", type=int, default=5, help="forgeries of one source")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    held = {file.name for file in given.held_out.iterdir()} if given.held_out else set()
    if given.dfdc:
        write(dfdc(given.dfdc, given.fakes), given.out / "dfdc.csv")
    if given.utkface:
        write(utkface(given.utkface, held), given.out / "utkface.csv")
    if given.stylegan:
        write(generated(given.stylegan), given.out / "stylegan.csv")


if __name__ == "__main__":
    main()
