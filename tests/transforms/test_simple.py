import math

import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from deepguard.errors import OptionError
from deepguard.transforms.blur import Blur, blurred
from deepguard.transforms.chain import Chain, Identity, Sometimes
from deepguard.transforms.crop import Crop
from deepguard.transforms.jpeg import Jpeg
from deepguard.transforms.noise import Noise
from deepguard.transforms.posted import Posted
from deepguard.transforms.posting import POSTINGS
from deepguard.transforms.resize import Rescale, Resize
from deepguard.transforms.roles import Transform

ALL: dict[str, Transform] = {
    "jpeg": Jpeg(40, 95),
    "resize": Resize(0.4, 1.6),
    "rescale": Rescale(Resize(0.4, 0.8)),
    "blur": Blur(0.3, 2.0),
    "noise": Noise(0.01, 0.04),
    "crop": Crop(0.6, 0.9),
    "sometimes": Sometimes(Noise(0.01, 0.04), 0.5),
    "chain": Chain((Resize(0.5, 1.0), Blur(0.2, 1.0), Jpeg(60, 95))),
    **{name: Posted(chain, long_side=2500) for name, chain in POSTINGS.items()},
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (53, 38)])
def test_every_transform_keeps_its_promise(name: str, size: tuple[int, int], rng: torch.Generator) -> None:
    images = torch.rand((2, 3, *size), generator=rng).requires_grad_()
    transform = ALL[name]
    first = transform(images, torch.Generator().manual_seed(5))
    again = transform(images, torch.Generator().manual_seed(5))
    assert torch.equal(first, again)
    assert 0 <= float(first.detach().min()) <= float(first.detach().max()) <= 1
    assert first.shape[:2] == images.shape[:2]
    (gradient,) = torch.autograd.grad(first.sum(), images)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("name", ALL)
def test_no_transform_touches_the_global_seed(name: str, rng: torch.Generator) -> None:
    before = torch.get_rng_state()
    ALL[name](torch.full((1, 3, 20, 20), 0.5), rng)
    assert torch.equal(torch.get_rng_state(), before)


def test_blur_agrees_with_scipy(astronaut: Tensor) -> None:
    photo = astronaut[..., 50:121, 180:260]
    expected = gaussian_filter(photo[0].numpy(), (0, 1.7, 1.7), radius=math.ceil(3 * 1.7), mode="nearest")
    assert torch.allclose(blurred(photo, 1.7)[0], torch.from_numpy(expected), atol=1e-5)


def test_blur_has_the_right_gradient(rng: torch.Generator) -> None:
    images = (torch.rand((1, 3, 6, 5), generator=rng, dtype=torch.float64) * 0.5 + 0.2).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: blurred(values, 0.8), images)


def test_hardly_any_blur_is_none(astronaut: Tensor) -> None:
    assert blurred(astronaut, 0.0) is astronaut


def test_noise_has_the_level_that_was_asked_for(rng: torch.Generator) -> None:
    grey = torch.full((1, 3, 200, 200), 0.5)
    result = Noise(0.03, 0.03)(grey, rng)
    assert math.isclose(float((result - grey).std()), 0.03, rel_tol=0.02)
    assert abs(float((result - grey).mean())) < 1e-3


def test_a_crop_is_a_part_of_the_picture(astronaut: Tensor, rng: torch.Generator) -> None:
    places = torch.arange(40.0 * 50).reshape(1, 1, 40, 50).expand(1, 3, 40, 50)
    seen = set()
    for _ in range(30):
        part = Crop(0.5, 0.9)(places, rng)
        height, width = part.shape[-2:]
        assert 20 <= height <= 36
        assert 25 <= width <= 45
        top, left = divmod(int(part[0, 0, 0, 0]), 50)
        assert torch.equal(part, places[..., top : top + height, left : left + width])
        seen.add((top, left))
    assert len(seen) > 10


def test_a_chain_goes_from_left_to_right(rng: torch.Generator) -> None:
    def doubled(images: Tensor, rng: torch.Generator) -> Tensor:
        return images * 2

    def raised(images: Tensor, rng: torch.Generator) -> Tensor:
        return images + 1

    images = torch.ones(1, 3, 1, 1)
    assert float(Chain((doubled, raised))(images, rng)[0, 0]) == 3
    assert float(Chain((raised, doubled))(images, rng)[0, 0]) == 4
    assert Chain(())(images, rng) is images
    assert Identity()(images, rng) is images


def test_sometimes_is_as_frequent_as_asked(rng: torch.Generator) -> None:
    images = torch.full((1, 3, 1, 1), 0.5)
    for probability, least, most in ((0.0, 0, 0), (0.3, 60, 120), (1.0, 300, 300)):
        transform = Sometimes(Noise(0.1, 0.1), probability)
        assert least <= sum(transform(images, rng) is not images for _ in range(300)) <= most


def test_ranges_that_are_none_are_refused() -> None:
    with pytest.raises(OptionError, match="sigma"):
        Blur(2.0, 1.0)
    with pytest.raises(OptionError, match="level"):
        Noise(-0.1, 0.1)
    with pytest.raises(OptionError, match="share"):
        Crop(0.0)
    with pytest.raises(OptionError, match="probability"):
        Sometimes(Identity(), 1.5)
