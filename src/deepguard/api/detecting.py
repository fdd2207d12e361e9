"""Judging pictures and clips: are the faces real?"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from deepguard import __version__
from deepguard.errors import OptionError, UnreadableClip, UnreadableImage, WeightsMissing
from deepguard.forensics.calibration import calibration_of
from deepguard.forensics.clips import judge_clip, lasting
from deepguard.forensics.finding import FAST, LONGEST, LONGEST_OF_CLIPS, found, largest
from deepguard.forensics.judge import judge_faces
from deepguard.forensics.loading import Judge, judge_of, leading
from deepguard.forensics.notes import on_brief, on_judges, on_limit, on_origin, on_verdicts
from deepguard.forensics.report import ClassifierFacts, Detection, MediaFacts
from deepguard.forensics.sampling import FRAMES
from deepguard.forensics.verdict import FaceVerdict, FrameVerdict, TrackVerdict, Word
from deepguard.forensics.weighing import loudest
from deepguard.media.metadata import digital_source_type
from deepguard.media.read import MAX_PIXELS, read_picture
from deepguard.media.signatures import ENOUGH_OF_CLIPS, SUPPORTED, SUPPORTED_CLIPS, is_clip, recognise
from deepguard.media.video import open_clip
from deepguard.models.roles import FaceDetector, classifiers, detectors
from deepguard.prove.seconds import Clock
from deepguard.types import Face, Images, Note, Progress, Watch, ignore
from deepguard.weights.shelf import Shelf, remembered_digest

USUAL = ("efficientnet-b0-sbi",)
"""Classifiers that judge where nobody chose; the first decides."""

LOOKS = 2
"""Detectors that look at a picture at most: the second finds what the first missed."""

MOST_FACES = 100
"""Faces of a picture that are judged at most, the largest ones."""

MOST_FRAMES = 2000
"""Frames of a clip that are looked at, at most."""


@dataclass(frozen=True, slots=True)
class DetectOptions:
    """What a user may choose.

    Attributes:
        classifiers: names of those that judge, the usual ones by default; the first calibrated one decides.
        frames: how many frames of a clip are looked at, from 1 to `MOST_FRAMES`.
        heat: whether to make heat maps.
    """

    classifiers: tuple[str, ...] | None = None
    frames: int = FRAMES
    heat: bool = False


@dataclass(frozen=True)
class Judges:
    """Loaded classifiers and detectors on one device, what they were made of, and which known ones are not here."""

    device: torch.device
    classifiers: Mapping[str, Judge]
    detectors: Mapping[str, FaceDetector]
    files: Mapping[str, Mapping[str, str]]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Detected:
    """What was found out, and heat maps: a PNG for each face (of a clip: each person) by its number, from 1.

    There are none where they were not asked for, and none of a face that was not judged.
    """

    report: Detection
    heat: Mapping[int, bytes] = field(default_factory=dict)


def load_classifiers(shelf: Shelf, device: torch.device, chosen: tuple[str, ...] | None = None) -> Judges:
    """Load the usual classifiers or the chosen ones, and the detectors that find faces for them.

    A chosen classifier that is not at hand raises WeightsMissing, one that does not exist OptionError.
    """
    names = chosen or USUAL
    loaded = {}
    for name in names:
        made = classifiers.create(name, shelf, device)
        loaded[name] = judge_of(name, made, device, calibration_of(name))
    ready = set(detectors.available(shelf))
    looking = [name for name in FAST if name in ready][:LOOKS]
    if not looking:
        raise WeightsMissing("no detector is at hand to find the faces; run: deepguard models pull yunet")
    files = {
        name: {weights.file: remembered_digest(shelf.path(weights)) for weights in classifiers.entry(name).weights}
        for name in loaded
    }
    here = set(classifiers.available(shelf))
    return Judges(
        device=device,
        classifiers=loaded,
        detectors={name: detectors.create(name, shelf, device) for name in looking},
        files=files,
        missing=tuple(name for name in classifiers.names() if name not in here),
    )


def check_detection(options: DetectOptions) -> None:
    """Raise OptionError where an option names what does not exist or is out of range; needs no weights."""
    for name in options.classifiers or ():
        classifiers.entry(name)
    if not 1 <= options.frames <= MOST_FRAMES:
        raise OptionError(f"from 1 to {MOST_FRAMES} frames of a clip can be looked at, not {options.frames}")


def detect(
    source: Path,
    models: Judges,
    options: DetectOptions = DetectOptions(),
    *,
    name: str | None = None,
    limit: int = MAX_PIXELS,
    watch: Watch = ignore,
) -> Detected:
    """Judge the faces of a picture or clip file, told apart by its content.

    `name` is what the report calls the file, `limit` the most pixels of a picture. A file without faces, or whose
    faces cannot be judged, is a result: the word is `cannot_judge`. Raises InputError for a file that cannot be read,
    OptionError for an option that does not fit, WeightsMissing for a classifier that is not loaded.
    """
    check_detection(options)
    judges = _chosen(models, options)
    call = _Call(source, name or source.name, judges, models, options, watch)
    findings = _clip(call) if _moves(source, call.name) else _picture(call, limit)
    return _reported(findings, call)


@dataclass(frozen=True)
class _Call:
    """What was asked."""

    source: Path
    name: str
    judges: Sequence[Judge]
    models: Judges
    options: DetectOptions
    watch: Watch

    def find(self, images: Images, longest: int = LONGEST) -> tuple[Face, ...]:
        """Return the faces of a picture or frame, searched with its longer side at so many pixels."""
        return found(images, list(self.models.detectors.values()), longest)


@dataclass(frozen=True)
class _Findings:
    """What was found out about one file."""

    facts: MediaFacts
    seconds: Mapping[str, float]
    heat: Mapping[int, bytes]
    faces: tuple[FaceVerdict, ...] = ()
    tracks: tuple[TrackVerdict, ...] = ()
    frames: tuple[FrameVerdict, ...] = ()
    notes: tuple[Note, ...] = ()


def _moves(source: Path, name: str) -> bool:
    """Tell whether the file is a clip; UnreadableImage where it cannot be opened, or is no picture either."""
    try:
        with source.open("rb") as stream:
            head = stream.read(ENOUGH_OF_CLIPS)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnreadableImage(f"{source} cannot be read ({reason}); give a photo or a clip") from error
    if is_clip(head):
        return True
    try:
        recognise(head, name)
    except UnreadableImage as error:
        if head:
            kinds = f"give a photo as {SUPPORTED}, or a clip as {SUPPORTED_CLIPS}"
            raise UnreadableImage(f"{name} is neither a photo nor a clip, whatever its name says; {kinds}") from error
        raise
    return False


def _picture(call: _Call, limit: int) -> _Findings:
    clock = Clock()
    with clock.measure("reading"):
        picture = read_picture(call.source, name=call.name, limit=limit)
        origin = on_origin(digital_source_type(call.source.read_bytes()))
    with clock.measure("finding"):
        call.watch(Progress("looking for faces", 0, 1))
        images = picture.images.to(call.models.device)
        seen = call.find(images)
        faces = largest(seen, MOST_FACES)
        call.watch(Progress("looking for faces", 1, 1))
    with clock.measure("judging"):
        judged = judge_faces(images, faces, call.judges, heat=call.options.heat, watch=call.watch)
    facts = MediaFacts(call.name, picture.coding.container, picture.sha256, picture.size, picture.width, picture.height)
    notes = (
        *on_verdicts(judged.faces, call.judges),
        *on_limit(len(seen), MOST_FACES),
        *on_judges(call.judges),
        *origin,
    )
    return _Findings(facts, clock.seconds, judged.heat, faces=judged.faces, notes=notes)


def _clip(call: _Call) -> _Findings:
    clock = Clock()
    with clock.measure("reading"):
        clip = open_clip(call.source, name=call.name, watch=call.watch)
    with clock.measure("judging"):
        find = partial(call.find, longest=LONGEST_OF_CLIPS)
        judged = judge_clip(clip, find, call.judges, call.options.frames, heat=call.options.heat, watch=call.watch)
    if not judged.frames:
        raise UnreadableClip(f"{call.name} is damaged, and no frame of it can be read; copy it again")
    facts = MediaFacts(
        call.name,
        clip.container,
        clip.sha256,
        clip.size,
        clip.width,
        clip.height,
        duration=float(clip.duration),
        frames=clip.count,
    )
    notes = (
        *on_verdicts(judged.tracks, call.judges),
        *on_brief(judged.tracks, lasting(judged.tracks)),
        *on_judges(call.judges),
        *judged.notes,
    )
    return _Findings(facts, clock.seconds, judged.heat, tracks=judged.tracks, frames=judged.frames, notes=notes)


def _reported(findings: _Findings, call: _Call) -> Detected:
    judges, models = call.judges, call.models
    chief = leading(judges)
    whole = loudest(findings.faces) if findings.faces else loudest(lasting(findings.tracks))
    report = Detection(
        version=__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        input=findings.facts,
        device=str(models.device),
        seconds=findings.seconds,
        classifiers=tuple(
            ClassifierFacts(judge.name, models.files.get(judge.name, {}), judge.calibration is not None)
            for judge in judges
        ),
        missing=models.missing,
        threshold=chief.calibration.threshold if chief and chief.calibration else None,
        word=whole.word if whole else Word.CANNOT_JUDGE,
        probability=whole.probability if whole else None,
        low=whole.low if whole else None,
        high=whole.high if whole else None,
        faces=findings.faces,
        tracks=findings.tracks,
        frames=findings.frames,
        detectors=tuple(models.detectors),
        notes=findings.notes,
    )
    return Detected(report, findings.heat)


def _chosen(models: Judges, options: DetectOptions) -> list[Judge]:
    names = options.classifiers or tuple(models.classifiers)
    for name in names:
        if name not in models.classifiers:
            raise WeightsMissing(f"the classifier {name} is not loaded; run: deepguard models list")
    return [models.classifiers[name] for name in names]
