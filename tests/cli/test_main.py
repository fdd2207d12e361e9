"""The command as a whole: how fast it answers, what it says of itself, and that every option is written down."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.cli.conftest import Run

from deepguard import __version__
from deepguard.cli.main import EXITS, SUBCOMMANDS, main
from deepguard.defences.presets import PRESETS
from deepguard.defences.roles import options_of
from deepguard.defences.shield import Shield
from deepguard.transforms.posting import POSTINGS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command.md"
HEAVY = {"torch", "numpy", "rich", "PIL", "skimage", "kornia", "requests", "onnx"}


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(main)
    for name in SUBCOMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            for inner, each in command.commands.items():
                yield f"{name} {inner}", each


def section(name: str) -> str:
    match = re.search(rf"^## `deepguard {name}`$(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert match, f"docs/reference/command.md has no section on deepguard {name}"
    return match[1]


@pytest.mark.parametrize("words", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(words: str) -> None:
    script = (
        "import sys\n"
        "from deepguard.cli.main import main\n"
        f"try:\n    main([{words!r}], prog_name='deepguard')\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    *said, imported = done.stdout.splitlines()
    assert "deepguard" in said[0].lower()
    assert not HEAVY & set(imported.split())


def test_the_version_is_the_package_s(deepguard: Run) -> None:
    assert deepguard("--version").output == f"deepguard, version {__version__}\n"


def test_help_names_every_command_and_exit_code(deepguard: Run) -> None:
    said = deepguard("--help").output
    for name in SUBCOMMANDS:
        assert re.search(rf"^  {name} ", said, re.MULTILINE)
    for code in (0, 1, 2, 3, 130):
        assert re.search(rf"^ +{code}  ", said, re.MULTILINE)


def test_the_help_of_protect_names_presets_chains_and_options_of_the_defence(deepguard: Run) -> None:
    said = deepguard("protect", "--help", "--steps", "1").output
    for name in (*PRESETS, *POSTINGS, *options_of(Shield)):
        assert re.search(rf"\b{re.escape(name)}\b", said), name


def test_every_option_has_a_line_of_help() -> None:
    for name, command in commands():
        for each in command.params:
            if isinstance(each, click.Option):
                assert each.help, f"{name} {each.opts}"


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_option_of_every_command_is_in_the_reference(name: str, command: click.Command) -> None:
    text = section(name)
    for each in command.params:
        if isinstance(each, click.Option):
            for word in (*each.opts, *each.secondary_opts):
                assert f"`{word}" in text, f"deepguard {name} {word}"


def test_the_reference_names_no_option_that_does_not_exist() -> None:
    known = {"--help", "--version", "-h"}
    known.update(word for _, command in commands() for each in command.params for word in each.opts)
    assert set(re.findall(r"`(--?[a-z][a-z0-9-]*)", PAGE.read_text())) <= known


def test_the_reference_and_the_help_have_the_same_exit_codes() -> None:
    documented = set(re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE))
    assert documented == set(re.findall(r"^ +(\d+)  ", EXITS, re.MULTILINE))


def test_the_reference_names_presets_chains_and_options_of_the_defence() -> None:
    text = section("protect")
    for name in (*PRESETS, *options_of(Shield)):
        assert f"`{name}`" in text, name
