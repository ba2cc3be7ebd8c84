"""A private RabbitMQ node for one state directory, on free loopback ports, with users of its own.

Called by the run stack, the tests and the benchmarks. Declares no queues, speaks no AMQP beyond the greeting,
and never touches a node that it has not started itself.
"""

import base64
import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from runtime import guardian
from runtime.lifeline import DirectoryLock
from runtime.ports import LOOPBACK, free_port, is_free
from runtime.process_logs import log_tail, open_log
from runtime.rabbitmq_installations import (
    RabbitInstallation,
    RabbitUnavailable,
    ensure_installation,
    find_installation,
)

__all__ = [
    "RabbitInstallation",
    "RabbitServer",
    "RabbitUnavailable",
    "ensure_installation",
    "find_installation",
]

START_SECONDS_MAX = 90.0
STOP_GRACE_SECONDS = 15.0  # with the management plugin a node takes 6 s on idle cores
END_SECONDS_MAX = 30.0
CONTROL_SECONDS_MAX = 60.0
SOCKET_SECONDS_MAX = 5.0
POLL_SECONDS = 0.05
AMQP_GREETING = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = b"\x01"  # the first byte of Connection.Start. Source: AMQP 0-9-1, 2.3.5
DEFAULT_VHOST = "/"
MEMORY_WATERMARK = "512MB"
DISK_FREE_LIMIT = "50MB"


@dataclass(frozen=True)
class NodeIdentity:
    """What must stay the same for a node to find its own data, and what its clients know of it."""

    name: str
    user: str
    password: str
    cookie: str
    amqp_port: int
    distribution_port: int
    epmd_port: int
    management_port: int

    def __repr__(self) -> str:
        return f"NodeIdentity({self.name}, amqp_port={self.amqp_port})"


class RabbitServer:
    """One node; its first user is an administrator with a random name and password, `guest` never exists.

    Ports, user and data stay the same over stop, kill and start, and for a later object on the same state
    directory too unless somebody has taken a port meanwhile. `configuration` are further lines of its
    rabbitmq.conf; where they load definitions, the users are those and ours is none of them. A quorum queue
    declared less than about a second before kill() never comes back on RabbitMQ 3.10: wait some seconds.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        installation: RabbitInstallation | None = None,
        management: bool = False,
        configuration: Sequence[str] = (),
    ) -> None:
        self.home = state_dir.absolute() / "rabbitmq"
        self.log_file = self.home / "rabbitmq.log"
        self._given_installation = installation
        self._management = management
        self._configuration = configuration
        self._identity: NodeIdentity | None = None
        self._guardian: subprocess.Popen[str] | None = None
        self._lock = DirectoryLock(self.home)
        self.process_ids: list[int] = []

    def __repr__(self) -> str:
        return f"RabbitServer({self.home}, {self._identity})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def amqp_port(self) -> int:
        return self._known_identity().amqp_port

    @property
    def amqp_url(self) -> str:
        """Of the default virtual host."""
        return self._amqp_url(DEFAULT_VHOST)

    @property
    def management_url(self) -> str:
        """The console's address, without credentials: see `user` and `password`."""
        if not self._management:
            raise RabbitUnavailable("This RabbitMQ node was started without its management plugin.")
        return f"http://{LOOPBACK}:{self._known_identity().management_port}/"

    @property
    def user(self) -> str:
        """The administrator's name."""
        return self._known_identity().user

    @property
    def password(self) -> str:
        """The administrator's password."""
        return self._known_identity().password

    def start(self) -> None:
        """Serves when it returns. Idempotent.

        Raises RabbitUnavailable with a sentence for people, DirectoryBusy if another process has it.
        """
        if self._guardian is not None and self._guardian.poll() is None:
            return
        installation = self._given_installation or find_installation()
        if installation is None:
            raise RabbitUnavailable("RabbitMQ is not here: install the package rabbitmq-server.")
        self.home.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            self._identity = self._identity or self._remembered_identity()
            self._write_configuration(self._identity)
            self._launch(installation, self._identity)
            self._wait_until_ready(self._identity)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Orderly end, SIGKILL after STOP_GRACE_SECONDS. Idempotent."""
        self._end(b"")

    def kill(self) -> None:
        """kill -9 of the node and of its port mapper. Idempotent."""
        self._end(guardian.KILL_NOW)

    def erase(self) -> None:
        """Kills the node and removes everything it has kept."""
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def create_vhost(self, name: str) -> str:
        """Makes a virtual host that our user may use, and answers its AMQP address. Idempotent by name.

        A few hundredths of a second with the management plugin, about one second without.
        """
        if self._management:
            self._request("PUT", f"vhosts/{quote(name, safe='')}")
            everything = {"configure": ".*", "write": ".*", "read": ".*"}
            self._request("PUT", f"permissions/{quote(name, safe='')}/{self.user}", everything)
        else:
            self.control("add_vhost", name)
            self.control("set_permissions", "-p", name, self.user, ".*", ".*", ".*")
        return self._amqp_url(name)

    def delete_vhost(self, name: str) -> None:
        """Removes a virtual host with all that is in it."""
        if self._management:
            self._request("DELETE", f"vhosts/{quote(name, safe='')}")
        else:
            self.control("delete_vhost", name)

    def control(self, *words: str) -> str:
        """What `rabbitmqctl` answers. Raises RabbitUnavailable with its complaint."""
        directory, environment = self.tools()
        done = subprocess.run(
            [str(directory / "rabbitmqctl"), "-q", *words],
            env=environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CONTROL_SECONDS_MAX,
        )
        if done.returncode != 0:
            raise RabbitUnavailable(f"rabbitmqctl {words[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def tools(self) -> tuple[Path, dict[str, str]]:
        """Where `rabbitmqctl` and its like lie, and the environment in which they find this node."""
        installation = self._given_installation or find_installation()
        if installation is None:
            raise RabbitUnavailable("RabbitMQ is not here any more.")
        return installation.script_dir, self._environment(installation, self._known_identity())

    def _amqp_url(self, vhost: str) -> str:
        one = self._known_identity()
        return f"amqp://{one.user}:{one.password}@{LOOPBACK}:{one.amqp_port}/{quote(vhost, safe='')}"

    def _known_identity(self) -> NodeIdentity:
        if self._identity is None:
            raise RabbitUnavailable("The private RabbitMQ node has not been started.")
        return self._identity

    def _remembered_identity(self) -> NodeIdentity:
        note = self.home / "node.json"
        ports = {
            f"{of}_port": free_port() for of in ("amqp", "distribution", "epmd", "management")
        }  # four of 17 000; two alike would be seen at once
        if note.exists():
            remembered = json.loads(note.read_text())
            taken = [key for key in ports if not is_free(remembered[key])]
            identity = NodeIdentity(**{**remembered, **{key: ports[key] for key in taken}})
        else:
            identity = NodeIdentity(
                name=f"billbus-{secrets.token_hex(4)}@localhost",
                user=f"billbus-{secrets.token_hex(4)}",
                password=secrets.token_hex(24),
                cookie=secrets.token_hex(24),
                **ports,
            )
        _write_private(note, json.dumps(asdict(identity)))
        return identity

    def _write_configuration(self, identity: NodeIdentity) -> None:
        # The default user is made only with an empty database: this is what keeps `guest` from existing.
        lines = [
            f"listeners.tcp.1 = {LOOPBACK}:{identity.amqp_port}",
            f"default_user = {identity.user}",
            f"default_pass = {identity.password}",
            "default_user_tags.administrator = true",
            f"vm_memory_high_watermark.absolute = {MEMORY_WATERMARK}",
            f"disk_free_limit.absolute = {DISK_FREE_LIMIT}",
            "log.file.level = info",
            "log.console = false",
        ]
        if self._management:
            lines += [f"management.tcp.ip = {LOOPBACK}", f"management.tcp.port = {identity.management_port}"]
        lines += self._configuration
        _write_private(self.home / "rabbitmq.conf", "\n".join([*lines, ""]))
        plugins = "rabbitmq_management" if self._management else ""
        (self.home / "enabled_plugins").write_text(f"[{plugins}].\n")
        cookie = self.home / ".erlang.cookie"
        cookie.unlink(missing_ok=True)
        _write_private(cookie, identity.cookie, mode=0o400)

    def _environment(self, installation: RabbitInstallation, identity: NodeIdentity) -> dict[str, str]:
        home = self.home
        return {
            "PATH": f"{installation.erlang_dir}:{os.defpath}:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
            "HOME": str(home),
            # The script then becomes the node instead of waiting for it as a child.
            "RUNNING_UNDER_SYSTEMD": "true",
            "ERL_EPMD_PORT": str(identity.epmd_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_CONF_ENV_FILE": str(home / "no-such-file.conf"),
            "RABBITMQ_NODENAME": identity.name,
            "RABBITMQ_NODE_PORT": str(identity.amqp_port),
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_DIST_PORT": str(identity.distribution_port),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced"),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "config"),
            # Two schedulers that do not spin while idle: the machine is shared with the product.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
            " -kernel inet_dist_use_interface {127,0,0,1}",
            **installation.environment,
        }

    def _launch(self, installation: RabbitInstallation, identity: NodeIdentity) -> None:
        # A port mapper in the foreground: the node would start one that outlives it as a daemon.
        epmd = [_find_epmd(installation), "-port", str(identity.epmd_port), "-address", LOOPBACK]
        node = [str(installation.script_dir / "rabbitmq-server")]
        launch = [sys.executable, "-IS", guardian.__file__, str(STOP_GRACE_SECONDS)]
        with open_log(self.log_file) as log:
            self._guardian = subprocess.Popen(
                [*launch, *epmd, guardian.SEPARATOR, *node],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self.home,
                env=self._environment(installation, identity),
                start_new_session=True,
            )
        assert self._guardian.stdout is not None
        self.process_ids = [int(word) for word in self._guardian.stdout.readline().split()]

    def _wait_until_ready(self, identity: NodeIdentity) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._guardian is None or self._guardian.poll() is not None:
                break
            if _greets(identity.amqp_port):
                return
            time.sleep(POLL_SECONDS)
        said = log_tail(self.log_file)
        raise RabbitUnavailable(f"RabbitMQ did not start; its log {self.log_file} ends:\n{said}")

    def _end(self, last_word: bytes) -> None:
        process, self._guardian = self._guardian, None
        if process is not None and process.stdin is not None and process.stdout is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(last_word.decode())
                process.stdin.flush()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(END_SECONDS_MAX)
            finally:
                process.kill()  # its own children then die with it
                process.stdout.close()
        self.process_ids = []
        self._lock.release()

    def _request(self, method: str, path: str, body: dict[str, str] | None = None) -> None:
        credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310  # our own loopback address
            f"{self.management_url}api/{path}",
            method=method,
            data=json.dumps(body or {}).encode(),
            headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
        )
        try:
            urllib.request.urlopen(request, timeout=CONTROL_SECONDS_MAX).close()  # noqa: S310
        except urllib.error.URLError as error:
            raise RabbitUnavailable(f"RabbitMQ's management refused {method} {path}: {error}") from error


def _find_epmd(installation: RabbitInstallation) -> str:
    candidates = [
        installation.erlang_dir / "epmd",
        *installation.erlang_dir.parent.glob("erts-*/bin/epmd"),
        *installation.erlang_dir.parent.glob("lib/erlang/erts-*/bin/epmd"),
    ]
    for path in candidates:
        if path.exists():
            return str(path)
    raise RabbitUnavailable(f"Erlang in {installation.erlang_dir} has no epmd: install erlang-base.")


def _greets(port: int) -> bool:
    """Whether a broker answers the protocol header: an open port alone is not yet a broker."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=SOCKET_SECONDS_MAX) as connection:
            connection.sendall(AMQP_GREETING)
            return connection.recv(1) == METHOD_FRAME
    except OSError:
        return False


def _write_private(path: Path, content: str, mode: int = 0o600) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
