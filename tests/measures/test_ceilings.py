import pytest

from deepguard.measures.ceilings import FACE, PICTURE, used
from deepguard.measures.roles import measures


@pytest.mark.parametrize("ceilings", [FACE, PICTURE])
def test_every_ceiling_is_of_a_measure_that_there_is(ceilings: dict[str, float]) -> None:
    assert set(ceilings) <= set(measures.names())


@pytest.mark.parametrize("ceilings", [FACE, PICTURE])
def test_at_the_ceiling_all_of_it_is_used_and_none_for_identical_pictures(ceilings: dict[str, float]) -> None:
    for name, ceiling in ceilings.items():
        assert used({name: ceiling}, ceilings) == pytest.approx(1)
    assert used({"ssim": 1, "lpips": 0, "marbling": 0, "chroma": 0}, ceilings) == 0


def test_the_worst_share_counts() -> None:
    assert used({"ssim": 0.965, "lpips": 0.018, "marbling": 0.45, "chroma": 0.1}, FACE) == pytest.approx(0.5)
    assert used({"ssim": 0.965, "lpips": 0.018, "marbling": 5.4, "chroma": 0.1}, FACE) == pytest.approx(3)
    assert used({"ssim": 0.79, "lpips": 0.09, "marbling": 0, "chroma": 0}, FACE) == pytest.approx(3)


def test_what_was_not_measured_or_has_no_ceiling_is_ignored() -> None:
    assert used({"ssim": 0.95, "lpips": None, "marbling": 99, "psnr": 12}, PICTURE) == pytest.approx(1)
    assert used({}, FACE) == 0


def test_a_similarity_that_rounding_puts_above_one_uses_nothing() -> None:
    assert used({"ssim": 1.0000002}, FACE) == 0
