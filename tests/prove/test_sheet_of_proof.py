import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image
from tests.prove.proofs import detection, face, proof, recognition, swap

from deepguard.media.metadata import COMPOSITE, digital_source_type
from deepguard.media.panel import COLUMN, WIDTH
from deepguard.prove import sheet_words as words
from deepguard.prove.band import banded
from deepguard.prove.proof import Statement
from deepguard.prove.sheet import closeup, sheet
from deepguard.types import Box, Face

PLAIN = torch.full((1, 3, 512, 512), 0.4)


def drawn(language="ko", report=None, tiles=None):
    report = report or proof()
    tiles = tiles if tiles is not None else {(arm, "warp"): banded(PLAIN) for arm in ("original", "protected")}
    crops = {"original": PLAIN, "protected": PLAIN * 0.9}
    return sheet(report, tiles, crops, language)


def opened(data):
    return Image.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_sheet_is_a_png_as_wide_as_a_phones_picture_marked_as_composite(language):
    data = drawn(language)
    assert opened(data).width == WIDTH == 1080
    assert digital_source_type(data) == COMPOSITE
    assert COMPOSITE.endswith("/compositeWithTrainedAlgorithmicMedia")


def test_no_tile_is_longer_than_512_pixels_and_a_larger_one_is_made_smaller():
    assert COLUMN <= 512
    large = {(arm, "warp"): banded(torch.full((1, 3, 900, 900), 0.4)) for arm in ("original", "protected")}
    assert opened(drawn(tiles=large)).size == opened(drawn()).size


def test_the_bands_foot_is_in_the_sheet_for_both_arms():
    pixels = np.asarray(opened(drawn())).astype(int)
    red = (pixels[..., 0] > 130) & (pixels[..., 1:] < 60).all(axis=-1)
    reds = [red[:, :540].sum(), red[:, 540:].sum()]
    assert min(reds) > 512 * 30


def test_where_nothing_was_swapped_the_sheet_says_so_in_the_tiles_place():
    tiles = {("original", "warp"): banded(PLAIN), ("protected", "warp"): None}
    one = opened(drawn(tiles=tiles))
    assert one.size == opened(drawn()).size
    assert one.tobytes() != opened(drawn()).tobytes()


def test_the_two_languages_are_two_sheets_and_the_same_proof_gives_the_same_bytes():
    assert drawn("ko") == drawn("ko")
    assert drawn("ko") != drawn("en")


def test_detectors_are_counted_for_each_arm_without_the_combined_row():
    report = proof(detections=(detection("a"), detection("b", protected=False), detection("combined", attacked=None)))
    assert words.finding(report, "original", 0, "ko") == "얼굴을 찾는 프로그램 2개 중 2개가 이 얼굴을 찾아요."
    assert (
        words.finding(report, "protected", 0, "en")
        == "1 of 2 programs that look for faces find this one. After retries: 2."
    )


def test_encoders_without_a_limit_are_not_counted_as_judging():
    report = proof(likenesses=(recognition("a"), recognition("b", protected=0.8), recognition("c", threshold=None)))
    assert "2개 중 1개가 원본과 같은 사람" in words.recognising(report, "protected", 0, "ko")
    assert "1 of 2" in words.recognising(report, "protected", 0, "en")


def test_under_a_swap_stands_what_each_judge_measured_and_what_it_means():
    report = proof()
    assert words.outcome(report, report.swaps[0], "original", 0, "en") == "1 of 1 judges take this for the person."
    assert words.figures(report, report.swaps[0], "original", 0, "en") == ["who*  0.60 > 0.40 · same person"]
    other = swap(protected=0.1)
    assert words.figures(report, other, "protected", 0, "ko") == ["who*  0.10 ≤ 0.40 · 다른 사람"]
    assert words.outcome(report, other, "protected", 0, "ko").startswith("얼굴을 못 찾아서 손으로 표시해 주었어요.")


def test_a_judge_that_was_not_attacked_has_no_star_and_one_never_calibrated_says_only_its_number():
    report = proof(likenesses=(recognition(attacked=None, threshold=None),))
    assert words.figures(report, report.swaps[0], "original", 0, "en") == ["who  0.60 · no limit known"]
    assert words.outcome(report, report.swaps[0], "original", 0, "en") == "No judge here has a measured limit."


def test_of_several_faces_the_sheet_says_which_it_shows():
    assert words.which_face(proof(), 0, "ko") == ""
    two = proof(faces=(face(), face(left=200)))
    assert words.which_face(two, 1, "ko") == "왼쪽에서 2번째 얼굴이에요. 모두 2명 있어요."
    assert words.which_face(two, 1, "en") == "Face 2 of 2, from the left."


def test_whose_face_it_was_stated_to_be_and_when_it_was_measured_stand_at_the_foot():
    agreed = proof(statement=Statement("agreed", "2026-01-01T00:00:00+00:00"))
    assert opened(drawn(report=agreed)).tobytes() != opened(drawn()).tobytes()
    assert set(words.STATED) == {"self", "agreed"}
    assert "{date}" in words.LIMITS["ko"]
    assert "{date}" in words.LIMITS["en"]


def test_every_swapper_shown_is_named_and_no_sentence_promises_safety():
    told = [text for pair in vars(words).values() if isinstance(pair, dict) and "ko" in pair for text in pair.values()]
    assert not [text for text in map(str, told) if "안전" in text or "safe" in text.lower()]
    assert "(warp)" in words.swapping(swap("warp"), "ko")
    assert words.swapping(swap("made-up"), "en").startswith("made-up (made-up), onto the picture of astronaut")


@pytest.mark.parametrize(
    "box", [Box(0, 0, 30, 40), Box(150, 150, 198, 198), Box(50, 40, 120, 140), Box(-5, -5, 400, 400)]
)
def test_the_closeup_of_any_face_is_a_tile_from_inside_the_photo(box):
    photo = torch.full((1, 3, 200, 180), 0.5)
    crop = closeup(photo, Face(box, 1.0))
    assert crop.shape == (1, 3, 512, 512)
    assert torch.allclose(crop, torch.tensor(0.5), atol=0.01)


def test_a_proof_without_swaps_still_makes_a_sheet_of_figures():
    plain = dataclasses.replace(proof(), swaps=(), statement=None)
    assert opened(sheet(plain, {}, {"original": PLAIN}, "en")).width == 1080
