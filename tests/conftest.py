"""What all tests share: the shelf, the network's closed door, the count of skips."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch

from deepguard.weights.catalogue import Weights
from deepguard.weights.shelf import Shelf

# the same examples in every run: what a run finds by chance would fail somebody else's change
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")

SHARED = Path(__file__).parents[2] / "shared"
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real weights, golden values and pictures beside the project."""
    if not (SHARED / "models").is_dir():
        pytest.skip("real weights are not here")
    return SHARED


@pytest.fixture(scope="session")
def stock(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Shelf]:
    """Return a function that puts real weight files on one shelf, and skips the test where a file is not here."""
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))

    def put(*wanted: Weights) -> Shelf:
        for weights in wanted:
            if shelf.holds(weights):
                continue
            file = next((shared / "models").rglob(weights.file), None)
            if file is None:
                pytest.skip(f"{weights.file} is not here")
            shelf.take(file, weights)
        return shelf

    return put


@pytest.fixture(scope="session")
def empty_shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A shelf with nothing on it: only what comes with the installation works."""
    return Shelf(tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="session")
def astronaut() -> torch.Tensor:
    """The public-domain sample photo, 1x3x512x512 in [0, 1]; one face of about 92x115 px."""
    from skimage import data  # noqa: PLC0415 - slow to import, needed by few tests

    pixels = np.ascontiguousarray(data.astronaut())
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@pytest.fixture
def rng() -> torch.Generator:
    """Seeded chance."""
    return torch.Generator().manual_seed(7)


@pytest.fixture(autouse=True)
def closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say how many tests were skipped, and why, in one line each."""
    yield
    reasons = Counter(str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []))
    terminalreporter.write_line(f"skipped in all: {sum(reasons.values())}")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"  {count} x {reason}")
