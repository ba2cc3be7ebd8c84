"""The Celery application of every process that sends, runs or schedules tasks.

No ETA, no countdown, no Celery retry: due times are rows, and beat's one job is to say "look". Results are
never kept: what a task found out is a command in the journal.
"""

from celery import Celery

from bus.definitions import TASKS_EXCHANGE, TASKS_QUEUE
from runtime.settings import TaskSettings
from state_updater.tasks.filesystem import ALIAS, transport_options

# A sweep that has waited for so many others is stale: the next one sees the same rows.
STALE_SWEEPS = 10
CONFIRM_TIMEOUT_SECONDS = 5
QUEUE = TASKS_QUEUE

TASK_MODULES = [
    "state_updater.tasks.notifications",
    "state_updater.tasks.payments",
    "state_updater.tasks.refunds",
    "state_updater.tasks.sweeps",
]


def make_app(settings: TaskSettings) -> Celery:
    """An application on the broker that `settings` name: a URL, or a folder for the embedded run."""
    app = Celery("billbus", include=TASK_MODULES)
    if settings.celery_broker_url is not None:
        broker_url = settings.celery_broker_url.get_secret_value()
        options: dict[str, object] = {
            "confirm_publish": True,
            "confirm_timeout": CONFIRM_TIMEOUT_SECONDS,
        }
    elif settings.celery_folder is not None:
        broker_url, options = f"{ALIAS}://localhost", transport_options(settings.celery_folder)
    else:
        raise SystemExit("billbus: CELERY_BROKER_URL or CELERY_FOLDER must be set")
    app.conf.update(
        broker_url=broker_url,
        broker_transport_options=options,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # for ever
        task_default_queue=QUEUE,
        task_default_exchange=TASKS_EXCHANGE,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        # After a broken connection Celery takes fewer tasks, and asks the broker for more as they end. Asked
        # from within a delivery, the answer is at times never read, and the worker is deaf from then on.
        worker_enable_prefetch_count_reduction=False,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        # It would take queues of its own, which no user has the right to make and RabbitMQ 4.3 refuses.
        worker_enable_remote_control=False,
        timezone="UTC",
        beat_schedule={
            "sweep": _look("sweep", settings.sweep_every_seconds),
            "send_notifications": _look("send_notifications", settings.notify_every_seconds),
        },
    )
    return app


def _look(task: str, every_seconds: float) -> dict[str, object]:
    return {
        "task": task,
        "schedule": every_seconds,
        "options": {"expires": STALE_SWEEPS * every_seconds},
    }
