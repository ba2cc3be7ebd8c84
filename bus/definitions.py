"""What RabbitMQ is told once, at deploy: both virtual hosts, every queue, a user per service and its rights.

Called by `billbus bus definitions`. Never connects. A service has the least rights that its work needs: who
sends cannot receive, who receives cannot send, and only `migrate` makes or removes what the bus consists of.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_bytes
from typing import Final, Literal

from bus.port import SUBSCRIPTIONS
from bus.topology import (
    COMMANDS_EXCHANGE,
    EVENTS_EXCHANGE,
    UNROUTED,
    billbus_topology,
    command_queue,
    dead_letter_queues,
    definitions,
    event_queue,
    partitions_of,
)

BUS_HOST: Final = "billbus"
TASKS_HOST: Final = "celery"
# What Celery declares whenever it connects; what it sends goes to the queue itself, over the exchange without
# a name. Two names, so that a right to bind the one is no right to read the other.
TASKS_EXCHANGE: Final = "billbus.tasks"
TASKS_QUEUE: Final = "billbus"
# How rights call the exchange without a name.
DEFAULT_EXCHANGE: Final = "amq.default"
SALT_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Rights:
    """Regular expressions over the names of exchanges and queues. Empty: none of them."""

    configure: str = ""
    write: str = ""
    read: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """Rights by virtual host; a user without any there cannot connect to it."""

    rights: Mapping[str, Rights]
    tags: tuple[Literal["administrator", "monitoring"], ...] = ()


def _only(*names: str) -> str:
    return f"^({'|'.join(re.escape(name) for name in names)})$"


_COMMAND_QUEUES = [command_queue(partition) for partition in partitions_of(0, 1)]
_EVERYTHING = Rights(".*", ".*", ".*")
_SENDS_COMMANDS = Rights(write=_only(COMMANDS_EXCHANGE))
# Binding a queue takes the right to write to it and to read from its exchange.
_SENDS_TASKS = Rights(
    configure=_only(TASKS_EXCHANGE, TASKS_QUEUE),
    write=_only(DEFAULT_EXCHANGE, TASKS_QUEUE),
    read=_only(TASKS_EXCHANGE),
)
_RUNS_TASKS = Rights(_SENDS_TASKS.configure, _SENDS_TASKS.write, _only(TASKS_EXCHANGE, TASKS_QUEUE))

USERS: Final[Mapping[str, User]] = {
    "migrate": User({BUS_HOST: _EVERYTHING, TASKS_HOST: _EVERYTHING}, ("administrator",)),
    "client_api": User({BUS_HOST: _SENDS_COMMANDS}),
    "admin_api": User({BUS_HOST: _SENDS_COMMANDS}),
    "billing_consumer": User({BUS_HOST: Rights(read=_only(*_COMMAND_QUEUES))}),
    "state_updater": User(
        {BUS_HOST: Rights(write=_only(COMMANDS_EXCHANGE, EVENTS_EXCHANGE)), TASKS_HOST: _SENDS_TASKS}
    ),
    "worker": User({BUS_HOST: _SENDS_COMMANDS, TASKS_HOST: _RUNS_TASKS}),
    "beat": User({TASKS_HOST: _SENDS_TASKS}),
    "events": User({BUS_HOST: Rights(read=_only(*(event_queue(one.consumer) for one in SUBSCRIPTIONS)))}),
    "cron": User({BUS_HOST: _SENDS_COMMANDS}),
    # Looks at everything, and sends dead letters back.
    "operator": User(
        {
            BUS_HOST: Rights(write=_only(DEFAULT_EXCHANGE), read=_only(UNROUTED, *dead_letter_queues())),
            TASKS_HOST: Rights(),
        },
        ("monitoring",),
    ),
}


def broker_definitions(passwords: Mapping[str, str] | None = None) -> dict[str, list[dict[str, object]]]:
    """As RabbitMQ's definitions file wants it. `passwords` by user, of all USERS; None leaves users out.

    Of a password it holds a salted hash, another one at each call. Where such a file is loaded at boot,
    RabbitMQ makes no user of its own.
    """
    found: dict[str, list[dict[str, object]]] = {
        "vhosts": [{"name": BUS_HOST}, {"name": TASKS_HOST}],
        **definitions(billbus_topology(), BUS_HOST),
    }
    if passwords is not None:
        found["users"] = [_user(name, passwords[name]) for name in USERS]
        found["permissions"] = [
            _permission(name, host, rights)
            for name, user in USERS.items()
            for host, rights in user.rights.items()
        ]
    return found


def _user(name: str, password: str) -> dict[str, object]:
    return {
        "name": name,
        "password_hash": hash_password(password, token_bytes(SALT_BYTES)),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": list(USERS[name].tags),
    }


def _permission(user: str, host: str, rights: Rights) -> dict[str, object]:
    return {
        "user": user,
        "vhost": host,
        "configure": rights.configure,
        "write": rights.write,
        "read": rights.read,
    }


def hash_password(password: str, salt: bytes) -> str:
    """Source: RabbitMQ, "Credentials and Passwords": base64 of salt and SHA-256 over salt and password."""
    return b64encode(salt + sha256(salt + password.encode()).digest()).decode()
