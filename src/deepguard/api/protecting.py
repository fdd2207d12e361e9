"""Protecting a picture and finding its faces."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from deepguard import __version__
from deepguard.defences.facepoison import CONTEXT
from deepguard.defences.presets import NINE, preset
from deepguard.defences.regions import regions
from deepguard.defences.roles import Defence, Recipe, defaults_of, defences, equipped, settings_of
from deepguard.defences.through import through
from deepguard.errors import NoFace, OptionError, WeightsMissing, unknown
from deepguard.filters.faces import blurred
from deepguard.filters.photo import Filters, apply
from deepguard.measures.roles import Measure, measures
from deepguard.media.encode import encode
from deepguard.media.picture import Picture
from deepguard.media.read import decode
from deepguard.models.roles import FaceDetector, detectors
from deepguard.prove.notes import achieved
from deepguard.prove.posting import posted
from deepguard.prove.quality import compare, excess
from deepguard.prove.report import FileFacts, ModelFacts, Quality, Report
from deepguard.prove.seconds import Clock
from deepguard.prove.survey import agreed, look, recognised, survey
from deepguard.prove.verify import Judgement, judge
from deepguard.transforms.posting import posting
from deepguard.types import Box, Face, Images, Note, Progress, Watch, ignore
from deepguard.weights.shelf import Shelf, remembered_digest

SMALLEST_FACE = 16.0
"""Pixels along the shorter side of the smallest face that is worked on; below, no detector here finds it reliably."""

VERIFIED_THROUGH = ("instagram", "kakaotalk")
"""Posting chains that every report measures, besides the one that the picture was optimised through."""


REGION, STEP, VERSION = 5.0, 0.45, 2.0
"""What preparing and finishing a region takes, one step of the climb on a region as large as the picture, and judging
one version, in units of one look of the same detectors at the picture. Measured with all nine on photos of 0.6 to 3.3
megapixels with one to three faces: what was estimated so was off by up to a factor of two."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may choose; None leaves it to the preset.

    Attributes:
        preset: see `deepguard.defences.presets`.
        defence: the recipe.
        detectors: names of the detectors to hide from; the others at hand only judge.
        strength: most that may be used of what the eye forgives, in (0, 4]; at 1 the change is hardly seen.
        steps: steps of the climb.
        through: a posting chain's name, "any" for a mixture of what posting does, "none" for as delivered only.
        faces: which faces to protect, counted from 1, left to right; empty means all.
        box: a face that the user drew, in pixels of the upright picture; replaces the search.
        extra: further options of the defence by name.
        seed: of all chance; the same seed on the same device gives the same file.
        filters: what is done to the photo before; faces are searched, and so counted, in the photo as it was given.
    """

    preset: str = "balanced"
    defence: str | None = None
    detectors: tuple[str, ...] | None = None
    strength: float | None = None
    steps: int | None = None
    through: str | None = None
    faces: tuple[int, ...] = ()
    box: Box | None = None
    extra: Mapping[str, float | int | bool] = field(default_factory=dict)
    seed: int = 0
    filters: Filters = field(default_factory=Filters)


@dataclass(frozen=True)
class Models:
    """Loaded models on one device: those that are attacked or judge, what they were made of, and what is missing."""

    shelf: Shelf
    device: torch.device
    detectors: Mapping[str, FaceDetector]
    measures: Mapping[str, Measure]
    files: Mapping[str, Mapping[str, str]]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Protected:
    """The protected file's bytes, what it achieved, and both pictures for showing (1x3xhxw).

    `before` is the photo after its filters, so that what differs is the protection alone.
    """

    data: bytes
    report: Report
    before: Images
    after: Images


def device_named(name: str | None = None) -> torch.device:
    """Return the device: the named one, else a GPU where there is one, else the processor."""
    if name is None or name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(f"this machine has no device {name}; use cpu, or leave --device out") from error
    return device


def load_models(shelf: Shelf, device: torch.device, chosen: tuple[str, ...] | None = None) -> Models:
    """Load the nine usual detectors that are at hand and the chosen ones, and the measures.

    A chosen detector that is not at hand raises WeightsMissing; a usual one is named as missing.
    """
    for name in chosen or ():
        detectors.entry(name)
    wanted = tuple(dict.fromkeys((*NINE, *(chosen or ()))))
    ready = set(detectors.available(shelf))
    loaded = {name: detectors.create(name, shelf, device) for name in wanted if name in ready or name in (chosen or ())}
    if not loaded:
        raise WeightsMissing("no detector is at hand; run: deepguard models pull")
    scales = {name: measures.create(name, shelf, device) for name in measures.available(shelf)}
    files = {
        name: {weights.file: remembered_digest(shelf.path(weights)) for weights in detectors.entry(name).weights}
        for name in loaded
    }
    return Models(shelf, device, loaded, scales, files, tuple(name for name in wanted if name not in loaded))


def check(options: Options) -> None:
    """Raise OptionError with the nearest name where an option names what does not exist; needs no weights."""
    chosen = preset(options.preset)
    defences.entry(options.defence or chosen.defence)
    for name in options.detectors or ():
        detectors.entry(name)
    through(options.through or chosen.through)


def check_loaded(models: Models, options: Options) -> None:
    """Raise now what `protect` would raise of options and models for every picture."""
    _plan(models, options)


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
    plan = _plan(models, options)
    with clock.measure("finding"):
        # counted as `find` counts them, whatever the filters: a number must not come to mean another person
        seen, faces = _faces(picture.images.to(models.device), models, options, watch)
        chosen = _chosen(faces, options)
    kept = [faces[index - 1] for index in chosen]
    others = _others(seen, faces, chosen, options)
    filtered = apply(picture.images, options.filters, picture.grey).to(models.device)
    original = blurred(filtered, others, kept)
    shares = _shares(kept, picture, float(plan.options.get("reach", 0)))
    watch(Progress("protect", 0, 1, seconds=_estimate(clock.seconds["finding"], plan, models, shares)))
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
        of_picture, of_faces = compare(original, after, kept, models.measures)
    facts = _facts(name, picture), _facts("", delivered)
    size = "strength" if "strength" in plan.options else "epsilon"
    about = achieved(judgements, plan.attacked, excess(of_picture, of_faces), size)
    notes = (*picture.notes, *_notes(faces, others, picture, options.filters), *about)
    found = _Measured(*facts, faces, chosen, judgements, of_picture, of_faces, notes)
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
    of_picture: Quality
    of_faces: tuple[Quality, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Plan:
    """The options after the preset has filled the gaps."""

    defence: str
    wanted: tuple[str, ...]
    attacked: tuple[str, ...]
    through: str
    options: Mapping[str, float | int | bool]
    recipe: Defence


def _plan(models: Models, options: Options) -> Plan:
    chosen = preset(options.preset)
    defence = options.defence or chosen.defence
    wanted = options.detectors or chosen.detectors
    for name in wanted:
        detectors.entry(name)
    attacked = tuple(name for name in wanted if name in models.detectors)
    if not attacked:
        raise WeightsMissing(f"none of {', '.join(wanted)} is on the shelf; run: deepguard models pull")
    route = options.through or chosen.through
    # a preset's options are its own defence's; another one may not know them
    values = {**(chosen.options if defence == chosen.defence else {}), **options.extra}
    for key in ("strength", "steps"):
        if getattr(options, key) is not None:
            values[key] = getattr(options, key)
    make = defences.create(defence, models.shelf, models.device)
    _check_values(defence, make, values)
    tools = equipped(make, {"measures": models.measures})
    recipe = make({name: models.detectors[name] for name in attacked}, through(route), **tools, **values)
    return Plan(defence, wanted, tuple(recipe.surrogates), route, settings_of(recipe), recipe)


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
        models=tuple(ModelFacts(each, each in plan.attacked, files) for each, files in models.files.items()),
        missing=tuple(each for each in models.missing if each in plan.wanted),
        picture_quality=found.of_picture,
        face_quality=found.of_faces,
        filters=options.filters,
        notes=found.notes,
    )


def _check_values(defence: str, make: Recipe, values: Mapping[str, float | int | bool]) -> None:
    known = defaults_of(make)
    for key, value in values.items():
        if key not in known:
            raise unknown(f"option of {defence}", key, known)
        kind = type(known[key])
        if type(value) is not kind and not (kind is float and type(value) is int):
            words = {bool: "true or false", int: "a whole number", float: "a number"}
            raise OptionError(f"the option {key} of {defence} is {words[kind]}, not {value}")


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


def _estimate(finding: float, plan: Plan, models: Models, shares: Sequence[float]) -> float:
    """Return the seconds that protecting and verifying will take, from those that finding took.

    `shares` are the shares of the picture that the regions cover.
    """
    attacked = finding * len(plan.attacked) / len(models.detectors)
    steps = float(plan.options.get("steps", 1))
    climb = (REGION * len(shares) + STEP * sum(shares) * steps) * attacked
    versions = 1 + len(VERIFIED_THROUGH) + (plan.through not in {"any", "none", *VERIFIED_THROUGH})
    return climb + finding * VERSION * versions


def _shares(faces: Sequence[Face], picture: Picture, reach: float) -> list[float]:
    height, width = picture.height, picture.width
    found = regions(faces, height, width, reach=reach, context=CONTEXT)
    return [each.window.area / (height * width) for each in found]


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
