"""A real Chromium, spoken to over its own debugging protocol: no driver, no other library."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

SECONDS = 20.0
KEYS = {"Tab": 9}
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


def program() -> str | None:
    """Return where Chromium is, None where it is not installed."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def browsing(folder: Path) -> Iterator[Tab]:
    """Start a browser whose profile lies in `folder`, lend its tab, and end it."""
    path = program()
    assert path is not None
    process = subprocess.Popen(
        [path, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(_address(folder), max_size=None) as connection:
            yield Tab(connection)
    finally:
        process.terminate()
        process.wait(SECONDS)


class Tab:
    """One tab. Every step waits for its answer, at most `SECONDS`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._count = 0
        self._events: list[dict[str, Any]] = []
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and return its result."""
        self._count += 1
        self._connection.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while True:
            message = self._next()
            if message.get("id") == self._count:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._events.append(message)

    def resize(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Make the window so many pixels large, in the light or dark theme."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def without_scripts(self) -> None:
        """Run no page's scripts from now on."""
        self.ask("Emulation.setScriptExecutionDisabled", value=True)

    def open(self, address: str) -> None:
        """Open an address and wait until everything of it is loaded."""
        self._events.clear()
        self.ask("Page.navigate", url=address)
        self.loaded()

    def loaded(self) -> None:
        """Wait until a page is loaded."""
        self.wait("Page.loadEventFired")

    def wait(self, event: str) -> dict[str, Any]:
        """Return the next event of a name."""
        while True:
            for place, each in enumerate(self._events):
                if each.get("method") == event:
                    del self._events[: place + 1]
                    return each
            self._events.append(self._next())

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the page; this works where the page's own scripts do not run."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def complaints(self) -> list[str]:
        """Return what the browser's console says: refused styles, pictures that are missing."""
        self.value("0")
        return [each["params"]["entry"]["text"] for each in self._events if each.get("method") == "Log.entryAdded"]

    def choose(self, selector: str, file: Path) -> None:
        """Choose a file in a form."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def press(self, selector: str, *, follows: bool = True) -> None:
        """Press something with the mouse, and wait for the page that follows."""
        place = self.value(
            f"(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView({{block: 'center'}});"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        self._events.clear()
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)
        if follows:
            self.loaded()

    def key(self, name: str) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=KEYS[name])

    def until(self, expression: str) -> None:
        """Wait until an expression is true, over as many pages as it takes."""
        ends = time.monotonic() + SECONDS
        while not self.value(expression):
            assert time.monotonic() < ends, expression
            time.sleep(0.1)

    def picture(self, file: Path) -> None:
        """Write a picture of the whole page."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv(SECONDS))
        return message


def _address(folder: Path) -> str:
    """Return the tab's address once the browser has told its port."""
    told = folder / "DevToolsActivePort"
    for _ in range(int(10 * SECONDS)):
        if told.is_file() and "\n" in told.read_text():
            port = told.read_text().partition("\n")[0]
            tabs = httpx.get(f"http://127.0.0.1:{port}/json/list").json()
            found = [each["webSocketDebuggerUrl"] for each in tabs if each["type"] == "page"]
            if found:
                return str(found[0])
        time.sleep(0.1)
    raise TimeoutError("the browser does not start")
