"""What platforms do to a posted picture, as named chains of steps.

The chains are data for two users: the transform that an attack looks through (`transforms.posted`) and the proof,
which takes the same steps with real codecs, and some that only it takes. Platforms publish little and change it
without notice, so that each chain but the plain ones is an approximation: its `source` says from where and from when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from deepguard.errors import OptionError, unknown
from deepguard.transforms.steps import Grain, Median, Restore, Salt, Soften, Tone, Trial, Trim

if TYPE_CHECKING:
    from deepguard.transforms.resize import Kernel


@dataclass(frozen=True, slots=True)
class Cap:
    """Reduce the picture, where its long side is longer, until that side has `long_side` pixels."""

    long_side: int
    kernel: Kernel = "antialiased-lanczos"


@dataclass(frozen=True, slots=True)
class Scale:
    """Resize the picture by a fixed factor."""

    factor: float
    kernel: Kernel = "antialiased-bicubic"


@dataclass(frozen=True, slots=True)
class Compress:
    """Write the picture with 4:2:0 chroma at a quality between `lowest` and `highest`, and read it again."""

    kind: Literal["jpeg", "webp"]
    lowest: int
    highest: int


Step: TypeAlias = Cap | Scale | Compress


@dataclass(frozen=True, slots=True)
class Posting:
    """One way of posting.

    Attributes:
        name: what it is called.
        steps: what happens to the picture, in order.
        summary: one line for people.
        source: where the figures come from, and of which date they are.
    """

    name: str
    steps: tuple[Step | Trial, ...]
    summary: str
    source: str

    @property
    def random(self) -> bool:
        """Whether chance has a part in it."""
        return any(
            step.lowest < step.highest if isinstance(step, Compress) else isinstance(step, Grain | Salt)
            for step in self.steps
        )


def posting(name: str) -> Posting:
    """Return the chain called `name` that an attack can look through, or raise OptionError with the nearest name."""
    if name in TRIALS:
        known = ", ".join(POSTINGS)
        raise OptionError(f"the chain {name} is one that only proofs take; a protection looks through: {known}")
    if name not in POSTINGS:
        raise unknown("posting chain", name, POSTINGS)
    return POSTINGS[name]


def column(name: str) -> Posting:
    """Return the chain called `name` that a proof can take, or raise OptionError with the nearest name."""
    if name not in COLUMNS:
        raise unknown("posting chain", name, COLUMNS)
    return COLUMNS[name]


_DEFINED = "defined here, no platform meant"

_BENCHMARK = "Proactive Defense Benchmark (ICML 2026), whose probes are very mild"

_CHAINS = (
    Posting("jpeg75", (Compress("jpeg", 75, 75),), "JPEG at quality 75, full size", _DEFINED),
    Posting(
        "half",
        (Scale(0.5), Compress("jpeg", 75, 75)),
        "half the size, then JPEG at quality 75",
        _DEFINED,
    ),
    Posting(
        "webp80",
        (Cap(2048), Compress("webp", 80, 80)),
        "long side at most 2048 px, then WebP at quality 80, as many sites and news portals serve pictures",
        _DEFINED,
    ),
    Posting(
        "instagram",
        (Cap(1080), Compress("jpeg", 70, 80)),
        "feed photo: long side at most 1080 px, JPEG 70-80",
        "approximation; imageguide.dev, a third party, undated: 1080 px wide (upright pictures up to 1350 px high, "
        "so harsher here), quality about 70-75; other guides name 75-80",
    ),
    Posting(
        "kakaotalk",
        (Cap(1440), Compress("jpeg", 75, 85)),
        "photo sent at the default standard quality: long side at most 1440 px, JPEG 75-85",
        "approximation, a guess in its figures; none are published; a user's comparison (jooi1124.tistory.com/470, "
        "undated) shows 3.57 MB become 0.56 MB at standard quality",
    ),
    Posting(
        "x",
        (Cap(2048), Compress("jpeg", 80, 85)),
        "post on X: shown at most 2048 px long, JPEG 80-85",
        "approximation; compress-or-die.com (2022-12), after a Twitter engineer's forum post of 2018-2020: quality 85, "
        "2048 px as the large size, up to 4096 px on request; picovert.com, undated: about 80",
    ),
    Posting(
        "facebook",
        (Cap(2048), Compress("jpeg", 70, 85)),
        "photo on Facebook: long side at most 2048 px, JPEG 70-85",
        "approximation; midwestdigitalmarketing.com (2015): 720, 960 or 2048 px; abrokenmold.net (2010): quality 85; "
        "the lower end is chosen here",
    ),
    Posting(
        "telegram",
        (Cap(1280), Compress("jpeg", 85, 89)),
        "photo in Telegram, not sent as a file: long side at most 1280 px, JPEG 85-89",
        "approximation; the public source of Telegram Desktop writes prepared pictures as JPEG at 87; "
        "picovert.com, undated: 1280 px in the chat; phones and high-quality mode differ",
    ),
    Posting(
        "whatsapp",
        (Cap(1600), Compress("jpeg", 70, 80)),
        "photo in WhatsApp at standard quality: long side at most 1600 px, JPEG 70-80",
        "approximation; shrinkto.com, a third party (2026): 1600 px since 2022, quality about 75",
    ),
    Posting(
        "reposted",
        (Cap(1440), Compress("jpeg", 75, 85), Cap(1080), Compress("jpeg", 70, 80)),
        "sent in a messenger, saved and posted: 1440 px and JPEG 75-85, then 1080 px and JPEG 70-80",
        "approximation; the figures of kakaotalk and instagram, one after the other",
    ),
)

POSTINGS: dict[str, Posting] = {chain.name: chain for chain in _CHAINS}
"""All chains that an attack can look through, by name."""


def _jpeg(quality: int) -> Posting:
    steps = (Compress("jpeg", quality, quality),)
    return Posting(f"jpeg{quality}", steps, f"JPEG at quality {quality}, full size", _DEFINED)


def _resized(percent: int) -> Posting:
    summary = f"reduced to {percent} % of its size and brought back"
    return Posting(f"resized{percent}", (Scale(percent / 100), Restore()), summary, _DEFINED)


_TRIALS = (
    *(_jpeg(quality) for quality in (95, 90, 70, 50, 30)),
    *(_resized(percent) for percent in (75, 50, 25)),
    Posting("crop", (Trim(0.95), Compress("jpeg", 90, 90)), "the middle 95 % of each side, then JPEG 90", _DEFINED),
    Posting(
        "screenshot",
        (Scale(1.3, "bilinear"), Tone(1.1), Compress("jpeg", 90, 90)),
        "shown 1.3 times as large on a slightly darker screen, taken from there, JPEG 90",
        _DEFINED,
    ),
    Posting("blur", (Soften(1.0),), "blurred by a Gaussian of 1 px", _DEFINED),
    Posting("denoise", (Median(3),), "median of 3 x 3 pixels, to remove a protection", _DEFINED),
    Posting("grain", (Grain(5 / 255),), "Gaussian noise of 5 levels of 255", _DEFINED),
    Posting("blur-k3", (Soften(0.8),), "blurred by a Gaussian as OpenCV's 3 x 3 (0.8 px)", _BENCHMARK),
    Posting("grain-001", (Grain(0.001**0.5),), "Gaussian noise of variance 0.001", _BENCHMARK),
    Posting("grain-003", (Grain(0.003**0.5),), "Gaussian noise of variance 0.003", _BENCHMARK),
    Posting("salt-001", (Salt(0.001),), "1 of 1,000 pixels black or white", _BENCHMARK),
    Posting("salt-003", (Salt(0.003),), "3 of 1,000 pixels black or white", _BENCHMARK),
)

TRIALS: dict[str, Posting] = {chain.name: chain for chain in _TRIALS}
"""The chains that only a proof takes, by name."""

COLUMNS: dict[str, Posting] = {**POSTINGS, **TRIALS}
"""All chains by name."""
