"""Where the guide's pictures lie, and how small they are."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

QUALITY = 56


@dataclass(frozen=True, slots=True)
class Album:
    """A folder of WebP pictures; what an earlier run put there and this one did not is removed in the end."""

    folder: Path
    _sizes: dict[str, int] = field(default_factory=dict)

    def put(self, name: str, png: bytes) -> None:
        """Keep one picture."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = io.BytesIO()
        with Image.open(io.BytesIO(png)) as picture:
            picture.convert("RGB").save(file, "WEBP", quality=QUALITY, method=6)
        (self.folder / f"{name}.webp").write_bytes(file.getvalue())
        self._sizes[f"{name}.webp"] = len(file.getvalue())

    def close(self) -> str:
        """Remove older pictures, and return what is there in one line."""
        for file in self.folder.glob("*.webp"):
            if file.name not in self._sizes:
                file.unlink()
        return f"{len(self._sizes)} pictures in {self.folder}, {sum(self._sizes.values()) / 1e6:.2f} MB"
