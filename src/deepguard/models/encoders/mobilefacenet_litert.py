"""MobileFaceNet (Chen et al. 2018, arXiv 1804.07573) as a file for phones: it only judges, as it has no gradient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from deepguard.errors import WeightsCorrupt
from deepguard.models.embedding import SPHEREFACE, Vectors
from deepguard.models.roles import Template, encoders
from deepguard.registry import Extra
from deepguard.types import Images
from deepguard.weights.catalogue import Weights

WEIGHTS = Weights(
    file="mobilefacenet_zye1996_0.993.tflite",
    size=3_993_684,
    sha256="70ed61fcf34c6bff588b6827473d614f948c0a43580cff6c539c9152a5244e04",
    licence="none stated",
    origin="MobileFaceNet by zye1996, trained on CASIA-WebFace, 128 values, for LiteRT",
    urls=(
        "https://github.com/zye1996/Mobilefacenet-TF2-coral_tpu/raw/"
        "987f3302f3cfa37d3279e22f10683fa7f95144b8/pretrained_model/inference_model_0.993.tflite",
    ),
    terms="Its source states no licence for the weights; the data they were trained on are for research.",
    published="inference_model_0.993.tflite",
)

VALUES = 128


class LiteRtEncoder:
    """LiteRT's interpreter behind the `Encoder` role; it takes one crop at a time, and one caller at a time."""

    template: Template = SPHEREFACE
    family = "mobilefacenet"
    gradient = False

    def __init__(self, interpreter: Any) -> None:
        interpreter.allocate_tensors()
        inputs = {len(each["shape"]): each for each in interpreter.get_input_details()}
        self._taken = inputs[4]["index"]
        if 2 in inputs:  # a label that only the training used
            interpreter.set_tensor(inputs[2]["index"], np.zeros(inputs[2]["shape"], np.float32))
        self._given = interpreter.get_output_details()[0]["index"]
        self._interpreter = interpreter
        self._lock = Lock()

    def embed(self, crops: Images) -> Vectors:
        """Return one unit vector per aligned crop, without a gradient."""
        rows = ((crops.detach().cpu() * 255 - 127.5) / 128).permute(0, 2, 3, 1).contiguous()
        vectors = crops.new_zeros(len(crops), VALUES)
        with self._lock:
            for index in range(len(rows)):
                self._interpreter.set_tensor(self._taken, rows[index : index + 1].numpy())
                self._interpreter.invoke()
                vectors[index] = torch.from_numpy(self._interpreter.get_tensor(self._given)[0])
        return functional.normalize(vectors)


@encoders.register("mobilefacenet-litert", WEIGHTS, extra=Extra("litert", "ai_edge_litert"))
def mobilefacenet_litert(paths: Sequence[Path], device: torch.device) -> LiteRtEncoder:
    """MobileFaceNet for phones, run by LiteRT: judges only, and on the processor, whatever the device."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - an extra

    try:
        return LiteRtEncoder(Interpreter(model_path=str(paths[0]), num_threads=torch.get_num_threads()))
    except (ValueError, RuntimeError, KeyError) as error:
        raise WeightsCorrupt(f"{paths[0]} cannot be read by LiteRT; fetch it again") from error
