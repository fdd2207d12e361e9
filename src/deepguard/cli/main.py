"""The command `deepguard`. Each subcommand's module is imported only when it is called: `--help` needs no torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from deepguard import __version__
from deepguard.errors import DeepguardError, OptionError, unknown
from deepguard.settings import settle_threads

SUBCOMMANDS: Mapping[str, tuple[str, str]] = {
    "protect": ("deepguard.cli.protect:protect", "Protect photos so that face detectors miss the faces."),
    "prove": ("deepguard.cli.prove:prove", "Attack a photo and its protected version, and show what holds."),
    "detect": ("deepguard.cli.detect:detect", "Judge whether the faces of photos and clips are real."),
    "demo": ("deepguard.cli.demo:demo", "Protect the sample photo, or one of yours, and show the difference."),
    "serve": ("deepguard.cli.serve:serve", "Serve the API and the page, with workers."),
    "worker": ("deepguard.cli.worker:worker", "Start workers only, for a service on several machines."),
    "keys": ("deepguard.cli.keys:keys", "Make, list and revoke keys for programs that use the API."),
    "database": ("deepguard.cli.database:database", "Make or upgrade the service's tables, and show how they are."),
    "models": ("deepguard.cli.models:models", "List, bring and check model weights."),
    "bench": ("deepguard.cli.bench:bench", "Measure what this version achieves on photos of yours."),
    "evaluate": ("deepguard.cli.evaluate:evaluate", "Measure how good a classifier or the encoders are."),
    "train": ("deepguard.cli.train:train", "Make a classifier of your own from pictures of yours."),
    "export": ("deepguard.cli.export:export", "Write a classifier as a file for other programs."),
    "doctor": ("deepguard.cli.doctor:doctor", "Check this installation and try every model that looks at faces."),
}
"""Name -> (module:command, one line of help)."""

EXITS = """
\b
Exit codes:
  0  all done
  1  some failed
  2  wrong usage
  3  no face found
  130  stopped by Ctrl-C
"""


class Failure(click.ClickException):
    """One sentence for the user, and the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.__dict__["exit_code"] = code  # click declares it for the class

    def show(self, file: Any = None) -> None:
        """Print the sentence on the error stream."""
        click.echo(f"deepguard: {self.format_message()}", err=True)


class Commands(click.Group):
    """Subcommands that are imported when they are called, and errors that end in one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of use."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the subcommand."""
        if cmd_name not in SUBCOMMANDS:
            raise Failure(str(unknown("command", cmd_name, SUBCOMMANDS)), 2)
        module, _, attribute = SUBCOMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in SUBCOMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; what it raises becomes a sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except DeepguardError as error:
            raise Failure(str(error), 2 if isinstance(error, OptionError) else 1) from error
        except KeyboardInterrupt as interrupt:
            raise Failure("stopped; nothing was left half-written", 130) from interrupt


@click.group(cls=Commands, epilog=EXITS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="deepguard")
def main() -> None:
    """Keep faces out of deepfakes."""


def run() -> None:
    """Run the command line and exit."""
    settle_threads()
    main(prog_name="deepguard")
