"""`python -m state_updater.tasks worker` runs tasks, `… beat` says when to look. Until SIGTERM or SIGINT.

The worker uses threads: its tasks wait for providers, and one process holds one pool of connections.
"""

import sys

import structlog
from celery.signals import setup_logging

from runtime.error_reporting import begin_logging
from runtime.metrics import serve_metrics
from runtime.settings import TaskSettings, load_settings
from state_updater.tasks.app import QUEUE, make_app
from state_updater.tasks.desk import desk

THREADS = 4


def main() -> None:
    role = sys.argv[1] if len(sys.argv) == 2 else ""
    if role not in ("worker", "beat"):
        raise SystemExit("usage: python -m state_updater.tasks worker|beat")
    settings = load_settings(TaskSettings)
    begin_logging(role, settings)
    # Celery would replace our handlers by its own; a receiver keeps it from doing so.
    setup_logging.connect(_keep_logging, weak=False)
    app = make_app(settings)
    serve_metrics(settings.metrics_port, settings.metrics_host)
    if role == "worker":
        desk()  # settings that cannot work end the worker now, not its first task
        app.worker_main(
            [
                "worker",
                "--pool=threads",
                f"--concurrency={THREADS}",
                f"--queues={QUEUE}",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
                f"--loglevel={settings.log_level}",
            ]
        )
    else:
        structlog.get_logger(__name__).info("beat begins", every_seconds=settings.sweep_every_seconds)
        # It remembers nothing: its schedule is code, and what is due is in rows.
        app.Beat(scheduler="celery.beat:Scheduler", loglevel=settings.log_level).run()


def _keep_logging(**_arguments: object) -> None:
    """Logging is configured already."""


if __name__ == "__main__":
    main()
