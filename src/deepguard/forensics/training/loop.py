"""Training: batches, attacks on them, steps, validations, checkpoints."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.errors import OptionError
from deepguard.forensics.training import checkpoint
from deepguard.forensics.training.batches import Batch, Drawing, overlays_of
from deepguard.forensics.training.config import Config
from deepguard.forensics.training.crops import Crops
from deepguard.forensics.training.sides import Sides
from deepguard.forensics.training.start import begin
from deepguard.forensics.training.validation import Standing, standing
from deepguard.models.classifiers.efficientnet_b0_sbi import CROP
from deepguard.models.efficientnet import EfficientNetB0
from deepguard.types import Images, PerImage, Progress, Rng, Watch, ignore

STEPS = 10_000_000
"""More steps than any run has: one seed's chance begins where another's ends."""
SMOOTHING = 0.05
"""Labels are this far from 0 and 1, so that no face is pushed to certainty."""
CLIP = 2.0
"""Longest gradient, in the 2-norm over all weights."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out: the best weights' file, the figures of the last validation, and the best score."""

    weights: Path
    standing: Standing
    best: float


def train(config: Config, crops: Crops, folder: Path, device: torch.device, watch: Watch = ignore) -> Trained:
    """Train, or go on where `folder` has a checkpoint; the best weights lie there in the end.

    Raises InputError where the pictures do not suffice, OutputError where nothing can be written, WeightsCorrupt for
    a damaged checkpoint, OptionError where a rate is so high that the loss grows beyond all numbers; `watch` may raise
    to stop: the last checkpoint stays.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    overlays = overlays_of(config, CROP.side)
    training = Drawing(crops, config, "train", CROP.side, overlays)
    checking = Drawing(crops, config, "validation", CROP.side, overlays)
    return _Run(config, training, checking, folder, device).go(watch)


class _Run:
    """One run's state."""

    def __init__(
        self, config: Config, training: Drawing, checking: Drawing, folder: Path, device: torch.device
    ) -> None:
        self.config, self.training, self.checking, self.folder, self.device = config, training, checking, folder, device
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            self.network = EfficientNetB0()
        begin(self.network, config.start)
        self.average = EfficientNetB0()
        self.average.load_state_dict(self.network.state_dict())
        for each in (self.network, self.average):
            each.to(memory_format=torch.channels_last).to(device)  # type: ignore[call-overload]
        self.average.eval().requires_grad_(False)
        self.optimiser = _optimiser(self.network, config)
        self.step, self.best, self.stale = 0, -math.inf, 0
        self._take_up(checkpoint.resume(folder))
        count = torch.get_num_threads() if device.type == "cpu" else 1
        self.sides = Sides(self.network, count, self._precision)

    def go(self, watch: Watch) -> Trained:
        """Train to the end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        figures = None
        loss, began = 0.0, time.monotonic()
        with self.sides:
            for batch in self._batches():
                watch(Progress("training", self.step, self.config.steps))
                loss += self._one(batch)
                self.step += 1
                if self.step % self.config.every == 0 or self.step == self.config.steps:
                    watch(Progress("validating", self.step, self.config.steps))
                    figures = self._validate(loss / self.config.every, time.monotonic() - began)
                    loss, began = 0.0, time.monotonic()
        figures = figures or standing(self._judged, self.checking, self.config.seed)
        return Trained(self.folder / checkpoint.BEST, figures, self.best)

    def _stale(self) -> bool:
        return 0 < self.config.patience <= self.stale

    def _batches(self) -> Iterator[Batch]:
        """Draw the batches that are left, each while the one before is trained on; until no validation gets better."""
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as apart:
            coming = apart.submit(self._draw, self.step)
            while self.step < self.config.steps and not self._stale():
                batch, coming = coming.result(), apart.submit(self._draw, self.step + 1)
                yield batch

    def _draw(self, step: int) -> Batch:
        return self.training.batch(self._chance(step, 0))

    def _chance(self, step: int, purpose: int) -> Rng:
        """Return the chance of one step alone, so that a run that goes on draws what it would have drawn."""
        return torch.Generator().manual_seed((self.config.seed * STEPS + step) * 2 + purpose)

    def _one(self, batch: Batch) -> float:
        """Do one step and return its loss."""
        images = batch.images.to(self.device, memory_format=torch.channels_last)
        fake = batch.fake.to(self.device)
        images = self._attacked(images, fake)
        rate = _rate(self.config, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.sides.train(still=self.config.still)
        self.optimiser.zero_grad(set_to_none=True)
        with torch.random.fork_rng():
            torch.manual_seed(self._chance(self.step, 1).initial_seed())
            loss = self.sides.learn(images, fake, _loss)
        length = torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        if not torch.isfinite(loss + length):
            raise OptionError(
                f"the loss is no number any more at step {self.step + 1}: set a lower rate in the configuration and "
                f"run again; the last checkpoint in {self.folder} is sound"
            )
        self.optimiser.step()
        self._follow()
        return float(loss)

    def _attacked(self, images: Images, fake: PerImage) -> Images:
        """Return the batch with its adversarial share changed against the weights of the moment."""
        count = round(self.config.adversarial * len(images))
        if not count or self.step < self.config.calm:
            return images
        rng = self._chance(self.step, 1)
        these = torch.randperm(len(images), generator=rng)[:count].to(self.device)
        epsilon = _pick(self.config.budgets, rng) / 255
        climbs = int(_pick(self.config.climbs, rng))
        self.network.eval()
        with _frozen(self.network):
            changed = self.sides.attacked(images[these], fake[these], epsilon=epsilon, steps=climbs, rng=rng)
        made = images.clone()
        made[these] = changed
        return made

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average a little towards the weights; early on, by more."""
        keep = min(self.config.average, (1 + self.step) / (10 + self.step))
        mine = self.network.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(mine[name], 1 - keep)
            else:
                value.copy_(mine[name])

    def _validate(self, loss: float, seconds: float) -> Standing:
        figures = standing(self._judged, self.checking, self.config.seed)
        if self.config.adversarial and 0 <= self.step - self.config.every <= self.config.calm < self.step:
            # attacks cost clean accuracy: what was best before them is not what is wanted now
            self.best = -math.inf
        better = figures.score > self.best
        self.best, self.stale = max(self.best, figures.score), 0 if better else self.stale + 1
        if better:
            checkpoint.keep(self.folder, self.average.state_dict())
        row = {"step": self.step, "loss": round(loss, 4), "rate": _rate(self.config, self.step - 1)}
        shown = {name: "" if value is None else round(value, 4) for name, value in asdict(figures).items()}
        checkpoint.note(self.folder, {**row, **shown, "score": round(figures.score, 4), "seconds": round(seconds)})
        checkpoint.save(self.folder, self._left())
        return figures

    def _judged(self, crops: Images) -> PerImage:
        """Return what the kept weights say of crops on the processor."""
        logits: PerImage = self.average(crops.to(self.device, memory_format=torch.channels_last))
        return logits.to(crops.device)

    def _left(self) -> checkpoint.Progressed:
        return checkpoint.Progressed(
            self.step,
            self.best,
            self.stale,
            self.network.state_dict(),
            self.average.state_dict(),
            self.optimiser.state_dict(),
        )

    def _take_up(self, left: checkpoint.Progressed | None) -> None:
        if left is None:
            return
        self.step, self.best, self.stale = left.step, left.best, left.stale
        self.network.load_state_dict(left.network)
        self.average.load_state_dict(left.average)
        self.optimiser.load_state_dict(dict(left.optimiser))

    def _precision(self) -> contextlib.AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.mixed)


@contextlib.contextmanager
def _frozen(network: EfficientNetB0) -> Iterator[None]:
    """Leave the weights out of the gradient for a while, which saves a third of the work."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def _loss(logits: PerImage, fake: PerImage) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, fake * (1 - 2 * SMOOTHING) + SMOOTHING)


def _optimiser(network: EfficientNetB0, config: Config) -> torch.optim.Optimizer:
    decayed = [value for value in network.parameters() if value.ndim > 1]
    others = [value for value in network.parameters() if value.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.decay}, {"params": others, "weight_decay": 0.0}]
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=config.rate, momentum=config.momentum, nesterov=config.momentum > 0)
    return torch.optim.AdamW(groups, lr=config.rate)


def _rate(config: Config, step: int) -> float:
    """Return the learning rate of a step, counted from 0."""
    if config.schedule == "multiplicative":
        return config.rate * config.factor ** (step // config.every)
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    return config.rate * warm * (0.01 + 0.99 * (1 + math.cos(math.pi * step / config.steps)) / 2)


def _pick(values: tuple[float, ...] | tuple[int, ...], rng: Rng) -> float:
    return values[int(torch.randint(len(values), (), generator=rng))]
