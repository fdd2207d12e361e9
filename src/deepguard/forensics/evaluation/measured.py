"""A classifier measured: with and without the copies, after compression, by group, under attack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deepguard.errors import InputError
from deepguard.forensics.attackers import attacked
from deepguard.forensics.calibration import Calibration
from deepguard.forensics.evaluation.samples import Sample, Samples
from deepguard.forensics.loading import Judge
from deepguard.forensics.metrics import accuracy, area, calibration_error, false_alarms, precision, trimmed
from deepguard.forensics.purify import COPIES, PLAIN, copies, soft_copies
from deepguard.forensics.verdict import Word
from deepguard.forensics.weighing import weighed
from deepguard.media.codec import recompress, resample
from deepguard.models.roles import Classifier, CropSpec
from deepguard.types import Images, PerImage, Progress, Watch, ignore

PART = 64
ATTACK_PART = 8
MEAN = "mean"
"""The mean of all copies' logits: what the verdict rests on."""
CONDITIONS: Mapping[str, Callable[[Images], Images]] = {
    "as it is": lambda crops: crops,
    "JPEG 75": lambda crops: recompress(crops, "jpeg", 75),
    "JPEG 40": lambda crops: recompress(crops, "jpeg", 40),
    "JPEG 20": lambda crops: recompress(crops, "jpeg", 20),
    "half size": lambda crops: _through(crops, 2),
    "quarter size": lambda crops: _through(crops, 4),
}
"""What may have happened to a face before it is judged, done to its crop."""
STEPS = 20
_SAID = (Word.LIKELY_REAL, Word.UNCERTAIN, Word.LIKELY_FAKE)
FEWEST = 5
"""Faces of each label from which a group gets a row of its own."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One row: faces counted, and the figures of `deepguard.forensics.metrics`, each in [0, 1].

    `area`, `precision` and `false_alarms` are None where only one label is there; `positives` is the share of real
    faces that are called likely fake, None without real ones; `found` that of the fakes, and `missed` the share of the
    fakes that are called likely real, None without fakes.
    """

    real: int
    fake: int
    area: float | None
    precision: float | None
    false_alarms: float | None
    accuracy: float | None
    calibration_error: float
    positives: float | None
    found: float | None
    missed: float | None


@dataclass(frozen=True, slots=True)
class Attack:
    """How faces are attacked, by somebody who has the weights.

    Attributes:
        aim: `plain`, by somebody who knows nothing of the copies, or `mean`, through all of them, by gradients that
            pass JPEG straight through.
        epsilon: the most by which a channel may change, in 1/255.
        pairs: real faces, and as many fakes.
        seed: of which faces these are, and of where the attack begins.
        steps: of projected gradient descent.
    """

    aim: str
    epsilon: float
    pairs: int
    seed: int
    steps: int = STEPS


@dataclass(frozen=True, slots=True)
class Robustness:
    """What an attack does.

    Attributes:
        faces: so many were attacked, half of them fakes.
        clean, attacked: balanced accuracy of each reading, untouched and attacked.
        words: shares of the attacked fakes that get each word, of the whole judgement, which also heeds how far the
            copies differ.
        accused: share of the attacked real faces that are called likely fake.
    """

    attack: Attack
    faces: int
    clean: Mapping[str, float]
    attacked: Mapping[str, float]
    words: Mapping[Word, float]
    accused: float


@dataclass(frozen=True)
class Elsewhere:
    """A classifier on a device of its own: crops are sent there and logits come back, with their gradients."""

    classifier: Classifier
    device: torch.device

    @property
    def crop(self) -> CropSpec:
        """The crop that it was trained on."""
        return self.classifier.crop

    def fakeness(self, crops: Images) -> PerImage:
        """Return each crop's logit, where the crops are."""
        return self.classifier.fakeness(crops.to(self.device)).to(crops.device)


def scores(classifier: Classifier, crops: Images, watch: Watch = ignore) -> dict[str, PerImage]:
    """Return the logits of every copy of the crops, and `mean`."""
    parts: dict[str, list[Tensor]] = {name: [] for name in COPIES}
    with torch.inference_mode():
        for done, part in enumerate(torch.split(crops, PART)):
            watch(Progress("judging", min(done * PART, len(crops)), len(crops)))
            for name, copy in copies(part).items():
                parts[name].append(classifier.fakeness(copy))
    each = {name: torch.cat(values) for name, values in parts.items()}
    return {**each, MEAN: torch.stack(list(each.values())).mean(0)}


def figures(logits: PerImage, fake: Tensor, calibration: Calibration) -> Figures:
    """Return the figures of some faces' logits."""
    probability = torch.sigmoid((logits.double() - calibration.bias) / calibration.temperature)
    real, fakes = probability[fake == 0], probability[fake == 1]
    both = bool(len(real) and len(fakes))
    threshold = calibration.threshold
    return Figures(
        len(real),
        len(fakes),
        area(real, fakes) if both else None,
        precision(real, fakes) if both else None,
        false_alarms(real, fakes) if both else None,
        accuracy(real, fakes, 0.5) if both else None,
        calibration_error(probability, fake),
        float((real >= threshold.fake_from).double().mean()) if len(real) else None,
        float((fakes >= threshold.fake_from).double().mean()) if len(fakes) else None,
        float((fakes <= threshold.real_to).double().mean()) if len(fakes) else None,
    )


def of_clips(logits: PerImage, samples: Samples, calibration: Calibration) -> Figures | None:
    """Return the figures of whole clips, each its frames' trimmed mean; None where no clip has two frames."""
    clips: dict[tuple[bool, str], list[int]] = {}
    for place, each in enumerate(samples.samples):
        clips.setdefault((each.fake, each.clip), []).append(place)
    if len(clips) == len(samples.samples):
        return None
    means = torch.tensor([trimmed(logits[places].tolist()) for places in clips.values()])
    return figures(means, torch.tensor([float(fake) for fake, _ in clips]), calibration)


def by_group(logits: PerImage, samples: Samples, calibration: Calibration, column: str) -> dict[str, Figures]:
    """Return the figures of each value of a column that has enough faces; InputError where there is no such column."""
    check_column(samples.samples, column)
    values = [each.tags.get(column, "") for each in samples.samples]
    rows = {}
    for value in sorted(set(values) - {""}):
        places = torch.tensor([place for place, each in enumerate(values) if each == value])
        if len(places) >= FEWEST:
            rows[value] = figures(logits[places], samples.fake[places], calibration)
    return rows


def check_column(samples: Sequence[Sample], column: str) -> None:
    """Raise InputError where no picture has anything in the column."""
    if not any(each.tags.get(column) for each in samples):
        raise InputError(f"the pictures have no column {column}; those of the list are named in its first line")


def under_attack(
    classifier: Classifier, samples: Samples, calibration: Calibration, attack: Attack, watch: Watch = ignore
) -> Robustness:
    """Return what PGD leaves of the accuracy, of up to `attack.pairs` real faces and as many fakes."""
    rng = torch.Generator().manual_seed(attack.seed)
    places = torch.cat([_some(samples.fake == label, attack.pairs, rng) for label in (0, 1)])
    crops, fake = samples.crops[places], samples.fake[places]
    target = classifier.fakeness if attack.aim == PLAIN else _through_copies(classifier)
    changed = []
    for done, part in enumerate(torch.split(torch.arange(len(crops)), ATTACK_PART)):
        watch(Progress(f"attacking ({attack.aim})", done * ATTACK_PART, len(crops)))
        changed.append(
            attacked(target, crops[part], fake[part], epsilon=attack.epsilon / 255, steps=attack.steps, rng=rng)
        )
    before, after = scores(classifier, crops), scores(classifier, torch.cat(changed))
    words = _words(classifier, calibration, after)
    said = [word for word, label in zip(words, fake.tolist(), strict=True) if label]
    accused = [word is Word.LIKELY_FAKE for word, label in zip(words, fake.tolist(), strict=True) if not label]
    return Robustness(
        attack,
        len(crops),
        {name: _accuracy(values, fake, calibration) for name, values in before.items()},
        {name: _accuracy(values, fake, calibration) for name, values in after.items()},
        {word: said.count(word) / len(said) for word in _SAID},
        sum(accused) / len(accused),
    )


def _words(classifier: Classifier, calibration: Calibration, logits: Mapping[str, PerImage]) -> list[Word]:
    judge = Judge(calibration.classifier, classifier, classifier.fakeness, torch.device("cpu"), calibration)
    each = {name: logits[name].tolist() for name in COPIES}
    count = len(logits[MEAN])
    said = ({judge.name: {name: values[place] for name, values in each.items()}} for place in range(count))
    return [weighed(face, (judge,)).word for face in said]


def _through_copies(classifier: Classifier) -> Callable[[Images], PerImage]:
    def mean(images: Images) -> PerImage:
        return torch.stack([classifier.fakeness(copy) for copy in soft_copies(images).values()]).mean(0)

    return mean


def _accuracy(logits: PerImage, fake: Tensor, calibration: Calibration) -> float:
    return accuracy(logits[fake == 0], logits[fake == 1], calibration.bias)


def _some(chosen: Tensor, most: int, rng: torch.Generator) -> Tensor:
    places = torch.nonzero(chosen).flatten()
    return places[torch.randperm(len(places), generator=rng)[:most]]


def _through(crops: Images, factor: int) -> Images:
    height, width = crops.shape[-2:]
    return resample(resample(crops, (height // factor, width // factor)), (height, width), "bicubic")
