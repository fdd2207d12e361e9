"""What must be there before the first process of the service starts: a place to write, and the tables."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from deepguard.errors import OutputError
from deepguard.service import keys, schema
from deepguard.service.database import Database, DatabaseDown
from deepguard.service.queue import make_celery
from deepguard.service.settings import ServiceSettings
from deepguard.service.store import open_store

log = structlog.get_logger(__name__)

WAIT_SECONDS = 60.0
PAUSE_SECONDS = 2.0


def prepare(
    settings: ServiceSettings, *, wait: float = WAIT_SECONDS, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Make the folder, and make or upgrade the tables; wait some seconds for a database that is just starting.

    OptionError where a setting is wrong, OutputError where the folder cannot be written, DatabaseDown where the
    database does not answer.
    """
    keys.check_setting("DEEPGUARD_RATE", settings.rate)
    keys.check_setting("DEEPGUARD_PROOF_RATE", settings.proof_rate)
    make_celery(settings)
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=settings.folder).close()
    except OSError as error:
        raise OutputError(
            f"{settings.folder} cannot be written ({error.strerror}); set DEEPGUARD_HOME to a folder that can"
        ) from error
    # the processes would refuse it as well, and be started again and again
    open_store(settings)
    database = Database(settings.database_url)
    try:
        _upgrade(database, wait, sleep)
    finally:
        database.close()


def _upgrade(database: Database, wait: float, sleep: Callable[[float], None]) -> None:
    waited = 0.0
    while True:
        try:
            return schema.upgrade(database)
        except (OperationalError, InterfaceError) as error:
            address = database.url.render_as_string(hide_password=True)
            if waited >= wait:
                raise DatabaseDown(f"the database {address} cannot be used: {_first_line(error)}") from error
            log.warning("the database does not answer yet", database=address, error=_first_line(error))
        sleep(PAUSE_SECONDS)
        waited += PAUSE_SECONDS


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
