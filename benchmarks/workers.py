"""The product's processes as the benchmarks run them: started as in production, watched, ended.

Called by the benchmarks. Nothing of the product is changed or switched off for it.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bus.port import Envelope
from bus.transports import RabbitBus
from runtime.lifeline import die_with_parent
from runtime.ports import LOOPBACK, free_port
from storage.sealing import new_sealing_key

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 20.0
POLL_SECONDS = 0.05
PUBLISH_GROUP_SIZE = 250
# Who serves HTTP, and the variable that tells it its port.
PORT_VARIABLES = {
    "client_api": "CLIENT_API_PORT",
    "benchmarks.bare": "BARE_PORT",
    "benchmarks.answerer": "ANSWERER_PORT",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the processes of one measurement find their servers, and where they write.

    Without `amqp_url` they use the embedded bus.
    """

    database_url: str
    amqp_url: str | None
    directory: Path
    token_key: str = field(default_factory=secrets.token_urlsafe, repr=False)
    sealing_key: str = field(default_factory=new_sealing_key, repr=False)

    @contextmanager
    def running(self, consumer_count: int, *, with_relay: bool) -> Iterator[dict[str, int]]:
        """Consumers, and the relay, for the length of a block; gives their process ids by name."""
        processes: dict[str, subprocess.Popen[bytes]] = {}
        try:
            if with_relay:
                celery_folder = self.directory / "celery"
                celery_folder.mkdir(exist_ok=True)
                processes["relay"] = self.start("state_updater", CELERY_FOLDER=str(celery_folder))
            for index in range(consumer_count):
                processes[f"consumer {index}"] = self.start(
                    "billing_consumer", CONSUMER_INDEX=str(index), CONSUMER_COUNT=str(consumer_count)
                )
            yield {name: process.pid for name, process in processes.items()}
        finally:
            end_processes(list(processes.values()))

    @contextmanager
    def serving(self, module: str, count: int = 1) -> Iterator[list[int]]:
        """`count` processes of a module of PORT_VARIABLES; gives their ports once they accept connections.

        Raises RuntimeError if one does not.
        """
        ports = [free_port() for _ in range(count)]
        keys = {"TOKEN_KEY": self.token_key, "SEALING_KEY": self.sealing_key}
        processes: list[subprocess.Popen[bytes]] = []
        try:
            for port in ports:
                processes.append(self.start(module, **{PORT_VARIABLES[module]: str(port)}, **keys))
            for port, process in zip(ports, processes, strict=True):
                wait_until_accepting(port, process)
            yield ports
        finally:
            end_processes(processes)

    def start(self, module: str, **settings: str) -> subprocess.Popen[bytes]:
        """A process of the product; its log goes into the directory, and it ends with this one."""
        environment = {
            "PATH": os.defpath,
            "DATABASE_URL": self.database_url,
            **({} if self.amqp_url is None else {"AMQP_URL": self.amqp_url}),
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

    @contextmanager
    def crew(self, counts: Mapping[str, int]) -> Iterator["Crew"]:
        """So many processes of each module for the length of a block, serving where they serve HTTP.

        Raises RuntimeError if one of those does not.
        """
        crew = Crew(self, counts)
        try:
            for name in crew.names:
                crew.start(name)
            crew.wait_until_serving()
            yield crew
        finally:
            crew.end()

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Fills RabbitMQ's queues through the product's own publisher. Raises BusAway."""
        assert self.amqp_url is not None
        publisher = RabbitBus(self.amqp_url, "benchmark").command_publisher()
        try:
            for start in range(0, len(envelopes), PUBLISH_GROUP_SIZE):
                publisher.publish(envelopes[start : start + PUBLISH_GROUP_SIZE])
        finally:
            publisher.close()


class Crew:
    """Processes that may be killed and started again, by name; those of one module share their keys."""

    def __init__(self, place: Place, counts: Mapping[str, int]) -> None:
        self._place = place
        self._modules = {
            f"{module} {index}": (module, self._settings(module, index, count))
            for module, count in counts.items()
            for index in range(count)
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def _settings(self, module: str, index: int, count: int) -> dict[str, str]:
        if module in PORT_VARIABLES:
            keys = {"TOKEN_KEY": self._place.token_key, "SEALING_KEY": self._place.sealing_key}
            return {PORT_VARIABLES[module]: str(free_port()), **keys}
        if module == "state_updater":
            celery_folder = self._place.directory / "celery"
            celery_folder.mkdir(exist_ok=True)
            return {"CELERY_FOLDER": str(celery_folder)}
        return {"CONSUMER_INDEX": str(index), "CONSUMER_COUNT": str(count)}

    @property
    def names(self) -> list[str]:
        return list(self._modules)

    @property
    def process_ids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._processes.items()}

    @property
    def ports(self) -> list[int]:
        """Of those that serve HTTP."""
        return [
            int(settings[PORT_VARIABLES[module]])
            for module, settings in self._modules.values()
            if module in PORT_VARIABLES
        ]

    def start(self, name: str) -> None:
        module, settings = self._modules[name]
        self._processes[name] = self._place.start(module, **settings)

    def kill_and_start(self, name: str) -> None:
        """As the kernel would, without a word; and again at once, as a supervisor would."""
        self._processes[name].kill()
        self._processes[name].wait()
        self.start(name)

    def wait_until_serving(self) -> None:
        for name, (module, settings) in self._modules.items():
            if module in PORT_VARIABLES:
                wait_until_accepting(int(settings[PORT_VARIABLES[module]]), self._processes[name])

    def end(self) -> None:
        end_processes(list(self._processes.values()))


def wait_until_accepting(port: int, process: subprocess.Popen[bytes]) -> None:
    """Raises RuntimeError if it ends before, or takes longer than START_SECONDS_MAX."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((LOOPBACK, port), timeout=START_SECONDS_MAX).close()
        except ConnectionRefusedError:
            time.sleep(POLL_SECONDS)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not serve")


def end_processes(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Asks each to stop, and kills who does not in STOP_SECONDS_MAX."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
