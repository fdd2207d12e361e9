"""Writes the mean of two files of weights of one network, such as those before and after the attacks of a run.

python training/mean.py ONE.safetensors OTHER.safetensors MEAN.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors.torch import load_file, save_file


def main() -> None:
    """Write the mean in half precision, as a run keeps its best weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("one", "other", "mean"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    one, other = load_file(given.one), load_file(given.other)
    mean = {
        name: ((value.float() + other[name].float()) / 2).half() if value.is_floating_point() else value
        for name, value in one.items()
    }
    save_file({name: value.contiguous() for name, value in mean.items()}, given.mean)


if __name__ == "__main__":
    main()
