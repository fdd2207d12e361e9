"""What a picture is optimised through, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from deepguard.transforms.blur import Blur
from deepguard.transforms.chain import Chain, Sometimes
from deepguard.transforms.jpeg import Jpeg
from deepguard.transforms.posted import Posted
from deepguard.transforms.posting import posting
from deepguard.transforms.resize import Resize
from deepguard.transforms.roles import Transform

Through: TypeAlias = Callable[[float], Transform]
"""Long side in pixels of the whole picture, at the scale of the part that is worked on -> what posting does to it."""


def through(name: str) -> Through | None:
    """Return what "any" (a mixture of what posting does), "none" or a posting chain's name stands for.

    An unknown name raises OptionError.
    """
    if name == "none":
        return None
    if name == "any":
        return lambda _: ANY
    chain = posting(name)
    return lambda long_side: Sometimes(Posted(chain, long_side), 0.7)


ANY = Sometimes(
    Chain((Sometimes(Resize(0.5, 1.0), 0.7), Sometimes(Blur(0.3, 1.0), 0.3), Sometimes(Jpeg(60, 95), 0.8))), 0.8
)
"""Every fifth picture is met as delivered (docs/research/protect.md)."""

ACCEPTED: tuple[Transform, ...] = (Jpeg(75, 75),)
"""What a change has to pass, besides as it is delivered, where it is optimised through posting."""
