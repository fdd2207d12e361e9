"""What one step sees: real faces and, pair by pair, their fakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from deepguard.errors import InputError
from deepguard.forensics.training.augment import Framing, degraded, framed, framing, steady
from deepguard.forensics.training.blends import self_blended
from deepguard.forensics.training.config import Config
from deepguard.forensics.training.crops import Crops
from deepguard.forensics.training.overlays import Overlays
from deepguard.types import Images, PerImage, Rng


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops and their labels: 1 fake, 0 real."""

    images: Images
    fake: PerImage


@dataclass(frozen=True, eq=False)
class Drawing:
    """Draws the batches of one split. Raises InputError where it has no real face, or nothing to set beside them."""

    crops: Crops
    config: Config
    split: str
    side: int
    overlays: Overlays

    def __post_init__(self) -> None:
        if not self.real:
            raise InputError(
                f"no real faces for {self.split}: put photos of at least ten people into the sources' subfolder real"
            )
        if self.config.blended == 0 and not (self.forged or self.made_up):
            raise InputError(
                f"no fakes for {self.split}: put some into the sources' subfolder fake, or set blended above 0"
            )

    def batch(self, rng: Rng) -> Batch:
        """Return half a batch of real faces and half a batch of fakes, augmented alike."""
        count = self.config.batch // 2
        kinds = torch.rand(count, generator=rng).tolist()
        real = [self._real_for(kind, rng) for kind in kinds]
        frame = framing(rng, count)
        originals = self._framed(real, frame)
        fakes = self._fakes(real, kinds, originals, frame, rng)
        pairs = torch.cat([originals, fakes])
        fake = torch.cat([torch.zeros(count), torch.ones(count)])
        pairs = self.overlays.laid(pairs, rng, self.config.protected)
        return Batch(degraded(pairs, rng, self.config.degraded), fake)

    def steadily(self, places: Sequence[int], margin: float) -> Images:
        """Return crops as judging sees them."""
        shown = self._shown(places)
        return framed(self.crops.images(places), shown, steady(len(places), margin), self.side)

    def blended(self, places: Sequence[int], margin: float, rng: Rng) -> Images:
        """Return self-blended fakes of crops as judging sees them."""
        frame = steady(len(places), margin)
        return self_blended(self.steadily(places, margin), self._landmarks(places, frame), rng)

    @cached_property
    def real(self) -> tuple[int, ...]:
        """Places of the real faces."""
        return self._places(fake=False)

    @cached_property
    def forged(self) -> tuple[int, ...]:
        """Places of the forgeries of real pictures."""
        return self._places(fake=True, generated=False)

    @cached_property
    def made_up(self) -> tuple[int, ...]:
        """Places of the faces that a network made up."""
        return self._places(fake=True, generated=True)

    @cached_property
    def pairs(self) -> Mapping[int, tuple[int, ...]]:
        """Real faces that have forgeries, with these."""
        of_group: dict[tuple[str, str], list[int]] = {}
        for place in self.forged:
            record = self.crops.records[place]
            of_group.setdefault((record.source, record.group), []).append(place)
        found = {}
        for place in self.real:
            record = self.crops.records[place]
            fakes = of_group.get((record.source, record.group))
            if fakes:
                found[place] = tuple(fakes)
        return found

    @cached_property
    def paired(self) -> tuple[int, ...]:
        """Places of the real faces that have forgeries."""
        return tuple(self.pairs)

    @cached_property
    def beside_made_up(self) -> tuple[int, ...]:
        """Real faces of the sources that made-up ones come from, so that the source gives nothing away."""
        sources = {self.crops.records[place].source for place in self.made_up}
        return tuple(place for place in self.real if self.crops.records[place].source in sources) or self.real

    def _places(self, *, fake: bool, generated: bool | None = None) -> tuple[int, ...]:
        return tuple(
            place
            for place, each in enumerate(self.crops.records)
            if each.split == self.split and each.fake == fake and generated in {None, each.generated}
        )

    def _real_for(self, kind: float, rng: Rng) -> int:
        """Return the real face that a fake of this kind is set beside."""
        if self._is_blended(kind):
            return _one(self.real, rng)
        if self._is_made_up(kind):
            return _one(self.beside_made_up, rng)
        return _one(self.paired, rng) if self.paired else _one(self.real, rng)

    def _is_blended(self, kind: float) -> bool:
        return kind < self.config.blended or not (self.forged or self.made_up)

    def _is_made_up(self, kind: float) -> bool:
        return bool(self.made_up) and (kind < self.config.blended + self.config.generated or not self.forged)

    def _fakes(
        self, real: Sequence[int], kinds: Sequence[float], originals: Images, frame: Framing, rng: Rng
    ) -> Images:
        fakes = torch.empty_like(originals)
        blended = [place for place, kind in enumerate(kinds) if self._is_blended(kind)]
        others = [place for place in range(len(kinds)) if place not in set(blended)]
        if blended:
            landmarks = self._landmarks([real[place] for place in blended], _part(frame, blended))
            fakes[blended] = self_blended(originals[blended], landmarks, rng)
        if others:
            files = [self._fake_of(real[place], kinds[place], rng) for place in others]
            fakes[others] = self._framed(files, _part(frame, others))
        return fakes

    def _fake_of(self, real: int, kind: float, rng: Rng) -> int:
        if self._is_made_up(kind):
            return _one(self.made_up, rng)
        return _one(self.pairs.get(real, self.forged), rng)

    def _framed(self, places: Sequence[int], frame: Framing) -> Images:
        return framed(self.crops.images(places), self._shown(places), frame, self.side)

    def _shown(self, places: Sequence[int]) -> PerImage:
        return torch.tensor([self.crops.records[place].margin for place in places])

    def _landmarks(self, places: Sequence[int], frame: Framing) -> torch.Tensor:
        """Return the landmarks where the framing leaves them; the turn, which is small, is left out."""
        shown = self._shown(places)
        scale = ((1 + 2 * shown) / (1 + 2 * torch.minimum(frame.margin, shown))).view(-1, 1)
        points = self.crops.landmarks(places) - 0.5
        across = (points[..., 0] * scale + frame.across.view(-1, 1)) * frame.mirror.view(-1, 1)
        down = points[..., 1] * scale + frame.down.view(-1, 1)
        moved = torch.stack([across, down], dim=-1) + 0.5
        swapped = moved[:, [1, 0, 2, 4, 3]]
        return torch.where((frame.mirror < 0).view(-1, 1, 1), swapped, moved)


def _one(places: Sequence[int], rng: Rng) -> int:
    return places[int(torch.randint(len(places), (), generator=rng))]


def _part(frame: Framing, places: Sequence[int]) -> Framing:
    return Framing(*(getattr(frame, name)[list(places)] for name in ("turn", "margin", "across", "down", "mirror")))


def overlays_of(config: Config, side: int) -> Overlays:
    """Return the changes of protected photos that a run lays over faces."""
    return Overlays.read(Path(config.changes) if config.changes else None, side)
