"""The library: what the command line and the service call, and what a program calls."""

from deepguard.api.detecting import (
    MOST_FRAMES,
    USUAL,
    Detected,
    DetectOptions,
    Judges,
    check_detection,
    detect,
    load_classifiers,
)
from deepguard.api.protecting import (
    SMALLEST_FACE,
    VERIFIED_THROUGH,
    Found,
    Models,
    Options,
    Plan,
    Protected,
    check,
    check_loaded,
    device_named,
    find,
    load_models,
    protect,
)
from deepguard.forensics.sampling import FRAMES

__all__ = [
    "FRAMES",
    "MOST_FRAMES",
    "SMALLEST_FACE",
    "USUAL",
    "VERIFIED_THROUGH",
    "DetectOptions",
    "Detected",
    "Found",
    "Judges",
    "Models",
    "Options",
    "Plan",
    "Protected",
    "check",
    "check_detection",
    "check_loaded",
    "detect",
    "device_named",
    "find",
    "load_classifiers",
    "load_models",
    "protect",
]
