"""Protecting a picture and finding its faces."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from deepguard import __version__
from deepguard.api.loading import Models
from deepguard.api.planning import VERIFIED_THROUGH, Options, Plan, estimate, planned, shares_of
from deepguard.errors import NoFace, OptionError
from deepguard.filters.faces import blurred
from deepguard.filters.photo import Filters, apply
from deepguard.media.encode import encode
from deepguard.media.picture import Picture
from deepguard.media.read import decode
from deepguard.prove.likeness import Likeness, likenesses
from deepguard.prove.notes import achieved, recognised_still
from deepguard.prove.posting import posted
from deepguard.prove.quality import compare, excess
from deepguard.prove.report import FileFacts, ModelFacts, Quality, Report
from deepguard.prove.seconds import Clock
from deepguard.prove.survey import agreed, look, recognised, survey
from deepguard.prove.verify import Judgement, judge
from deepguard.transforms.posting import posting
from deepguard.types import Box, Face, Images, Note, Progress, Watch, ignore

SMALLEST_FACE = 16.0
"""Pixels along the shorter side of the smallest face that is worked on; below, no detector here finds it reliably."""


@dataclass(frozen=True)
class Protected:
    """The protected file's bytes, what it achieved, and both pictures for showing (1x3xhxw).

    `before` is the photo after its filters, so that what differs is the protection alone.
    """

    data: bytes
    report: Report
    before: Images
    after: Images


@dataclass(frozen=True, slots=True)
class Found:
    """A face as `protect` counts them, the names of the detectors that see it, and whether it is large enough."""

    face: Face
    detectors: tuple[str, ...]
    large: bool


def find(picture: Picture, models: Models, watch: Watch = ignore) -> tuple[Found, ...]:
    """Return the picture's faces from left to right, in the order by which `Options.faces` counts them."""
    looks = look(picture.images.to(models.device), models.detectors, watch)
    faces = agreed(looks)
    seeing = {name: recognised(faces, seen) for name, seen in looks.items()}
    return tuple(
        Found(face, tuple(name for name in looks if seeing[name][index]), _side(face) >= SMALLEST_FACE)
        for index, face in enumerate(faces)
    )


def protect(
    picture: Picture,
    models: Models,
    options: Options = Options(),
    *,
    name: str = "picture",
    watch: Watch = ignore,
) -> Protected:
    """Protect a picture's faces and measure the result on the encoded file that comes out.

    `name` is what the report calls the source. Raises NoFace where there is nothing to protect, OptionError for an
    option that does not fit, WeightsMissing where none of the wanted detectors is loaded.
    """
    clock = Clock()
    plan = planned(models, options)
    with clock.measure("finding"):
        # counted as `find` counts them, whatever the filters: a number must not come to mean another person
        seen, faces = _faces(picture.images.to(models.device), models, options, watch)
        chosen = _chosen(faces, options)
    kept = [faces[index - 1] for index in chosen]
    others = _others(seen, faces, chosen, options)
    filtered = apply(picture.images, options.filters, picture.grey).to(models.device)
    original = blurred(filtered, others, kept)
    shares = shares_of(kept, picture, float(plan.options.get("reach", 0)))
    watch(Progress("protect", 0, 1, seconds=estimate(clock.seconds["finding"], plan, models, shares)))
    with clock.measure("protecting"):
        rng = torch.Generator().manual_seed(options.seed)
        changed = plan.recipe.protect(original, [kept], rng=rng, watch=watch)
    with clock.measure("writing"):
        encoded = encode(picture, changed.cpu())
        delivered = decode(encoded)
    after = delivered.images.to(models.device)
    with clock.measure("verifying"):
        versions = {"delivered": after, **_posted(after, plan.through, options.seed)}
        judgements = judge(original, versions, kept, models.detectors, watch, retry=("delivered",))
        alike = likenesses(original, versions, kept, models.encoders)
        of_picture, of_faces = compare(original, after, kept, models.measures)
    facts = _facts(name, picture), _facts("", delivered)
    size = "strength" if "strength" in plan.options else "epsilon"
    about = achieved(judgements, plan.attacked, excess(of_picture, of_faces), size)
    notes = (
        *picture.notes,
        *_notes(faces, others, picture, options.filters),
        *about,
        *recognised_still(alike, plan.attacked),
    )
    found = _Measured(*facts, faces, chosen, judgements, alike, of_picture, of_faces, notes)
    report = _reported(found, plan, models, options, clock.seconds)
    return Protected(encoded, report, original.cpu(), after.cpu())


@dataclass(frozen=True)
class _Measured:
    """What was found out about one picture."""

    given: FileFacts
    made: FileFacts
    faces: tuple[Face, ...]
    chosen: tuple[int, ...]
    judgements: tuple[Judgement, ...]
    alike: tuple[Likeness, ...]
    of_picture: Quality
    of_faces: tuple[Quality, ...]
    notes: tuple[Note, ...]


def _reported(
    found: _Measured,
    plan: Plan,
    models: Models,
    options: Options,
    seconds: Mapping[str, float],
) -> Report:
    return Report(
        version=__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        input=found.given,
        output=found.made,
        device=str(models.device),
        seed=options.seed,
        seconds=seconds,
        preset=options.preset,
        defence=plan.defence,
        through=plan.through,
        options=plan.options,
        faces=found.faces,
        chosen=found.chosen,
        judgements=found.judgements,
        likenesses=found.alike,
        models=tuple(ModelFacts(each, each in plan.attacked, files) for each, files in models.files.items()),
        missing=(*(each for each in models.missing if each in plan.wanted), *plan.lacking),
        picture_quality=found.of_picture,
        face_quality=found.of_faces,
        filters=options.filters,
        notes=found.notes,
    )


def _faces(images: Images, models: Models, options: Options, watch: Watch) -> tuple[tuple[Face, ...], tuple[Face, ...]]:
    """Return the faces that are seen, and those that the options count from: the same, or the drawn one."""
    height, width = images.shape[-2:]
    drawn = options.box and options.box.intersection(Box(0, 0, width, height))
    if drawn and drawn.area == 0:
        raise OptionError(f"the box lies outside the picture, which is {width} x {height} pixels")
    # with a drawn face, too: the estimate is made from the search's time, and others may be there
    faces = survey(images, models.detectors, watch)
    if drawn:
        return faces, (Face(drawn, 1.0),)
    if not faces:
        raise NoFace(
            "no face was found; if there is one, draw a box around it: --box x,y,width,height for the command, `box` "
            "among a job's options"
        )
    return faces, faces


def _chosen(faces: tuple[Face, ...], options: Options) -> tuple[int, ...]:
    """Return the numbers, from 1, of the faces to protect."""
    for number in options.faces:
        if not 1 <= number <= len(faces):
            raise OptionError(f"there is no face {number}; the picture has {len(faces)}, counted from left to right")
    wanted = sorted(set(options.faces)) or range(1, len(faces) + 1)
    large = tuple(number for number in wanted if _side(faces[number - 1]) >= SMALLEST_FACE)
    if not large:
        raise NoFace(
            f"the face is only {_side(faces[wanted[0] - 1]):.0f} pixels wide; from {SMALLEST_FACE:.0f} pixels on it "
            "can be protected"
        )
    return large


def _others(seen: Sequence[Face], faces: Sequence[Face], chosen: Sequence[int], options: Options) -> list[Face]:
    """Return the faces that nobody is to recognise: those that were not asked for, if blurring was."""
    if not options.filters.blur_others:
        return []
    wanted = [faces[number - 1] for number in options.faces or chosen]
    if options.box is not None:
        return [face for face in seen if not any(face.box.intersection(each.box).area for each in wanted)]
    return [face for face in seen if face not in wanted]


def _side(face: Face) -> float:
    return min(face.box.width, face.box.height)


def _posted(delivered: Images, route: str, seed: int) -> dict[str, Images]:
    names = dict.fromkeys((*VERIFIED_THROUGH, *(() if route in {"any", "none"} else (route,))))
    rng = torch.Generator().manual_seed(seed)
    return {name: posted(delivered, posting(name), rng) for name in names}


def _facts(name: str, picture: Picture) -> FileFacts:
    return FileFacts(name, picture.coding.container, picture.sha256, picture.size, picture.width, picture.height)


def _notes(faces: Sequence[Face], others: Sequence[Face], picture: Picture, filters: Filters) -> Iterator[Note]:
    small = sum(_side(face) < SMALLEST_FACE for face in faces if face not in others)
    if small:
        text = f"faces smaller than {SMALLEST_FACE:.0f} pixels, which were left as they are: {small}"
        yield Note("small_faces", text, small)
    if others:
        text = f"faces that were blurred, as they were not to be protected: {len(others)}"
        yield Note("blurred_faces", text, len(others))
    if picture.grey and (filters.saturation or filters.warmth):
        yield Note("grey", "the photo is grey, so that saturation and warmth were left out")
