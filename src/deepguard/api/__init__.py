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
from deepguard.api.loading import Models, device_named, load_models
from deepguard.api.planning import VERIFIED_THROUGH, Options, Plan, check, check_loaded
from deepguard.api.protecting import SMALLEST_FACE, Found, Protected, find, protect
from deepguard.api.proving import Proved, ProveOptions, check_proof, prove, prove_again
from deepguard.forensics.sampling import FRAMES
from deepguard.prove.reading import report_from
from deepguard.prove.report import Report

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
    "ProveOptions",
    "Proved",
    "Report",
    "check",
    "check_detection",
    "check_loaded",
    "check_proof",
    "detect",
    "device_named",
    "find",
    "load_classifiers",
    "load_models",
    "protect",
    "prove",
    "prove_again",
    "report_from",
]
