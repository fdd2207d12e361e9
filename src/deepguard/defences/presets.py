"""What a user picks instead of options: a few named sets of them, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from deepguard.errors import unknown

NINE = (
    "retinaface",
    "yolo5face",
    "s3fd",
    "dsfd",
    "pyramidbox",
    "scrfd",
    "yunet",
    "ultralight",
    "mtcnn",
)
"""The usual detectors: FacePoison's five, and those that today's tools use."""

ENCODERS = ("mobilefacenet-ms1m", "mobilefacenet-casia")
"""The encoders that every preset hides from; the others at hand judge."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One choice: a defence, the models it hides from, what it is optimised through, and its options.

    Without `detectors` it hides from encoders alone, or from the nine where no encoder is attacked.
    """

    summary: str
    defence: str = "shield"
    detectors: tuple[str, ...] = ()
    encoders: tuple[str, ...] = ENCODERS
    through: str = "any"
    options: Mapping[str, float | int | bool] = field(default_factory=lambda: MappingProxyType({}))


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "balanced": Preset("hardly visible: programs that know faces take it for a stranger's"),
        "strong": Preset(
            "visible: hides the face from programs that look for faces as well",
            detectors=NINE,
            options=MappingProxyType({"strength": 2.0, "steps": 120, "first": 0.75}),
        ),
        "small-faces": Preset(
            "for groups, visible: both, with a wider surrounding for faces of some 20 to 80 pixels",
            detectors=NINE,
            options=MappingProxyType({"reach": 0.7, "jitter": 1.5}),
        ),
        "patient": Preset(
            "as balanced and surer; takes twice as long",
            options=MappingProxyType({"steps": 200}),
        ),
    }
)


def preset(name: str) -> Preset:
    """Return the preset called `name`, or raise OptionError with the nearest name."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]
