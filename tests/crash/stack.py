"""The whole product as real processes on private servers, made to be killed: one warm stack for many crashes.

Used by the tests of this folder. Times that production counts in minutes are fractions of a second here;
the rest is what `./run` starts. Whoever polls calls `Stack.tend`, which sees that an armed process has died
at its point and starts it again.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import httpx
import psycopg
from sqlalchemy import Engine

from bus.messages import PARTITION_COUNT
from bus.transports import RabbitBus
from runtime.ports import LOOPBACK, free_port
from runtime.postgres import PostgresServer
from runtime.processes import Child
from runtime.rabbitmq import RabbitServer, ensure_installation
from runtime.stack_secrets import Secrets, load_secrets
from runtime.stack_services import ROOT, Ground, Service, product_services, twin_service
from storage.database import create_role_engine
from storage.verification import ROLE as VERIFY_ROLE
from tests.crash.studio import TERMINAL, Studio, open_studio, prepare_database
from tests.servers import TOOLS_DIR, main_installation

READY_SECONDS_MAX = 40.0
POLL_SECONDS = 0.05
REQUEST_SECONDS_MAX = 8.0
LOG_TAIL_CHARACTERS = 2_500
# A quorum queue younger than this may not survive a kill of its broker (RabbitMQ 3.10).
QUEUE_AGE_SECONDS = 8.0
TIMES = {
    "OUTBOX_CLAIM_SECONDS": "1",
    "REPUBLISH_EVERY_SECONDS": "0.5",
    "PROVIDER_ANSWER_TIMEOUT_SECONDS": "0.4",
    "LEASE_SECONDS": "1.7",
    "SWEEP_EVERY_SECONDS": "0.4",
    "LOST_AFTER_SECONDS": "1.5",
    "SILENT_AFTER_SECONDS": "2",
    "LOOK_UP_CLAIM_SECONDS": "2",
    "LOOK_UP_DELAYS_SECONDS": "[0.4, 0.8, 1.5]",
}
PORT_NAMES = (
    "client_api",
    "admin_api",
    "twin",
    "billing_consumer.0",
    "billing_consumer.1",
    "state_updater",
    "worker",
    "events",
    "cron",
    "smtp",
)
# Managers and the clock have no part in the load; an idle process would only take time.
LEFT_OUT = ("admin_api", "cron")

Seen = TypeVar("Seen")


class Stack:
    """Servers, twin and product processes. Start it from the main thread; `stop` leaves nothing behind."""

    def __init__(self, directory: Path, *, on_rabbitmq: bool) -> None:
        self._directory = directory
        self.postgres = PostgresServer(directory, installation=main_installation(), port=free_port())
        self.rabbit = (
            RabbitServer(directory, installation=ensure_installation(TOOLS_DIR, print))
            if on_rabbitmq
            else None
        )
        self.secrets: Secrets = load_secrets(directory)
        self.ports = {name: free_port() for name in PORT_NAMES}
        self.api_url = f"http://{LOOPBACK}:{self.ports['client_api']}"
        self.twin_url = f"http://{LOOPBACK}:{self.ports['twin']}"
        self._services: dict[str, Service] = {}
        self._children: dict[str, Child] = {}
        self._ready_since: dict[str, int] = {}
        self._armed: set[str] = set()
        self._staying_dead: set[str] = set()
        self.deaths: list[str] = []
        self.queues_declared_at = 0.0
        self.studio = Studio()
        self.http = httpx.Client(trust_env=False, timeout=REQUEST_SECONDS_MAX)

    # ---------------------------------------------------------------- start and stop

    def start(self) -> None:
        """Serves when it returns."""
        self.postgres.start()
        if self.rabbit is not None:
            self.rabbit.start()
            RabbitBus(self.rabbit.amqp_url, "crash tests").declare()
            self.queues_declared_at = time.monotonic()
        prepare_database(self.postgres.url())
        self.studio = open_studio(self.postgres.url(), self.secrets, self.twin_url)
        self._services = {service.name: service for service in self._list_services()}
        for name in self._services:
            self.launch(name)
        self.wait_until_ready()
        self._introduce_us_to_the_twin()

    def stop(self) -> None:
        self.http.close()
        for child in self._children.values():
            self._resume(child)
            child.kill()
        self.postgres.erase()
        if self.rabbit is not None:
            self.rabbit.erase()

    def _list_services(self) -> list[Service]:
        amqp_url = None if self.rabbit is None else self.rabbit.amqp_url
        ground = Ground(self._directory, self.postgres.url(), amqp_url, self.secrets, self.ports)
        (ground.celery_dir / "tmp").mkdir(parents=True)
        ground.log_dir.mkdir()
        twin = twin_service(self._directory, self.ports["twin"])
        product = [
            replace(service, environment={**service.environment, **TIMES})
            for service in product_services(ground)
            if service.name not in LEFT_OUT
        ]
        return [
            replace(twin, words=(*twin.words, "--retry-gaps", "0.3", "--callback-timeout", "5")),
            *product,
        ]

    def _introduce_us_to_the_twin(self) -> None:
        callbacks = {
            kind: f"{self.api_url}/callbacks/cloudpayments/{self.studio.account_id}/{kind}"
            for kind in ("check", "pay", "fail", "refund")
        }
        site = {"secret": self.secrets.provider_secret, "is_test": True, "callbacks": callbacks}
        self.http.put(f"{self.twin_url}/_twin/sites/{TERMINAL}", json=site).raise_for_status()

    # ---------------------------------------------------------------- processes

    @property
    def names(self) -> list[str]:
        return list(self._services)

    @property
    def consumers(self) -> list[str]:
        return [name for name in self._services if name.startswith("billing_consumer")]

    def owner_of(self, partition: int) -> str:
        """The consumer whose own partition this is."""
        assert 0 <= partition < PARTITION_COUNT
        return self.consumers[partition % len(self.consumers)]

    def launch(self, name: str, crash_at: str | None = None) -> None:
        """Starts a process that does not run, without waiting for it."""
        service = self._services[name]
        environment = dict(service.environment) | ({"CRASH_AT": crash_at} if crash_at else {})
        log_file = self._directory / "logs" / f"{name}.log"
        child = Child(
            name, service.command, log_file=log_file, environment=environment, working_directory=ROOT
        )
        self._ready_since[name] = len(child.read_log())
        self._children[name] = child
        child.start()

    def kill(self, name: str) -> None:
        """kill -9."""
        self._children[name].kill()

    def is_stopped(self, name: str) -> bool:
        """Whether SIGSTOP holds it now. Source: proc(5), the third field of stat."""
        stat = Path(f"/proc/{self._process_id(name)}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def resume(self, name: str) -> None:
        os.kill(self._process_id(name), signal.SIGCONT)

    def close_bus_connections(self, name: str) -> None:
        """As if the network between this process and the broker had gone; the process is not asked."""
        assert self.rabbit is not None
        ending = f" {self._process_id(name)}"
        for line in self.rabbit.control("list_connections", "pid", "client_properties").splitlines():
            connection, _, properties = line.partition("\t")
            if ending in properties:
                self.rabbit.control("close_connection", connection, "a test")

    def arm(self, name: str, point: str, *, stays_dead: bool = False) -> None:
        """Starts this process anew, to die at `point` (`name:n`); `tend` starts it again when it has."""
        self.kill(name)
        self.launch(name, crash_at=point)
        self._armed.add(name)
        if stays_dead:
            self._staying_dead.add(name)
        self.wait_until_ready()

    def tend(self) -> None:
        """Restarts what died at its point. Raises AssertionError for any other death.

        Only in the main thread: the kernel ends a child with the thread that started it.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for name, child in self._children.items():
            if child.exit_code is None or (name in self._staying_dead and name not in self._armed):
                continue
            assert name in self._armed, f"{name} died by itself\n{self.tell()}"
            assert child.exit_code == -signal.SIGKILL, f"{name} ended {child.exit_code}\n{self.tell()}"
            self.deaths.append(name)
            self._armed.discard(name)
            if name not in self._staying_dead:
                self.launch(name)

    def heal(self) -> None:
        """All processes run, none is armed."""
        self._armed.clear()
        self._staying_dead.clear()
        self.deaths.clear()
        for name, child in self._children.items():
            self._resume(child)
            if child.exit_code is not None:
                self.launch(name)
        self.wait_until_ready()

    def disarm(self) -> None:
        """After a test: what is armed and was not reached is started without its point."""
        for name in self._armed:
            self.kill(name)
        self.heal()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        waiting = list(self._children)
        while waiting := [name for name in waiting if not self._is_ready(name)]:
            assert time.monotonic() < deadline, f"{waiting} are not ready\n{self.tell()}"
            time.sleep(POLL_SECONDS)

    def _is_ready(self, name: str) -> bool:
        service, child = self._services[name], self._children[name]
        if child.exit_code is not None:
            return True
        if service.ready_url is None:
            return service.ready_words in child.read_log()[self._ready_since[name] :]
        with contextlib.suppress(httpx.HTTPError):
            return self.http.get(service.ready_url).status_code < 500
        return False

    def _process_id(self, name: str) -> int:
        process_id = self._children[name].process_id
        assert process_id is not None, f"{name} does not run"
        return process_id

    @staticmethod
    def _resume(child: Child) -> None:
        if child.process_id is not None:
            os.kill(child.process_id, signal.SIGCONT)

    # ---------------------------------------------------------------- looking

    def until(self, look: Callable[[], Seen | None], what: str, seconds_max: float) -> Seen:
        """What `look` gives once it is something; polls, and tends meanwhile."""
        deadline = time.monotonic() + seconds_max
        while True:
            self.tend()
            seen = look()
            if seen is not None:
                return seen
            assert time.monotonic() < deadline, f"{what}: not within {seconds_max} s\n{self.tell()}"
            time.sleep(POLL_SECONDS)

    @contextlib.contextmanager
    def verifier(self) -> Iterator[Engine]:
        engine = create_role_engine(self.postgres.url(), VERIFY_ROLE, "crash tests")
        try:
            yield engine
        finally:
            engine.dispose()

    def ask(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """Rows, as the owner sees them."""
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def tell(self) -> str:
        """The ends of all logs, for an assertion's message."""
        return "\n".join(
            f"--- {name} ({child.exit_code})\n{child.read_log()[-LOG_TAIL_CHARACTERS:]}"
            for name, child in self._children.items()
        )
