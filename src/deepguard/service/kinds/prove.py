"""Proving that a protected photo holds: what may be asked, and what comes of it.

There is one photo, the user's own; whose face swaps are tried on is chosen by id from a bundled set. What may be seen
of a swap is the sheet and the clip that `api.prove` gives, which have the band in their pixels.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from deepguard import api
from deepguard.media.files import protected_name
from deepguard.media.picture import Picture
from deepguard.media.read import decode
from deepguard.media.shown import shown
from deepguard.models.roles import encoders
from deepguard.models.swappers.roles import swappers
from deepguard.prove.counterparts import counterparts
from deepguard.prove.proof import COMBINED, DELIVERED, ORIGINAL, PROTECTED, Detection, Proof, Statement
from deepguard.service.kinds.protect import MEDIA_TYPES
from deepguard.service.kinds.roles import Ability, Done, Made, Work, kinds, saved_as
from deepguard.service.loaded import missing, missing_of, models
from deepguard.types import Progress, Watch
from deepguard.weights.shelf import Shelf

RESULTS = ("report", "sheet-ko", "sheet-en", "clip", "picture", "thumbnail")
"""`sheet-*` and `clip` where they were asked for, `picture` where the photo was protected here first."""
OF_PROTECTING = ("picture", "log")
"""Results of a job of the kind `protect` from which a proof goes on."""
MOST_STEPS = 500
LARGEST_SEED = 2**53 - 1
THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 480, 80
SECONDS = (14.0, 7.0)
"""Seconds and seconds per megapixel of a proof in figures on two cores, nine detectors, four encoders, the cheapest
swapper. Measured: 17 s of processor time for 0.26 megapixels, 39 s for 1, 68 s for 4, of which two cores need a little
more than half."""
JSON, PNG, JPEG = "application/json", "image/png", "image/jpeg"
WHOSE = "whose face it is must be stated before a sheet or a clip is made: self, or agreed"


class Prove:
    """Attacks a photo and its protected version as an abuser would, and tells what came of it."""

    spans: Mapping[str, tuple[float, float]] = MappingProxyType(
        {
            "protecting first": (0.0, 0.45),
            "looking for faces": (0.0, 0.05),
            "attacking": (0.05, 0.9),
            "checking": (0.9, 0.95),
            "writing": (0.95, 1.0),
        }
    )

    def ability(self, shelf: Shelf) -> Ability:
        """Return what may be asked of it."""
        return Ability(
            name="prove",
            summary="Attack a photo and its protected version side by side, and tell what detectors, encoders and face "
            "swappers make of both.",
            schema=_schema(),
            presets=(),
            seconds={"": SECONDS},
            results=RESULTS,
            missing={**missing(shelf), **missing_of(encoders, shelf), **missing_of(swappers, shelf)},
            of={"protect": OF_PROTECTING},
            bench=True,
        )

    def run(self, work: Work) -> Done:
        """Return the report, and what may be seen where whose face it is was stated."""
        options = options_from(work)
        api.check_proof(options)
        original = decode(work.file.read_bytes(), name=work.name, limit=work.pixels)
        loaded = models(work.shelf, work.device)
        pair = _pair(work, original, loaded)
        names = work.name, pair.made.output.name
        proved = api.prove(original, pair.protected, loaded, options, made=pair.made, names=names, watch=work.watch)
        made: list[Made] = []
        for each in _made(work, proved, pair):
            made.append(each)
            work.watch(Progress("writing", len(made), len(RESULTS)))
        return Done(tuple(made), _summary(proved.report, original, options))


@dataclasses.dataclass(frozen=True)
class _Pair:
    """The protected picture, how it was made, and its file where it was made here."""

    protected: Picture
    made: api.Report
    file: bytes | None = None


def options_from(work: Work) -> api.ProveOptions:
    """Return the library's options for those of the API, which fit the schema."""
    values = work.options
    usual = api.ProveOptions()
    said = values.get("statement")
    at = str(work.facts.get("created", datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")))
    return dataclasses.replace(
        usual,
        swappers=tuple(values.get("swappers", usual.swappers)),
        counterpart=values.get("counterpart", usual.counterpart),
        # JSON schema counts 5.0 as an integer
        steps=int(values["steps"]) if "steps" in values else usual.steps,
        seed=int(values.get("seed", 0)),
        sheet=values.get("sheet", False),
        clip=values.get("clip", False),
        statement=Statement(said, at) if said else None,
    )


def _schema() -> dict[str, Any]:
    shown = {"anyOf": [_asked("sheet"), _asked("clip")]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {**_choices(), **_views()},
        "additionalProperties": False,
        "if": shown,
        "then": {"required": ["statement"], "description": WHOSE},
    }


def _asked(name: str) -> dict[str, Any]:
    return {"properties": {name: {"const": True}}, "required": [name]}


def _choices() -> dict[str, Any]:
    usual = api.ProveOptions()
    return {
        "of": {
            "type": "string",
            "maxLength": 36,
            "description": "id of a finished job of the kind protect about the same upload; left out: the photo is "
            "protected first, with the usual options",
        },
        "swappers": {
            "type": "array",
            "items": {"enum": list(swappers.names())},
            "minItems": 1,
            "uniqueItems": True,
            "default": list(usual.swappers),
            "description": "face swappers to try",
        },
        "counterpart": {
            "enum": list(counterparts()),
            "default": usual.counterpart,
            "description": "the bundled face on which swaps are tried; nobody brings one",
        },
        "steps": {
            "type": "integer",
            "minimum": 1,
            "maximum": MOST_STEPS,
            "description": "steps of training of swappers that are trained on the spot; left out: their usual number",
        },
        "seed": {
            "type": "integer",
            "minimum": 0,
            "maximum": LARGEST_SEED,
            "default": 0,
            "description": "of all chance; both arms meet the same",
        },
    }


def _views() -> dict[str, Any]:
    return {
        "sheet": {
            "type": "boolean",
            "default": False,
            "description": "also make a sheet to look at, in Korean and English; needs `statement`",
        },
        "clip": {
            "type": "boolean",
            "default": False,
            "description": "also make a clip of at most 5 seconds; needs `statement`",
        },
        "statement": {
            "enum": ["self", "agreed"],
            "description": "whose face it is: your own, or somebody's who agreed; it is recorded",
        },
    }


def _pair(work: Work, original: Picture, loaded: api.Models) -> _Pair:
    """Return the protected picture of the job that `of` names; without one, protect the photo now."""
    if not work.earlier:
        done = api.protect(original, loaded, name=work.name, watch=_first(work.watch))
        name = protected_name(saved_as(work.name), original.coding.container)
        output = dataclasses.replace(done.report.output, name=name)
        return _Pair(decode(done.data), dataclasses.replace(done.report, output=output), done.data)
    data = work.earlier["picture"].read_bytes()
    report = api.report_from(json.loads(work.earlier["log"].read_bytes()))
    return _Pair(decode(data, name=report.output.name, limit=work.pixels), report)


def _first(watch: Watch) -> Watch:
    """Return what tells of protecting as of the first part of the work."""

    def told(progress: Progress) -> None:
        watch(Progress("protecting first", progress.done, progress.total, progress.found))

    return told


def _made(work: Work, proved: api.Proved, pair: _Pair) -> Iterator[Made]:
    stem = saved_as(work.name).stem
    body = {**proved.report.as_json(), "job": {**work.facts, "options": dict(work.options)}}
    text = json.dumps(body, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")
    yield Made("report", f"{stem}.proof.json", JSON, text)
    for language, data in proved.sheets.items():
        yield Made(f"sheet-{language}", f"{stem}.proof.{language}.png", PNG, data)
    if proved.clip is not None:
        yield Made("clip", f"{stem}.proof.mp4", "video/mp4", proved.clip)
    if pair.file is not None:
        yield Made("picture", pair.made.output.name, MEDIA_TYPES[pair.protected.coding.container], pair.file)
    small = shown(pair.protected, pair.protected.images, quality=THUMBNAIL_QUALITY, longest=THUMBNAIL_SIDE)
    yield Made("thumbnail", f"{stem}.thumbnail.jpg", JPEG, small)


def _summary(proof: Proof, original: Picture, options: api.ProveOptions) -> dict[str, Any]:
    """Return what lists and statistics show: as of protecting, how often detectors find a face, before and after."""
    rows = [each for each in proof.detections if each.detector != COMBINED]
    return {
        "width": original.width,
        "height": original.height,
        "megapixels": original.width * original.height / 1e6,
        "faces": len(proof.faces),
        "detectors": len(rows),
        "found_before": _finds(rows, ORIGINAL),
        "found_after": _finds(rows, PROTECTED),
        "sheet": options.sheet,
        "device": proof.device,
        "missing": list(proof.missing),
        "notes": [dataclasses.asdict(note) for note in proof.notes],
    }


def _finds(rows: Sequence[Detection], arm: str) -> int:
    return sum(sum(row.found[arm][DELIVERED]) for row in rows)


@kinds.register("prove")
def prove(paths: Sequence[Path], device: torch.device) -> Prove:
    """What an abuser would get from a photo and from its protected version."""
    return Prove()
