"""Finding: which faces a picture has, and which detectors see them, so that a user can choose."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from deepguard import api
from deepguard.media.read import decode
from deepguard.media.shown import shown
from deepguard.service.kinds.roles import Ability, Done, Made, Work, kinds
from deepguard.service.loaded import missing, models
from deepguard.types import Face
from deepguard.weights.shelf import Shelf

SCHEMA = "deepguard/faces/1"
PREVIEW_SIDE, PREVIEW_QUALITY = 1280, 85


class Find:
    """Looks for faces with all detectors that are at hand."""

    spans: Mapping[str, tuple[float, float]] = MappingProxyType({"looking for faces": (0.0, 1.0)})

    def ability(self, shelf: Shelf) -> Ability:
        """Return what may be asked of it: it has no options."""
        return Ability(
            name="find",
            summary="Find the faces of a picture, to choose which of them to protect.",
            schema={
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {},
                "additionalProperties": False,
            },
            presets=(),
            seconds={"": (0.5, 1.0)},
            results=("faces", "preview"),
            missing=missing(shelf),
        )

    def run(self, work: Work) -> Done:
        """Return the faces from left to right, counted as by the option `faces` of protecting, and a preview."""
        picture = decode(work.file.read_bytes(), name=work.name, limit=work.pixels)
        loaded = models(work.shelf, work.device)
        found = api.find(picture, loaded, work.watch)
        body = {
            "schema": SCHEMA,
            "width": picture.width,
            "height": picture.height,
            "detectors": list(loaded.detectors),
            "faces": [_described(number, each) for number, each in enumerate(found, start=1)],
        }
        faces = Made("faces", "faces.json", "application/json", json.dumps(body, indent=2).encode())
        small = shown(picture, picture.images, quality=PREVIEW_QUALITY, longest=PREVIEW_SIDE)
        return Done(
            (faces, Made("preview", "preview.jpg", "image/jpeg", small)),
            {
                "megapixels": picture.width * picture.height / 1e6,
                "faces": len(found),
                "found_before": sum(len(each.detectors) for each in found),
                "device": str(work.device),
                "missing": list(loaded.missing),
            },
        )


def _described(number: int, found: api.Found) -> dict[str, Any]:
    face: Face = found.face
    box = face.box
    return {
        "number": number,
        "box": {"x": box.left, "y": box.top, "width": box.width, "height": box.height},
        "score": face.score,
        "landmarks": [list(point) for point in face.landmarks],
        "detectors": list(found.detectors),
        "large_enough": found.large,
    }


@kinds.register("find")
def find(paths: Sequence[Path], device: torch.device) -> Find:
    """Which faces a picture has, and which detectors see them."""
    return Find()
