"""Lists of arrays as joblib writes them: a pickle with the raw numbers in between, in an LZ4 frame.

A pickle may name any function of the machine to be called. This reader knows three names, each replaced by a class
that only takes notes, and refuses every other.
"""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path
from typing import TypeAlias

import lz4.frame
import numpy as np
from numpy.typing import NDArray

from deepguard.errors import WeightsCorrupt

FloatArray: TypeAlias = NDArray[np.float32]

DAMAGE = (RuntimeError, EOFError, ValueError, TypeError, AttributeError, LookupError, pickle.UnpicklingError)
"""What the unpacking of a damaged file raises."""


def read_arrays(file: Path) -> list[FloatArray]:
    """Return the float32 arrays in the order of the file, or raise WeightsCorrupt where it is anything else."""
    try:
        records = _Reader(lz4.frame.decompress(file.read_bytes())).load()
        return [record.values for record in records]
    except DAMAGE as error:
        raise WeightsCorrupt(f"{file} is not a list of arrays; delete it and install its package again") from error


class _Reader(pickle.Unpickler):
    """Reads the pickle; each array's numbers lie in the stream behind the record that describes it."""

    def __init__(self, content: bytes) -> None:
        stream = io.BytesIO(content)
        # the plain methods keep the unpickler from reading ahead into the numbers
        super().__init__(_Unbuffered(stream))
        self._known = {
            ("joblib.numpy_pickle", "NumpyArrayWrapper"): _record_over(stream),
            ("numpy", "dtype"): _Kind,
            ("numpy", "ndarray"): _Plain,
        }

    def find_class(self, module: str, name: str) -> type:
        """Return the class that stands for one of the three known names; any other is refused."""
        if (module, name) not in self._known:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a list of arrays")
        return self._known[module, name]


class _Unbuffered:
    """A stream without `peek`, so that nobody reads more of it than asked for."""

    def __init__(self, stream: io.BytesIO) -> None:
        self.read = stream.read
        self.readinto = stream.readinto
        self.readline = stream.readline


def _record_over(stream: io.BytesIO) -> type:
    class Record:
        """One array: its numbers follow as soon as its description is complete."""

        def __setstate__(self, state: dict[str, object]) -> None:
            self.values = _numbers(stream, state)

    return Record


class _Kind:
    """The type of an array's numbers: code and byte order."""

    def __init__(self, code: str, *_flags: bool) -> None:
        self.code = code

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.order = state[1]


class _Plain:
    """Stands for the array class itself, which nobody needs to call."""


def _numbers(stream: io.BytesIO, state: dict[str, object]) -> FloatArray:
    kind, shape = state["dtype"], state["shape"]
    if not isinstance(kind, _Kind) or (kind.code, kind.order) != ("f4", "<") or state["order"] != "C":
        raise ValueError("only little-endian float32 in rows is known")
    if not isinstance(shape, tuple) or not all(isinstance(side, int) and side > 0 for side in shape):
        raise ValueError("an array needs positive sides")
    if state.get("numpy_array_alignment_bytes") is not None:
        stream.read(stream.read(1)[0])
    count = math.prod(shape)
    raw = stream.read(4 * count)
    return np.frombuffer(raw, dtype="<f4", count=count).astype(np.float32).reshape(shape)
