"""A classifier measured on faces whose answers are known."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.forensics.toy_judges import Bright, calibration
from tests.forensics.training.faces_of import Middle, fill
from tests.media.files_of import file_of, scene
from torch import Tensor

from deepguard.errors import InputError, OptionError
from deepguard.forensics.evaluation.fitting import fitted
from deepguard.forensics.evaluation.measured import (
    CONDITIONS,
    MEAN,
    Attack,
    Elsewhere,
    by_group,
    figures,
    of_clips,
    scores,
    under_attack,
)
from deepguard.forensics.evaluation.samples import Sample, Samples, listed, read
from deepguard.forensics.verdict import Word
from deepguard.models.roles import CropSpec


def _samples(real: int = 12, fake: int = 12) -> Samples:
    """Real faces are dark and fakes bright, each a little different; two frames a clip, sexes in turn."""
    rng = torch.Generator().manual_seed(0)
    levels = torch.cat([torch.rand(real, generator=rng) * 0.3 + 0.1, torch.rand(fake, generator=rng) * 0.3 + 0.6])
    crops = levels.view(-1, 1, 1, 1).expand(-1, 3, 32, 32).contiguous()
    named = tuple(
        Sample(Path(f"{place}.png"), place >= real, f"clip {place // 2}", {"sex": "fm"[place % 2]})
        for place in range(real + fake)
    )
    return Samples(crops, named, ())


def test_every_copy_is_scored_and_their_mean() -> None:
    samples = _samples()
    logits = scores(Bright(), samples.crops)
    assert set(logits) == {"plain", "small", "jpeg15", "jpeg75", "median", MEAN}
    torch.testing.assert_close(logits["plain"], Bright().fakeness(samples.crops))
    each = torch.stack([value for name, value in logits.items() if name != MEAN])
    torch.testing.assert_close(logits[MEAN], each.mean(0))


def test_figures_count_both_labels_and_what_the_words_cost() -> None:
    samples = _samples()
    found = figures(scores(Bright(40.0), samples.crops)[MEAN], samples.fake, calibration())
    assert (found.real, found.fake, found.area, found.accuracy) == (12, 12, 1.0, 1.0)
    assert (found.positives, found.missed) == (0.0, 0.0)
    assert found.found is not None
    assert found.found > 0.5
    reversed_ = figures(scores(Bright(-40.0), samples.crops)[MEAN], samples.fake, calibration())
    assert reversed_.area == 0
    assert reversed_.positives is not None
    assert reversed_.positives > 0.5


def test_real_faces_alone_have_no_area_but_false_alarms() -> None:
    samples = _samples()
    only = figures(scores(Bright(), samples.crops[:12])[MEAN], torch.zeros(12), calibration())
    assert only.area is None
    assert only.positives == 0


def test_frames_of_a_clip_are_judged_together_and_groups_apart() -> None:
    samples = _samples()
    logits = scores(Bright(), samples.crops)[MEAN]
    clips = of_clips(logits, samples, calibration())
    assert clips is not None
    assert (clips.real, clips.fake) == (6, 6)
    rows = by_group(logits, samples, calibration(), "sex")
    assert {name: (each.real, each.fake) for name, each in rows.items()} == {"f": (6, 6), "m": (6, 6)}
    with pytest.raises(InputError, match="no column age"):
        by_group(logits, samples, calibration(), "age")


def test_one_loud_frame_does_not_speak_for_its_clip() -> None:
    frames = tuple(Sample(Path(f"{place}.png"), place >= 10, f"clip {place // 10}", {}) for place in range(20))
    logits = torch.tensor([-1.0] * 9 + [90.0] + [1.0] * 10)
    clips = of_clips(logits, Samples(torch.zeros(20, 3, 8, 8), frames, ()), calibration())
    assert clips is not None
    assert clips.accuracy == 1


def test_every_condition_leaves_the_shape_and_changes_a_detailed_crop() -> None:
    crops = torch.rand((2, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    for name, change in CONDITIONS.items():
        made = change(crops)
        assert made.shape == crops.shape
        assert (name == "as it is") == torch.equal(made, crops)


@pytest.mark.parametrize("aim", ["plain", MEAN])
def test_an_attack_as_large_as_the_margin_takes_the_accuracy(aim: str) -> None:
    samples = _samples()
    small = under_attack(Bright(40.0), samples, calibration(), Attack(aim, 1.0, 4, 0, steps=3))
    large = under_attack(Bright(40.0), samples, calibration(), Attack(aim, 200.0, 4, 0, steps=8))
    assert small.faces == large.faces == 8
    assert small.clean[MEAN] == small.attacked[MEAN] == 1.0
    assert large.attacked["plain"] < 0.2
    assert sum(small.words.values()) == sum(large.words.values()) == pytest.approx(1)
    assert large.words[Word.LIKELY_FAKE] < small.words[Word.LIKELY_FAKE] == 1
    assert large.accused > small.accused == 0


def test_a_calibration_makes_probabilities_that_come_true() -> None:
    rng = torch.Generator().manual_seed(0)
    fake = (torch.rand(4000, generator=rng) < 0.5).float()
    # logits of unit Gaussians around 3 -+ 2: the right probability is sigmoid(4 (x - 3))
    logits = torch.randn(4000, generator=rng) + 3 + (2 * fake - 1) * 2
    found = fitted(logits, logits + torch.tensor([[0.0], [0.1]]), fake)
    assert found.bias == pytest.approx(3, abs=0.1)
    assert found.temperature == pytest.approx(0.25, abs=0.05)
    assert found.false_positive_rate <= 0.03
    assert found.false_negative_rate <= 0.1
    assert found.real_to < 0.5 <= found.fake_from
    assert 0 < found.spread_from < 0.5
    with pytest.raises(InputError, match="at least 50 real faces and 50 fakes"):
        fitted(logits[:60], logits[None, :60], fake[:60])


def test_pictures_are_listed_by_folder_or_by_list(tmp_path: Path) -> None:
    fill(tmp_path / "real" / "one", 3, side=48)
    fill(tmp_path / "fake", 4, seed=1, side=48)
    listed_ = listed(tmp_path)
    assert [each.fake for each in listed_] == [False] * 3 + [True] * 4
    assert len({each.clip for each in listed_}) == 1 + 4
    assert len(listed(tmp_path, limit=2)) == 4
    (tmp_path / "list.csv").write_text(
        "file,label,clip,race,cropped\nreal/one/0-000.png,real,a,x,\nfake/1-000.png,fake,b,y,0.1\n", encoding="utf-8"
    )
    assert [(each.clip, dict(each.tags)) for each in listed(tmp_path)] == [("a", {"race": "x"}), ("b", {"race": "y"})]
    assert [each.cropped for each in listed(tmp_path)] == [None, 0.1]
    (tmp_path / "list.csv").write_text("file,label\nreal/one/0-000.png,true\n", encoding="utf-8")
    with pytest.raises(OptionError, match="line 2"):
        listed(tmp_path)


def test_a_folder_without_one_of_the_labels_is_told(tmp_path: Path) -> None:
    fill(tmp_path / "real", 2)
    with pytest.raises(InputError, match="has no fake pictures"):
        listed(tmp_path)
    with pytest.raises(OptionError, match="is no folder"):
        listed(tmp_path / "nowhere")


def test_faces_are_cut_as_judging_cuts_them_and_what_has_none_is_counted(tmp_path: Path) -> None:
    fill(tmp_path, 2, side=100)
    (tmp_path / "black.png").write_bytes(file_of(scene() * 0, "PNG"))
    (tmp_path / "torn.png").write_bytes(file_of(scene(), "PNG")[:50])
    named = [Sample(file, False, file.name, {}) for file in sorted(tmp_path.iterdir())]
    spec = CropSpec(40, 0.1)
    samples = read(named, spec, Middle())  # type: ignore[arg-type]
    assert samples.crops.shape == (2, 3, 40, 40)
    assert {file.name for file in samples.lost} == {"black.png", "torn.png"}
    # a crop that shows a third more than wanted: its middle is taken
    cropped = read(named[:1], spec, Middle(), cropped=1 / 3)  # type: ignore[arg-type]
    assert cropped.crops.shape == (1, 3, 40, 40)
    with pytest.raises(InputError, match="no real picture shows a face"):
        read([each for each in named if each.file.name == "black.png"], spec, Middle())  # type: ignore[arg-type]


def test_a_label_of_which_no_picture_shows_a_face_is_told(tmp_path: Path) -> None:
    fill(tmp_path, 2, side=100)
    (tmp_path / "black.png").write_bytes(file_of(scene() * 0, "PNG"))
    named = [Sample(file, file.name == "black.png", file.name, {}) for file in sorted(tmp_path.iterdir())]
    with pytest.raises(InputError, match="no fake picture shows a face"):
        read(named, CropSpec(40, 0.1), Middle())  # type: ignore[arg-type]


def test_a_list_from_a_spreadsheet_is_read_and_one_in_another_alphabet_told(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    table = "file,label,나이\n0-000.png,real,30\n0-001.png,fake,40\n"
    (tmp_path / "list.csv").write_text(table, encoding="utf-8-sig")
    assert [each.tags for each in listed(tmp_path)] == [{"나이": "30"}, {"나이": "40"}]
    (tmp_path / "list.csv").write_bytes(table.encode("cp949"))
    with pytest.raises(OptionError, match="save it as CSV in UTF-8"):
        listed(tmp_path)


def test_a_classifier_on_another_device_is_sent_its_crops_and_gives_logits_back() -> None:
    class There:
        crop = CropSpec(8, 0.0)

        def fakeness(self, crops: Tensor) -> Tensor:
            assert crops.device.type == "meta"
            return torch.zeros(len(crops))

    far = Elsewhere(There(), torch.device("meta"))
    assert far.crop.side == 8
    assert scores(far, torch.rand(2, 3, 8, 8))[MEAN].device.type == "cpu"
    near = Elsewhere(Bright(), torch.device("cpu"))
    crops = torch.rand(1, 3, 8, 8, requires_grad=True)
    near.fakeness(crops).sum().backward()
    assert crops.grad is not None
