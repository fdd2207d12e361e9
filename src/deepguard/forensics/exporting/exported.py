"""From a classifier to a file for other programs, which is run and compared with torch before it is written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from deepguard import __version__
from deepguard.errors import OutputError
from deepguard.forensics.calibration import Calibration
from deepguard.forensics.exporting.graph import TOLERANCE
from deepguard.forensics.exporting.onnx_file import logits_of_onnx, onnx_bytes
from deepguard.forensics.exporting.tflite_file import logits_of_tflite, tflite_bytes
from deepguard.forensics.verdict import Word
from deepguard.models.roles import Classifier
from deepguard.types import Images

Form: TypeAlias = Literal["onnx", "tflite"]
"""The formats, which are also the usual endings of their files."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How an exported file compares with torch.

    Attributes:
        crops: on how many crops.
        largest: the largest difference of two logits.
        words: on how many of the crops the two verdicts differ.
    """

    crops: int
    largest: float
    words: int


@dataclass(frozen=True)
class Exported:
    """A file's bytes, and how it compares with torch."""

    data: bytes
    likeness: Likeness


def exported(
    name: str,
    classifier: Classifier,
    calibration: Calibration | None,
    crops: Images,
    form: Form = "onnx",
    *,
    int8: bool = False,
) -> Exported:
    """Return the classifier, which is on the processor, as a file that takes crops as its metadata describe them.

    It is run on `crops`: a float32 file whose logits differ by more than `TOLERANCE`, or whose verdict differs on any
    crop, raises OutputError; an int8 file is only measured, on every other crop, as its ranges are fitted to the rest.
    A format whose converter is not installed raises OptionError.
    """
    writers: Mapping[Form, Callable[..., bytes]] = {"onnx": onnx_bytes, "tflite": tflite_bytes}
    readers: Mapping[Form, Callable[[bytes, Images], Tensor]] = {"onnx": logits_of_onnx, "tflite": logits_of_tflite}
    compared, ranges = (crops[::2], crops[1::2]) if int8 else (crops, None)
    data = writers[form](classifier, facts_of(name, classifier, calibration, form), ranges)
    with torch.inference_mode():
        expected = torch.cat([classifier.fakeness(batch) for batch in torch.split(compared, 16)])
    likeness = compare(expected, readers[form](data, compared), calibration)
    if not int8 and (likeness.largest > TOLERANCE or likeness.words):
        raise OutputError(
            f"the exported {name} differs from the original by {likeness.largest:.2g} in a logit and in "
            f"{likeness.words} of {likeness.crops} verdicts, so it was not written; report this as a fault"
        )
    return Exported(data, likeness)


def facts_of(name: str, classifier: Classifier, calibration: Calibration | None, form: Form) -> dict[str, str]:
    """Return what another program must know to judge with the file, as names and values."""
    count = "n" if form == "onnx" else "1"
    facts = {
        "classifier": name,
        "deepguard": __version__,
        "side": str(classifier.crop.side),
        "margin": str(classifier.crop.margin),
        "aligned": str(classifier.crop.aligned).lower(),
        "input": f"crops: float32 [{count}, 3, side, side], RGB as coded in the picture, in [0, 1]",
        "output": f"logits: float32 [{count}]; above 0 means fake",
    }
    if calibration is not None:
        facts["calibration"] = json.dumps(_figures(calibration))
    return facts


def compare(expected: Tensor, given: Tensor, calibration: Calibration | None) -> Likeness:
    """Return how two lists of logits compare."""
    pairs = zip(expected.tolist(), given.tolist(), strict=True)
    words = sum(_word(one, calibration) != _word(other, calibration) for one, other in pairs)
    return Likeness(len(expected), (expected - given).abs().max().item(), words)


def _word(logit: float, calibration: Calibration | None) -> Word:
    if calibration is None:
        return Word.LIKELY_FAKE if logit > 0 else Word.LIKELY_REAL
    return calibration.word_of(calibration.probability(logit))


def _figures(calibration: Calibration) -> dict[str, object]:
    threshold = dataclasses.asdict(calibration.threshold)
    reading = "probability = 1 / (1 + exp(-(logit - bias) / temperature)), of the mean logit of the copies"
    return {"temperature": calibration.temperature, "bias": calibration.bias, "reading": reading} | threshold
