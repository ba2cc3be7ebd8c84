"""The stack of docker-compose.yml as plain processes: same commands, variables, secrets and health checks.

Called by end-to-end tests, from their main thread. Conditions of depends_on are honored, what should end is
awaited, what should be healthy is asked by its own check; whatever goes wrong is told with the service's name
and the end of its log. Nothing is restarted by itself, and nothing outlives `stop` or its parent.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from runtime.postgres import PostgresServer
from runtime.process_logs import log_tail
from runtime.processes import Child
from runtime.rabbitmq import RabbitServer
from runtime.stack_services import ROOT
from tests.compose.reading import Composition, NotUnderstood, Service, read_composition
from tests.compose.servers import (
    POSTGRES_PORT,
    lay_out_nginx,
    nginx_additions,
    nginx_binary,
    server_environment,
    start_postgres,
    start_rabbit,
)
from tests.compose.translating import Translation

HEALTHY_SECONDS_MAX = 60.0
CHECK_SECONDS_MAX = 20.0
CHECK_EVERY_SECONDS = 1.0
POLL_SECONDS = 0.05
RUN_SECONDS_MAX = 60.0
STOP_GRACE_SECONDS = 15.0
LOG_LINES_TOLD = 12
COMPLAINTS_TOLD = 3

Server = PostgresServer | RabbitServer


class StackFailed(Exception):
    """A service does not do what the file says; the message names it and shows the end of its log."""


class Member:
    """One service that has been started. `server` is set for images of servers, else `child`."""

    def __init__(
        self, service: Service, environment: Mapping[str, str], log_file: Path, running: Child | Server
    ) -> None:
        self.service = service
        self.environment = environment
        self.log_file = log_file
        self.running = running
        self.started_at = time.monotonic()
        self.is_healthy = False
        self._checked_at = float("-inf")
        self._last_words = ""

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.running.exit_code if isinstance(self.running, Child) else None

    def fulfils(self, condition: str) -> bool:
        """Raises StackFailed when it never will."""
        if condition == "service_completed_successfully":
            if self.exit_code not in (None, 0):
                raise self.failure(f"ended with exit code {self.exit_code}")
            return self.exit_code == 0
        if self.exit_code is not None:
            raise self.failure(f"ended with exit code {self.exit_code}")
        return self.is_healthy if condition == "service_healthy" else True

    def look(self, test: Sequence[str], hopeless_words: str) -> None:
        """Asks for its health unless that was done just now.

        Raises StackFailed when it takes too long, or when its log holds what leaves no hope.
        """
        if self.is_healthy or time.monotonic() < self._checked_at + CHECK_EVERY_SECONDS:
            return
        self.is_healthy = self._is_well(test)
        self._checked_at = time.monotonic()
        is_late = self._checked_at > self.started_at + HEALTHY_SECONDS_MAX
        is_hopeless = hopeless_words != "" and hopeless_words in log_tail(self.log_file)
        if not self.is_healthy and (is_late or is_hopeless):
            raise self.failure(f"is not healthy ({self._last_words})")

    def failure(self, what: str) -> StackFailed:
        said = "\n  ".join(log_tail(self.log_file).splitlines()[-LOG_LINES_TOLD:])
        return StackFailed(f"{self.service.name} {what}; its log ends:\n  {said}")

    def _is_well(self, test: Sequence[str]) -> bool:
        try:
            done = subprocess.run(
                test,
                env=dict(self.environment),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=CHECK_SECONDS_MAX,
            )
        except subprocess.TimeoutExpired:
            self._last_words = "its check takes too long"
            return False
        self._last_words = (done.stderr or done.stdout).strip()
        return done.returncode == 0


class NativeStack:
    """`standing` is another stack whose members serve for those that are not started here."""

    def __init__(
        self, project: Path, home: Path, *, file: Path | None = None, standing: "NativeStack | None" = None
    ) -> None:
        self.composition: Composition = read_composition(project, file)
        self._home = home
        self._volumes: Path = home / "volumes" if standing is None else standing._volumes
        known: Mapping[tuple[str, int], int] = {} if standing is None else standing.translation.ports
        self.translation: Translation = Translation(self.composition, home / "roots", self._volumes, known)
        self._members: dict[str, Member] = {}
        self._hopeless_words = ""
        self._standing: dict[str, Member] = {} if standing is None else standing._members

    # ------------------------------------------------------------------------------------- start and stop

    def start(self, names: Iterable[str] = (), hopeless_words: str = "") -> None:
        """These and what they depend on, all without names; as their conditions allow.

        Who is not healthy and has such words in its log is not waited for. Raises StackFailed, NotUnderstood.
        """
        self._hopeless_words = hopeless_words
        named = list(names or self.composition.services)
        for name in named:
            self.translation.forget_ports(name)
        waiting = self._with_dependencies(named)
        launched: list[str] = []
        while waiting or launched:
            ready = [name for name in waiting if self._may_start(name)]
            for name in ready:
                self._launch(self.composition.services[name])
                waiting.remove(name)
                launched.append(name)
            launched = [name for name in launched if not self._has_come(name)]
            if not ready:
                time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Kills what was started here, and removes what servers have kept. Idempotent."""
        for member in reversed(self._members.values()):
            if isinstance(member.running, Child):
                member.running.kill()
        for member in self._members.values():
            if isinstance(member.running, PostgresServer | RabbitServer):
                member.running.erase()
        self._members.clear()

    def _with_dependencies(self, names: Sequence[str]) -> list[str]:
        found: list[str] = []
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in found and (name in names or name not in self._standing):
                found.append(name)
                todo += self.composition.services[name].depends_on
        return found

    def _may_start(self, name: str) -> bool:
        for other, condition in self.composition.services[name].depends_on.items():
            if other not in self._members and other in self._standing:
                continue
            if other not in self._members:
                return False
            self._look(self._members[other])
            if not self._members[other].fulfils(condition):
                return False
        return True

    def _has_come(self, name: str) -> bool:
        """Healthy, or at its end if it has no check of its health: then it is a one-shot."""
        member = self._members[name]
        if not member.service.health_test:
            return member.fulfils("service_completed_successfully")
        self._look(member)
        return member.fulfils("service_healthy")

    def _look(self, member: Member) -> None:
        kind, *words = member.service.health_test or ("NONE",)
        if kind == "CMD":
            member.look(self._words(member.service, words), self._hopeless_words)
        elif kind == "CMD-SHELL":
            member.look(["sh", "-c", *self._words(member.service, words)], self._hopeless_words)
        elif member.service.health_test:
            raise NotUnderstood(f"{member.service.name}: a health check by {kind}")

    # ------------------------------------------------------------------------------------- one service

    def _launch(self, service: Service) -> None:
        self.translation.lay_out(service)
        log_file = self._home / "logs" / f"{service.name}.log"
        server: Child | Server
        if service.image.startswith("postgres:"):
            server = start_postgres(service, self.translation, self._home / "postgres")
            environment = server_environment(server, self.translation.port(service.name, POSTGRES_PORT))
            log_file = server.log_file
        elif service.image.startswith("rabbitmq:"):
            server = start_rabbit(service, self.translation, self._home / "rabbitmq")
            environment = server_environment(server, server.amqp_port)
            log_file = server.log_file
        else:
            environment = self._environment(service)
            server = Child(
                service.name,
                self._words(service, service.command),
                log_file=log_file,
                environment=environment,
                working_directory=ROOT,
            )
            server.start()
        self._members[service.name] = Member(service, environment, log_file, server)

    def _environment(self, service: Service) -> dict[str, str]:
        own = self.translation.environment(service)
        if service.image.startswith("nginx:"):
            lay_out_nginx(service, self.translation, own)
        elif not service.is_ours:
            raise NotUnderstood(f"{service.name}: nobody here plays the image {service.image}")
        # As the Dockerfile has them.
        image = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
        temporary = self.translation.root(service) / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        places = {
            "PATH": f"{self._programs()}:{os.defpath}",
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
        }
        return {**image, **places, **own}

    def _words(self, service: Service, words: Sequence[str]) -> list[str]:
        program, *rest = self.translation.command(service, words)
        additions = nginx_additions() if program == "nginx" else ()
        return [program, *additions, *rest]

    def _programs(self) -> Path:
        """What the images have on PATH, under the names that the file calls."""
        directory = self._home / "bin"
        if not directory.exists():
            directory.mkdir(parents=True)
            programs = {
                "python": sys.executable,
                "billbus": f"{sys.executable} -m cli.main",
                "nginx": nginx_binary(),
            }
            for name, line in programs.items():
                (directory / name).write_text(f'#!/bin/sh\nexec {line} "$@"\n')
                (directory / name).chmod(0o755)
        return directory

    # ------------------------------------------------------------------------------------- what tests do

    def run(self, name: str, *words: str, seconds_max: float = RUN_SECONDS_MAX) -> str:
        """`docker compose exec NAME WORDS`: what it printed. Raises StackFailed with its complaint."""
        service = self.composition.services[name]
        done = subprocess.run(
            self._words(service, words),
            env=self._environment(service),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds_max,
        )
        if done.returncode != 0:
            raise StackFailed(f"{name}: {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def volume(self, name: str) -> Path:
        return self._volumes / name

    def child(self, name: str) -> Child:
        running = self._members[name].running
        assert isinstance(running, Child), name
        return running

    def postgres(self) -> PostgresServer:
        running = self._members["postgres"].running
        assert isinstance(running, PostgresServer)
        return running

    def rabbit(self) -> RabbitServer:
        running = self._members["rabbitmq"].running
        assert isinstance(running, RabbitServer)
        return running

    def ended(self) -> list[str]:
        """Services that should run and do not."""
        return [
            name
            for name, member in self._members.items()
            if member.service.health_test and member.exit_code is not None
        ]

    def complaints(self) -> str:
        """The last warnings and errors of each service's log, by its name."""
        told = []
        for name, member in self._members.items():
            lines = [
                line
                for line in log_tail(member.log_file).splitlines()
                if any(word in line for word in ('"warning"', '"error"', '"critical"', "ERROR", "FATAL"))
            ]
            told += [f"{name}: {line}" for line in lines[-COMPLAINTS_TOLD:]]
        return "\n".join(told)
