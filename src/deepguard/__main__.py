"""`python -m deepguard` is the command."""

from deepguard.cli.main import run

run()
