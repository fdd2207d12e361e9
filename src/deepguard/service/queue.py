"""The queue: Celery over Redis, or over a folder where there is no Redis. It wakes workers; the truth is in SQL."""

from __future__ import annotations

import kombu.exceptions
import structlog
from celery import Celery
from kombu.entity import Queue

from deepguard.errors import DeepguardError, OptionError
from deepguard.service import folder
from deepguard.service.settings import ServiceSettings

log = structlog.get_logger(__name__)

TASK = "deepguard.work"
QUEUE = "jobs"
SOCKET_SECONDS = 3


class QueueDown(DeepguardError):
    """The broker does not answer."""

    code = "queue_down"


def make_celery(settings: ServiceSettings) -> Celery:
    """Return the Celery application that both sides of the queue use."""
    folder.register()
    options: dict[str, object]
    if not settings.broker:
        address = f"{folder.SCHEME}://localhost//"
        options = {"folder": str(settings.queue_folder), "queue": QUEUE}
    elif settings.broker.startswith(("redis://", "rediss://", "unix://")):
        address = settings.broker
        options = {
            "socket_timeout": SOCKET_SECONDS,
            "socket_connect_timeout": SOCKET_SECONDS,
            "socket_keepalive": True,
        }
    else:
        raise OptionError("DEEPGUARD_BROKER is no address such as redis://host:6379/0; leave it empty to use a folder")
    app = Celery("deepguard", broker=address, set_as_current=False)
    app.conf.update(
        broker_transport_options=options,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_default_queue=QUEUE,
        # Nothing is acknowledged: a broker that starts anew while a job runs would leave Celery waiting for ever for
        # the acknowledgement that it could not send. A message that a killed worker had taken is sent again anyway.
        task_queues=[Queue(QUEUE, no_ack=True)],  # type: ignore[no-untyped-call]
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return app


class Sender:
    """Sends for a worker; the job's row must be committed before."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def send(self, job_id: str) -> None:
        """Tell some worker that a job waits, or raise QueueDown: housekeeping will then tell it later."""
        try:
            self._app.send_task(TASK, args=(job_id,), retry=False)
        except (kombu.exceptions.OperationalError, OSError) as error:
            raise QueueDown("the queue does not answer; the job waits and begins when it does") from error

    def wake(self, job_id: str) -> None:
        """Send, where nothing is lost if the queue is down: the job waits, and housekeeping sends for it again."""
        try:
            self.send(job_id)
        except QueueDown as error:
            log.warning("nobody was sent for", job_id=job_id, error=str(error))

    def check(self) -> int:
        """Return how many messages wait, or raise QueueDown."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=SOCKET_SECONDS)
                channel = connection.default_channel
                return int(channel.queue_declare(QUEUE, passive=False, durable=True).message_count)
        except (kombu.exceptions.OperationalError, OSError) as error:
            raise QueueDown("the queue does not answer") from error
