from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from PIL import Image

from deepguard.cli.main import EXITS, main
from deepguard.measures.roles import measures
from deepguard.media.read import read_picture
from deepguard.models.roles import detectors

ROOT = Path(__file__).parents[2]
READMES = [ROOT / "README.md", ROOT / "README.ko.md"]
PAGES = [*READMES, *sorted((ROOT / "docs").rglob("*.md"))]

readme = pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in these languages, without their fences."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [block for language, block in found if language in languages]


def commands(page: Path) -> list[list[str]]:
    """The words after `deepguard` of every line that calls it, without comments."""
    lines = [line for block in blocks(page, "", "sh") for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("deepguard ")]


CALLS = [(page, call) for page in PAGES for call in commands(page)]


def parse(words: list[str]) -> None:
    """Parse words as the command line does, without running anything; ClickException where it cannot."""
    command: click.Command = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        inner = command.get_command(click.Context(command), name)
        if inner is None:
            raise click.ClickException(f"there is no command {name}")
        command = inner
    with contextlib.suppress(click.exceptions.Exit):  # how --help ends
        command.make_context(str(command.name), rest)


@readme
def test_a_readme_starts_with_the_two_commands(page: Path) -> None:
    fence, run, test, end, *_ = page.read_text(encoding="utf-8").splitlines()
    assert (fence, end) == ("```sh", "```")
    assert run.startswith("make run ")
    assert test.startswith("make test ")


def test_the_two_commands_and_the_other_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"(?:^|`)make (\w+)", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(named) <= targets, page


@pytest.mark.parametrize(("page", "call"), CALLS, ids=[f"{page.name}: {' '.join(call)}" for page, call in CALLS])
def test_every_command_of_the_documentation_is_understood(
    page: Path, call: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "DIR").mkdir()
    monkeypatch.chdir(tmp_path)
    words = ["DIR" if word.startswith("/media/") else word for word in call]
    parse(words)


def test_commands_are_found_in_both_readmes_and_a_wrong_one_would_be_noticed() -> None:
    assert all(len(commands(page)) >= 8 for page in READMES)
    with pytest.raises(click.ClickException):
        parse(["protect", "photo.jpg", "--stronger"])
    with pytest.raises(click.ClickException):
        parse(["hide", "photo.jpg"])


@readme
def test_a_readme_names_every_detector_and_measure_with_weights(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)
    assert set(detectors.names()) <= set(rows)
    for name in measures.names():
        assert not measures.entry(name).weights or f"`{name}`" in text


def test_the_readme_states_each_detectors_licence_as_its_weights_do() -> None:
    for line in READMES[0].read_text(encoding="utf-8").splitlines():
        row = re.match(r"\| `([\w-]+)` \|", line)
        if row and row[1] in detectors.names():
            for weights in detectors.entry(row[1]).weights:
                assert f"| {weights.licence} |" in line


@readme
def test_a_readme_names_every_setting_and_exit_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    settings = (ROOT / "src" / "deepguard" / "settings.py").read_text(encoding="utf-8")
    for variable in set(re.findall(r'"(DEEPGUARD_\w+)"', settings)):
        assert f"| `{variable}` |" in text
    for code in re.findall(r"^ +(\d+) ", EXITS, re.MULTILINE):
        assert f"| {code} |" in text


def test_both_readmes_show_the_same_commands_and_code() -> None:
    first, second = READMES
    assert commands(first) == commands(second)
    assert blocks(first, "python") == blocks(second, "python")


def test_the_library_example_runs(tmp_path: Path, astronaut: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = (astronaut[0, :, :256, 96:352].permute(1, 2, 0) * 255).byte().numpy()
    Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / "photo.jpg", quality=92)
    (code,) = blocks(READMES[0], "python")
    quick = code.replace('preset="balanced"', 'preset="balanced", steps=2')
    assert quick != code
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEEPGUARD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DEEPGUARD_MODELS", raising=False)
    names: dict[str, Any] = {}
    exec(compile(quick, "README.md", "exec"), names)
    assert [each.detector for each in names["result"].report.judgements] == ["mtcnn"]
    before, after = (read_picture(tmp_path / name) for name in ("photo.jpg", "photo.protected.jpg"))
    assert before.images.shape == after.images.shape
    assert before.sha256 != after.sha256
