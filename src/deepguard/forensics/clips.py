"""From a clip to a verdict on each person: sampled frames, faces, crops, tracks; only figures are kept of a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeAlias

import torch

from deepguard.forensics.finding import largest
from deepguard.forensics.judge import Crops, crops_of, heat_maps, logits_of
from deepguard.forensics.judgeable import doubts
from deepguard.forensics.loading import BATCH, Judge
from deepguard.forensics.metrics import trimmed
from deepguard.forensics.notes import on_limit
from deepguard.forensics.purify import COPIES
from deepguard.forensics.sampling import sample_times
from deepguard.forensics.tracks import Seen, Track, looks, tracked
from deepguard.forensics.verdict import FrameVerdict, Sighting, TrackVerdict, Word
from deepguard.forensics.weighing import Figures, Said, weighed
from deepguard.media.clip import Clip
from deepguard.types import Face, Frame, Images, Note, Progress, Watch, ignore

Find: TypeAlias = Callable[[Images], tuple[Face, ...]]
"""Where the faces of a frame are."""

LONGEST = 3840
"""Pixels of a frame's longer side at most: of 4K everything is looked at, of 8K every second pixel."""

MOST = 20
"""Faces of a frame that are judged at most, the largest ones."""

MOST_MAPS = 100
"""Persons who get a heat map at most, those most like a fake: of a crowd nobody looks at more."""

LOUDEST = 3
"""Frames of a person that are named."""

LASTING = 2
"""Frames in which a person must have been judged to speak for the whole clip, where anybody was: a single look is
more often a wrong one, and of many persons the most suspicious decides."""


@dataclass(frozen=True)
class JudgedClip:
    """The verdicts on the persons and frames of a clip, heat maps (PNG) by the numbers of the persons, and notes."""

    tracks: tuple[TrackVerdict, ...]
    frames: tuple[FrameVerdict, ...]
    heat: Mapping[int, bytes] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


@dataclass
class _Face:
    """A face in one frame: in the frame's pixels, why it cannot be judged, and else what the judges say."""

    face: Face
    why: tuple[Note, ...]
    logits: Said = field(default_factory=dict)

    def figures(self, judges: Sequence[Judge]) -> Figures:
        return weighed(self.logits, judges) if self.logits else Figures()


@dataclass(frozen=True)
class _Look:
    """What one frame shows; `factor` turns its pixels into those of the clip."""

    seen: Seen
    faces: tuple[_Face, ...]
    total: int
    factor: float


def judge_clip(
    clip: Clip, find: Find, judges: Sequence[Judge], count: int, *, heat: bool = False, watch: Watch = ignore
) -> JudgedClip:
    """Judge the persons of a clip from `count` of its frames at most; `judges` are at least one.

    A person's logits are the means over the frames, without the highest and lowest tenth.
    """
    sampling = sample_times(clip, count, watch=watch)
    frames = _counted(clip.frames(sampling.times, longest=LONGEST), len(sampling.times), watch)
    looked = list(_judged((_look(frame, sampling.scene(frame.time), clip, find, judges) for frame in frames), judges))
    tracks = tracked([look.seen for look in looked])
    verdicts = tuple(_verdict(track, looked, judges) for track in tracks)
    notes = (*clip.notes, *sampling.notes, *on_limit(max((look.total for look in looked), default=0), MOST))
    return JudgedClip(
        tracks=verdicts,
        frames=tuple(_frame(look, judges) for look in looked),
        heat=_heat(clip, tracks, verdicts, looked, judges) if heat else {},
        notes=notes,
    )


def lasting(tracks: Sequence[TrackVerdict]) -> tuple[TrackVerdict, ...]:
    """Return the persons who speak for the whole clip: see `LASTING`."""
    kept = tuple(each for each in tracks if sum(seen.probability is not None for seen in each.sightings) >= LASTING)
    return kept or tuple(tracks)


def _counted(frames: Iterable[Frame], total: int, watch: Watch) -> Iterator[Frame]:
    watch(Progress("judging", 0, total))
    for done, frame in enumerate(frames, start=1):
        yield frame
        watch(Progress("judging", min(done, total), total))


def _look(frame: Frame, scene: int, clip: Clip, find: Find, judges: Sequence[Judge]) -> tuple[_Look, Crops]:
    """Find and cut a frame's faces."""
    images = frame.images.to(judges[0].device)
    every = find(images)
    faces = largest(every, MOST)
    seen = Seen(frame.time, scene, faces, looks(images, faces).cpu())
    judged = tuple(_Face(face, doubts(images, face)) for face in faces)
    crops = crops_of(images, [each.face for each in judged if not each.why], judges)
    return _Look(seen, judged, len(every), clip.width / images.shape[-1]), crops


def _judged(looked: Iterable[tuple[_Look, Crops]], judges: Sequence[Judge]) -> Iterator[_Look]:
    """Fill in what the judges say, of the crops of several frames at once."""
    waiting: list[tuple[_Look, Crops]] = []
    for each in looked:
        waiting.append(each)
        if sum(_clear(look) for look, _ in waiting) * len(COPIES) >= BATCH:
            yield from _filled(waiting, judges)
            waiting = []
    yield from _filled(waiting, judges)


def _filled(waiting: Sequence[tuple[_Look, Crops]], judges: Sequence[Judge]) -> Iterator[_Look]:
    if not waiting:
        return
    together = {spec: torch.cat([crops[spec] for _, crops in waiting]) for spec in waiting[0][1]}
    said = iter(logits_of(together, judges))
    for look, _ in waiting:
        for each in look.faces:
            if not each.why:
                each.logits = next(said)
        yield look


def _clear(look: _Look) -> int:
    return sum(not each.why for each in look.faces)


def _verdict(track: Track, looked: Sequence[_Look], judges: Sequence[Judge]) -> TrackVerdict:
    faces = [looked[place.frame].faces[place.face] for place in track.places]
    sightings = tuple(
        Sighting(
            float(looked[place.frame].seen.time),
            _grown(each.face, looked[place.frame].factor),
            each.figures(judges).probability,
        )
        for place, each in zip(track.places, faces, strict=True)
    )
    clear = [each.logits for each in faces if each.logits]
    figures = weighed(_mean(clear), judges) if clear else Figures()
    return TrackVerdict(
        number=track.number,
        first=sightings[0].time,
        last=sightings[-1].time,
        word=figures.word,
        probability=figures.probability,
        low=figures.low,
        high=figures.high,
        spread=figures.spread,
        opinions=figures.opinions,
        sightings=sightings,
        loudest=_loudest(sightings, figures.word),
        reasons=(*figures.reasons, *_silences(faces)),
    )


def _mean(frames: Sequence[Said]) -> Said:
    """Return the trimmed means over the frames, of each judge and copy by itself."""
    return {
        judge: {copy: trimmed([frame[judge][copy] for frame in frames]) for copy in copies}
        for judge, copies in frames[0].items()
    }


def _loudest(sightings: Sequence[Sighting], word: Word) -> tuple[float, ...]:
    """Return the times of the frames that speak most for the word; for anything but real, those most like a fake."""
    judged = [(each.probability, each.time) for each in sightings if each.probability is not None]
    # a sign and not `reverse`, so that of equal ones the first is named
    sign = 1 if word is Word.LIKELY_REAL else -1
    return tuple(time for _, time in sorted(judged, key=lambda each: sign * each[0])[:LOUDEST])


def _silences(faces: Sequence[_Face]) -> Iterator[Note]:
    """Yield each reason for which frames were not judged, with their number."""
    reasons = {note.code: note for each in faces for note in each.why}
    for code, note in reasons.items():
        times = sum(any(why.code == code for why in each.why) for each in faces)
        where = "" if times == len(faces) else f", in {times} of {len(faces)} frames"
        yield replace(note, text=note.text + where, count=times)


def _frame(look: _Look, judges: Sequence[Judge]) -> FrameVerdict:
    said = [each.figures(judges).probability for each in look.faces]
    return FrameVerdict(
        float(look.seen.time), look.total, max((each for each in said if each is not None), default=None)
    )


def _heat(
    clip: Clip,
    tracks: Sequence[Track],
    verdicts: Sequence[TrackVerdict],
    looked: Sequence[_Look],
    judges: Sequence[Judge],
) -> dict[int, bytes]:
    """Return a heat map of `MOST_MAPS` judged persons in the loudest frame, which is read again: no crops are kept."""
    wanted: dict[Fraction, list[tuple[int, Face]]] = {}
    both = sorted(zip(tracks, verdicts, strict=True), key=lambda each: -(each[1].probability or 0.0))
    for track, verdict in both[:MOST_MAPS]:
        for place in track.places:
            look = looked[place.frame]
            if verdict.loudest[:1] == (float(look.seen.time),):
                wanted.setdefault(look.seen.time, []).append((track.number, look.faces[place.face].face))
    made: dict[int, bytes] = {}
    for frame in clip.frames(wanted, longest=LONGEST):
        numbers, faces = zip(*wanted.get(frame.time, ()), strict=True) if frame.time in wanted else ((), ())
        images = frame.images.to(judges[0].device)
        made |= dict(zip(numbers, heat_maps(crops_of(images, faces, judges), judges), strict=False))
    return dict(sorted(made.items()))


def _grown(face: Face, factor: float) -> Face:
    if factor == 1:
        return face
    return Face(face.box.scaled(factor), face.score, tuple((x * factor, y * factor) for x, y in face.landmarks))
