"""`deepguard keys`: keys for programs, made and revoked where the service's database is."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.table import Table

from deepguard.service import keys as service_keys
from deepguard.service.database import Database
from deepguard.service.prepare import prepare
from deepguard.service.settings import ServiceSettings, read_settings

PIPE_WIDTH = 1000
"""Columns where the output is no terminal: rows stay whole for the next program."""


@click.group()
def keys() -> None:
    """Make, list and revoke keys for programs that use the API."""


@keys.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="Let it see every job and make keys.")
@click.option("--rate", metavar="RATE", help='Most requests, such as "60/minute; 1000/day"; otherwise as any visitor.')
@click.option("--jobs-per-day", type=click.IntRange(1), help="Most jobs in a UTC day; otherwise as any visitor.")
def create(name: str, admin: bool, rate: str | None, jobs_per_day: int | None) -> None:
    """Make a key called NAME and print it; it is shown this one time."""
    settings = read_settings()
    wish = service_keys.Wish(name, rate or settings.rate, jobs_per_day or settings.jobs_per_day, admin)
    with _opened(settings) as database, database.writing() as session:
        key, token = service_keys.create(session, wish)
    click.echo(token)
    click.echo(f"made {key.name} ({key.id}); the key is shown this one time, so keep it now", err=True)


@keys.command("list")
def show() -> None:
    """Show every key, revoked ones too; never the keys themselves."""
    table = Table("id", "name", "begins with", "may", "rate", "jobs per day", "made", "used", "revoked")
    with _opened(read_settings()) as database, database.reading() as session:
        for key in service_keys.every(session):
            moments = map(_day, (key.created, key.used, key.revoked))
            table.add_row(key.id, key.name, key.hint, " ".join(key.scopes), key.rate, str(key.jobs_per_day), *moments)
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(table)


@keys.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """Make the key with this id worthless from now on."""
    with _opened(read_settings()) as database, database.writing() as session:
        key = service_keys.revoke(session, key_id)
    click.echo(f"revoked: {key.name}")


@contextmanager
def _opened(settings: ServiceSettings) -> Iterator[Database]:
    prepare(settings, wait=0)
    database = Database(settings.database_url)
    try:
        yield database
    finally:
        database.close()


def _day(moment: datetime.datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
