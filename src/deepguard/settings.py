"""The one place that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

NETWORK_ALLOWED = {"", "0", "false", "no", "off"}
"""Values of `DEEPGUARD_OFFLINE` that mean "not offline"; a word that is not known keeps the network shut."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the program keeps its files.

    Attributes:
        home: everything that the program keeps; `DEEPGUARD_HOME`, else the platform's user data folder.
        models: the shelf of weight files; `DEEPGUARD_MODELS`, else `models` inside `home`.
        offline: never use the network; `DEEPGUARD_OFFLINE` set to anything but 0, false, no or off.
    """

    home: Path
    models: Path
    offline: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings; an empty variable counts as absent."""
        home = Path(environment.get("DEEPGUARD_HOME") or platformdirs.user_data_dir("deepguard", appauthor=False))
        models = Path(environment.get("DEEPGUARD_MODELS") or home / "models")
        offline = environment.get("DEEPGUARD_OFFLINE", "").strip().lower() not in NETWORK_ALLOWED
        return cls(home.expanduser(), models.expanduser(), offline)


def settle_threads(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let torch's idle threads sleep instead of spin, unless the user says otherwise; call it before torch is loaded.

    On a machine that does other work as well, spinning threads take the cores from those at work: one step of
    protecting a portrait took 1.2 s instead of 0.7 s beside one busy process.
    """
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def environment_with(changes: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for another process: this one's, with changes."""
    return {**environment, **changes}
