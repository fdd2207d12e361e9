"""`deepguard database`: the service's tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from deepguard.service import schema
from deepguard.service.database import Database
from deepguard.service.prepare import prepare
from deepguard.service.settings import ServiceSettings, read_settings


@click.group()
def database() -> None:
    """Make the service's tables, bring them forward, and say how they are."""


@database.command()
def upgrade() -> None:
    """Make the tables, or bring them to what this version needs."""
    settings = read_settings()
    prepare(settings, wait=0)
    with _opened(settings) as opened:
        click.echo(f"the tables are at {schema.status(opened)}")


@database.command()
def status() -> None:
    """Show where the tables are and what this version needs; exit with 1 where they lag behind."""
    with _opened(read_settings()) as opened:
        found, wanted = schema.status(opened), schema.latest()
    click.echo(f"{opened.url.render_as_string()}: at {found or 'nothing'}; this version needs {wanted}")
    if found != wanted:
        click.echo("run: deepguard database upgrade")
        raise SystemExit(1)


@contextmanager
def _opened(settings: ServiceSettings) -> Iterator[Database]:
    opened = Database(settings.database_url)
    try:
        yield opened
    finally:
        opened.close()
