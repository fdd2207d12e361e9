import dataclasses

import pytest

from deepguard.measures.ceilings import FACE, PICTURE, Ceilings
from deepguard.measures.roles import measures


def test_every_ceiling_is_of_a_measure_that_there_is() -> None:
    assert {field.name for field in dataclasses.fields(Ceilings)} <= set(measures.names())


@pytest.mark.parametrize(("ceilings", "names"), [(FACE, 4), (PICTURE, 2)])
def test_at_the_ceiling_all_of_it_is_used_and_none_for_identical_pictures(ceilings: Ceilings, names: int) -> None:
    values = dict(list(dataclasses.asdict(ceilings).items())[:names])
    for name, value in values.items():
        assert ceilings.used({name: value}) == pytest.approx(1)
    assert ceilings.used({"ssim": 1, "lpips": 0, "marbling": 0, "chroma": 0}) == 0


def test_the_worst_share_counts() -> None:
    assert FACE.used({"ssim": 0.965, "lpips": 0.018, "marbling": 0.75, "chroma": 0.1}) == pytest.approx(0.5)
    assert FACE.used({"ssim": 0.965, "lpips": 0.018, "marbling": 9.0, "chroma": 0.1}) == pytest.approx(3)
    assert FACE.used({"ssim": 0.79, "lpips": 0.09, "marbling": 0, "chroma": 0}) == pytest.approx(3)


def test_what_was_not_measured_or_has_no_ceiling_is_ignored() -> None:
    assert PICTURE.used({"ssim": 0.95, "lpips": None, "marbling": 99, "psnr": 12}) == pytest.approx(1)
    assert FACE.used({}) == 0


def test_a_similarity_that_rounding_puts_above_one_uses_nothing() -> None:
    assert FACE.used({"ssim": 1.0000002}) == 0
