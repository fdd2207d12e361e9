"""A worker with one more kind of job: it rests, so that all other time is the service's own."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import torch

from deepguard.service import worker
from deepguard.service.kinds.roles import Ability, Done, Kind, Made, Work, kinds
from deepguard.weights.shelf import Shelf


class Rest:
    """Wait for `seconds` and give the file back."""

    spans: Mapping[str, tuple[float, float]] = MappingProxyType({})

    def ability(self, shelf: Shelf) -> Ability:
        """Return what may be asked."""
        seconds = {"type": "number", "minimum": 0, "maximum": 60, "default": 0, "description": "how long to rest"}
        schema = {"type": "object", "properties": {"seconds": seconds}, "additionalProperties": False}
        return Ability("rest", "Do nothing for a while.", schema, (), {"": (1.0, 0.0)}, ("picture",), {})

    def run(self, work: Work) -> Done:
        """Rest."""
        time.sleep(work.options.get("seconds", 0))
        return Done((Made("picture", "rested.jpg", "image/jpeg", work.file.read_bytes()),), {})


@kinds.register("rest")
def rest(files: Sequence[Path], device: torch.device) -> Kind:
    """Do nothing for a while."""
    return Rest()


if __name__ == "__main__":
    sys.exit(worker.main(sys.argv[1:]))
