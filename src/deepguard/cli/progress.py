"""What a user sees while a photo is worked on."""

from __future__ import annotations

import time
from types import TracebackType

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deepguard.types import Progress


class Display:
    """A watch that draws one bar and a row for each detector; plain lines where the output is no terminal."""

    def __init__(self, console: Console, title: str) -> None:
        self.console = console
        self.title = title
        self._live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None
        self._stage = ""
        self._drawn = 0.0

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Show how far it is; a terminal is redrawn at most eight times a second."""
        if progress.seconds is not None:
            self.console.print(f"{self.title}: about {duration(progress.seconds)} to go", soft_wrap=True)
        if self._live is None:
            stage = progress.stage.partition(" (")[0]
            if stage != self._stage:
                self._stage = stage
                self.console.print(f"{self.title}: {stage}", soft_wrap=True)
            return
        now = time.monotonic()
        if now - self._drawn > 0.125 or progress.done == progress.total:
            self._drawn = now
            self._live.update(self._drawing(progress), refresh=True)

    def _drawing(self, progress: Progress) -> Group:
        state = f"{self.title}: {progress.stage}  {progress.done} of {progress.total}"
        head = Text(state, no_wrap=True, overflow="ellipsis")
        # a bar alone does not end its line
        bar = Columns([ProgressBar(total=progress.total, completed=progress.done, width=min(40, self.console.width))])
        if not progress.found:
            return Group(head, bar)
        rows = Table.grid(padding=(0, 2))
        rows.add_column(no_wrap=True, min_width=max(len(name) for name, _ in progress.found))
        rows.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for name, found in progress.found:
            words = Text("still sees a face", "yellow") if found else Text("no longer sees a face", "green")
            rows.add_row(name, words)
        return Group(head, bar, rows)


def duration(seconds: float) -> str:
    """Return a rough time in words that suit its length."""
    if seconds < 99.5:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
