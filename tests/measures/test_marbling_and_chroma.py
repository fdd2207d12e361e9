import math

import numpy as np
import pytest
import torch
from kornia.color import rgb_to_ycbcr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from deepguard.measures.skin import Chroma, Marbling, _smoothest, blurred, chroma, luma, marbling, smooth_skin

MEASURES = [Marbling(), Chroma()]
SKIN = torch.tensor([0.75, 0.55, 0.45])[:, None, None]
Plane = NDArray[np.float64]


def face(astronaut: Tensor) -> Tensor:
    return astronaut[..., 60:175, 178:270].double()


def plain(height: int, width: int, colour: Tensor = SKIN) -> Tensor:
    """A face's box in which everything has the colour of skin."""
    return colour.expand(3, height, width)[None].clone()


def noisy(clean: Tensor, level: float = 0.02) -> Tensor:
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1), dtype=clean.dtype)
    return (clean + level * noise).clamp(0, 1)


def coloured(images: Tensor) -> tuple[Plane, Plane, Plane]:
    """Luma, Cb and Cr by kornia."""
    y, cb, cr = rgb_to_ycbcr(images)[0].double().numpy()
    return y, cb - 0.5, cr - 0.5


def soft(plane: Plane, sigma: float) -> Plane:
    """A blur by SciPy."""
    blur: Plane = gaussian_filter(plane, sigma, mode="nearest", radius=math.ceil(3 * sigma))
    return blur


def skin_of(clean: Tensor) -> NDArray[np.bool_]:
    """Smooth skin by NumPy, as docs/research/protect.md describes it."""
    y, cb, cr = coloured(clean)
    height, width = y.shape
    down, across = np.mgrid[:height, :width].astype(float)
    down, across = (down + 0.5) / height * 2 - 1, (across + 0.5) / width * 2 - 1
    inside = np.hypot(down / 0.9, across / 0.85) < 1
    middle = inside & (abs(down) < 0.5) & (abs(across) < 0.5)
    usual = [np.quantile(plane[middle], 0.5, method="lower") for plane in (cb, cr)]
    skin = inside & (np.hypot(cb - usual[0], cr - usual[1]) < 0.08)
    detail = soft(abs(y - soft(y, 4)), 3)
    return skin & (detail <= np.quantile(detail[skin], 0.6))


def root_mean_square(skin: NDArray[np.bool_], *planes: Plane) -> float:
    return 255 * math.sqrt(sum(float((plane[skin] ** 2).mean()) for plane in planes))


@pytest.mark.parametrize("size", [(1, 1), (5, 200), (63, 64), (65, 130), (200, 7)])
@pytest.mark.parametrize("sigma", [0.2, 1, 8])
def test_the_blur_is_that_of_scipy(rng: torch.Generator, size: tuple[int, int], sigma: float) -> None:
    planes = torch.rand((2, 2, *size), generator=rng, dtype=torch.float64)
    expected = np.stack([[soft(plane, sigma) for plane in image] for image in planes.numpy()])
    assert np.allclose(blurred(planes, sigma).numpy(), expected, atol=1e-12)


def test_the_blur_keeps_the_kind_of_number_and_has_the_right_gradient(rng: torch.Generator) -> None:
    assert blurred(torch.rand((1, 1, 9, 70), generator=rng), 1).dtype == torch.float32
    planes = torch.rand((1, 1, 3, 67), generator=rng, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda each: blurred(each, 1.5), planes)


def test_brightness_and_colours_are_those_of_kornia(astronaut: Tensor) -> None:
    y, cb, cr = coloured(astronaut)
    assert np.allclose(luma(astronaut)[0, 0].numpy(), y, atol=1e-6)
    assert np.allclose(chroma(astronaut)[0].numpy(), [cb, cr], atol=1e-6)


def test_smooth_skin_is_what_the_documents_say(astronaut: Tensor) -> None:
    found = smooth_skin(face(astronaut))[0, 0].numpy()
    assert (found == skin_of(face(astronaut))).mean() > 0.9999
    assert 0.2 < found.mean() < 0.4


def test_both_measures_are_what_the_documents_say(astronaut: Tensor) -> None:
    clean = face(astronaut)
    changed, skin = noisy(clean), skin_of(clean)
    y, cb, cr = (after - before for before, after in zip(coloured(clean), coloured(changed), strict=True))
    pattern = root_mean_square(skin, soft(y, 1) - soft(y, 8))
    tint = root_mean_square(skin, soft(cb, 1), soft(cr, 1))
    assert Marbling()(clean, changed).item() == pytest.approx(pattern, rel=1e-4)
    assert Chroma()(clean, changed).item() == pytest.approx(tint, rel=1e-4)
    assert Marbling()(clean.float(), changed.float()).item() == pytest.approx(pattern, rel=1e-3)
    assert Chroma()(clean.float(), changed.float()).item() == pytest.approx(tint, rel=1e-3)


@pytest.mark.parametrize("wave", [6, 12, 24, 80])
def test_a_wave_of_light_is_as_strong_as_theory_says(wave: float) -> None:
    clean = plain(400, 320).double()
    light = 2 / 255 * torch.sin(2 * math.pi / wave * torch.arange(320, dtype=torch.float64))
    near, far = (math.exp(-((2 * math.pi * sigma / wave) ** 2) / 2) for sigma in (1, 8))
    expected = 2 / math.sqrt(2) * (near - far)
    assert Marbling()(clean, clean + light).item() == pytest.approx(expected, rel=0.03)
    assert Chroma()(clean, clean + light).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_identical_faces_have_exactly_nothing_and_no_slope(measure: Marbling | Chroma, astronaut: Tensor) -> None:
    clean = face(astronaut)
    changed = clean.clone().requires_grad_()
    value = measure(clean, changed)
    (gradient,) = torch.autograd.grad(value.sum(), changed)
    assert value.item() == 0
    assert not gradient.any()


@pytest.mark.parametrize("shift", [-0.3, -0.01, 0.05])
def test_light_that_is_everywhere_alike_is_no_marbling_and_no_stain(astronaut: Tensor, shift: float) -> None:
    clean = face(astronaut)
    assert Marbling()(clean, clean + shift).item() < 1e-6
    assert Chroma()(clean, clean + shift).item() < 1e-6


def test_a_tint_without_light_is_a_stain_and_no_marbling(astronaut: Tensor) -> None:
    clean = face(astronaut)
    tint = torch.tensor([0.01, -0.01 * 0.299 / 0.587, 0], dtype=torch.float64)[:, None, None]
    assert Marbling()(clean, clean + tint).item() < 1e-6
    # Cb stays, as neither blue nor luma changes; Cr is 0.713 of what red is more
    assert Chroma()(clean, clean + tint).item() == pytest.approx(255 * 0.713 * 0.01, rel=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_change_outside_the_skin_does_not_count(measure: Marbling | Chroma) -> None:
    clean = plain(240, 200)
    changed = clean.clone()
    changed[..., :10, :10] = 0
    changed[..., -10:, -10:] = torch.tensor([1.0, 0, 0])[:, None, None]
    assert measure(clean, changed).item() == 0


@pytest.mark.parametrize("measure", MEASURES)
def test_what_has_another_colour_than_the_middle_is_no_skin(measure: Marbling | Chroma) -> None:
    clean = plain(240, 200)
    clean[..., :100, :] = torch.tensor([0.1, 0.2, 0.8])[:, None, None]
    assert not smooth_skin(clean)[..., :100, :].any()
    changed = clean.clone()
    changed[..., :70, :] = noisy(changed[..., :70, :], 0.2)
    assert measure(clean, changed).item() == 0


def test_of_skin_the_calm_part_counts() -> None:
    clean = plain(200, 160)
    clean[..., :80] += 0.1 * torch.randn((1, 1, 200, 80), generator=torch.Generator().manual_seed(1))
    skin = smooth_skin(clean)
    assert skin[..., 80:].sum() > 4 * skin[..., :80].sum()


@pytest.mark.parametrize("measure", MEASURES)
def test_each_face_of_a_batch_has_its_own_number(measure: Marbling | Chroma, astronaut: Tensor) -> None:
    clean = torch.cat((face(astronaut), plain(115, 92).double()))
    changed = torch.cat((noisy(clean[:1], 0.01), noisy(clean[1:], 0.03)))
    apart = [measure(clean[index : index + 1], changed[index : index + 1]) for index in range(2)]
    assert torch.allclose(measure(clean, changed), torch.cat(apart))
    assert apart[0] < apart[1]


@pytest.mark.parametrize("measure", MEASURES)
def test_the_gradient_is_that_of_finite_differences(measure: Marbling | Chroma, rng: torch.Generator) -> None:
    clean = 0.5 + 0.03 * torch.rand((1, 3, 13, 13), generator=rng, dtype=torch.float64)
    changed = torch.rand((1, 3, 13, 13), generator=rng, dtype=torch.float64).requires_grad_()
    assert smooth_skin(clean).any()
    assert torch.autograd.gradcheck(lambda images: measure(clean, images), changed)


@pytest.mark.parametrize("size", [(1, 1), (5, 5), (2, 90), (8, 8)])
@pytest.mark.parametrize("measure", MEASURES)
def test_a_tiny_face_shows_no_skin_and_has_no_pattern(measure: Marbling | Chroma, size: tuple[int, int]) -> None:
    clean = plain(*size)
    changed = noisy(clean, 0.2).requires_grad_()
    value = measure(clean, changed)
    assert not smooth_skin(clean).any()
    assert value.item() == 0
    assert not torch.autograd.grad(value.sum(), changed)[0].any()


@pytest.mark.parametrize("measure", MEASURES)
def test_a_face_whose_skin_is_not_seen_has_no_pattern(measure: Marbling | Chroma, rng: torch.Generator) -> None:
    # all colours at once: hardly any is that of the middle
    clean = torch.rand((1, 3, 30, 30), generator=rng)
    assert not smooth_skin(clean).any()
    assert measure(clean, noisy(clean)).item() == 0


def test_a_grey_face_has_marbling_and_no_stain(astronaut: Tensor) -> None:
    clean = luma(face(astronaut)).expand(-1, 3, -1, -1)
    changed = clean + noisy(clean[:, :1] * 0 + 0.5) - 0.5
    assert 0.5 < Marbling()(clean, changed).item() < 5
    assert Chroma()(clean, changed).item() < 1e-6


@pytest.mark.parametrize("measure", MEASURES)
def test_a_black_picture_is_measured_like_any(measure: Marbling | Chroma) -> None:
    black = torch.zeros(1, 3, 60, 50)
    assert measure(black, black).item() == 0
    assert 0 < measure(black, noisy(black)).item() < 5


def test_the_faintest_change_has_a_finite_slope() -> None:
    clean = plain(40, 40)
    change = torch.full((1, 1, 40, 40), 0.0)
    change[..., 20, 20] = 1e-18
    change.requires_grad_()
    (gradient,) = torch.autograd.grad(marbling(change, smooth_skin(clean)).sum(), change)
    assert torch.isfinite(gradient).all()


def test_skin_of_more_pixels_than_torch_takes_a_quantile_of_has_a_smooth_part(rng: torch.Generator) -> None:
    detail = torch.rand((4100, 4100), generator=rng)
    smooth = _smoothest(torch.ones(4100, 4100, dtype=torch.bool), detail)
    assert smooth.float().mean().item() == pytest.approx(0.6, abs=1e-6)
