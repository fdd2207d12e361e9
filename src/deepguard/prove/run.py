"""Every attack on every arm in every column."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from deepguard.models.align import aligned
from deepguard.models.roles import Encoder
from deepguard.models.thresholds import thresholds
from deepguard.prove.bench import Vector, seen
from deepguard.prove.proof import COMBINED, DELIVERED, ORIGINAL, PROTECTED, Detection, Recognition, Swap
from deepguard.prove.scenario import Scenario, Version
from deepguard.prove.sightings import Glimpse, glimpses, marked
from deepguard.prove.swapping import Shown, Swapping
from deepguard.transforms.posting import COLUMNS
from deepguard.types import Face, Images, Progress, Watch, ignore


@dataclass(frozen=True)
class Measured:
    """What came of a scenario; `shown` is by swapper, with what may be seen of swaps where that was asked for."""

    detections: tuple[Detection, ...]
    likenesses: tuple[Recognition, ...]
    swaps: tuple[Swap, ...]
    shown: Mapping[str, Shown] = field(default_factory=dict)


def run(scenario: Scenario, watch: Watch = ignore) -> Measured:
    """Attack all pictures of a scenario; raising from `watch` stops it anywhere."""
    owners = tuple(_owner(scenario.arms[ORIGINAL], face, scenario.encoders) for face in scenario.faces)
    rows = _Rows(scenario)
    swapping = Swapping(scenario, owners)
    total = len(scenario.arms) * len(scenario.columns)
    for done, version in enumerate(scenario.versions()):
        watch(Progress(f"attacking ({version.arm}, {version.column})", done, total))
        attackers = rows.look(version)
        rows.compare(version, attackers, owners)
        if version.column in scenario.swapped:
            swapping.attempt(version, attackers, watch)
    watch(Progress("attacking", total, total))
    return Measured(rows.detections(), rows.likenesses(), swapping.swaps(), swapping.shown)


def reseeded(scenario: Scenario) -> tuple[Recognition, ...]:
    """Return the encoders' rows of the protected picture with another seed, in columns that chance has a part in."""
    owners = tuple(_owner(scenario.arms[ORIGINAL], face, scenario.encoders) for face in scenario.faces)
    other = dataclasses.replace(
        scenario,
        arms={PROTECTED: scenario.arms[PROTECTED]},
        columns=tuple(name for name in scenario.columns if name != DELIVERED and COLUMNS[name].random),
        seed=scenario.seed + 1,
    )
    rows = _Rows(other)
    for version in other.versions():
        rows.compare(version, (None,) * len(owners), owners)
    return rows.likenesses()


def _owner(original: Images, face: Face, encoders: Mapping[str, Encoder]) -> dict[str, Vector]:
    """Return what each encoder sees in a face of the original; nothing where no landmarks are known."""
    return seen(original, face.landmarks, encoders) if face.landmarks else {}


class _Rows:
    """The rows of the detectors and encoders, filled column by column."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.seen: dict[tuple[str, str], dict[str, Glimpse]] = {}
        self.carried: dict[tuple[str, str], dict[str, tuple[float | None, ...]]] = {}
        self.found: dict[tuple[str, str], dict[str, tuple[float | None, ...]]] = {}

    def look(self, version: Version) -> tuple[Face | None, ...]:
        """Let the detectors look, and return the faces as the attacker's own tools find them."""
        scenario, key = self.scenario, (version.arm, version.column)
        if not scenario.watched(*key):
            return (None,) * len(scenario.faces)
        again = version.column == DELIVERED
        self.seen[key] = glimpses(version.images, version.faces, scenario.detectors, again=again)
        return marked(version.faces, self.seen[key])

    def compare(
        self, version: Version, attackers: Sequence[Face | None], owners: Sequence[Mapping[str, Vector]]
    ) -> None:
        """Let the encoders compare each face with the original's."""
        key = version.arm, version.column
        self.carried[key] = self._cosines(version.images, version.faces, owners)
        if self.scenario.watched(*key):
            self.found[key] = self._cosines(version.images, attackers, owners)

    def detections(self) -> tuple[Detection, ...]:
        """Return each detector's row, and that of all together."""
        names = tuple(self.scenario.detectors)
        rows = [self._detection(name, [name], self.scenario.attacked.get(name)) for name in names]
        return (*rows, self._detection(COMBINED, names, None))

    def likenesses(self) -> tuple[Recognition, ...]:
        """Return each encoder's row."""
        return tuple(self._recognition(name, encoder) for name, encoder in self.scenario.encoders.items())

    def _cosines(
        self, images: Images, faces: Sequence[Face | None], owners: Sequence[Mapping[str, Vector]]
    ) -> dict[str, tuple[float | None, ...]]:
        return {
            name: tuple(
                _cosine(encoder, images, face, owner.get(name)) for face, owner in zip(faces, owners, strict=True)
            )
            for name, encoder in self.scenario.encoders.items()
        }

    def _detection(self, title: str, names: Sequence[str], attacked: bool | None) -> Detection:
        def any_of(flags: Callable[[Glimpse], tuple[bool, ...]], seen: Mapping[str, Glimpse]) -> tuple[bool, ...]:
            return tuple(any(each) for each in zip(*(flags(seen[name]) for name in names), strict=True))

        found: dict[str, dict[str, tuple[bool, ...]]] = {}
        again: dict[str, tuple[bool, ...]] = {}
        for (arm, column), seen_here in self.seen.items():
            found.setdefault(arm, {})[column] = any_of(lambda glimpse: glimpse.found, seen_here)
            if column == DELIVERED:
                again[arm] = any_of(lambda glimpse: glimpse.retried or (), seen_here)
        return Detection(title, attacked, found, again)

    def _recognition(self, name: str, encoder: Encoder) -> Recognition:
        known = thresholds(name)
        return Recognition(
            name,
            encoder.family,
            self.scenario.attacked.get(name),
            known.far_1e3 if known else None,
            known.far_1e4 if known else None,
            _by_arm(self.carried, name),
            _by_arm(self.found, name),
        )


def _by_arm(
    cosines: Mapping[tuple[str, str], Mapping[str, tuple[float | None, ...]]], name: str
) -> dict[str, dict[str, tuple[float | None, ...]]]:
    rows: dict[str, dict[str, tuple[float | None, ...]]] = {}
    for (arm, column), values in cosines.items():
        rows.setdefault(arm, {})[column] = values[name]
    return rows


@torch.no_grad()
def _cosine(encoder: Encoder, images: Images, face: Face | None, owner: Vector | None) -> float | None:
    if face is None or not face.landmarks or owner is None:
        return None
    vector = encoder.embed(aligned(images, face.landmarks, encoder.template))[0]
    return round(float(vector @ owner.to(vector)), 4)
