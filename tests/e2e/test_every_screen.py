"""Every screen, in both languages and themes: nothing that axe finds, nothing that overflows or is too small."""

from __future__ import annotations

import pytest
from tests.e2e.chromium import Windows, looks_right, settled, sized, violations
from tests.e2e.screens import SCREENS
from tests.e2e.stage import Stage

# a phone, a tablet, and a window of 640 pixels at 200 %
NARROW = (768, 360, 320)


@pytest.mark.parametrize(("language", "dark"), [("ko", False), ("en", True)])
@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_can_be_read_and_used_by_everybody(
    stage: Stage, windows: Windows, screen: str, language: str, dark: bool
) -> None:
    page = SCREENS[screen](stage, windows, {"language": language, "dark": dark})
    assert page.evaluate("document.documentElement.lang") == language
    assert violations(settled(page)) == []
    looks_right(page)
    for width in NARROW:
        page.set_viewport_size(sized(width))
        looks_right(page)
