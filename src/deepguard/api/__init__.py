"""The library: what the command line and the service call, and what a program calls."""

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

__all__ = [
    "SMALLEST_FACE",
    "VERIFIED_THROUGH",
    "Found",
    "Models",
    "Options",
    "Plan",
    "Protected",
    "check",
    "check_loaded",
    "device_named",
    "find",
    "load_models",
    "protect",
]
