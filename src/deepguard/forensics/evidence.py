"""The record of one check to keep and to hand on: as JSON for programs, as PDF for people, in Korean and English."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from deepguard.forensics.report import Detection, MediaFacts
from deepguard.forensics.sentences import NO_PROOF, WORDS, Pair, suspected, told
from deepguard.forensics.verdict import FaceVerdict, TrackVerdict

SCHEMA = "deepguard/evidence/1"


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture of the record, as JPEG: what was judged, and where it speaks for the verdict (None: not known).

    `number` is that of the face or person; `time` is seconds from a clip's start, None for a picture.
    """

    number: int
    picture: bytes
    heat: bytes | None = None
    time: float | None = None


def record(report: Detection, moment: datetime.datetime) -> dict[str, Any]:
    """Return the record as JSON values: the whole report, when it was made, and what may be concluded from it.

    `moment` is when the check was made, with the time zone of the place where it was.
    """
    return {
        "schema": SCHEMA,
        "checked": {"utc": in_utc(moment), "local": moment.isoformat(timespec="seconds")},
        "verdict": _both(WORDS[report.word]),
        "statement": _both(NO_PROOF),
        "notes": [{"code": note.code, **_both(told(note))} for note in report.notes],
        "report": report.as_json(),
    }


def in_utc(moment: datetime.datetime) -> str:
    """Return a moment as ISO 8601 in UTC, to the second."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def share(probability: float | None) -> str:
    """Return a probability as whole percents, never quite none or all; a dash where there is none."""
    return "–" if probability is None else f"{_percent(probability)} %"


def interval(low: float | None, high: float | None) -> str:
    """Return an interval of probabilities as whole percents; a dash where there is none."""
    return "–" if low is None or high is None else f"{_percent(low)}–{_percent(high)} %"


def _percent(probability: float) -> int:
    """Return whole percents from 1 to 99: no classifier is as sure as the others sound."""
    return min(99, max(1, round(100 * probability)))


def clock(seconds: float) -> str:
    """Return a time in a clip as minutes and seconds."""
    minutes, rest = divmod(round(10 * seconds), 600)
    return f"{minutes}:{rest / 10:04.1f}"


def file_rows(facts: MediaFacts) -> Iterator[tuple[Pair, str]]:
    """Yield what is known of the file, each as what it is and its value."""
    yield ("파일 이름", "File name"), facts.name
    yield ("SHA-256", "SHA-256"), facts.sha256
    yield ("크기", "Size"), f"{facts.bytes:,} bytes"
    yield ("형식", "Format"), f"{facts.format}, {facts.width} × {facts.height}"
    if facts.duration is not None:
        frames = f", {facts.frames:,} frames" if facts.frames else ""
        yield ("길이", "Length"), f"{clock(facts.duration)}{frames}"


def check_rows(report: Detection, moment: datetime.datetime) -> Iterator[tuple[Pair, str]]:
    """Yield when, with what and on what the check was made."""
    yield ("판별한 때 (UTC)", "Checked at (UTC)"), in_utc(moment)
    yield ("판별한 곳의 시각", "Local time there"), moment.isoformat(timespec="seconds")
    yield ("프로그램", "Program"), f"Deepguard {report.version} ({report.device})"
    for classifier in report.classifiers:
        files = "\n".join(f"{name}: {digest}" for name, digest in classifier.files.items())
        yield ("판별 모델", "Classifier"), f"{classifier.name}\n{files}".strip()
    if report.missing:
        yield ("없어서 빠진 모델", "Missing classifiers"), ", ".join(report.missing)
    if report.detectors:
        yield ("얼굴 찾기", "Faces looked for by"), ", ".join(report.detectors)
    if report.threshold is not None:
        marks = report.threshold
        yield (
            ("기준", "Thresholds"),
            f"fake >= {share(marks.fake_from)}, real <= {share(marks.real_to)}\n{marks.validation}",
        )
        yield ("틀리는 정도", "How often it errs"), "\n".join(suspected(marks))


def verdict_rows(report: Detection, most: int | None = None) -> Iterator[tuple[str, ...]]:
    """Yield a row for each face or person: number, where or when, word, probability, interval, what speaks besides.

    Of more than `most`, where that is given, those most like a fake have rows.
    """
    verdicts: Sequence[FaceVerdict | TrackVerdict] = report.faces or report.tracks
    loudest = sorted(verdicts, key=lambda each: (each.probability is None, -(each.probability or 0.0)))
    for each in sorted(loudest[:most], key=lambda each: each.number):
        words = " / ".join(WORDS[each.word])
        reasons = "\n".join("\n".join(told(note)) for note in each.reasons)
        yield str(each.number), _place(each), words, share(each.probability), interval(each.low, each.high), reasons


def _place(verdict: FaceVerdict | TrackVerdict) -> str:
    if isinstance(verdict, TrackVerdict):
        return f"{clock(verdict.first)} – {clock(verdict.last)}"
    box = verdict.face.box
    return f"x {box.left:.0f}, y {box.top:.0f}\n{box.width:.0f} × {box.height:.0f} px"


def _both(pair: Pair) -> dict[str, str]:
    return {"ko": pair[0], "en": pair[1]}
