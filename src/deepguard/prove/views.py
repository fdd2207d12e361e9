"""What may be seen of a proof: sheets and a clip of its largest face."""

from __future__ import annotations

from typing import get_args

from deepguard.prove.clip import clip
from deepguard.prove.proof import DELIVERED, Proof
from deepguard.prove.run import Measured
from deepguard.prove.scenario import Scenario
from deepguard.prove.sheet import SHOWN, closeup, sheet
from deepguard.prove.sheet_words import Language


def sheets_of(report: Proof, scenario: Scenario, measured: Measured) -> dict[str, bytes]:
    """Return the sheet of the largest face in both languages."""
    face = scenario.largest
    tiles = {
        (arm, swapper): columns[DELIVERED][face].tile
        for swapper, arms in measured.shown.items()
        for arm, columns in arms.items()
    }
    crops = {arm: closeup(scenario.arms[arm].cpu(), report.faces[face]) for arm in SHOWN}
    return {language: sheet(report, tiles, crops, language, face=face) for language in get_args(Language)}


def clip_of(scenario: Scenario, measured: Measured) -> bytes | None:
    """Return the clip of the largest face, by the first swapper; None where none swaps."""
    for arms in measured.shown.values():
        return clip({arm: columns[DELIVERED][scenario.largest].frames for arm, columns in arms.items()})
    return None
