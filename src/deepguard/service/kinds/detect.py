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
from deepguard.forensics.clips import LONGEST
from deepguard.forensics.evidence import Shot, record
from deepguard.forensics.report import Detection
from deepguard.forensics.sheet import MOST_SHOTS, document
from deepguard.forensics.verdict import FaceVerdict, TrackVerdict, Word
from deepguard.media.clip import Clip
from deepguard.media.read import read_picture
from deepguard.media.signatures import ENOUGH_OF_CLIPS, is_clip
from deepguard.media.strip import close_up, small, strip
from deepguard.media.video import open_clip
from deepguard.models.roles import classifiers
from deepguard.service.kinds.roles import Ability, Done, Made, Work, kinds, saved_as
from deepguard.service.loaded import judges, missing_of
from deepguard.types import Box, Frame, Images, Progress
from deepguard.weights.shelf import Shelf

RESULTS = ("report", "evidence", "evidence-json", "preview", "thumbnail", "heat", "frames")
"""`heat` is there where something was judged, `frames` for clips; the pictures where they can be read again."""
PREVIEW, HEAT = 1280, 224
"""Pixels of a picture's longer side, and of each heat map in the sheet of all."""
WHOLES = MappingProxyType({"preview": PREVIEW, "thumbnail": 480})
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
            missing=missing_of(classifiers, shelf),
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
    clip = open_clip(work.file, name=work.name, watch=work.watch)
    if clip.duration > work.clip_seconds:
        raise ClipTooLarge(
            f"the clip is {float(clip.duration) / 60:.0f} minutes long and the limit here is "
            f"{work.clip_seconds / 60:g}; cut out the part that matters and send that"
        )
    return clip


class _Scenes:
    """The pictures behind a verdict: the photo, or the frames of a clip that were looked at, read again."""

    def __init__(self, work: Work, found: api.Detected, clip: Clip | None) -> None:
        self._found = found
        self._report = found.report
        self._clip = clip
        self._photo: Images | None = None
        if clip is None:
            self._photo = read_picture(work.file, name=work.name, limit=work.pixels).images

    def wholes(self) -> dict[str, bytes]:
        """Return the photo, or the frame that speaks most, as JPEG in each size; nothing where it cannot be read."""
        shown = self._photo
        loudest = max(self._report.frames, key=lambda each: each.probability or 0.0, default=None)
        if loudest is not None:
            shown = next((frame.images for frame in self._at([loudest.time], PREVIEW)), None)
        if shown is None:
            return {}
        return {name: small(shown, longest, quality=85) for name, longest in WHOLES.items()}

    def sheet(self) -> tuple[list[float], bytes | None]:
        """Return the frames that were looked at, side by side, and their times in seconds; of a photo nothing."""
        times = [each.time for each in self._report.frames]
        step = max(1, -(-len(times) // MOST_TILES))
        frames = list(self._at(times[::step], max(FRAME)))
        tiles = strip([frame.images for frame in frames], *FRAME) if frames else None
        return [float(frame.time) for frame in frames], tiles

    def heat(self) -> bytes | None:
        """Return the heat maps side by side, by number; None where nothing was judged."""
        tiles = [self._found.heat[number] for number in sorted(self._found.heat)[:MOST_TILES]]
        return strip(tiles, HEAT, HEAT, quality=82) if tiles else None

    def shots(self) -> Iterator[Shot]:
        """Yield the faces or moments that speak most, the loudest face or person first."""
        verdicts: Sequence[FaceVerdict | TrackVerdict] = self._report.faces or self._report.tracks
        ranked = sorted(verdicts, key=lambda each: (each.word is Word.CANNOT_JUDGE, -(each.probability or 0.0)))
        moments = [moment for each in ranked[:MOST_SHOTS] for moment in _moments(each)][:MOST_SHOTS]
        pictures = self._close_ups(moments)
        for moment in moments:
            heat = self._found.heat.get(moment.number) if moment.loudest else None
            if moment in pictures:
                shown = small(heat, HEAT, quality=85) if heat else None
                yield Shot(moment.number, pictures[moment], shown, moment.time)

    def _close_ups(self, moments: Sequence[_Moment]) -> dict[_Moment, bytes]:
        """Return a picture of each moment whose frame can be read; a clip is gone through once."""
        if self._photo is not None:
            return {each: close_up(self._photo, each.box, HEAT) for each in moments}
        made = {}
        for frame in self._at([each.time for each in moments if each.time is not None], LONGEST):
            factor = frame.images.shape[-1] / self._report.input.width
            for each in moments:
                if each.time == float(frame.time):
                    made[each] = close_up(frame.images, each.box.scaled(factor), HEAT)
        return made

    def _at(self, times: Sequence[float], longest: int) -> Iterator[Frame]:
        """Yield a clip's frames at these times, none of a photo."""
        if self._clip is not None:
            wanted = [Fraction(time).limit_denominator(1_000_000) for time in times]
            yield from self._clip.frames(wanted, longest=longest)


@dataclasses.dataclass(frozen=True, slots=True)
class _Moment:
    """A face to show: of a photo (no time), or in a frame; of one person the loudest has the heat map."""

    number: int
    box: Box
    loudest: bool = True
    time: float | None = None


def _moments(verdict: FaceVerdict | TrackVerdict) -> Iterator[_Moment]:
    """Yield the moments of a face or person that speak most, loudest first."""
    if isinstance(verdict, FaceVerdict):
        yield _Moment(verdict.number, verdict.face.box)
        return
    loud = verdict.loudest[:3] or tuple(each.time for each in verdict.sightings[:1])
    for place, time in enumerate(loud):
        sighting = min(verdict.sightings, key=lambda each: abs(each.time - time))
        yield _Moment(verdict.number, sighting.face.box, place == 0, time)


def _made(work: Work, found: api.Detected, scenes: _Scenes) -> Iterator[Made]:
    report, stem = found.report, saved_as(work.name).stem
    moment = datetime.datetime.now().astimezone()
    heat, (times, sheet) = scenes.heat(), scenes.sheet()
    sheets = {
        "heat": {"width": HEAT, "height": HEAT, "numbers": sorted(found.heat)[:MOST_TILES]},
        "frames": {"width": FRAME[0], "height": FRAME[1], "times": times},
    }
    body = {**report.as_json(), "sheets": sheets, "job": {**work.facts, "options": dict(work.options)}}
    yield Made("report", f"{stem}.detection.json", JSON, _json(body))
    for name, data in scenes.wholes().items():
        yield Made(name, f"{stem}.{name}.jpg", JPEG, data)
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
