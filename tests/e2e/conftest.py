"""The browser, its windows, and the stages they look at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests.e2e.chromium import Windows, browsing, program
from tests.e2e.house import House, housed
from tests.e2e.stage import Stage, really_protected


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium; of each module, as the driver's event loop would be in the way of other tests."""
    if program() is None:
        pytest.skip("Chromium is not here")
    with browsing() as lent:
        yield lent


@pytest.fixture
def windows(browser: Browser) -> Iterator[Windows]:
    """Windows of this test; it fails where one of them complains."""
    lent = Windows(browser)
    yield lent
    lent.close()


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A web process whose jobs do what a test says."""
    made = Stage(tmp_path_factory.mktemp("stage"), really_protected())
    made.employ()
    made.start()
    yield made
    made.close()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The whole service with a worker and the embedded detector."""
    with housed(tmp_path_factory.mktemp("house")) as lent:
        yield lent
