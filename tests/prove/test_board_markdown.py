from __future__ import annotations

import json

from tests.prove.boards import CLOSE, SMALL, arm, board, judgement, photo

from deepguard.prove.board.markdown import markdown
from deepguard.prove.board.records import Absent, board_of
from deepguard.prove.report import Quality

OURS = arm(
    "facepoison balanced",
    judgement("one", 3, delivered=0, retry=2, instagram=1),
    judgement("two", 2, delivered=1, retry=2, instagram=2),
)
NOISE = arm("noise", judgement("one", 3, delivered=3), judgement("two", 2, delivered=2), kind="noise", attacked=())
PAPER = arm(
    "facepoison-paper one",
    judgement("one", 3, delivered=1, retry=3),
    judgement("two", 2, delivered=2, retry=2),
    kind="paper",
    attacked=("one",),
    excess=2.0,
    total=9.0,
)
SCALED = arm(
    "scaled one", judgement("one", 3, delivered=3), judgement("two", 2, delivered=2), kind="scaled", attacked=("one",)
)
HELD = (
    arm(
        "w one",
        judgement("one", 3, delivered=2, retry=3),
        judgement("two", 2, delivered=0, retry=1),
        kind="without",
        attacked=("two",),
    ),
    arm(
        "w two",
        judgement("one", 3, delivered=0, retry=1),
        judgement("two", 2, delivered=2, retry=2),
        kind="without",
        attacked=("one",),
    ),
)
FULL = board(
    photo(OURS, *HELD, PAPER, NOISE, SCALED),
    photo(OURS, name="b.jpg", faces=(SMALL,) * 3),
    left_out=[Absent("c.jpg", "15 faces, more than --max-faces 12")],
    failed=[Absent("d\n.jpg", "damaged")],
)


def lines(text: str, heading: str) -> list[str]:
    """The rows of the first table below a heading."""
    below = text.partition(f"{heading}\n")[2].splitlines()
    start = next(index for index, line in enumerate(below) if line.startswith("|"))
    end = next((index for index, line in enumerate(below[start:], start) if not line.startswith("|")), len(below))
    return below[start:end]


def test_each_column_counts_its_own_changes() -> None:
    head, rule, one, two, mean = lines(markdown(FULL), "### Still found, as delivered")
    assert head == (
        "| detector | before | noise of our size | paper, own | paper, others | paper as faint as ours, own "
        "| paper as faint as ours, others | facepoison balanced |"
    )
    assert rule.startswith("| --- | --: |")
    assert one == "| one | 3/3 | 3/3 | 1/3 | - | 3/3 | - | 0/3 |"
    assert two == "| two | 2/3 | 2/2 | - | 2/2 | - | 2/2 | 1/2 |"
    assert mean.startswith("| **mean** |  | 100 % [44 %, 100 %] | 33 % [")
    assert mean.endswith(" | 25 % [4 %, 74 %] |")


def test_posting_and_the_retry_are_shown_for_ours_and_as_means_for_all() -> None:
    text = markdown(FULL)
    assert lines(text, "### Still found after posting: facepoison balanced")[0] == (
        "| detector | delivered | retry | instagram |"
    )
    means = lines(text, "### Mean of the detectors' shares, as delivered and after posting")
    assert means[0] == "|  | delivered | retry | instagram |"
    (noise,) = [line for line in means if line.startswith("| noise of our size |")]
    assert noise.endswith("| - | - |")


def test_detectors_left_out_stand_beside_the_same_ones_attacked() -> None:
    head, _, one, two, _ = lines(markdown(FULL), "### Leaving one detector out: facepoison balanced, 1 photo, 3 faces")
    assert head.startswith("| detector | delivered: surrogates | delivered: held-out | retry: surrogates |")
    assert one.startswith("| one | 0/3 | 2/3 | 2/3 | 3/3 |")
    assert two.startswith("| two | 1/2 | 2/2 | 2/2 | 2/2 |")


def test_photos_of_groups_and_small_faces_have_tables_of_their_own() -> None:
    text = markdown(FULL)
    assert "## 1-3 faces of 100 px or more: 1 photo, 3 faces" in text
    below = text.partition("## Groups and small faces: 1 photo, 3 faces")[2]
    assert lines(below, "### Still found, as delivered")[0] == "| detector | before | facepoison balanced |"


def test_visibility_has_medians_worst_cases_and_the_share_within_all_ceilings() -> None:
    loud = Quality(ssim=0.85, psnr=30.0, lpips=0.15, marbling=3.0, chroma=None)
    made = board(photo(OURS), photo(arm(OURS.name, *OURS.judgements, quality=loud, excess=1.7), name="b.jpg"))
    head, _, row = lines(markdown(made), "### Visibility: median (worst)")
    assert head.startswith("|  | picture SSIM | picture LPIPS | face SSIM | face LPIPS | face marbling, /255 |")
    assert row == (
        "| facepoison balanced | 0.900 (0.850) | 0.100 (0.150) | 0.900 (0.850) | 0.100 (0.150) | 2.00 (3.00) "
        "| 0.20 (0.20) | 1/2 |"
    )


def test_the_papers_pictures_are_one_row_of_visibility() -> None:
    rows = lines(markdown(FULL), "### Visibility: median (worst)")
    assert [row.split(" | ")[0] for row in rows[2:]] == [
        "| noise of our size",
        "| paper",
        "| paper as faint as ours",
        "| facepoison balanced",
    ]
    assert rows[3].endswith("| 0/1 |")


def test_a_measure_without_its_weights_says_so() -> None:
    quality = Quality(ssim=0.9, psnr=None, lpips=None, marbling=None, chroma=None)
    text = markdown(board(photo(arm("facepoison balanced", *OURS.judgements, quality=quality))))
    assert "| 0.900 (0.900) | not measured | 0.900 (0.900) | not measured | not measured | not measured | 1/1 |" in text
    assert CLOSE.lpips is not None


def test_seconds_are_medians_and_photos_of_about_one_megapixel_stand_apart() -> None:
    rows = lines(markdown(FULL), "## Seconds and memory")
    assert rows[0] == "| median | pictures | finding | protecting | verifying | all |"
    assert rows[2] == "| facepoison balanced | 2 | 1.0 | 1.0 | 1.0 | 3.0 |"
    assert rows[3].startswith("| facepoison balanced, of about 1 megapixel | 2 |")
    assert rows[4] == "| paper, one detector | 1 | 3.0 | 3.0 | 3.0 | 9.0 |"
    assert "Largest memory of the process: 3,072 MiB." in markdown(FULL)


def test_each_photo_has_its_line() -> None:
    made = board(photo(OURS, name="a|b.jpg"), photo(name="none.jpg"))
    assert lines(markdown(made), "## Each photo, as delivered") == [
        "| photo | pixels | faces | facepoison balanced: found | facepoison balanced: share of a ceiling "
        "| facepoison balanced: s |",
        "| --- | --: | --: | --: | --: | --: |",
        "| a\\|b.jpg | 1000 x 1000 | 3 | 1/5 | 0.90 | 3.0 |",
        "| none.jpg | 1000 x 1000 | 3 | - | - | - |",
    ]


def test_a_column_of_fewer_photos_says_so() -> None:
    made = board(photo(OURS, NOISE), photo(OURS, name="b.jpg"))
    head, *_ = lines(markdown(made), "### Still found, as delivered")
    assert head == "| detector | before | noise of our size (1 of 2 photos) | facepoison balanced |"
    assert "| noise of our size (1 of 2 photos) | 100 % [" in markdown(made)


def test_photos_that_are_not_counted_are_named_with_the_reason() -> None:
    text = markdown(FULL)
    assert "## Left out\n\n- c.jpg: 15 faces, more than --max-faces 12\n" in text
    assert "## Failed\n\n- d?.jpg: damaged\n" in text


def test_what_was_asked_for_and_what_is_missing_is_said() -> None:
    text = markdown(board(photo(OURS), complete=False))
    assert "2026-01-01T00:00:00+00:00; deepguard 1; cpu with 2 threads." in text
    assert "1 photo with 3 faces, 0 left out, 0 failed. presets balanced; limit all; seed 0." in text
    assert "The run was stopped before its end" in text
    assert "neither attacked nor asked: three." in text


def test_the_json_is_enough_to_draw_it_again() -> None:
    assert markdown(board_of(json.loads(json.dumps(FULL.as_json())))) == markdown(FULL)


def test_a_board_without_photos_is_a_page_too() -> None:
    assert markdown(board()).startswith("# Protection, measured\n\n2026")
