"""From containers to plain processes: host names and ports become private ports of the loopback, paths become
private directories. Nothing else is changed, and what cannot be understood is an error.

Called by the runner for commands, variables, secrets and configuration files. A port of a service is one
private port wherever it is named, so a wrong number in the file leads nowhere, as in the engine. Who refers
to a service must share a network with it, and the service must open that port to others.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from runtime.ports import LOOPBACK, free_port
from tests.compose.reading import Composition, Mount, NotUnderstood, Service

LOOPBACK_NETWORK = "127.0.0.0/8"
EVERYWHERE = "0.0.0.0"
# Paths that mean the same in a container and out of it.
_COMMON_PATHS = frozenset({"/dev/null", "/dev/stdout"})
# Ports that images of others open by themselves.
_OF_IMAGES = {"postgres": (5432,), "rabbitmq": (5672, 15672)}

_PORT_OPTION = re.compile(r"(--(?:\w+-)*port)=(\d+)")
_PATH = re.compile(r"(?<![\w./:*@-])/[A-Za-z_][\w./-]*")


def _is_listening(value: str) -> bool:
    return value in (EVERYWHERE, LOOPBACK)


class Translation:
    """Below `home` lie the containers' file systems, below `volumes` what they share.

    `known_ports` are those of a stack that stands already.
    """

    def __init__(
        self,
        composition: Composition,
        home: Path,
        volumes: Path,
        known_ports: Mapping[tuple[str, int], int] | None = None,
    ) -> None:
        self._composition = composition
        self._home = home
        self._volumes = volumes
        self.ports: dict[tuple[str, int], int] = {
            (service.name, inner): outer
            for service in composition.services.values()
            for inner, outer in service.ports.items()
        }
        self.ports |= known_ports or {}
        self._published = {
            outer for service in composition.services.values() for outer in service.ports.values()
        }
        names = "|".join(sorted(composition.services, key=len, reverse=True))
        self._places = re.compile(
            rf"(?<![\w.-])(?:(?P<name>{names}|localhost)|(?P<own>127\.0\.0\.1|0\.0\.0\.0)):(?P<port>\d+)(?!\d)"
        )

    def port(self, service: str, number: int) -> int:
        """The private port that stands for this one."""
        return self.ports.setdefault((service, number), free_port())

    def forget_ports(self, service: str) -> None:
        """Others from now on, for a second instance of a service; what is published stays."""
        published = self._composition.services[service].ports
        for known in [each for each in self.ports if each[0] == service and each[1] not in published]:
            del self.ports[known]

    def place(self, service: Service, path: str) -> Path:
        """Where a path of the container lies. Raises NotUnderstood for one that is in no volume or secret."""
        roots = [mount.target for mount in service.mounts] + list(service.secrets) + ["/run/secrets"]
        if not any(path == root or path.startswith(f"{root.rstrip('/')}/") for root in roots):
            raise NotUnderstood(f"{service.name}: {path} lies in no volume, secret or tmpfs")
        return self.root(service) / path.lstrip("/")

    def root(self, service: Service) -> Path:
        """The container's file system, as far as anything is mounted into it."""
        return self._home / service.name

    def text(self, service: Service, text: str) -> str:
        """Names with ports, own addresses and paths."""
        placed = self._places.sub(lambda found: self._place(service, found), text)
        return _PATH.sub(lambda found: self._mapped(service, found[0]), placed)

    def url(self, service: Service, url: str) -> str:
        """Of a secret: user and password are never changed, and its path is none of a file.

        Whoever has no network only reads what it says.
        """
        if not service.networks:
            return url
        person, at, place = url.rpartition("@")
        return person + at + self._places.sub(lambda found: self._place(service, found), place)

    def command(self, service: Service, words: Sequence[str]) -> list[str]:
        return [self._option(service, word) for word in words]

    def environment(self, service: Service) -> dict[str, str]:
        """The variables that the file gives it."""
        given = service.environment
        return {name: self._variable(service, name, value) for name, value in given.items()}

    def lay_out(self, service: Service) -> None:
        """Makes its file system: mounts are links, secrets are files with their addresses replaced."""
        root = self.root(service)
        for mount in service.mounts:
            place = root / mount.target.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                self._mount(mount, place)
        for path, source in service.secrets.items():
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            secret = source.read_text()
            place.write_text(self.url(service, secret) if "://" in secret else secret)

    def _mount(self, mount: Mount, place: Path) -> None:
        if mount.kind == "tmpfs":
            place.mkdir(parents=True)
        elif mount.kind == "bind":
            place.symlink_to(mount.source)
        else:
            volume = self._volumes / mount.source
            volume.mkdir(parents=True, exist_ok=True)
            place.symlink_to(volume)

    def _mapped(self, service: Service, path: str) -> str:
        """A directory keeps its final slash: to nginx it means something."""
        if path in _COMMON_PATHS:
            return path
        return f"{self.place(service, path)}{'/' if path.endswith('/') else ''}"

    # ------------------------------------------------------------------------------------------- addresses

    def _place(self, service: Service, found: re.Match[str]) -> str:
        number = int(found["port"])
        if found["own"]:
            return f"{LOOPBACK}:{self.port(service.name, number)}"
        if found["name"] == "localhost":
            if number not in self._published:
                raise NotUnderstood(f"{service.name}: {found[0]} is published by nobody")
            return found[0]
        return f"{LOOPBACK}:{self._port_of_another(service, found['name'], number)}"

    def _port_of_another(self, service: Service, name: str, number: int) -> int:
        other = self._composition.services[name]
        if not service.networks & other.networks:
            raise NotUnderstood(f"{service.name}: shares no network with {name}")
        if number not in self._opened_by(other):
            raise NotUnderstood(f"{service.name}: {name} does not open port {number} to others")
        return self.port(name, number)

    def _opened_by(self, other: Service) -> set[int]:
        """Ports that it opens to other containers; those on its own loopback are not among them."""
        opened = set(_OF_IMAGES.get(other.name, ()))
        if f"--host={EVERYWHERE}" in other.command:
            opened |= {int(found[2]) for word in other.command if (found := _PORT_OPTION.fullmatch(word))}
        for name, value in other.environment.items():
            if name.endswith("_LISTEN") and value.isdigit():
                opened.add(int(value))
            if name.endswith("_PORT") and value.isdigit():
                is_open = other.environment.get(f"{name.removesuffix('_PORT')}_HOST") == EVERYWHERE
                opened |= {int(value)} if is_open else set()
        return opened

    # -------------------------------------------------------------------------------- options and variables

    def _option(self, service: Service, word: str) -> str:
        if word == f"--host={EVERYWHERE}":
            return f"--host={LOOPBACK}"
        option = _PORT_OPTION.fullmatch(word)
        if option:
            return f"{option[1]}={self.port(service.name, int(option[2]))}"
        return self.text(service, word)

    def _variable(self, service: Service, name: str, value: str) -> str:
        if name.endswith("_LISTEN") and value.isdigit():
            return f"{LOOPBACK}:{self.port(service.name, int(value))}"
        if name.endswith("_PORT") and value.isdigit():
            return str(self._port_variable(service, name, int(value)))
        if name.endswith("_HOST") and (_is_listening(value) or value in self._composition.services):
            return LOOPBACK
        networks = [network for network, subnet in self._composition.subnets.items() if subnet == value]
        if networks:
            if networks[0] not in service.networks:
                raise NotUnderstood(f"{service.name}: {name} is of {networks[0]}, where it is not")
            return LOOPBACK_NETWORK
        return self.text(service, value)

    def _port_variable(self, service: Service, name: str, number: int) -> int:
        """Its own, unless the host beside it is another service."""
        host = service.environment.get(f"{name.removesuffix('_PORT')}_HOST", "")
        if host in self._composition.services:
            return self._port_of_another(service, host, number)
        if host and not _is_listening(host):
            raise NotUnderstood(f"{service.name}: {host} is no service")
        return self.port(service.name, number)
