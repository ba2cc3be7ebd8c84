"""`./run`: sets up what is missing, starts the whole product, plays its story over HTTP, and serves on.

Nothing outlives this process: our own children end with it, PostgreSQL too, and RabbitMQ has a guardian.
State is kept in one directory and found again by the next start. Imports no room above `runtime`: the product
is started as the processes it consists of.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from runtime.lifeline import DirectoryBusy, DirectoryLock, die_with_parent
from runtime.ports import free_port, is_free
from runtime.postgres import PostgresUnavailable
from runtime.rabbitmq import RabbitUnavailable
from runtime.stack_crew import Crew, StackFailed
from runtime.stack_demo import DEMO_STAFF, refuse_foreign_database, register_at_twin
from runtime.stack_options import ADMIN_PORT, CLIENT_PORT, STATE_VARIABLE, Options, read_options
from runtime.stack_progress import Progress
from runtime.stack_secrets import (
    PORTS_FILE,
    SECRETS_FILE,
    SHELL_FILE,
    load_ports,
    load_secrets,
    write_shell_file,
)
from runtime.stack_servers import POSTGRES, RABBIT, Servers, command_directories
from runtime.stack_services import (
    ROOT,
    Ground,
    Service,
    bootstrap_commands,
    mailbox_service,
    metrics_urls,
    product_services,
    seed_command,
    twin_service,
)

WATCH_SECONDS = 0.5
STORY_STOP_SECONDS = 5.0
INTERRUPTED_EXIT_CODE = 130
PORT_NAMES = (
    *("twin", "mailbox", "smtp", POSTGRES, "state_updater", "billing_consumer.0", "billing_consumer.1"),
    *("worker", "events", "cron"),
)
KEPT = (POSTGRES, RABBIT, "twin", "mailbox", "celery", "logs", SECRETS_FILE, PORTS_FILE, SHELL_FILE)


class Interrupted(BaseException):
    """A signal asked us to end; no Exception, so that nothing in between takes it for a failure."""


class Stack:
    """One run: start, story, serve, stop."""

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._progress = Progress(console)
        self._ports = self._choose_ports()
        self._crew = Crew(options.state_dir / "logs", self._progress)
        self._servers = Servers(
            options.state_dir,
            self._progress,
            database_url=options.database_url,
            amqp_url=options.amqp_url,
            on_rabbit=options.on_rabbit,
            postgres_port=self._ports[POSTGRES],
        )
        self._ground: Ground | None = None

    def start(self) -> None:
        """Everything serves when it returns. Raises StackFailed and what the servers raise."""
        if self._options.reset:
            self._forget()
        secrets = load_secrets(self._options.state_dir)
        with self._progress:
            self._crew.launch(self._sandbox())
            self._servers.start()
            ground = self._ground = Ground(
                state_dir=self._options.state_dir,
                database_url=self._servers.database_url,
                amqp_url=self._servers.amqp_url,
                secrets=secrets,
                ports=self._ports,
            )
            refuse_foreign_database(ground.database_url)
            (ground.celery_dir / "tmp").mkdir(parents=True, exist_ok=True)
            self._crew.launch(bootstrap_commands(ground))
            self._crew.wait_until_ready()
            self._crew.launch([*product_services(ground), seed_command(ground)])
            self._crew.wait_until_ready()
            register_at_twin(ground)

    def _sandbox(self) -> list[Service]:
        """What stands for the world outside."""
        state_dir, ports = self._options.state_dir, self._ports
        return [
            twin_service(state_dir, ports["twin"]),
            mailbox_service(state_dir, ports["mailbox"], ports["smtp"]),
        ]

    def play(self) -> int:
        """The story's exit code. It is a client as any other, told only addresses and the staff's login."""
        ground = self._standing
        command = [sys.executable, "-m", "demo", "--api", ground.client_url, "--twin", ground.twin_url]
        command += ["--admin", ground.admin_url.removesuffix("/admin/"), "--staff", DEMO_STAFF]
        command += ["--mailbox", ground.mailbox_url]
        environment = os.environ | {
            "DATABASE_URL": ground.database_url,
            "STAFF_PASSWORD": ground.secrets.staff_password,
        }
        environment.pop("AMQP_URL", None)
        if ground.amqp_url is not None:
            environment["AMQP_URL"] = ground.amqp_url
        # A session of its own: Ctrl-C is for us, and we tell it.
        story = subprocess.Popen(
            [*command, "--logs", str(ground.log_dir)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        try:
            return story.wait()
        except Interrupted:
            story.send_signal(signal.SIGINT)
            try:
                story.wait(STORY_STOP_SECONDS)
            finally:
                story.kill()
            raise

    def show_addresses(self) -> None:
        """Where everything is; secrets are in a file that only we may read."""
        ground, servers = self._standing, self._servers
        directories = (Path(sys.executable).parent, *command_directories())
        variables = {"DATABASE_URL": ground.database_url, "STAFF_PASSWORD": ground.secrets.staff_password}
        if ground.amqp_url is not None:
            variables["AMQP_URL"] = ground.amqp_url
        if servers.rabbit is not None:
            variables |= {"RABBITMQ_USER": servers.rabbit.user, "RABBITMQ_PASSWORD": servers.rabbit.password}
        shell_file = _short(write_shell_file(ground.state_dir, variables, directories))
        rows = [
            ("Client page", f"{ground.client_url}/"),
            ("Managers' admin", f"{ground.admin_url}  ({DEMO_STAFF}, STAFF_PASSWORD of {shell_file})"),
            ("API documents", f"{ground.client_url}/docs and {ground.admin_url}api/v1/docs"),
        ]
        rows += [
            ("Provider's twin", f"{ground.twin_url}/_twin/ledger"),
            ("Letters", f"{ground.mailbox_url}/"),
        ]
        if servers.rabbit is not None:
            console = f"{servers.rabbit.management_url}  (user and password: {shell_file})"
            rows.append(("RabbitMQ console", console))
        rows += [
            *(("Metrics", f"{url}  ({name})") for name, url in metrics_urls(ground).items()),
            ("Logs", f"{_short(ground.log_dir)}/"),
            ("Database", f'. {shell_file} && psql "$DATABASE_URL"'),
            ("Check the books", f". {shell_file} && billbus verify --twin {ground.twin_url}"),
        ]
        self._console.print()
        for name, where in rows:
            self._console.print(f"  {name:<17} {where}", markup=False, highlight=False, soft_wrap=True)
        self._console.print("\nServing. Ctrl-C ends it.")

    def serve(self) -> None:
        """Until a signal: what dies is started again."""
        while True:
            time.sleep(WATCH_SECONDS)
            self._servers.keep_up()
            for name in self._crew.restart_dead():
                self._console.print(f"{name} had ended and was started again; see its log")

    def stop(self) -> None:
        """Ends everything; idempotent."""
        self._crew.stop()
        self._servers.stop()

    @property
    def _standing(self) -> Ground:
        assert self._ground is not None, "the stack has not been started"
        return self._ground

    def _choose_ports(self) -> dict[str, int]:
        ports = load_ports(self._options.state_dir, PORT_NAMES)
        for name, given, usual in (
            ("client_api", self._options.port, CLIENT_PORT),
            ("admin_api", self._options.admin_port, ADMIN_PORT),
        ):
            ports[name] = self._choose_port(name, given, usual)
        return ports

    def _choose_port(self, name: str, given: int | None, usual: int) -> int:
        wanted = given or usual
        if is_free(wanted):
            return wanted
        if given is not None:
            raise StackFailed(f"Port {wanted} is in use: end what listens there, or give another one.")
        chosen = free_port()
        self._console.print(f"Port {wanted} is in use, so {name} gets {chosen}.")
        return chosen

    def _forget(self) -> None:
        self._servers.erase()
        for name in KEPT:
            path = self._options.state_dir / name
            if path.is_dir():
                shutil.rmtree(path)
            elif name != PORTS_FILE:
                path.unlink(missing_ok=True)


def _short(path: Path) -> str:
    """As one would type it from here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    _heed_no_more_signals()
    raise Interrupted


def _heed_no_more_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def run(options: Options, console: Console) -> int:
    """The exit code: the story's, once everything was started. Raises what keeps it from starting."""
    exit_code = INTERRUPTED_EXIT_CODE
    started_at = time.monotonic()
    stack = Stack(options, console)
    try:
        stack.start()
        console.print(f"Everything serves after {time.monotonic() - started_at:.1f} s.\n")
        exit_code = stack.play()
        if not options.once:
            stack.show_addresses()
            stack.serve()
    except Interrupted:
        console.print("\nStopping.")
    finally:
        _heed_no_more_signals()
        stack.stop()
    return exit_code


def main(words: Sequence[str]) -> int:
    """Says in one sentence why it cannot run."""
    options, console = read_options(words), Console(highlight=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    console.print(options.bus_sentence, soft_wrap=True)
    options.state_dir.mkdir(parents=True, exist_ok=True)
    lock = DirectoryLock(options.state_dir)
    try:
        lock.acquire()
    except DirectoryBusy as busy:
        sys.stderr.write(f"billbus: {busy}: end that one, or name another directory in {STATE_VARIABLE}.\n")
        return 1
    try:
        return run(options, console)
    except (StackFailed, PostgresUnavailable, RabbitUnavailable, DirectoryBusy) as reason:
        sys.stderr.write(f"billbus: {reason}\n")
        return 1
    finally:
        lock.release()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
