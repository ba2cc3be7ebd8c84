"""The product's processes as the benchmark runs them: started as in production, watched, ended.

Called by the benchmark. Nothing of the product is changed or switched off for it.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bus.port import Envelope
from bus.transports import RabbitBus
from runtime.lifeline import die_with_parent

ROOT = Path(__file__).resolve().parent.parent
STOP_SECONDS_MAX = 20.0
PUBLISH_GROUP_SIZE = 250


@dataclass(frozen=True, slots=True)
class Place:
    """Where the processes of one measurement find their servers, and where they write."""

    database_url: str
    amqp_url: str
    directory: Path

    @contextmanager
    def running(self, consumer_count: int, *, with_relay: bool) -> Iterator[dict[str, int]]:
        """Consumers, and the relay, for the length of a block; gives their process ids by name."""
        processes: dict[str, subprocess.Popen[bytes]] = {}
        try:
            if with_relay:
                celery_folder = self.directory / "celery"
                celery_folder.mkdir(exist_ok=True)
                processes["relay"] = self._start("state_updater", CELERY_FOLDER=str(celery_folder))
            for index in range(consumer_count):
                processes[f"consumer {index}"] = self._start(
                    "billing_consumer", CONSUMER_INDEX=str(index), CONSUMER_COUNT=str(consumer_count)
                )
            yield {name: process.pid for name, process in processes.items()}
        finally:
            _end(list(processes.values()))

    def _start(self, module: str, **settings: str) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.defpath,
            "DATABASE_URL": self.database_url,
            "AMQP_URL": self.amqp_url,
            **settings,
        }
        with (self.directory / f"{module}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Fills the queues through the product's own publisher. Raises BusAway."""
        publisher = RabbitBus(self.amqp_url, "benchmark").command_publisher()
        try:
            for start in range(0, len(envelopes), PUBLISH_GROUP_SIZE):
                publisher.publish(envelopes[start : start + PUBLISH_GROUP_SIZE])
        finally:
            publisher.close()


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
