"""Where and how a measurement was made."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from pathlib import Path

import psutil
import torch

UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts the largest resident set."""


def place() -> str:
    """Name date, commit, machine and versions."""
    commit = _said("rev-parse", "--short", "HEAD") or "unknown"
    changed = " with changes" if _said("status", "--porcelain", "--untracked-files=no") else ""
    size = psutil.virtual_memory().total / 2**30
    machine = f"{_processor()}, torch uses {torch.get_num_threads()} of {psutil.cpu_count()} cores, {size:.0f} GiB"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{time.strftime('%Y-%m-%d')}; {machine}; {versions}; commit {commit}{changed}"


def memory(largest: int) -> str:
    """Return in words a largest resident set as the system counts it."""
    return f"{largest * UNIT / 2**20:,.0f} MiB"


def _said(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=False).stdout.strip()


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8", errors="replace").splitlines() if known.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
