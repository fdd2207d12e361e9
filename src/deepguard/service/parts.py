"""What every process of the service is built from."""

from __future__ import annotations

from dataclasses import dataclass

from celery import Celery

from deepguard.service.bell import Bell
from deepguard.service.database import Database
from deepguard.service.queue import Sender, make_celery
from deepguard.service.settings import ServiceSettings
from deepguard.service.store import Store, open_store


@dataclass(frozen=True)
class Parts:
    """The settings, and the database, store and queue that they name; `bell` is rung when a job is over."""

    settings: ServiceSettings
    database: Database
    store: Store
    celery: Celery
    sender: Sender
    bell: Bell


def open_parts(settings: ServiceSettings) -> Parts:
    """Open what the settings name; nothing is asked of the servers yet. OptionError where an address is none."""
    celery = make_celery(settings)
    bell = Bell(settings.folder / "bell", settings.poll_seconds)
    return Parts(settings, Database(settings.database_url), open_store(settings), celery, Sender(celery), bell)
