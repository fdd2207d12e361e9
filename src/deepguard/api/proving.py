"""Proving a protection: the photo, its protected version and a control under the same attacks."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from deepguard import __version__
from deepguard.api.loading import Models
from deepguard.api.planning import Options
from deepguard.api.protecting import SMALLEST_FACE, protect
from deepguard.errors import NoFace, OptionError, WeightsMissing
from deepguard.filters.faces import blurred
from deepguard.filters.photo import apply
from deepguard.media.encode import encode
from deepguard.media.files import MARK
from deepguard.media.picture import Picture
from deepguard.media.read import decode
from deepguard.models.roles import Encoder, FaceDetector, detectors, encoders
from deepguard.models.swappers.roles import Swapper, swappers
from deepguard.prove.alike import check_alike
from deepguard.prove.bench import Show
from deepguard.prove.board.controls import noise
from deepguard.prove.changes import Changes, changes
from deepguard.prove.checks import checks
from deepguard.prove.counterparts import counterpart
from deepguard.prove.proof import DELIVERED, NOISE, ORIGINAL, PROTECTED, Proof, Statement
from deepguard.prove.quality import compare
from deepguard.prove.report import FileFacts, Report
from deepguard.prove.run import reseeded, run
from deepguard.prove.scenario import USUAL, Scenario
from deepguard.prove.seconds import Clock
from deepguard.prove.survey import survey
from deepguard.prove.views import clip_of, sheets_of
from deepguard.transforms.posting import COLUMNS, column
from deepguard.types import Face, Images, Note, Progress, Watch, ignore
from deepguard.weights.shelf import remembered_digest

MOST_FACES = 12
"""Faces that a proof looks at, at most, the largest ones: each takes every encoder in every column of every arm."""


@dataclass(frozen=True, slots=True)
class ProveOptions:
    """What a user may choose. No option names a second person: the other side of a swap is a bundled face, by id.

    Attributes:
        columns: posting chains beside the file as delivered; None for the usual ones.
        detectors, encoders: those that attack; None for all at hand.
        swappers: face swappers that attack.
        counterpart: id of the bundled face of the other side.
        steps: of a swapper's training; None for its usual number.
        swapped: columns in which swaps are tried by swappers that are not trained; others work on delivered files.
        seed: of all chance.
        sheet, clip: whether to draw the viewable sheets, the clip; both need the statement.
        statement: whose face it is.
        protection: how a photo is protected that comes without its protected version.
    """

    columns: tuple[str, ...] | None = None
    detectors: tuple[str, ...] | None = None
    encoders: tuple[str, ...] | None = None
    swappers: tuple[str, ...] = ("warp",)
    counterpart: str = "hopper"
    steps: int | None = None
    swapped: tuple[str, ...] = (DELIVERED,)
    seed: int = 0
    sheet: bool = False
    clip: bool = False
    statement: Statement | None = None
    protection: Options = field(default_factory=Options)


@dataclass(frozen=True)
class Proved:
    """What was measured; sheets (PNG) by language and the clip, where they were asked for.

    `protected` are the bytes of the protected picture where it was made here.
    """

    report: Proof
    protected: bytes | None = None
    sheets: Mapping[str, bytes] = field(default_factory=dict)
    clip: bytes | None = None


def check_proof(options: ProveOptions) -> None:
    """Raise OptionError where an option names what does not exist or does not fit; needs no weights."""
    for chain in options.columns or ():
        column(chain)
    for name in options.detectors or ():
        detectors.entry(name)
    for name in options.encoders or ():
        encoders.entry(name)
    for name in options.swappers:
        swappers.entry(name)
    counterpart(options.counterpart)
    if (options.sheet or options.clip) and not options.swappers:
        raise OptionError("a sheet or clip shows what a face swapper makes; choose one, such as warp")
    if (options.sheet or options.clip) and options.statement is None:
        raise OptionError(
            "a sheet or clip shows what an abuser would get, so state whose face it is: --statement self or agreed for "
            "the command, `statement` among the options"
        )


def prove(
    original: Picture,
    protected: Picture | None,
    models: Models,
    options: ProveOptions = ProveOptions(),
    *,
    made: Report | None = None,
    names: tuple[str, str] = ("picture", "protected picture"),
    watch: Watch = ignore,
) -> Proved:
    """Attack a photo, its protected version, and the photo with noise of that size, and measure what each gives away.

    Without `protected`, the photo is protected first. `made` is the report of the protection: without it nobody knows
    which models were attacked. `names` are what the report calls the two files. Raises OptionError for two different
    photos or an option that does not fit, NoFace where there is nothing to attack, WeightsMissing for a model that was
    asked for by name and is not at hand.
    """
    check_proof(options)
    fighters = _fighters(models, options)
    _check_order(names[0], names[1] if protected else None)
    clock = Clock()
    data: bytes | None = None
    if protected is None:
        with clock.measure("protecting"):
            done = protect(original, models, options.protection, name=names[0], watch=watch)
        protected, made, data = decode(done.data), done.report, done.data
    _check_report(made, original, protected)
    with clock.measure("finding"):
        faces = _faces(original, models, made, watch)
    how = (made.defence, made.preset) if made else (None, None)
    pair = _Pair(original, protected, names, faces, _attacked(made, fighters), how, _filtered(original, made))
    return _proved(pair, fighters, models, options, clock, watch, data)


def prove_again(report: Proof, original: Picture, protected: Picture, models: Models, watch: Watch = ignore) -> Changes:
    """Measure an earlier proof's pair against the models that are here now, and say what changed.

    OptionError where the pictures are not those of the report.
    """
    for name, picture, facts in (
        ("photo", original, report.original),
        ("protected picture", protected, report.protected),
    ):
        if picture.sha256 != facts.sha256:
            raise OptionError(f"the {name} is not the one of the report: it was changed, or is another one")
    known = set(swappers.available(models.shelf))
    options = ProveOptions(
        columns=tuple(name for name in report.columns if name in COLUMNS),
        swappers=tuple(swap.swapper for swap in report.swaps if swap.swapper in known),
        counterpart=next((swap.counterpart for swap in report.swaps), ProveOptions().counterpart),
        steps=next((swap.steps for swap in report.swaps if swap.steps), None),
        seed=report.seed,
    )
    fighters = _fighters(models, options)
    names = report.original.name, report.protected.name
    how = report.defence, report.preset
    pair = _Pair(original, protected, names, report.faces, _attacked_before(report, fighters), how, original.images)
    return changes(report, _proved(pair, fighters, models, options, Clock(), watch).report)


@dataclass(frozen=True)
class _Pair:
    """The two pictures, their files' names, the faces that count, and what is known of the protection.

    `attacked` tells of each model whether it was made against it; `how` are its defence and preset. `before` is the
    photo after the filters that the protection's report names: what differs from it is the protection.
    """

    original: Picture
    protected: Picture
    names: tuple[str, str]
    faces: tuple[Face, ...]
    attacked: Mapping[str, bool | None]
    how: tuple[str | None, str | None]
    before: Images


def _proved(
    pair: _Pair,
    fighters: _Fighters,
    models: Models,
    options: ProveOptions,
    clock: Clock,
    watch: Watch,
    data: bytes | None = None,
) -> Proved:
    check_alike(pair.original.images, pair.protected.images, pair.faces)
    scenario = _scenario(pair, fighters, models, options)
    with clock.measure("attacking"):
        measured = run(scenario, watch)
    with clock.measure("checking"):
        watch(Progress("checking", 0, 1))
        before = pair.before.to(models.device)
        of_picture, of_faces = compare(before, scenario.arms[PROTECTED], pair.faces, models.measures)
        files = _files(fighters, models)
        answers = checks(scenario, measured, reseeded(scenario), files)
        watch(Progress("checking", 1, 1))
    report = Proof(
        version=__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        device=str(models.device),
        seed=options.seed,
        seconds=clock.seconds,
        original=_facts(pair.names[0], pair.original),
        protected=_facts(pair.names[1], pair.protected),
        defence=pair.how[0],
        preset=pair.how[1],
        arms=tuple(scenario.arms),
        columns=scenario.columns,
        faces=pair.faces,
        detections=measured.detections,
        likenesses=measured.likenesses,
        swaps=measured.swaps,
        picture_quality=of_picture,
        face_quality=of_faces,
        checks=answers,
        models=files,
        missing=_missing(models, fighters, options),
        statement=options.statement,
        notes=tuple(_notes(scenario)),
    )
    sheets = sheets_of(report, scenario, measured) if options.sheet else {}
    return Proved(report, data, sheets, clip_of(scenario, measured) if options.clip else None)


@dataclass(frozen=True)
class _Fighters:
    """Who attacks."""

    detectors: Mapping[str, FaceDetector]
    encoders: Mapping[str, Encoder]
    swappers: Mapping[str, Swapper]


def _fighters(models: Models, options: ProveOptions) -> _Fighters:
    for name in options.detectors or ():
        if name not in models.detectors:
            raise WeightsMissing(f"the detector {name} is not loaded; run: deepguard models pull {name}")
    for name in options.encoders or ():
        if name not in models.encoders:
            raise WeightsMissing(f"the encoder {name} is not loaded; run: deepguard models pull {name}")
    return _Fighters(
        {name: models.detectors[name] for name in options.detectors or models.detectors},
        {name: models.encoders[name] for name in options.encoders or models.encoders},
        {name: swappers.create(name, models.shelf, models.device) for name in options.swappers},
    )


def _check_order(original: str, protected: str | None) -> None:
    """Refuse a protected picture in the place of its original."""
    if f"{MARK}." in original and not (protected and f"{MARK}." in protected):
        raise OptionError(
            f"{original} is a protected picture itself; give its original first: deepguard prove PHOTO PROTECTED"
        )


def _check_report(made: Report | None, original: Picture, protected: Picture) -> None:
    if original.sha256 == protected.sha256:
        raise OptionError("both are one and the same picture; give a photo and its protected version")
    if made is not None and (made.input.sha256, made.output.sha256) != (original.sha256, protected.sha256):
        raise OptionError("the report is of another pair of pictures; give the one that was written for this photo")


def _faces(original: Picture, models: Models, made: Report | None, watch: Watch) -> tuple[Face, ...]:
    """Return the faces that all rows count: the protected ones where that is known, else all that are seen."""
    if made is not None:
        return _most([made.faces[number - 1] for number in made.chosen])
    seen = survey(original.images.to(models.device), models.detectors, watch)
    faces = [face for face in seen if min(face.box.width, face.box.height) >= SMALLEST_FACE]
    if not faces:
        raise NoFace("no face was found in the photo, so that there is nothing to prove")
    return _most(faces)


def _filtered(original: Picture, made: Report | None) -> Images:
    """Return the photo as it was before its protection, as far as that is known: after its filters."""
    if made is None:
        return original.images
    filtered = apply(original.images, made.filters, original.grey)
    kept = [made.faces[number - 1] for number in made.chosen]
    others = [face for face in made.faces if face not in kept] if made.filters.blur_others else []
    return blurred(filtered, others, kept)


def _most(faces: Sequence[Face]) -> tuple[Face, ...]:
    """Return the largest faces, left to right as before."""
    kept = sorted(range(len(faces)), key=lambda index: -faces[index].box.area)[:MOST_FACES]
    return tuple(faces[index] for index in sorted(kept))


def _scenario(pair: _Pair, fighters: _Fighters, models: Models, options: ProveOptions) -> Scenario:
    rng = torch.Generator().manual_seed(options.seed)
    control = decode(encode(pair.original, noise(pair.before, pair.protected.images, rng)))
    arms = {ORIGINAL: pair.original, PROTECTED: pair.protected, NOISE: control}
    columns = USUAL if options.columns is None else options.columns
    return Scenario(
        arms={name: picture.images.to(models.device) for name, picture in arms.items()},
        faces=pair.faces,
        columns=tuple(dict.fromkeys((DELIVERED, *columns))),
        detectors=fighters.detectors,
        encoders=fighters.encoders,
        swappers=fighters.swappers,
        attacked=pair.attacked,
        counterpart=options.counterpart,
        steps=options.steps,
        swapped=options.swapped,
        seed=options.seed,
        show=_show(options),
    )


def _show(options: ProveOptions) -> Show:
    if options.clip:
        return "clip"
    return "tile" if options.sheet else "nothing"


def _attacked(made: Report | None, fighters: _Fighters) -> dict[str, bool | None]:
    """Tell of each model whether the protection was made against it; a model that it does not name was not."""
    names = (*fighters.detectors, *fighters.encoders)
    if made is None:
        return dict.fromkeys(names)
    return {name: any(model.name == name and model.attacked for model in made.models) for name in names}


def _attacked_before(report: Proof, fighters: _Fighters) -> dict[str, bool | None]:
    """The same as an earlier proof knew it; a model that came later cannot have been attacked."""
    known = {row.detector: row.attacked for row in report.detections}
    known |= {row.encoder: row.attacked for row in report.likenesses}
    later = None if all(each is None for each in known.values()) else False
    return {name: known.get(name, later) for name in (*fighters.detectors, *fighters.encoders)}


def _files(fighters: _Fighters, models: Models) -> dict[str, Mapping[str, str]]:
    known = {name: models.files[name] for name in (*fighters.detectors, *fighters.encoders)}
    entries = [swappers.entry(name) for name in fighters.swappers]
    return known | {
        each.name: {weights.file: remembered_digest(models.shelf.path(weights)) for weights in each.weights}
        for each in entries
    }


def _missing(models: Models, fighters: _Fighters, options: ProveOptions) -> tuple[str, ...]:
    if options.encoders:
        return models.missing
    return (*models.missing, *(name for name in encoders.names() if name not in fighters.encoders))


def _facts(name: str, picture: Picture) -> FileFacts:
    return FileFacts(name, picture.coding.container, picture.sha256, picture.size, picture.width, picture.height)


def _notes(scenario: Scenario) -> Iterator[Note]:
    bare = [number for number, face in enumerate(scenario.faces, start=1) if not face.landmarks]
    if bare:
        text = f"faces without landmarks, of which identity cannot be told: {', '.join(map(str, bare))}"
        yield Note("no_landmarks", text, len(bare))
    if len(scenario.faces) == MOST_FACES:
        yield Note("many_faces", f"of many faces, the {MOST_FACES} largest are looked at", MOST_FACES)
    if not scenario.encoders:
        text = "no encoder is on the shelf, so that identity was not measured; run: deepguard models pull"
        yield Note("no_encoder", text)
