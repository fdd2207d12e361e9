"""A run: goes on where it was, keeps what it had, and stops in order."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from tests.forensics.training.faces_of import Middle, fill

from deepguard.cli.main import main
from deepguard.errors import OptionError, OutputError, WeightsCorrupt
from deepguard.forensics.training import checkpoint
from deepguard.forensics.training.batches import Drawing
from deepguard.forensics.training.config import Config, Source
from deepguard.forensics.training.crops import Crops, gathered
from deepguard.forensics.training.loop import _rate, _Run, train
from deepguard.forensics.training.overlays import Overlays
from deepguard.forensics.training.start import begin
from deepguard.forensics.training.validation import Standing, standing
from deepguard.models.classifiers.efficientnet_b0_sbi import CROP, network_of
from deepguard.models.efficientnet import EfficientNetB0
from deepguard.types import Progress

CPU = torch.device("cpu")


class Stop(Exception):
    """What a watch raises to stop."""


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Crops:
    folder = tmp_path_factory.mktemp("faces")
    fill(folder / "real", 30, side=48)
    fill(folder / "fake", 20, seed=1, side=48)
    return gathered((Source("toy", str(folder)),), folder / "run", Middle(), 0)  # type: ignore[arg-type]


def _config(**changed: object) -> Config:
    settings: dict[str, object] = {"steps": 4, "batch": 4, "every": 2, "warmup": 1, "climbs": (1,), "blended": 0.5}
    return Config("toy", (), **{**settings, **changed})  # type: ignore[arg-type]


def test_a_stopped_run_goes_on_and_ends_where_it_would_have(crops: Crops, tmp_path: Path) -> None:
    whole = train(_config(), crops, tmp_path / "whole", CPU)

    def stop(progress: Progress) -> None:
        if progress.stage == "training" and progress.done == 3:
            raise Stop

    with pytest.raises(Stop):
        train(_config(), crops, tmp_path / "halves", CPU, stop)
    train(_config(), crops, tmp_path / "halves", CPU)
    one, other = (checkpoint.resume(tmp_path / each) for each in ("whole", "halves"))
    assert one is not None
    assert other is not None
    assert one.step == other.step == 4
    for name, value in one.average.items():
        torch.testing.assert_close(value, other.average[name], msg=name)
    with (tmp_path / "halves" / "log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["2", "4"]
    # as after a disk that was full between the log and the checkpoint
    checkpoint.note(tmp_path / "halves", {**rows[1], "loss": 0.5})
    with (tmp_path / "halves" / "log.csv").open() as stream:
        assert [(row["step"], row["loss"]) for row in csv.DictReader(stream)] == [("2", rows[0]["loss"]), ("4", "0.5")]
    assert {"forged", "blended", "robust", "score"} <= set(rows[0])
    kept = load_file(whole.weights)
    assert kept["stem.conv.weight"].dtype == torch.float16
    assert network_of(whole.weights)(torch.rand(1, 3, CROP.side, CROP.side)).shape == (1,)


def test_a_run_without_a_better_validation_ends_early(
    crops: Crops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = standing(EfficientNetB0().eval(), Drawing(crops, _config(), "validation", 32, Overlays.read(None, 32)), 0)
    monkeypatch.setattr("deepguard.forensics.training.loop.standing", lambda *given: same)
    train(_config(steps=40, every=1, patience=2), crops, tmp_path, CPU)
    left = checkpoint.resume(tmp_path)
    assert left is not None
    assert left.step == 3


def test_what_was_best_before_the_attacks_began_is_given_up(
    crops: Crops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.9, 0.8, 0.6, 0.5])
    monkeypatch.setattr(
        "deepguard.forensics.training.loop.standing",
        lambda *given: Standing(forged=None, blended=next(scores), accuracy=0.5, robust=0.0),
    )
    result = train(_config(every=1, calm=2), crops, tmp_path, CPU)
    assert result.best == pytest.approx(0.6 / 1.25)


def test_a_loss_beyond_all_numbers_ends_the_run_and_spares_the_checkpoint(crops: Crops, tmp_path: Path) -> None:
    train(_config(steps=2), crops, tmp_path, CPU)
    with pytest.raises(OptionError, match=r"no number any more at step \d+: set a lower rate"):
        train(_config(steps=8, rate=1e20), crops, tmp_path, CPU)
    left = checkpoint.resume(tmp_path)
    assert left is not None
    assert all(value.isfinite().all() for value in left.network.values())


def test_a_damaged_checkpoint_is_named(crops: Crops, tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"torn")
    with pytest.raises(WeightsCorrupt, match="delete it to begin anew"):
        train(_config(), crops, tmp_path, CPU)


def test_a_full_disk_loses_no_earlier_checkpoint(crops: Crops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(_config(steps=2), crops, tmp_path, CPU)
    before = (tmp_path / "last.pt").read_bytes()

    def full(body: object, part: Path) -> None:
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.raises(OutputError, match=r"No space left on device\); free space, then run the same command again"):
        train(_config(), crops, tmp_path, CPU)
    assert (tmp_path / "last.pt").read_bytes() == before
    assert not list(tmp_path.glob(".*part"))
    monkeypatch.undo()
    train(_config(), crops, tmp_path, CPU)
    left = checkpoint.resume(tmp_path)
    assert left is not None
    assert left.step == 4


def test_what_is_judged_and_what_is_said_of_it_stay_on_the_processor(crops: Crops, tmp_path: Path) -> None:
    config = _config()
    drawing = Drawing(crops, config, "train", CROP.side, Overlays.read(None, CROP.side))
    run = _Run(config, drawing, drawing, tmp_path, CPU)
    run.device = torch.device("meta")
    run.average.to("meta")
    with pytest.raises(NotImplementedError, match="out of meta"):
        run._judged(torch.rand(1, 3, CROP.side, CROP.side))
    run.device = CPU
    run.average.to_empty(device="cpu")
    assert run._judged(torch.rand(1, 3, CROP.side, CROP.side)).device == CPU


def test_a_run_starts_from_public_weights_of_the_lite_network(tmp_path: Path) -> None:
    network = EfficientNetB0()
    stem = torch.full((32, 3, 3, 3), 0.25)
    deep = torch.full((96, 16, 1, 1), 0.5)
    torch.save({"_conv_stem.weight": stem, "_blocks.1._expand_conv.weight": deep}, tmp_path / "lite.pth")
    begin(network, str(tmp_path / "lite.pth"))
    state = network.state_dict()
    assert torch.equal(state["blocks.1.expand.conv.weight"], deep)
    torch.testing.assert_close(state["stem.conv.weight"][:, 0], torch.full((32, 3, 3), 0.25 * 255 / 128 * 0.229))
    assert float(torch.sigmoid(state["blocks.3.gate.excite.bias"]).min()) > 0.9
    torch.save({"another": stem}, tmp_path / "other.pth")
    with pytest.raises(OptionError, match="holds neither"):
        begin(network, str(tmp_path / "other.pth"))


def test_the_rate_falls_as_the_schedule_says() -> None:
    cosine = _config(steps=100, warmup=10, rate=1.0)
    assert _rate(cosine, 0) == pytest.approx(0.1)
    assert _rate(cosine, 99) < 0.02
    original = _config(schedule="multiplicative", factor=0.5, every=10, rate=1.0)
    assert [_rate(original, step) for step in (0, 9, 10, 25)] == [1.0, 1.0, 0.5, 0.25]


def test_the_command_trains_and_tells_what_came_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "faces" / "real", 30, side=48)
    fill(tmp_path / "faces" / "fake", 20, seed=1, side=48)
    monkeypatch.setattr("deepguard.cli.train.landmark_detector", lambda *given: Middle())
    (tmp_path / "run.toml").write_text(
        'name = "mine"\nsteps = 2\nevery = 2\nbatch = 4\nadversarial = 0\n[[sources]]\nname = "f"\nfolder = "faces"\n'
    )
    told = ["train", "classifier", "--config", str(tmp_path / "run.toml"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, told)
    assert result.exit_code == 0, result.output
    assert "30 real faces and 20 fakes" in result.output
    assert "on groups that were not trained on" in result.output
    assert (tmp_path / "out" / "best.safetensors").is_file()


def test_the_command_says_what_an_empty_folder_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepguard.cli.train.landmark_detector", lambda *given: Middle())
    (tmp_path / "run.toml").write_text('name = "mine"\n[[sources]]\nname = "f"\nfolder = "faces"\n')
    result = CliRunner().invoke(
        main, ["train", "classifier", "--config", str(tmp_path / "run.toml"), "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 1
    assert "put them into its subfolders real and fake" in result.output
