"""Faces to train on: found once, split by group, paired with their fakes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.forensics.training.faces_of import Middle, fill
from tests.media.files_of import file_of, scene

from deepguard.errors import InputError, OptionError, OutputError
from deepguard.forensics.training.augment import degraded, framed, steady
from deepguard.forensics.training.batches import Drawing
from deepguard.forensics.training.config import Config, Source, read_config
from deepguard.forensics.training.crops import KEPT, Crops, Record, gathered
from deepguard.forensics.training.overlays import Overlays
from deepguard.types import Box, Face, Images, Progress

NONE = Overlays(torch.zeros(0, 3, 32, 32))


def _gathered(folder: Path, source: Source, out: str = "run") -> Crops:
    return gathered((source,), folder / out, Middle(), 0)  # type: ignore[arg-type]


def test_faces_are_found_cut_and_remembered(tmp_path: Path) -> None:
    fill(tmp_path / "real", 12)
    fill(tmp_path / "fake", 3, seed=1)
    (tmp_path / "real" / "no-face.png").write_bytes(file_of(scene() * 0, "PNG"))
    (tmp_path / "real" / "cut.png").write_bytes(file_of(scene(), "PNG")[:60])
    crops = _gathered(tmp_path, Source("toy", str(tmp_path)))
    assert len(crops.records) == 15
    assert sum(each.fake for each in crops.records) == 3
    assert {each.split for each in crops.records} <= {"train", "validation", "test"}
    assert crops.images([0, 1]).shape == (2, 3, KEPT.side, KEPT.side)
    # an eye 0.12 and 0.14 of the picture from the face's middle, in a square of 2.25 * 0.28 with its margins
    seen = 2.25 * 0.28 * (1 + 2 * KEPT.margin)
    assert torch.allclose(crops.landmarks([0])[0, 0], torch.tensor([0.5 - 0.12 / seen, 0.5 - 0.14 / seen]), atol=0.02)
    (tmp_path / "real" / "0-000.png").unlink()
    assert len(_gathered(tmp_path, Source("toy", str(tmp_path))).records) == 15


class Corner(Middle):
    """A face at the upper edge, 6 pixels away from it."""

    def detect(self, images: Images, **told: object) -> list[list[Face]]:
        points = ((40.0, 17.0), (60.0, 17.0), (50.0, 29.0), (42.0, 37.0), (58.0, 37.0))
        return [[Face(Box(30, 4, 70, 60), 0.9, points)] for _ in images]


def test_a_face_at_the_edge_is_kept_without_drawn_out_pixels(tmp_path: Path) -> None:
    fill(tmp_path / "real", 1)
    crops = gathered((Source("toy", str(tmp_path)),), tmp_path / "run", Corner(), 0)  # type: ignore[arg-type]
    # the middle between eyes and mouth is 27 from the edge, and the bare square is 2.25 * 20 = 45 wide
    assert crops.records[0].margin == pytest.approx(27 / 45 - 0.5)
    assert crops.images([0])[0, :, 0].ne(crops.images([0])[0, :, 4]).any()


def test_a_list_names_label_group_and_split_and_a_faulty_line_is_told(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    rows = ["file,label,group,split", "0-000.png,real,a,train", "0-001.png,fake,a,test"]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    source = Source("toy", str(tmp_path), list=str(tmp_path / "list.csv"), cropped=0.1)
    records = _gathered(tmp_path, source).records
    assert [(each.fake, each.group, each.split, each.margin) for each in records] == [
        (False, "a", "train", 0.1),
        (True, "a", "test", 0.1),
    ]
    (tmp_path / "list.csv").write_text("\n".join([*rows, "0-002.png,perhaps,b,train"]))
    with pytest.raises(OptionError, match=r"line 4: needs the columns file and label"):
        _gathered(tmp_path, source, "other")


def test_an_empty_folder_is_told_what_to_put_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="put them into its subfolders real and fake"):
        _gathered(tmp_path, Source("toy", str(tmp_path)))


def _crops(records: list[Record]) -> Crops:
    pixels = torch.arange(len(records) * KEPT.side**2 * 3) % 251
    return Crops(pixels.to(torch.uint8).view(-1, KEPT.side, KEPT.side, 3).numpy(), tuple(records))


def _record(group: str, *, fake: bool = False, generated: bool = False, split: str = "train") -> Record:
    return Record("toy", f"{group}{fake}", fake, generated, group, split, 0.2)


CONFIG = Config("toy", (), batch=8, blended=0.0, generated=0.0, degraded=0.0, protected=0.0)


def test_a_forgery_stands_beside_the_face_it_was_made_of() -> None:
    groups = ["a", "b", "c"]
    records = [_record(each) for each in groups] + [_record(each, fake=True) for each in groups]
    drawing = Drawing(_crops(records), CONFIG, "train", 32, NONE)
    assert drawing.pairs == {0: (3,), 1: (4,), 2: (5,)}
    batch = drawing.batch(torch.Generator().manual_seed(0))
    assert batch.images.shape == (8, 3, 32, 32)
    assert batch.fake.tolist() == [0.0] * 4 + [1.0] * 4


def test_one_label_alone_is_refused_unless_fakes_are_blended() -> None:
    only_real = _crops([_record("a"), _record("b")])
    with pytest.raises(InputError, match="no fakes for train"):
        Drawing(only_real, CONFIG, "train", 32, NONE)
    blending = dataclasses.replace(CONFIG, blended=1.0)
    assert len(Drawing(only_real, blending, "train", 32, NONE).batch(torch.Generator().manual_seed(0)).images) == 8
    with pytest.raises(InputError, match="no real faces for train"):
        Drawing(_crops([_record("a", fake=True)]), blending, "train", 32, NONE)


def test_made_up_faces_stand_beside_real_ones_of_their_source() -> None:
    records = [_record("a"), _record("b"), _record("g", fake=True, generated=True)]
    records[1] = dataclasses.replace(records[1], source="other")
    drawing = Drawing(_crops(records), dataclasses.replace(CONFIG, generated=1.0), "train", 32, NONE)
    assert drawing.beside_made_up == (0,)
    assert drawing.forged == ()


def test_what_happens_on_the_way_happens_to_a_real_face_and_its_fake_alike() -> None:
    faces = torch.rand((4, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    made = degraded(torch.cat([faces, faces]), torch.Generator().manual_seed(2), 1.0)
    assert float((made[:4] - faces).abs().mean()) > 0.01
    # noise is drawn for each picture apart; all else is the same
    assert float((made[:4] - made[4:]).abs().mean()) < 0.05


def test_a_frame_shows_no_more_than_a_crop_has() -> None:
    kept = torch.rand((2, 3, 144, 144), generator=torch.Generator().manual_seed(0))
    shown = torch.tensor([0.23, 0.05])
    crops = framed(kept, shown, steady(2, 0.15), 112)
    # the second shows all that it has
    whole = framed(kept[1:], shown[1:], steady(1, 0.05), 112)
    torch.testing.assert_close(crops[1:], whole)


def test_changes_of_protected_photos_are_read_and_laid(tmp_path: Path) -> None:
    photo = scene(40, 40)
    (tmp_path / "a.png").write_bytes(file_of(photo // 2, "PNG"))
    (tmp_path / "a.protected.png").write_bytes(file_of(photo // 2 + 10, "PNG"))
    overlays = Overlays.read(tmp_path, 32)
    torch.testing.assert_close(overlays.changes, torch.full((1, 3, 32, 32), 10 / 255), atol=1e-4, rtol=0)
    grey = torch.full((6, 3, 32, 32), 0.5)
    laid = overlays.laid(grey, torch.Generator().manual_seed(0), 1.0)
    assert float((laid - grey).min()) >= 0.5 * 10 / 255 - 1e-4
    assert torch.equal(overlays.laid(grey, torch.Generator().manual_seed(0), 0.0), grey)
    with pytest.raises(InputError, match="no protected photos beside their originals"):
        Overlays.read(tmp_path / "nothing", 32)


def test_a_configuration_is_read_with_its_paths_and_its_mistakes_are_named(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('name = "mine"\nsteps = 7\n[[sources]]\nname = "a"\nfolder = "faces"\n')
    config = read_config(file)
    assert (config.steps, config.sources[0].folder) == (7, str(tmp_path / "faces"))
    for body, told in (
        ('name = "mine"', "no sources"),
        ("= 3", "is no TOML file"),
        ('name = "m"\nstep = 3\n[[sources]]\nname = "a"\nfolder = "f"', "did you mean steps"),
        ('name = "m"\nbatch = 3\n[[sources]]\nname = "a"\nfolder = "f"', "batch is even"),
        ('name = "m"\nblended = 2\n[[sources]]\nname = "a"\nfolder = "f"', "blended is a share from 0 to 1"),
        ('name = "m"\nschedule = "cosin"\n[[sources]]\nname = "a"\nfolder = "f"', "did you mean cosine"),
        ('name = "m"\n[[sources]]\nname = "a"', "the setting folder is missing"),
    ):
        file.write_text(body)
        with pytest.raises(OptionError, match=told):
            read_config(file)
    with pytest.raises(OptionError, match="cannot be read"):
        read_config(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(("name", "left"), [("crops.json", 50), ("crops.npy", 2000), ("crops.npy", 0)])
def test_crops_that_a_full_disk_cut_short_are_made_again(tmp_path: Path, name: str, left: int) -> None:
    fill(tmp_path / "real", 12)
    source = Source("toy", str(tmp_path))
    whole = np.array(_gathered(tmp_path, source).pixels)
    file = tmp_path / "run" / name
    file.write_bytes(file.read_bytes()[:left])
    again = _gathered(tmp_path, source)
    assert np.array_equal(again.pixels, whole)
    assert len(again.records) == 12


def test_crops_of_a_run_that_was_stopped_are_never_taken_for_anothers(tmp_path: Path) -> None:
    fill(tmp_path / "real", 60)
    source = Source("toy", str(tmp_path))
    before = np.array(_gathered(tmp_path, source).pixels)

    def stop(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    other = dataclasses.replace(source, cropped=0.2)
    with pytest.raises(KeyboardInterrupt):
        gathered((other,), tmp_path / "run", Middle(), 0, stop)  # type: ignore[arg-type]
    assert np.array_equal(_gathered(tmp_path, source).pixels, before)


def test_a_disk_without_room_for_the_crops_is_told_before_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: int) -> None:
        raise OSError(28, "No space left on device")

    fill(tmp_path / "real", 2)
    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(OutputError, match="No space left on device"):
        _gathered(tmp_path, Source("toy", str(tmp_path)))
    monkeypatch.undo()
    assert len(_gathered(tmp_path, Source("toy", str(tmp_path))).records) == 2


def test_a_list_from_a_spreadsheet_is_trained_on_and_one_in_another_alphabet_told(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    file = tmp_path / "list.csv"
    source = Source("toy", str(tmp_path), list=str(file))
    table = "file,label,group\n0-000.png,real,가\n"
    file.write_text(table, encoding="utf-8-sig")
    assert [each.group for each in _gathered(tmp_path, source).records] == ["가"]
    file.write_bytes(table.encode("cp949"))
    with pytest.raises(OptionError, match="save it as CSV in UTF-8"):
        _gathered(tmp_path, source, "other")


@pytest.mark.parametrize(
    "line", ['rate = "fast"', "budgets = []", 'climbs = "3"', "seed = -1", "seed = 1.5", 'mixed = "no"', "name = 3"]
)
def test_a_setting_of_the_wrong_kind_is_named(tmp_path: Path, line: str) -> None:
    name = "" if line.startswith("name") else 'name = "mine"\n'
    (tmp_path / "run.toml").write_text(f'{name}{line}\n[[sources]]\nname = "f"\nfolder = "f"\n')
    with pytest.raises(OptionError, match=line.split(maxsplit=1)[0]):
        read_config(tmp_path / "run.toml")
