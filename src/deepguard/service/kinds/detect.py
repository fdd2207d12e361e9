"""Judging whether the faces of a picture or clip are real: what may be asked, and what comes of it."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from deepguard import api
from deepguard.errors import ClipTooLarge, OptionError
from deepguard.forensics.evidence import Shot, record
from deepguard.forensics.report import Detection
from deepguard.forensics.sheet import MOST_SHOTS, document
from deepguard.forensics.verdict import FaceVerdict, TrackVerdict, Word
from deepguard.media.clip import Clip
from deepguard.media.read import decode
from deepguard.media.signatures import ENOUGH_OF_CLIPS, is_clip
from deepguard.media.strip import close_up, small, strip
from deepguard.media.video import open_clip
from deepguard.models.roles import classifiers
from deepguard.service.kinds.roles import Ability, Done, Made, Work, kinds, saved_as
from deepguard.service.loaded import judges, missing_classifiers
from deepguard.types import Images, Progress
from deepguard.weights.shelf import Shelf

RESULTS = ("report", "evidence", "evidence-json", "preview", "thumbnail", "heat", "frames")
"""`heat` is there where something was judged, `frames` for clips."""
PREVIEW, THUMBNAIL, HEAT = 1280, 480, 224
"""Pixels of a picture's longer side, and of each heat map in the sheet of all."""
FRAME = (192, 108)
"""Pixels of each frame in the sheet of frames."""
MOST_TILES = 240
"""Frames and faces that a sheet shows at most."""
JPEG, JSON, PDF = "image/jpeg", "application/json", "application/pdf"
SECONDS = (1.2, 0.25)
"""Seconds and seconds per megapixel for a picture on two cores: measured 0.5 s for 0.26 megapixels, models loaded."""
CLIP_SECONDS = (6.0, 0.2)
"""Seconds and seconds per megabyte for a clip of which the usual number of frames is looked at: measured 6 s of one
core for 32 frames of a clip of 0.35 MB."""


class Detect:
    """Judges the faces of one picture, or the people of one clip."""

    spans: Mapping[str, tuple[float, float]] = MappingProxyType(
        {
            "reading the file": (0.0, 0.04),
            "looking for scenes": (0.04, 0.2),
            "looking for faces": (0.04, 0.2),
            "judging": (0.2, 0.9),
            "writing": (0.9, 1.0),
        }
    )

    def ability(self, shelf: Shelf) -> Ability:
        """Return what may be asked of it: who judges, and how many frames of a clip."""
        return Ability(
            name="detect",
            summary="Judge whether the faces of a photo or clip are real, with reasons, or say that it cannot be told.",
            schema=_schema(),
            presets=(),
            seconds={"": SECONDS},
            results=RESULTS,
            missing=missing_classifiers(shelf),
            still=0.3,
            grows={"frames": {"": api.FRAMES}, "classifiers": {"": len(api.USUAL)}},
            clips=CLIP_SECONDS,
        )

    def run(self, work: Work) -> Done:
        """Return the report, the evidence file, and what shows both."""
        options = _options(work)
        api.check_detection(options)
        clip = _clip(work)
        loaded = judges(work.shelf, work.device, options.classifiers or ())
        found = api.detect(work.file, loaded, options, name=work.name, limit=work.pixels, watch=work.watch)
        scenes = _Scenes(work, found, clip)
        made: list[Made] = []
        for each in _made(work, found, scenes):
            made.append(each)
            work.watch(Progress("writing", len(made), len(RESULTS)))
        made.sort(key=lambda each: RESULTS.index(each.name))
        return Done(tuple(made), _summary(work, found.report))


def _schema() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "classifiers": {
                "type": "array",
                "items": {"enum": list(classifiers.names())},
                "minItems": 1,
                "uniqueItems": True,
                "default": list(api.USUAL),
                "description": "classifiers that judge; the first calibrated one decides",
            },
            "frames": {
                "type": "integer",
                "minimum": 1,
                "maximum": api.MOST_FRAMES,
                "default": api.FRAMES,
                "description": "how many frames of a clip are looked at, spread over its whole length",
            },
        },
        "additionalProperties": False,
    }


def _options(work: Work) -> api.DetectOptions:
    # JSON schema counts 32.0 as an integer
    frames = int(work.options.get("frames", min(api.FRAMES, work.clip_frames)))
    if frames > work.clip_frames:
        raise OptionError(f"at most {work.clip_frames:g} frames of a clip are looked at here; ask for fewer")
    chosen = tuple(work.options.get("classifiers", ()))
    return api.DetectOptions(classifiers=chosen or None, frames=frames, heat=True)


def _clip(work: Work) -> Clip | None:
    """Return the clip that the file is, looked over; None where it is a picture."""
    with work.file.open("rb") as stream:
        if not is_clip(stream.read(ENOUGH_OF_CLIPS)):
            return None
    clip = open_clip(work.file, watch=work.watch)
    if clip.duration > work.clip_seconds:
        raise ClipTooLarge(
            f"the clip is {float(clip.duration) / 60:.0f} minutes long and the limit here is "
            f"{work.clip_seconds / 60:g}; cut out the part that matters and send that"
        )
    return clip


class _Scenes:
    """The pictures behind a verdict: the photo, or the frames of a clip that were looked at."""

    def __init__(self, work: Work, found: api.Detected, clip: Clip | None) -> None:
        self._found = found
        self._report = found.report
        self._clip = clip
        self._photo: Images | None = None
        if clip is None:
            self._photo = decode(work.file.read_bytes(), name=work.name, limit=work.pixels).images

    @property
    def times(self) -> list[float]:
        """Times of the frames in the sheet, in seconds; none for a photo."""
        if self._clip is None:
            return []
        times = [each.time for each in self._report.frames]
        step = max(1, -(-len(times) // MOST_TILES))
        return times[::step]

    def whole(self, longest: int) -> bytes:
        """Return the photo, or the frame that speaks most, as JPEG."""
        if self._photo is not None:
            return small(self._photo, longest, quality=85)
        first = max(self._report.frames, key=lambda each: each.probability or 0.0, default=None)
        frames = self._at([first.time if first else 0.0], longest)
        return small(frames[0], longest, quality=85)

    def sheet(self) -> bytes | None:
        """Return the frames that were looked at, side by side; None for a photo."""
        frames = self._at(self.times, max(FRAME)) if self.times else []
        return strip(frames, *FRAME) if frames else None

    def heat(self) -> bytes | None:
        """Return the heat maps side by side, by number; None where nothing was judged."""
        tiles = [self._found.heat[number] for number in sorted(self._found.heat)[:MOST_TILES]]
        return strip(tiles, HEAT, HEAT, quality=82) if tiles else None

    def shots(self) -> Iterator[Shot]:
        """Yield the faces or moments that speak most, the loudest face or person first."""
        verdicts: Sequence[FaceVerdict | TrackVerdict] = self._report.faces or self._report.tracks
        ranked = sorted(verdicts, key=lambda each: (each.word is Word.CANNOT_JUDGE, -(each.probability or 0.0)))
        for each in ranked[:MOST_SHOTS]:
            heat = self._found.heat.get(each.number)
            shown = small(heat, HEAT, quality=85) if heat else None
            if isinstance(each, TrackVerdict):
                yield from self._moments(each, shown)
            elif self._photo is not None:
                yield Shot(each.number, close_up(self._photo, each.face.box, HEAT), shown)

    def _moments(self, track: TrackVerdict, heat: bytes | None) -> Iterator[Shot]:
        loud = track.loudest[:3] or tuple(each.time for each in track.sightings[:1])
        for place, time in enumerate(loud):
            sighting = min(track.sightings, key=lambda each: abs(each.time - time))
            for frame in self._at([time], None):
                # the heat map is of the frame that speaks most
                yield Shot(track.number, close_up(frame, sighting.face.box, HEAT), None if place else heat, time)

    def _at(self, times: Sequence[float], longest: int | None) -> list[Images]:
        """Return a clip's frames at these times, none of a photo."""
        if self._clip is None:
            return []
        wanted = [Fraction(time).limit_denominator(1_000_000) for time in times]
        return [frame.images for frame in self._clip.frames(wanted, longest=longest)]


def _made(work: Work, found: api.Detected, scenes: _Scenes) -> Iterator[Made]:
    report, stem = found.report, saved_as(work.name).stem
    moment = datetime.datetime.now().astimezone()
    heat, sheet = scenes.heat(), scenes.sheet()
    sheets = {
        "heat": {"width": HEAT, "height": HEAT, "numbers": sorted(found.heat)[:MOST_TILES]},
        "frames": {"width": FRAME[0], "height": FRAME[1], "times": scenes.times},
    }
    body = {**report.as_json(), "sheets": sheets, "job": {**work.facts, "options": dict(work.options)}}
    yield Made("report", f"{stem}.detection.json", JSON, _json(body))
    yield Made("preview", f"{stem}.preview.jpg", JPEG, scenes.whole(PREVIEW))
    yield Made("thumbnail", f"{stem}.thumbnail.jpg", JPEG, scenes.whole(THUMBNAIL))
    if heat is not None:
        yield Made("heat", f"{stem}.heat.jpg", JPEG, heat)
    if sheet is not None:
        yield Made("frames", f"{stem}.frames.jpg", JPEG, sheet)
    shots = tuple(scenes.shots())
    yield Made("evidence", f"{stem}.evidence.pdf", PDF, document(report, moment, shots))
    yield Made("evidence-json", f"{stem}.evidence.json", JSON, _json(record(report, moment)))


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _summary(work: Work, report: Detection) -> dict[str, Any]:
    facts = report.input
    clip = facts.duration is not None
    size = {"clip_megabytes": facts.bytes / 1e6} if clip else {"megapixels": facts.width * facts.height / 1e6}
    return {
        "verdict": str(report.word),
        "probability": report.probability,
        "low": report.low,
        "high": report.high,
        "faces": len(report.tracks if clip else report.faces),
        "clip": clip,
        "width": facts.width,
        "height": facts.height,
        "duration": facts.duration,
        **size,
        "device": report.device,
        "missing": list(report.missing),
        "notes": [dataclasses.asdict(note) for note in report.notes],
    }


@kinds.register("detect")
def detect(paths: Sequence[Path], device: torch.device) -> Detect:
    """Whether the faces of a photo or clip are real."""
    return Detect()
