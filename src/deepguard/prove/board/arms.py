"""Every change that is tried on one photo, judged together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch

from deepguard.measures.roles import Measure
from deepguard.media.encode import encode
from deepguard.media.picture import Picture
from deepguard.media.read import decode
from deepguard.models.roles import FaceDetector
from deepguard.prove.board.controls import fitting_factor, noise
from deepguard.prove.board.records import Arm, Kind, Photo
from deepguard.prove.posting import posted
from deepguard.prove.quality import compare, excess
from deepguard.prove.report import Quality, Report
from deepguard.prove.verify import Judgement, judge
from deepguard.transforms.posting import posting
from deepguard.types import Face, Images, Progress, Watch, ignore

PAPER = "facepoison-paper"
"""The defence that is made for one detector at a time, as its authors do."""

DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of `api.protect`: the defence, a preset, and the detectors to hide from (None: the preset's)."""

    defence: str
    preset: str
    detectors: tuple[str, ...] | None = None


class Made(Protocol):
    """What comes of an order; see `api.Protected`."""

    @property
    def data(self) -> bytes:
        """The encoded file."""

    @property
    def report(self) -> Report:
        """What was measured on it."""


@dataclass(frozen=True)
class Bench:
    """What every photo is measured with: how to protect one, the models, and what is asked for.

    Attributes:
        protect: makes an order's picture, with the one seed.
        detectors: those that judge.
        tapped: the detectors whose inner features the published recipe attacks.
        measures: of quality.
        device: where the detectors are.
        defences: names, each with every preset but `PAPER`, which has none.
        presets: names; the first is the one that the controls are held against.
        chains: posting chains, beside those that every report has.
        seed: of all chance.
    """

    protect: Callable[[Picture, Order, Watch], Made]
    detectors: Mapping[str, FaceDetector]
    tapped: tuple[str, ...]
    measures: Mapping[str, Measure]
    device: torch.device
    defences: tuple[str, ...]
    presets: tuple[str, ...]
    chains: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Controls:
    """Which of the slow controls a photo takes part in."""

    leave_one_out: bool
    paper: bool
    noise: bool


@dataclass(frozen=True)
class _Draft:
    """A change whose file is made; `pending` versions are still to be judged."""

    name: str
    kind: Kind
    attacked: tuple[str, ...]
    data: bytes
    picture_quality: Quality
    face_quality: tuple[Quality, ...]
    judgements: tuple[Judgement, ...] = ()
    pending: tuple[str, ...] = (DELIVERED,)
    seconds: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, float | int | bool] = field(default_factory=dict)

    @property
    def excess(self) -> float:
        """The worst share of a ceiling of visibility."""
        return excess(self.picture_quality, self.face_quality)


def measured(name: str, picture: Picture, bench: Bench, controls: Controls, watch: Watch = ignore) -> Photo:
    """Try every change on one photo. Raises what `api.protect` raises."""
    work = _Work(picture, bench, watch)
    ours = [
        work.made("ours", Order(defence, preset), bench.chains)
        for defence in bench.defences
        if defence != PAPER
        for preset in bench.presets
    ]
    drafts = list(ours)
    if ours and controls.leave_one_out:
        drafts += work.without()
    papers = [] if PAPER not in bench.defences or not controls.paper else list(work.papers())
    drafts += papers
    if ours and controls.noise:
        drafts.append(work.noise(ours[0]))
    if ours:
        drafts += [work.scaled(each, ours[0].excess) for each in papers]
    return Photo(
        name,
        picture.sha256,
        picture.width,
        picture.height,
        work.faces,
        work.small,
        tuple(work.judged(drafts)),
    )


class _Work:
    """One photo on the bench; its faces are known once the first change was made."""

    def __init__(self, picture: Picture, bench: Bench, watch: Watch) -> None:
        self.picture = picture
        self.bench = bench
        self.watch = watch
        self.before = picture.images.to(bench.device)
        self.faces: tuple[Face, ...] = ()
        self.small = 0

    def made(self, kind: Kind, order: Order, chains: Sequence[str] = ()) -> _Draft:
        """Have a defence make its picture; what its report has not measured is left to be judged."""
        name = _named(kind, order, tuple(self.bench.detectors))
        made = self.bench.protect(self.picture, order, self._told(name))
        report = made.report
        self.faces = tuple(report.faces[number - 1] for number in report.chosen)
        self.small = len(report.faces) - len(report.chosen)
        known = report.judgements[0].after
        return _Draft(
            name,
            kind,
            tuple(model.name for model in report.models if model.attacked),
            made.data,
            report.picture_quality,
            report.face_quality,
            report.judgements,
            tuple(chain for chain in chains if chain not in known),
            report.seconds,
            report.options,
        )

    def without(self) -> Iterator[_Draft]:
        """Yield the first defence's change made against all detectors but one, for each."""
        names = tuple(self.bench.detectors)
        defence = next(each for each in self.bench.defences if each != PAPER)
        for name in names:
            others = tuple(each for each in names if each != name)
            yield self.made("without", Order(defence, self.bench.presets[0], others))

    def papers(self) -> Iterator[_Draft]:
        """Yield the published recipe's change for each detector that it names."""
        for name in self.bench.tapped:
            yield self.made("paper", Order(PAPER, self.bench.presets[0], (name,)))

    def noise(self, ours: _Draft) -> _Draft:
        """Return noise of the size of a change."""
        self.watch(Progress("noise", 0, 1))
        rng = torch.Generator().manual_seed(self.bench.seed)
        return self._drawn("noise", "noise", (), noise(self.picture.images, decode(ours.data).images, rng))

    def scaled(self, paper: _Draft, limit: float) -> _Draft:
        """Return a change made fainter until its excess is at most `limit`; one that is fainter stays as it is."""
        name = paper.name.replace(PAPER, "scaled")
        change = decode(paper.data).images - self.picture.images
        drafts = {1.0: dataclasses.replace(_bare(paper), name=name, kind="scaled")}

        def drawn(factor: float) -> _Draft:
            if factor not in drafts:
                self.watch(Progress(name, len(drafts), len(drafts) + 1))
                images = (self.picture.images + factor * change).clamp(0, 1)
                drafts[factor] = self._drawn(name, "scaled", paper.attacked, images)
            return dataclasses.replace(drafts[factor], settings={"factor": factor})

        return drawn(fitting_factor(lambda factor: drawn(factor).excess, paper.excess, limit))

    def judged(self, drafts: Sequence[_Draft]) -> Iterator[Arm]:
        """Yield each change with everything that was judged; the untouched photo is looked at once for all."""
        makers = {
            f"{draft.name} {version}": partial(self._version, draft, version)
            for draft in drafts
            for version in draft.pending
        }
        seen: tuple[Judgement, ...] = ()
        if makers:
            versions = _Versions(makers)
            seen = judge(self.before, versions, self.faces, self.bench.detectors, self._told("judging"), retry=())
        for draft in drafts:
            yield Arm(
                draft.name,
                draft.kind,
                draft.attacked,
                _joined(draft, {each.detector: each for each in seen}, tuple(self.bench.detectors)),
                draft.picture_quality,
                draft.face_quality,
                draft.excess,
                draft.seconds,
                draft.settings,
            )

    def _drawn(self, name: str, kind: Kind, attacked: tuple[str, ...], images: Images) -> _Draft:
        data = encode(self.picture, images)
        after = decode(data).images.to(self.bench.device)
        return _Draft(name, kind, attacked, data, *compare(self.before, after, self.faces, self.bench.measures))

    def _version(self, draft: _Draft, version: str) -> Images:
        images = decode(draft.data).images.to(self.bench.device)
        if version == DELIVERED:
            return images
        return posted(images, posting(version), torch.Generator().manual_seed(self.bench.seed))

    def _told(self, name: str) -> Watch:
        """Return a watch that says of which change a stage is; each one's own estimate is not the photo's."""

        def watch(progress: Progress) -> None:
            self.watch(dataclasses.replace(progress, stage=f"{name} ({progress.stage})", seconds=None))

        return watch


class _Versions(Mapping[str, Images]):
    """Pictures by name, each made when it is looked at: a board has more of them than memory should hold."""

    def __init__(self, makers: Mapping[str, Callable[[], Images]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> Images:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def _named(kind: Kind, order: Order, names: tuple[str, ...]) -> str:
    if kind == "paper":
        return f"{PAPER} {' '.join(order.detectors or ())}"
    left = f" without {', '.join(name for name in names if name not in (order.detectors or names))}"
    return f"{order.defence} {order.preset}{left if kind == 'without' else ''}"


def _bare(draft: _Draft) -> _Draft:
    """Return a change without what was judged."""
    return dataclasses.replace(draft, judgements=(), pending=(DELIVERED,), seconds={})


def _joined(draft: _Draft, seen: Mapping[str, Judgement], names: Sequence[str]) -> tuple[Judgement, ...]:
    """Return the report's judgements with those that were made here."""
    known = {each.detector: each for each in draft.judgements}
    return tuple(
        Judgement(
            name,
            (known.get(name) or seen[name]).before,
            {
                **(known[name].after if name in known else {}),
                **{version: seen[name].after[f"{draft.name} {version}"] for version in draft.pending},
            },
        )
        for name in names
    )
