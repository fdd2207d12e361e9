from __future__ import annotations

from pathlib import Path

import pytest
import torch
from benchmarks import command, protect
from benchmarks._machine import UNIT, memory, place
from benchmarks.protect import ALL, Run

from deepguard.cli.demo import sample_file
from deepguard.media.picture import Picture
from deepguard.media.read import read_picture
from deepguard.prove.report import FileFacts, ModelFacts, Quality, Report
from deepguard.prove.verify import Judgement, Sighting
from deepguard.types import Box, Face
from deepguard.weights.shelf import Shelf

FACE = Face(Box(180, 80, 270, 200), 0.9)
FACTS = FileFacts("a.png", "PNG", "0" * 64, 1, 640, 480)


def judgement(name: str, before: int, found: int, retry: int, faces: int = 3) -> Judgement:
    def first(count: int) -> tuple[bool, ...]:
        return tuple(index < count for index in range(faces))

    return Judgement(name, first(before), {"delivered": Sighting(first(found), first(retry))})


def run(*judgements: Judgement, noise: Judgement, seconds: float = 1.0, ssim: float = 0.9) -> Run:
    """A run in which `judge` was not attacked."""
    report = Report(
        version="0",
        created="",
        input=FACTS,
        output=FACTS,
        device="cpu",
        seed=0,
        seconds={"finding": seconds, "protecting": 2 * seconds},
        preset="balanced",
        defence="facepoison",
        through="any",
        options={"epsilon": 8 / 255, "steps": 40, "minimal": False},
        faces=(FACE,) * 3,
        chosen=(1, 2, 3),
        judgements=judgements,
        models=tuple(ModelFacts(each.detector, each.detector != "judge", {}) for each in judgements),
        missing=(),
        picture_quality=Quality(ssim, None, None),
        face_quality=(Quality(0.5, 30.0, 0.25),) * 3,
    )
    return Run("a.png", report, (noise,))


TWO = (
    run(judgement("one", 3, 1, 2), judgement("judge", 3, 3, 3), noise=judgement("one", 3, 3, 3), seconds=1, ssim=0.9),
    run(judgement("one", 2, 0, 1), judgement("judge", 3, 2, 3), noise=judgement("one", 3, 2, 2), seconds=3, ssim=0.8),
)


def test_faces_still_found_are_counted_against_those_found_before_over_all_photos() -> None:
    head, rule, one, other = protect.sightings(TWO).splitlines()
    assert head == "| detector | before | noise | as delivered |"
    assert rule == "| --- | --: | --: | --: |"
    assert one == "| one | 5/6 | 5/5 (5) | 1/5 (3) |"
    assert other.startswith("| judge (judge) | 6/6 |")
    assert other.endswith("| 5/6 (6) |")


def test_all_attacked_detectors_are_summed_without_the_judges() -> None:
    three = (run(judgement("one", 3, 1, 2), judgement("two", 2, 0, 1), noise=judgement("one", 3, 3, 3)),)
    assert protect.sightings(three).splitlines()[-1] == f"| **{ALL}** | 5/6 | 3/5 (3) | 1/5 (3) |"


def test_qualities_and_seconds_are_medians_and_what_was_not_measured_says_so() -> None:
    assert protect.qualities(TWO).splitlines()[2:] == [
        "| picture, median of 2 | 0.850 | not measured | not measured |",
        "| face, median of 6 | 0.500 | 30.0 | 0.250 |",
    ]
    lines = protect.times(TWO).splitlines()
    assert lines[2] == "| a.png | 640 x 480 | 3 | one 1, judge 3 | 1.0 | 2.0 | 3.0 |"
    assert lines[-1] == "| **median** |  |  |  | 2.0 | 4.0 | 6.0 |"


def test_a_section_has_its_options_and_names_what_could_not_be_protected() -> None:
    text = protect.section("balanced", TWO, ["b.png: no face was found"])
    assert text.startswith("### `balanced`\n\nDefence facepoison through any: epsilon 0.0314, steps 40, minimal false.")
    assert text.endswith("Not protected: b.png: no face was found")
    assert protect.section("balanced", [], ["b.png: no face"]).splitlines()[-1] == "Not protected: b.png: no face"


@pytest.fixture(scope="module")
def sample() -> Picture:
    return read_picture(sample_file())


def test_the_controls_noise_has_the_budgets_size_on_the_face_and_nothing_beyond_its_reach(sample: Picture) -> None:
    change = protect.noisy(sample, [FACE], 8 / 255, 0.3, torch.Generator().manual_seed(1)) - sample.images
    inside = change[..., 80:200, 180:270].abs()
    assert float(change.abs().max()) <= 8 / 255 + 1e-6
    assert float((inside > 7.9 / 255).float().mean()) > 0.9
    assert -0.1 < float(change[..., 80:200, 180:270].sign().mean()) < 0.1
    changed = change.abs().sum(dim=(0, 1)).nonzero()
    assert int(changed[:, 0].min()) >= 80 - 0.3 * 120 - 1
    assert int(changed[:, 1].max()) <= 270 + 0.3 * 90 + 1


def test_the_benchmark_prints_its_section_for_the_sample_photo(
    empty_shelf: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = protect.api.Options
    monkeypatch.setattr(protect.api, "Options", lambda **chosen: made(**chosen, steps=1))
    protect.main(["--data", str(tmp_path), "--models", str(empty_shelf.directory), "--through", "none"])
    text = capsys.readouterr().out
    assert text.startswith("## Protect\n\n`python -m benchmarks protect --data")
    assert "| detector | before | noise | as delivered | instagram | kakaotalk |" in text
    assert "| mtcnn | 1/1 | " in text
    assert "| astronaut.png | 512 x 512 | 1 |" in text
    assert text.endswith(" MiB.\n")


def test_the_command_is_timed_as_a_process_and_a_failing_one_ends_the_benchmark() -> None:
    seconds, largest = command.timed(["--version"], {})
    assert 0 < seconds < 60
    assert largest * UNIT < 80 * 2**20  # this process, which holds torch, is not counted in
    assert command.row("x", [(2.0, 1), (3.0, 1), (1.0, 1)]).startswith("| x | 2.00 | 2.00, 3.00, 1.00 | ")
    with pytest.raises(SystemExit, match="ended with 2"):
        command.timed(["protect"], {})


def test_the_megapixel_photo_is_made_where_the_portrait_is_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PORTRAIT", tmp_path / "absent.jpg")
    large = read_picture(command._photo(tmp_path))
    assert (large.width, large.height) == (1000, 1000)


def test_a_measurement_names_the_day_the_machine_and_the_commit() -> None:
    words = place()
    assert words.startswith("20")
    assert "cores" in words
    assert "commit " in words
    assert memory(2**30 // UNIT) == "1,024 MiB"
