"""Protecting a photo: what may be asked, and what comes of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import torch

from deepguard import api
from deepguard.defences.presets import NINE, PRESETS, Preset
from deepguard.defences.roles import defaults_of, defences, options_of
from deepguard.filters.photo import RANGES, Filters
from deepguard.media.comparison import comparison
from deepguard.media.encode import encode
from deepguard.media.files import MARK, protected_name
from deepguard.media.heatmap import heatmap
from deepguard.media.picture import Picture
from deepguard.media.read import decode
from deepguard.media.shown import SHOWN, shown
from deepguard.media.signatures import Container
from deepguard.models.roles import detectors, encoders
from deepguard.prove.likeness import Likeness
from deepguard.prove.proof import DELIVERED
from deepguard.prove.report import Quality, Report
from deepguard.prove.verify import Judgement
from deepguard.service.kinds.roles import Ability, Done, Made, Work, kinds, saved_as
from deepguard.service.loaded import missing, models
from deepguard.transforms.posting import POSTINGS
from deepguard.types import Box, Progress
from deepguard.weights.shelf import Shelf

RESULTS = ("picture", "view", "before", "comparison", "heatmap", "thumbnail", "log")
"""`view` is there only for containers that browsers do not show."""
VIEW_QUALITY, THUMBNAIL_QUALITY = 95, 80
THUMBNAIL_SIDE = 480
MEDIA_TYPES: Mapping[Container, str] = MappingProxyType(
    {
        "JPEG": "image/jpeg",
        "PNG": "image/png",
        "WEBP": "image/webp",
        "TIFF": "image/tiff",
        "BMP": "image/bmp",
        "HEIF": "image/heic",
    }
)
MOST_FACES = 200
LARGEST_SIDE = 1 << 20
LARGEST_SEED = 2**53 - 1
"""The largest whole number that every JSON reader keeps exactly."""
BOUNDS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "strength": {"exclusiveMinimum": 0, "maximum": 4},
        "epsilon": {"minimum": 0, "maximum": 0.25},
        "alpha": {"exclusiveMinimum": 0, "maximum": 0.25},
        "masks": {"minimum": 1, "maximum": 100},
        "keep": {"exclusiveMinimum": 0, "maximum": 1},
        "samples": {"minimum": 1, "maximum": 50},
        "apart": {"minimum": 0, "maximum": 10},
        "steps": {"minimum": 1, "maximum": 500},
        "reach": {"minimum": 0, "maximum": 2},
        "cells": {"minimum": 8, "maximum": 1024},
        "jitter": {"minimum": 1, "maximum": 3},
        "momentum": {"minimum": 0, "maximum": 1},
        "shift": {"minimum": 0, "maximum": 10},
        "shadow": {"minimum": 0, "maximum": 10},
        "goal": {"exclusiveMinimum": -0.5, "exclusiveMaximum": 1},
        "astray": {"minimum": 0, "maximum": 1},
        "most": {"exclusiveMinimum": 0, "maximum": 1},
        "first": {"minimum": 0, "maximum": 1},
        "drop": {"minimum": 0, "exclusiveMaximum": 1},
    }
)
"""Defence option -> what protects the service from work without end; another option may be any number of its type."""
SECONDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"balanced": (15.0, 4.1), "strong": (55.0, 5.0), "small-faces": (42.0, 5.0), "patient": (30.0, 6.0)}
)
"""Preset -> seconds and seconds per megapixel on two cores with one face, nine detectors and four encoders. Measured
with `balanced`: 19 s for 1 megapixel, 63 s for 12, and with `strong`: 59 s for 1; the others by their steps. Another
preset takes the first one's."""
STILL = 0.2
"""Share of `SECONDS` that neither steps nor detectors change; the rest is proportional to both. Measured on a photo of
0.26 megapixels: of the time that `balanced` took with its 50 steps and nine detectors, 5 steps took .26, 20 steps .54,
five of the nine detectors .62, MTCNN of the nine .34, RetinaFace of the nine .20, and MTCNN alone at hand .26."""
OF = "x-defaults"
"""Keyword of an option's schema: each defence that has the option -> its default there."""
_WORDS = {bool: "boolean", int: "integer", float: "number"}


class Protect:
    """Hides the faces of one photo from encoders and detectors, and measures what came of it."""

    spans: Mapping[str, tuple[float, float]] = MappingProxyType(
        {
            "looking for faces": (0.0, 0.08),
            "protect": (0.08, 0.78),
            "verifying": (0.78, 0.97),
            "writing": (0.97, 1.0),
        }
    )

    def ability(self, shelf: Shelf) -> Ability:
        """Return what may be asked of it, from the registries."""
        here = defences.available(shelf)
        lacking = missing(shelf)
        looking = max(1, len(NINE) - len(lacking))
        share = STILL + (1 - STILL) * looking / len(NINE)
        presets = tuple(_described(*each, shelf) for each in PRESETS.items() if each[1].defence in here)
        return Ability(
            name="protect",
            summary="Protect the faces of a photo: detectors and deepfake tools fail on them.",
            schema=_schema(shelf),
            presets=presets,
            seconds={name: (share * fixed, share * each) for name, (fixed, each) in _seconds().items()},
            results=RESULTS,
            missing=lacking,
            still=STILL / share,
            grows={"steps": {each["name"]: each["options"]["steps"] for each in presets}, "detectors": {"": looking}},
        )

    def run(self, work: Work) -> Done:
        """Return the protected file, what shows the change, and the report."""
        options = options_from(work.options, work.shelf)
        api.check(options)
        picture = decode(work.file.read_bytes(), name=work.name, limit=work.pixels)
        loaded = models(work.shelf, work.device, options.detectors or ())
        result = api.protect(picture, loaded, options, name=work.name, watch=work.watch)
        name = _filename(work.name, picture.coding.container)
        report = dataclasses.replace(result.report, output=dataclasses.replace(result.report.output, name=name))
        made: list[Made] = []
        total = len(RESULTS) - (picture.coding.container in SHOWN)
        for each in _made(name, picture, result, _log(report, work)):
            made.append(each)
            work.watch(Progress("writing", len(made), total))
        return Done(tuple(made), _summary(report))


def options_from(values: Mapping[str, Any], shelf: Shelf) -> api.Options:
    """Return the library's options for those of the API, which fit the schema."""
    box = values.get("box")
    known = _defence_options(shelf)
    extra = values.get("extra", {})
    return api.Options(
        preset=values.get("preset", api.Options().preset),
        defence=values.get("defence"),
        detectors=tuple(values["detectors"]) if "detectors" in values else None,
        encoders=tuple(values["encoders"]) if "encoders" in values else None,
        strength=values.get("strength"),
        steps=int(values["steps"]) if "steps" in values else None,
        through=values.get("through"),
        faces=tuple(int(number) for number in values.get("faces", ())),
        box=Box(box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]) if box else None,
        # JSON schema counts 5.0 as an integer
        extra={key: int(value) if known[key]["type"] == "integer" else value for key, value in extra.items()},
        seed=int(values.get("seed", 0)),
        filters=Filters(**values.get("filters", {})),
    )


def _seconds() -> dict[str, tuple[float, float]]:
    first = next(iter(SECONDS.values()))
    return {"": first, **{name: SECONDS.get(name, first) for name in PRESETS}}


def _schema(shelf: Shelf) -> dict[str, Any]:
    known = _defence_options(shelf)
    extra = {
        "type": "object",
        "properties": {key: schema for key, schema in known.items() if key not in _top_level()},
        "additionalProperties": False,
        "default": {},
        "description": "further options of the defence",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            **_choices(),
            **_places(),
            **{key: schema for key, schema in known.items() if key in _top_level()},
            "extra": extra,
            "seed": {
                "type": "integer",
                "minimum": 0,
                "maximum": LARGEST_SEED,
                "default": 0,
                "description": "of all chance; the same seed gives the same picture",
            },
            "filters": _filters(),
        },
        "additionalProperties": False,
    }


def _choices() -> dict[str, Any]:
    return {
        "preset": {
            "enum": list(PRESETS),
            "default": api.Options().preset,
            "description": "named set of options; the others replace what it says",
        },
        "defence": {"enum": list(defences.names()), "description": "the recipe; left out: the preset's"},
        "detectors": {
            "type": "array",
            "items": {"enum": list(detectors.names())},
            "minItems": 1,
            "uniqueItems": True,
            "description": "detectors to hide from; left out: the preset's, as far as their weights are here, and the "
            "usual nine where no encoder is attacked",
        },
        "encoders": {
            "type": "array",
            "items": {"enum": list(encoders.names())},
            "uniqueItems": True,
            "description": "encoders that are to take the faces for strangers', or none; left out: the preset's, as "
            "far as their weights are here",
        },
        "through": {
            "enum": ["any", "none", *POSTINGS],
            "description": "what the picture must survive: a way of posting it, any, or none; left out: the preset's",
        },
    }


def _places() -> dict[str, Any]:
    size = {"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST_SIDE}
    place = {"type": "number", "minimum": 0, "maximum": LARGEST_SIDE}
    return {
        "faces": {
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": 100_000},
            "maxItems": MOST_FACES,
            "uniqueItems": True,
            "default": [],
            "description": "which faces to protect, counted from 1, left to right; empty: all",
        },
        "box": {
            "type": "object",
            "properties": {"x": place, "y": place, "width": size, "height": size},
            "required": ["x", "y", "width", "height"],
            "additionalProperties": False,
            "description": "a face that is drawn by hand, in pixels of the upright picture; replaces the search",
        },
    }


def _filters() -> dict[str, Any]:
    helps = {
        "brightness": "darker or brighter",
        "contrast": "flatter or harder",
        "saturation": "grey to twice as colourful; left out for a grey photo",
        "warmth": "bluer or redder; left out for a grey photo",
        "sharpen": "sharper edges",
    }
    numbers = {
        name: {"type": "number", "minimum": least, "maximum": most, "default": 0, "description": helps[name]}
        for name, (least, most) in RANGES.items()
    }
    blur = {
        "type": "boolean",
        "default": False,
        "description": "make faces unrecognisable that were found and are not protected",
    }
    return {
        "type": "object",
        "properties": {**numbers, "blur_others": blur},
        "additionalProperties": False,
        "default": {},
        "description": "what is done to the photo before it is protected; faces are counted in the photo as sent",
    }


def _top_level() -> set[str]:
    return {each.name for each in dataclasses.fields(api.Options)}


def _defence_options(shelf: Shelf) -> dict[str, dict[str, Any]]:
    """Return the JSON schema of every option that a defence here has, by name; `OF` tells which ones have it."""
    found: dict[str, dict[str, Any]] = {}
    for defence in defences.available(shelf):
        recipe = defences.create(defence, shelf, torch.device("cpu"))
        helps = options_of(recipe)
        for name, default in defaults_of(recipe).items():
            if name not in found:
                found[name] = _described_option(name, default, helps[name])
            found[name][OF][defence] = default
    return found


def _described_option(name: str, default: float | int | bool, help_text: str) -> dict[str, Any]:
    described = {"type": _WORDS[type(default)], **BOUNDS.get(name, {}), "description": help_text, OF: {}}
    if name in _top_level():
        return {**described, "description": f"{help_text}; left out: the preset's"}
    return {**described, "default": default}


def _described(name: str, chosen: Preset, shelf: Shelf) -> dict[str, Any]:
    recipe = defences.create(chosen.defence, shelf, torch.device("cpu"))
    values = {**defaults_of(recipe), **chosen.options}
    top = {key: value for key, value in values.items() if key in _top_level()}
    extra = {key: value for key, value in values.items() if key not in _top_level()}
    options = {"preset": name, "defence": chosen.defence, "through": chosen.through, **top, "extra": extra}
    return {"name": name, "summary": chosen.summary, "options": options}


def _made(name: str, picture: Picture, result: api.Protected, log: bytes) -> Iterator[Made]:
    """Yield the results one by one, as some take their time; `name` is the protected file's."""
    path, container = PurePosixPath(name), picture.coding.container
    stem, plain = path.stem, path.stem.removesuffix(MARK)
    kind, jpeg = MEDIA_TYPES[container], MEDIA_TYPES["JPEG"]
    boxes = [result.report.faces[index - 1].box for index in result.report.chosen]
    yield Made("picture", name, kind, result.data)
    if container in SHOWN:
        yield Made("before", f"{plain}.before{path.suffix}", kind, encode(picture, result.before, protected=False))
    else:
        yield Made("view", f"{stem}.view.jpg", jpeg, shown(picture, result.after, quality=VIEW_QUALITY))
        yield Made("before", f"{plain}.before.jpg", jpeg, shown(picture, result.before, quality=VIEW_QUALITY))
    yield Made("comparison", f"{stem}.comparison.png", "image/png", comparison(result.before, result.after, boxes))
    yield Made("heatmap", f"{stem}.heatmap.png", "image/png", heatmap(result.before, result.after))
    small = shown(picture, result.after, quality=THUMBNAIL_QUALITY, longest=THUMBNAIL_SIDE)
    yield Made("thumbnail", f"{stem}.thumbnail.jpg", jpeg, small)
    yield Made("log", f"{stem}.json", "application/json", log)


def _filename(name: str, container: Container) -> str:
    """Return what a browser saves the result as."""
    return protected_name(saved_as(name), container)


def _log(report: Report, work: Work) -> bytes:
    facts = {**work.facts, "name": work.name, "options": dict(work.options)}
    body = {**report.as_json(), "job": facts}
    return json.dumps(body, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _summary(report: Report) -> dict[str, Any]:
    attacked = {each.name for each in report.models if each.attacked}
    judges = [each for each in report.judgements if each.detector not in attacked]
    return {
        "variant": report.preset,
        "width": report.output.width,
        "height": report.output.height,
        "megapixels": report.input.width * report.input.height / 1e6,
        "faces": len(report.chosen),
        # who was not attacked never stands in one number with who was
        **_counts([each for each in report.judgements if each.detector in attacked]),
        **({"judges": _counts(judges)} if judges else {}),
        **_known([each for each in report.likenesses if each.encoder in attacked], ""),
        **_known([each for each in report.likenesses if each.encoder not in attacked], "held_"),
        "device": report.device,
        "missing": list(report.missing),
        "ssim": _worst(report.face_quality, "ssim", min),
        "lpips": _worst(report.face_quality, "lpips", max),
        "marbling": _worst(report.face_quality, "marbling", max),
        "chroma": _worst(report.face_quality, "chroma", max),
        "format": report.output.format,
        "bytes": report.output.bytes,
        "notes": [dataclasses.asdict(note) for note in report.notes],
    }


def _counts(judgements: Sequence[Judgement]) -> dict[str, Any]:
    """Return how often the detectors found one of the faces: before, as delivered, and after each way of posting."""
    versions = judgements[0].after if judgements else (DELIVERED,)
    found = {name: sum(sum(each.after[name].found) for each in judgements) for name in versions}
    return {
        "detectors": len(judgements),
        "found_before": sum(sum(each.before) for each in judgements),
        "found_after": found.pop(DELIVERED),
        "found_posted": found,
    }


def _known(likenesses: Sequence[Likeness], whose: str) -> dict[str, int]:
    """Return how many encoders can tell, and how many of them still know one of the faces as delivered."""
    told = [each.matched(DELIVERED) for each in likenesses if None not in each.matched(DELIVERED)]
    return {f"{whose}encoders": len(told), f"{whose}known_after": sum(map(any, told))} if told else {}


def _worst(qualities: Sequence[Quality], name: str, choose: Callable[[list[float]], float]) -> float | None:
    values = [value for value in (getattr(each, name) for each in qualities) if value is not None]
    return choose(values) if values else None


@kinds.register("protect")
def protect(paths: Sequence[Path], device: torch.device) -> Protect:
    """Protect the faces of a photo."""
    return Protect()
