"""How well faces are hidden in real photos, how visibly, and how fast: `deepguard bench protect`, and where it ran."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks._machine import place
from deepguard.cli.bench import PAGE, protect
from deepguard.media.sample import sample_file

PORTRAITS = Path("../shared/data/portraits")
"""Press photos with one to three large faces; the sample photo stands for them where they are not here."""


def main(arguments: Sequence[str]) -> None:
    """Print the board in Markdown. Options are those of `deepguard bench protect`; `--images` may be left out."""
    print(place(), end="\n\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        images = PORTRAITS if PORTRAITS.is_dir() else sample_file()
        words = ["--images", str(images), *arguments] if "--images" not in arguments else list(arguments)
        out = Path(words[words.index("--out") + 1]) if "--out" in words else Path(folder)
        _ended(["--out", str(out), *words])
        print((out / PAGE).read_text(encoding="utf-8"))


def _ended(words: Sequence[str]) -> None:
    """Run the command; a photo that failed is named in its board, and other benchmarks go on."""
    try:
        protect.main(list(words), prog_name="deepguard bench protect", standalone_mode=False)
    except SystemExit as end:
        if end.code not in {0, 1}:
            raise
