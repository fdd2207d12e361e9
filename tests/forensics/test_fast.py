from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from tests.forensics.exporting_toys import SPEC, Toy, toy
from torch import Tensor

from deepguard.forensics import fast
from deepguard.forensics.fast import BATCH, WORTH, Fast


@pytest.fixture
def crops(rng: torch.Generator) -> Tensor:
    return torch.rand(20, 3, SPEC.side, SPEC.side, generator=rng)


class Slow:
    """Torch's logits, with a count of the crops."""

    def __init__(self, classifier: Toy) -> None:
        self.classifier, self.seen = classifier, 0

    def __call__(self, crops: Tensor) -> Tensor:
        self.seen += len(crops)
        return self.classifier.fakeness(crops)


def test_a_few_crops_go_through_torch_and_many_through_onnxruntime(crops: Tensor) -> None:
    slow = Slow(toy())
    logits = Fast(toy(), slow)
    expected = toy().fakeness(crops)
    assert torch.allclose(logits(crops), expected, atol=1e-6)
    assert not logits.fast
    assert slow.seen == len(crops)
    for _ in range(WORTH // len(crops) + 1):
        assert torch.allclose(logits(crops), expected, atol=1e-4)
    assert logits.fast
    seen = slow.seen
    assert torch.allclose(logits(crops), expected, atol=1e-4)
    assert slow.seen == seen


def test_a_crowd_at_once_is_enough(crops: Tensor) -> None:
    logits = Fast(toy(), Slow(toy()))
    many = crops.repeat(WORTH // len(crops) + 1, 1, 1, 1)
    assert torch.allclose(logits(many), toy().fakeness(many), atol=1e-4)
    assert logits.fast


def test_no_crop_has_no_logit(crops: Tensor) -> None:
    assert Fast(toy(), Slow(toy()))(crops[:0]).shape == (0,)


@pytest.mark.parametrize("other", [lambda crops: toy().fakeness(crops) + 0.01, lambda crops: toy(4).fakeness(crops)])
def test_a_graph_that_says_something_else_is_not_used(crops: Tensor, other: Callable[[Tensor], Tensor]) -> None:
    logits = Fast(toy(), other)
    many = crops.repeat(WORTH // len(crops) + 1, 1, 1, 1)
    assert torch.allclose(logits(many), other(many), atol=1e-5)
    assert not logits.fast


def test_a_classifier_that_is_no_graph_stays_in_torch(crops: Tensor) -> None:
    class Odd(torch.nn.Module):
        def forward(self, crops: Tensor) -> Tensor:
            return torch.linalg.matrix_exp(crops[:, 0]).mean(dim=(1, 2))

    slow = Slow(Toy(Odd()))
    logits = Fast(slow.classifier, slow)
    many = crops.repeat(WORTH // len(crops) + 1, 1, 1, 1)
    assert logits(many).shape == (len(many),)
    assert not logits.fast


def test_the_graph_is_made_once_however_many_threads_ask(crops: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    made, make = [], fast._made
    monkeypatch.setattr(fast, "_made", lambda *asked: made.append(asked) or make(*asked))
    logits = Fast(toy(), Slow(toy()))
    many = crops.repeat(WORTH // len(crops) + 1, 1, 1, 1)
    threads = [threading.Thread(target=logits, args=(many,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert BATCH < WORTH
