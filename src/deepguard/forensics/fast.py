"""A classifier through onnxruntime, which takes half of torch's time on a processor.

Measured on one thread of an AMD EPYC (crops of 128 pixels, EfficientNet-b0, crops a second): torch 80 to 160, falling
with the batch; with its batch normalisation folded 90 to 170; onnxruntime 200 to 220, and with padding done by the
convolutions 240 to 260; int8 280, which is not used here, as it changes the verdict.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

from deepguard.errors import OutputError
from deepguard.models.roles import Classifier
from deepguard.types import Images, PerImage

WORTH = 128
"""Crops after which the graph is made: that takes as long as it saves on so many, and a photo's faces are fewer."""
BATCH = 8
"""Crops that are looked at together: their maps stay in the processor's cache."""


class Fast:
    """Logits of a classifier on the processor: at first as `slow` computes them, from `WORTH` crops on by onnxruntime.

    Both say the same within `graph.TOLERANCE`; a classifier for which that does not hold, or that cannot be written
    as a graph, stays with `slow`.
    """

    def __init__(self, classifier: Classifier, slow: Callable[[Images], PerImage]) -> None:
        self._classifier = classifier
        self._slow = slow
        self._seen = 0
        self._quick: Callable[[Images], PerImage] | None = None
        self._tried = False
        self._making = threading.Lock()

    def __call__(self, crops: Images) -> PerImage:
        """Return each crop's logit, without gradients, on the processor."""
        if not len(crops):
            return torch.zeros(0)
        return torch.cat([self._of(batch) for batch in torch.split(crops, BATCH)])

    @property
    def fast(self) -> bool:
        """Whether onnxruntime computes by now."""
        return self._quick is not None

    def _of(self, crops: Images) -> PerImage:
        self._seen += len(crops)
        if self._seen > WORTH and not self._tried:
            with self._making:
                self._prepare(crops)
        return (self._quick or self._slow)(crops)

    def _prepare(self, crops: Images) -> None:
        """Make the graph once, and keep it if it says of these crops what `slow` says."""
        if self._tried:
            return
        self._quick = _made(self._classifier, crops, self._slow(crops))
        self._tried = True


def _made(classifier: Classifier, crops: Images, expected: PerImage) -> Callable[[Images], PerImage] | None:
    """Return the classifier as onnxruntime runs it; None where no graph says what is expected of these crops."""
    # a photo's few faces need neither
    from deepguard.forensics.exporting.graph import TOLERANCE, onnx_of, run, session_of  # noqa: PLC0415

    try:
        session = session_of(onnx_of(classifier).SerializeToString())
    except OutputError:
        return None
    same = torch.allclose(run(session, crops), expected, rtol=0, atol=TOLERANCE)
    return (lambda crops: run(session, crops)) if same else None
