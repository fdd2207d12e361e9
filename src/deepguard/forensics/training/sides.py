"""One step's batch in shares, side by side: of a network so small two threads gain little on one operation.

Two cores: 0.37 s for a step of 32 faces in two shares, 0.48 s with two threads for each operation.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor, nn

from deepguard.forensics.attackers import attacked
from deepguard.models.efficientnet import EfficientNetB0
from deepguard.types import Images, PerImage, Rng

Precision = Callable[[], contextlib.AbstractContextManager[object]]
Made = TypeVar("Made")
SMALLEST = 8
"""Faces in a share: batch normalisation needs some."""


class Sides:
    """A network and as many others with the same weights as there are further shares; a context that ends its threads.

    Every share is normalised by itself. The network's running statistics are those of its own share, which is drawn
    evenly from the batch. Results do not depend on which share is ready first.
    """

    def __init__(self, network: EfficientNetB0, count: int, precision: Precision) -> None:
        weights = {id(value): value for value in network.parameters()}
        self.networks = [network, *(copy.deepcopy(network, dict(weights)) for _ in range(count - 1))]
        self.precision = precision
        self.pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) if count > 1 else None

    def __enter__(self) -> Sides:
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool is not None:
            self.pool.shutdown()

    def train(self, *, still: bool) -> None:
        """Put the networks into learning mode; `still` leaves the statistics of batch normalisation as they are."""
        for network in self.networks:
            network.train()
            for each in network.modules():
                if still and isinstance(each, nn.BatchNorm2d):
                    each.eval()

    def learn(self, images: Images, fake: PerImage, loss_of: Callable[[PerImage, PerImage], Tensor]) -> Tensor:
        """Leave the gradient of the loss of the logits and `fake` in the weights, and return the loss."""
        count = self._count(images)
        features = self._each(self._features, self.networks[:count], _shares(images, count))
        joined = torch.cat([each.detach() for each in features]).requires_grad_()
        network = self.networks[0]
        with self.precision():
            logits = network.judged(joined).float()
        loss = loss_of(logits, torch.cat(_shares(fake, count)))
        head = tuple(network.logit.parameters())
        given, *of_head = torch.autograd.grad(loss, (joined, *head))
        body = [value for name, value in network.named_parameters() if not name.startswith("logit.")]
        back = torch.split(given, [len(each) for each in features])
        gradients = self._each(lambda made, each: torch.autograd.grad(made, body, each), features, back)
        whole = [torch.stack(each).sum(0) for each in zip(*gradients, strict=True)]
        for value, gradient in zip((*body, *head), (*whole, *of_head), strict=True):
            value.grad = gradient
        return loss.detach()

    def attacked(self, images: Images, fake: PerImage, *, epsilon: float, steps: int, rng: Rng) -> Images:
        """Return the images attacked against the network, which is in judging mode; see `forensics.attackers`."""
        count = self._count(images)
        chances = [torch.Generator().manual_seed(int(torch.randint(2**31, (), generator=rng))) for _ in range(count)]

        def one(images: Images, fake: PerImage, rng: Rng) -> Images:
            with self.precision():
                return attacked(self.networks[0], images, fake, epsilon=epsilon, steps=steps, rng=rng)

        made = images.clone()
        changed = self._each(one, _shares(images, count), _shares(fake, count), chances)
        for at, each in enumerate(changed):
            made[at::count] = each
        return made

    def _features(self, network: EfficientNetB0, images: Images) -> Tensor:
        with self.precision():
            return network.features(network.maps(images)).float()

    def _count(self, images: Images) -> int:
        return max(1, min(len(self.networks), len(images) // SMALLEST))

    def _each(self, task: Callable[..., Made], *shares: Sequence[object]) -> list[Made]:
        return list(map(task, *shares)) if self.pool is None else list(self.pool.map(task, *shares))


def _shares(values: Tensor, count: int) -> list[Tensor]:
    return [values[at::count] for at in range(count)]
