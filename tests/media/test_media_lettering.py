import pytest
import torch

from deepguard.media.lettering import broken, fitting, font_of, lettered, strewn


def test_letters_cover_some_of_their_line_and_korean_ones_are_in_the_font():
    for text in ("TEST", "합성"):
        cover = lettered(text, 30)
        assert 0.05 < cover.mean() < 0.6
        assert cover.max() == 1
    assert not torch.equal(lettered("가", 30), lettered("힣", 30))


def test_signs_of_the_sheets_are_in_the_font():
    missing = lettered("\U0001f9ff", 40)
    for sign in "·≤>*→%()/":
        cover = lettered(sign, 40)
        assert cover.shape != missing.shape or not torch.equal(cover, missing), sign


def test_strewn_text_leaves_no_large_part_of_the_area_free():
    covers = strewn("시험 TEST", 20, (300, 400))
    assert covers.shape == (2, 300, 400)
    assert (covers[1] >= covers[0] - 0.02).all()
    assert covers[1].unfold(0, 75, 75).unfold(1, 80, 80).amax(dim=(2, 3)).min() > 0.5


@pytest.mark.parametrize("width", [40, 200, 1000])
def test_the_largest_size_that_fits_is_found(width):
    size = fitting("딥페이크 시험 결과", width, 60)
    assert font_of(size).getlength("딥페이크 시험 결과") <= width
    assert size == 60 or font_of(size + 1).getlength("딥페이크 시험 결과") > width


def test_lines_break_between_words_and_lose_none():
    text = "one two threeeeeeeeeeeeeeeeeeeeeeeeee four"
    lines = broken(text, 20, 120)
    assert " ".join(lines) == text
    assert all(font_of(20).getlength(line) <= 120 or " " not in line for line in lines)
    assert broken("", 20, 100) == []
