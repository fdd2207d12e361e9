import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from deepguard.errors import WeightsCorrupt
from deepguard.weights.formats.state import load_state

STATE = {"one.weight": torch.arange(6.0).reshape(2, 3), "one.steps": torch.tensor(3), "half": torch.ones(2).half()}


@pytest.mark.parametrize("name", ["net.pth", "net.pt", "net.ckpt", "net.safetensors"])
def test_names_values_and_types_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    save = save_file if name.endswith("safetensors") else torch.save
    save(STATE, tmp_path / name)
    state = load_state(tmp_path / name)
    assert set(state) == set(STATE)
    for key, value in STATE.items():
        assert state[key].dtype == value.dtype
        assert torch.equal(state[key], value)


class Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("sprung"),)


def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Trap()}, tmp_path / "zip.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Trap(), protocol=2))
    for name in ("zip.pth", "bare.pth"):
        with pytest.raises(WeightsCorrupt, match="state dict"):
            load_state(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"torn", b"PK\x03\x04 cut short", b"\x80\x02"])
def test_damage_is_refused_with_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsCorrupt, match="cannot be read as a state dict"):
        load_state(tmp_path / name)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    for save, name in ((torch.save, "net.pth"), (save_file, "net.safetensors")):
        save(STATE, tmp_path / name)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(WeightsCorrupt, match="cannot be read"):
            load_state(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    for name in ("no.pth", "no.safetensors"):
        with pytest.raises(WeightsCorrupt):
            load_state(tmp_path / name)


@pytest.mark.parametrize("content", [torch.ones(2), {"nested": {"a": torch.ones(1)}}, [torch.ones(1)]])
def test_anything_but_one_dict_of_tensors_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(WeightsCorrupt, match="something else than one dict of tensors"):
        load_state(tmp_path / "net.pth")


def test_a_part_of_a_checkpoint_can_be_named(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "net": STATE}, tmp_path / "net.ckpt")
    assert set(load_state(tmp_path / "net.ckpt", "net")) == set(STATE)
    with pytest.raises(WeightsCorrupt, match="something else than one dict of tensors"):
        load_state(tmp_path / "net.ckpt", "other")
