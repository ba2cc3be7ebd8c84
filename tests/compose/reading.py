"""docker-compose.yml as the real Compose resolves it, read strictly: what has no place here is an error.

Called by the runner. Nothing is started here, and no engine is asked.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

READ_SECONDS_MAX = 60.0
SECRETS_TARGET = "/run/secrets"

# What an engine does around a process, and a plain process has no counterpart for.
_OF_THE_ENGINE = {
    *("build", "user", "read_only", "cap_drop", "cap_add", "security_opt", "init", "sysctls", "ulimits"),
    *(
        "logging",
        "mem_limit",
        "shm_size",
        "hostname",
        "restart",
        "stop_grace_period",
        "stop_signal",
        "profiles",
    ),
}
_READ = {
    *("image", "entrypoint", "command", "environment", "secrets", "volumes", "tmpfs"),
    *("networks", "network_mode", "ports", "depends_on", "healthcheck"),
}
_CONDITIONS = ("service_completed_successfully", "service_healthy", "service_started")

Condition = Literal["service_completed_successfully", "service_healthy", "service_started"]


class NotUnderstood(Exception):
    """The file says something that the runner cannot play; the message names the service."""


@dataclass(frozen=True)
class Mount:
    """`source` is a volume's name, a path of the host, or empty for memory."""

    kind: Literal["volume", "bind", "tmpfs"]
    source: str
    target: str


@dataclass(frozen=True)
class Service:
    """`secrets`: files of the host by path in the container; `ports`: those published, by inner port."""

    name: str
    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    secrets: Mapping[str, Path]
    mounts: Sequence[Mount]
    networks: frozenset[str]
    ports: Mapping[int, int]
    depends_on: Mapping[str, Condition]
    health_test: Sequence[str]

    @property
    def is_ours(self) -> bool:
        return self.image.startswith("billbus:")


@dataclass(frozen=True)
class Composition:
    """`subnets` are the fixed addresses of networks, by network."""

    services: Mapping[str, Service]
    subnets: Mapping[str, str] = field(default_factory=dict)


def read_composition(project: Path, file: Path | None = None) -> Composition:
    """A compose file, that of `project` unless given, with the .env and the profiles of `project`.

    Raises NotUnderstood, with Compose's own complaint.
    """
    command = [
        str(Path(sys.executable).parent / "docker-compose"),
        *("--project-directory", str(project), "--file", str(file or project / "docker-compose.yml")),
        *("config", "--format", "json"),
    ]
    bare = {"PATH": os.defpath, "HOME": str(project)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=READ_SECONDS_MAX, env=bare)
    if done.returncode != 0:
        raise NotUnderstood(done.stderr.strip())
    found = _unescaped(json.loads(done.stdout))
    files = {name: Path(one["file"]) for name, one in found["secrets"].items()}
    return Composition(
        {name: _read_service(name, told, files) for name, told in found["services"].items()},
        {
            network: one["subnet"]
            for network, told in found["networks"].items()
            for one in (told.get("ipam") or {}).get("config", ())
        },
    )


def _unescaped(value: Any) -> Any:
    """Compose doubles each dollar again, so that its answer could be read as a compose file."""
    match value:
        case str():
            return value.replace("$$", "$")
        case list():
            return [_unescaped(one) for one in value]
        case dict():
            return {name: _unescaped(one) for name, one in value.items()}
        case _:
            return value


def _read_service(name: str, told: Mapping[str, Any], files: Mapping[str, Path]) -> Service:
    unknown = sorted(set(told) - _OF_THE_ENGINE - _READ)
    if unknown or told.get("entrypoint"):
        raise NotUnderstood(f"{name}: nobody here plays {', '.join(unknown) or 'an entrypoint'}")
    if "network_mode" in told and told["network_mode"] != "none":
        raise NotUnderstood(f"{name}: network_mode {told['network_mode']}")
    environment: dict[str, str | None] = told.get("environment", {})
    return Service(
        name=name,
        image=told["image"],
        command=told.get("command") or (),
        environment={variable: value for variable, value in environment.items() if value is not None},
        secrets={
            f"{SECRETS_TARGET}/{Path(one['target']).name}": files[one["source"]]
            for one in told.get("secrets", ())
        },
        mounts=tuple(_read_mounts(name, told)),
        networks=frozenset(told.get("networks") or ()),
        ports={one["target"]: int(one["published"]) for one in told.get("ports", ())},
        depends_on={other: _condition(name, one) for other, one in told.get("depends_on", {}).items()},
        health_test=(told.get("healthcheck") or {}).get("test", ()),
    )


def _read_mounts(name: str, told: Mapping[str, Any]) -> Iterator[Mount]:
    for one in told.get("tmpfs", ()):
        yield Mount("tmpfs", "", one.partition(":")[0])
    for one in told.get("volumes", ()):
        if one["type"] not in ("volume", "bind"):
            raise NotUnderstood(f"{name}: a volume of type {one['type']}")
        if one["type"] == "bind" and not Path(one["source"]).exists():
            raise NotUnderstood(f"{name}: {one['source']} is not there to be mounted")
        yield Mount(one["type"], one["source"], one["target"])


def _condition(name: str, told: Mapping[str, Any]) -> Condition:
    condition: Condition = told["condition"]
    if condition not in _CONDITIONS:
        raise NotUnderstood(f"{name}: depends_on with {condition}")
    return condition
