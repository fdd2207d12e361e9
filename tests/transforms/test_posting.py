import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from deepguard.errors import OptionError
from deepguard.transforms.jpeg import compressed
from deepguard.transforms.posted import Posted
from deepguard.transforms.posting import POSTINGS, Cap, Compress, Posting, Scale, posting
from deepguard.transforms.resize import KERNELS, resized

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "posting.md"


def test_the_chains_that_users_ask_for_are_there() -> None:
    wanted = {"jpeg75", "half", "instagram", "kakaotalk", "x", "facebook", "telegram", "whatsapp", "reposted"}
    assert wanted <= set(POSTINGS)
    kinds = {step.kind for chain in POSTINGS.values() for step in chain.steps if isinstance(step, Compress)}
    assert kinds == {"jpeg", "webp"}


@pytest.mark.parametrize("name", POSTINGS)
def test_every_chain_is_sound_and_says_where_it_comes_from(name: str) -> None:
    chain = posting(name)
    assert chain.name == name
    assert chain.summary
    assert chain.source.startswith(("approximation", "defined here"))
    assert isinstance(chain.steps[-1], Compress)
    for step in chain.steps:
        if isinstance(step, Compress):
            assert 1 <= step.lowest <= step.highest <= 100
        else:
            assert step.kernel in KERNELS


@pytest.mark.parametrize("name", POSTINGS)
def test_the_page_describes_every_chain(name: str) -> None:
    (row,) = (line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}` |"))
    assert posting(name).summary in row
    assert posting(name).source in row


def test_an_unknown_chain_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(OptionError, match="did you mean instagram"):
        posting("instagramm")


def test_the_names_are_known_without_torch() -> None:
    code = "import sys, deepguard.transforms.posting; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_half_is_half_the_size_at_quality_75(astronaut: Tensor, rng: torch.Generator) -> None:
    photo = astronaut[..., :301, :200]
    expected = compressed(resized(photo, (150, 100), "antialiased-bicubic"), [75])
    assert torch.equal(Posted(posting("half"))(photo, rng), expected)


def test_a_cap_shrinks_long_pictures_only(astronaut: Tensor, rng: torch.Generator) -> None:
    chain = Posting("test", (Cap(100),), "", "")
    assert Posted(chain)(astronaut[..., :400, :200], rng).shape[-2:] == (100, 50)
    assert Posted(chain)(astronaut[..., :80, :90], rng).shape[-2:] == (80, 90)


def test_a_crop_shrinks_as_much_as_its_picture(astronaut: Tensor, rng: torch.Generator) -> None:
    chain = Posting("test", (Cap(1000), Scale(0.8), Cap(400)), "", "")
    assert Posted(chain, long_side=2000)(astronaut[..., :400, :300], rng).shape[-2:] == (80, 60)


def test_webp_is_stood_for_by_jpeg_of_the_same_number(astronaut: Tensor, rng: torch.Generator) -> None:
    photo = astronaut[..., :64, :64]
    chain = Posting("test", (Compress("webp", 70, 70),), "", "")
    assert torch.equal(Posted(chain)(photo, rng), compressed(photo, [70]))
