"""The broker's definitions are those of the code, and nobody there may do more than its work."""

import json
import re
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest

from bus.definitions import (
    BUS_HOST,
    TASKS_EXCHANGE,
    TASKS_HOST,
    TASKS_QUEUE,
    USERS,
    Rights,
    broker_definitions,
    hash_password,
)
from bus.topology import COMMANDS_EXCHANGE, EVENTS_EXCHANGE, billbus_topology

COMMITTED = Path(__file__).resolve().parents[3] / "deploy" / "rabbitmq" / "definitions.json"
TOPOLOGY = billbus_topology()
BUS_NAMES = [one.name for one in (*TOPOLOGY.exchanges, *TOPOLOGY.queues)]
COMMAND_QUEUES = {one.name for one in TOPOLOGY.queues if re.search(r"commands\.\d", one.name)}
EVENT_QUEUES = {"billbus.events.integrations", "billbus.events.notifications"}
SERVICES = {
    "client_api",
    "admin_api",
    "billing_consumer",
    "state_updater",
    "worker",
    "beat",
    "events",
    "cron",
}
SENDERS = {"client_api", "admin_api", "worker", "cron"}


def test_committed_definitions_are_up_to_date() -> None:
    shown = json.dumps(broker_definitions(), indent=2) + "\n"
    wanted = "run `billbus bus definitions --out deploy/rabbitmq/definitions.json`"
    assert COMMITTED.read_text() == shown, wanted


def matching(pattern: str, names: list[str]) -> set[str]:
    """As RabbitMQ matches: anywhere in the name; an empty pattern matches nothing."""
    return {name for name in names if pattern and re.search(pattern, name)}


def rights_on_the_bus(user: str) -> tuple[set[str], set[str], set[str]]:
    rights = USERS[user].rights.get(BUS_HOST, Rights())
    return (
        matching(rights.configure, BUS_NAMES),
        matching(rights.write, BUS_NAMES),
        matching(rights.read, BUS_NAMES),
    )


@pytest.mark.parametrize("user", sorted(SENDERS))
def test_who_sends_commands_can_do_nothing_else_on_the_bus(user: str) -> None:
    assert rights_on_the_bus(user) == (set(), {COMMANDS_EXCHANGE}, set())


def test_consumers_read_their_queues_alone() -> None:
    assert rights_on_the_bus("billing_consumer") == (set(), set(), COMMAND_QUEUES)
    assert rights_on_the_bus("events") == (set(), set(), EVENT_QUEUES)
    assert len(COMMAND_QUEUES) == 8


def test_relay_sends_both_kinds_and_beat_is_not_on_the_bus() -> None:
    assert rights_on_the_bus("state_updater") == (set(), {COMMANDS_EXCHANGE, EVENTS_EXCHANGE}, set())
    assert BUS_HOST not in USERS["beat"].rights


def test_only_the_worker_receives_tasks() -> None:
    names = [TASKS_EXCHANGE, TASKS_QUEUE]
    readers = {user for user in SERVICES if TASKS_QUEUE in matching(_tasks(user).read, names)}
    assert readers == {"worker"}
    assert {user for user in SERVICES if TASKS_HOST in USERS[user].rights} == {
        "worker",
        "state_updater",
        "beat",
    }


def test_nobody_but_migrate_is_an_administrator_and_there_is_no_guest() -> None:
    assert {user for user, one in USERS.items() if "administrator" in one.tags} == {"migrate"}
    assert set(USERS) == {*SERVICES, "migrate", "operator"}
    written = broker_definitions(dict.fromkeys(USERS, "secret"))
    assert {one["name"] for one in written["users"]} == set(USERS)
    assert {(one["user"], one["vhost"]) for one in written["permissions"]} == {
        (user, host) for user, one in USERS.items() for host in one.rights
    }


def test_password_is_salted_and_hashed_as_rabbitmq_reads_it() -> None:
    salt = bytes.fromhex("908dc60a")
    # Source: the example of RabbitMQ's "Credentials and Passwords".
    assert hash_password("test12", salt) == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
    written = broker_definitions(dict.fromkeys(USERS, "p"))["users"]
    hashes = {str(one["password_hash"]) for one in written}
    assert len(hashes) == len(USERS), "a salt is used twice"
    raw = b64decode(hashes.pop())
    assert raw[4:] == sha256(raw[:4] + b"p").digest()


def _tasks(user: str) -> Rights:
    return USERS[user].rights.get(TASKS_HOST, Rights())
