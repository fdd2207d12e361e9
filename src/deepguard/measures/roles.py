"""What a measure does, and the registry of them."""

from __future__ import annotations

from typing import Literal, Protocol

from deepguard.registry import Registry
from deepguard.types import Images, PerImage


class Measure(Protocol):
    """A quality number of a clean picture and a changed one."""

    @property
    def unit(self) -> str:
        """The unit that stands behind the number; empty for a pure number."""

    @property
    def better(self) -> Literal["higher", "lower"]:
        """Which way the changed picture is closer to the clean one."""

    @property
    def of(self) -> Literal["any", "face"]:
        """Which pictures it is for: any, or only those that show one face's box."""

    def __call__(self, clean: Images, changed: Images) -> PerImage:
        """Return one number for each pair of images of the same size; differentiable."""


measures: Registry[Measure] = Registry("measure", "deepguard.measures")
