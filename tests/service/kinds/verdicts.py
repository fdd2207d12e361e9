"""Checks that are made up, run through the real kind: what it makes of a verdict needs no classifier."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from tests.media.clips_of import write_clip

from deepguard import api
from deepguard.forensics.report import ClassifierFacts, Detection, MediaFacts
from deepguard.forensics.verdict import FaceVerdict, FrameVerdict, Opinion, Sighting, Threshold, TrackVerdict, Word
from deepguard.media.sample import sample_file
from deepguard.service.kinds import detect
from deepguard.service.kinds.roles import Done, Work
from deepguard.types import Box, Face, Note, Watch, ignore
from deepguard.weights.shelf import Shelf

PIXELS = 50_000_000
FACE = Face(Box(188.0, 62.0, 270.0, 170.0), 0.99)
THRESHOLD = Threshold(0.78, 0.31, 0.028, 0.14, "FaceForensics++ and Celeb-DF, the parts that were kept back")
COPIES = {"plain": 0.93, "small": 0.88, "jpeg15": 0.81, "jpeg75": 0.92, "median": 0.9}
SMALL = Note("small_face", "the face is smaller than 64 pixels")
SAMPLED = Note("sampled", "12 of 300 frames were looked at, spread over the whole clip", 12)


def face_verdict(number: int = 1, word: Word = Word.LIKELY_FAKE, face: Face = FACE, *reasons: Note) -> FaceVerdict:
    """A face with a verdict, or without one where it cannot be judged."""
    if word is Word.CANNOT_JUDGE:
        return FaceVerdict(number, face, word, reasons=reasons or (SMALL,))
    middle = {Word.LIKELY_FAKE: 0.9, Word.UNCERTAIN: 0.5, Word.LIKELY_REAL: 0.08}[word]
    opinion = Opinion("efficientnet-b0-sbi", {name: value * middle / 0.9 for name, value in COPIES.items()})
    low, high = min(opinion.copies.values()), max(opinion.copies.values())
    return FaceVerdict(number, face, word, middle, low, high, high - low, (opinion,), reasons)


def photo_found(*faces: FaceVerdict, name: str = "할머니 생신.png", notes: Sequence[Note] = ()) -> api.Detected:
    """What is found out of the sample photo."""
    data = sample_file().read_bytes()
    facts = MediaFacts(name, "PNG", hashlib.sha256(data).hexdigest(), len(data), 512, 512)
    return api.Detected(_report(facts, faces=faces, notes=tuple(notes)), _heat(faces))


def clip_found(name: str = "행사 영상.mp4", seconds: float = 12.0) -> api.Detected:
    """What is found out of a clip with two people, of whom one cannot be judged."""
    times = [seconds * at / 12 for at in range(12)]
    shares = [0.4, 0.5, 0.62, 0.81, 0.93, 0.97, 0.95, 0.9, 0.7, 0.66, 0.6, 0.55]
    sightings = tuple(Sighting(*each) for each in zip(times, [FACE] * 12, shares, strict=True))
    first = face_verdict(1, Word.LIKELY_FAKE)
    one = TrackVerdict(
        1, 0.0, times[-1], first.word, first.probability, first.low, first.high, first.spread, first.opinions,
        sightings, (times[5], times[6], times[4]), (Note("tampered", "the copies differ much"),),
    )  # fmt: skip
    away = Face(Box(20.0, 20.0, 50.0, 60.0), 0.8)
    two = TrackVerdict(
        2, times[2], times[4], Word.CANNOT_JUDGE,
        sightings=tuple(Sighting(time, away) for time in times[2:5]), reasons=(SMALL,),
    )  # fmt: skip
    frames = tuple(
        FrameVerdict(time, 2 if 2 <= at <= 4 else 1, share)
        for at, (time, share) in enumerate(zip(times, shares, strict=True))
    )
    facts = MediaFacts(name, "MP4", "ab" * 32, 1_234_567, 512, 512, seconds, 300)
    return api.Detected(_report(facts, tracks=(one, two), frames=frames, notes=(SAMPLED,)), _heat((first,)))


def clip_file(folder: Path, seconds: int = 12) -> Path:
    """A clip in which the sample photo moves a little, a frame a second."""
    with Image.open(sample_file()) as opened:
        photo = np.asarray(opened.convert("RGB"))
    pictures = (np.roll(photo, 4 * at, axis=1) for at in range(seconds))
    path = folder / "clip.mp4"
    write_clip(path, pictures, rate=Fraction(1))
    return path


def worked(
    file: Path,
    found: api.Detected,
    *,
    name: str = "",
    options: Mapping[str, Any] | None = None,
    watch: Watch = ignore,
    **limits: float,
) -> Done:
    """Run the kind on a file of which this is found out."""
    shelf = Shelf(Path("nowhere"), offline=True)
    facts = {"id": "an id", "attempt": 1}
    work = Work(
        file, name or found.report.input.name, dict(options or {}), PIXELS, shelf, torch.device("cpu"), watch,
        facts=facts, **limits,
    )  # fmt: skip
    with mock.patch.object(detect, "judges"), mock.patch.object(api, "detect", return_value=found) as asked:
        done = detect.Detect().run(work)
    assert asked.call_args.args[0] == file
    return dataclasses.replace(done)


def _report(facts: MediaFacts, **found: Any) -> Detection:
    verdicts = found.get("faces") or found.get("tracks") or ()
    loudest = max(verdicts, key=lambda each: each.probability or -1.0, default=None)
    return Detection(
        version="0.2.0", created="2026-11-21T09:30:00+00:00", input=facts, device="cpu", seconds={"judging": 0.4},
        classifiers=(ClassifierFacts("efficientnet-b0-sbi", {"efficientnet-b0-sbi.safetensors": "cd" * 32}, True),),
        missing=("vit-deepfake-v2",), threshold=THRESHOLD,
        word=loudest.word if loudest else Word.CANNOT_JUDGE,
        probability=loudest.probability if loudest else None,
        low=loudest.low if loudest else None, high=loudest.high if loudest else None,
        detectors=("yunet", "mtcnn"), **found,
    )  # fmt: skip


def _heat(faces: Sequence[FaceVerdict]) -> dict[int, bytes]:
    return {each.number: _warm(each.number) for each in faces if each.probability is not None}


def _warm(number: int) -> bytes:
    with Image.open(sample_file()) as opened:
        face = opened.convert("RGB").crop((170, 50, 290, 170)).resize((256, 256))
    glow = Image.radial_gradient("L").point(lambda value: 255 - value)
    warm = Image.composite(Image.new("RGB", face.size, (228, 134, 40 + 20 * number)), face, glow)
    buffer = io.BytesIO()
    warm.save(buffer, "PNG")
    return buffer.getvalue()
