"""Copies of docker-compose.yml, and servers, with one thing wrong: the start fails and names the service.

This shows that the story could fail. Each mutant starts only what is wrong, beside the stack that stands.
"""

from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from bus.definitions import BUS_HOST, USERS
from bus.topology import UNROUTED, command_queue
from tests.compose.reading import NotUnderstood
from tests.compose.stack import NativeStack, StackFailed
from tests.e2e.compose.town import Town

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SERVES = "Uvicorn running"
NO_ROLE = "permission denied to set role"
_numbers = count(1)


@dataclass(frozen=True)
class Mutant:
    """`old` becomes `new`, where it comes first after `after`; then this service fails with the complaint."""

    after: str
    old: str
    new: str
    service: str
    complaint: str
    # With this in its log it runs, and its health is not waited for.
    sign: str = ""

    def of(self, text: str) -> str:
        head, mark, tail = text.partition(self.after)
        assert self.old in tail, f"{self.old!r} is not in the file after {self.after!r}"
        return head + mark + tail.replace(self.old, self.new, 1)


MUTANTS = {
    "wrong module path": Mutant(
        "  admin_api:\n", '"-m", "admin_api"', '"-m", "admin_apy"', "admin_api", "No module named admin_apy"
    ),
    "wrong command": Mutant(
        "  migrate:\n", "billbus db logins", "billbus db login", "migrate", "No such command 'login'"
    ),
    "missing secret": Mutant(
        "  client_api:\n", "      - token_key\n", "", "client_api", "TOKEN_KEY: Field required"
    ),
    "missing directory of secrets": Mutant(
        "x-environment:", "  SECRETS_DIR: /run/secrets\n", "", "cron", "DATABASE_URL: Field required"
    ),
    "wrong variable": Mutant(
        "x-environment:", "  LOG_LEVEL:\n", "  LOG_LEVEL: LOUD\n", "events", "LOG_LEVEL: Input should be"
    ),
    "missing variable": Mutant(
        "  client_api:\n",
        "      CLIENT_API_HOST: 0.0.0.0\n",
        "",
        "nginx",
        "nginx: client_api does not open port 8000 to others",
    ),
    "wrong port of another": Mutant(
        "  nginx:\n",
        "admin_api:8001",
        "admin_api:8002",
        "nginx",
        "nginx: admin_api does not open port 8002 to others",
    ),
    "wrong port of the health check": Mutant(
        "  admin_api:\n",
        "http://127.0.0.1:8001/",
        "http://127.0.0.1:8003/",
        "admin_api",
        "does not answer",
        SERVES,
    ),
    "missing network": Mutant(
        "  client_api:\n",
        "networks: [front, backend]",
        "networks: [front]",
        "client_api",
        "client_api: shares no network with postgres",
    ),
    "login of another": Mutant(
        "  client_api:\n",
        "source: client_api_database_url",
        "source: cron_database_url",
        "client_api",
        NO_ROLE,
        NO_ROLE,
    ),
    "path outside every volume": Mutant(
        "  certificate:\n",
        '"/certificates/self-signed"',
        '"/certs/self-signed"',
        "certificate",
        "certificate: /certs/self-signed lies in no volume",
    ),
    "something that nobody plays": Mutant(
        "  cron:\n",
        "    mem_limit: 512m\n",
        "    mem_limit: 512m\n    pid: host\n",
        "cron",
        "cron: nobody here",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_noticed(town: Town, place: Path, name: str) -> None:
    mutant = MUTANTS[name]
    file = place / f"mutant-{next(_numbers)}.yml"
    file.write_text(mutant.of((place / "project" / "docker-compose.yml").read_text()))
    failure = start_and_fail(town, place, mutant.service, mutant.sign, file)
    assert mutant.complaint in failure, failure
    assert failure.startswith(mutant.service)


def test_login_without_its_role_is_noticed(town: Town, place: Path) -> None:
    town.rows("REVOKE billbus_api FROM client_api")
    try:
        failure = start_and_fail(town, place, "client_api", NO_ROLE)
    finally:
        town.stack.run("migrate", "billbus", "db", "logins")
    assert NO_ROLE in failure, failure


@pytest.mark.parametrize("user", ["billing_consumer", "events"])
def test_missing_right_to_a_queue_is_noticed(town: Town, place: Path, user: str) -> None:
    rights = USERS[user].rights[BUS_HOST]
    permit = partial(town.stack.rabbit().control, "set_permissions", "-p", BUS_HOST, user)
    permit("", "", f"^{command_queue(0)}$")
    try:
        failure = start_and_fail(town, place, user)
    finally:
        permit(rights.configure, rights.write, rights.read)
    assert f"RabbitMQ refuses {user}: 403 ACCESS_REFUSED - access to queue" in failure


def test_queue_that_differs_from_the_code_is_noticed(town: Town, place: Path) -> None:
    with town.broker("migrate") as channel:
        channel.queue_delete(UNROUTED)
        channel.queue_declare(UNROUTED, durable=True, arguments={"x-queue-type": "quorum", "x-max-length": 7})
        try:
            failure = start_and_fail(town, place, "migrate")
        finally:
            channel.queue_delete(UNROUTED)
            town.stack.run("migrate", "billbus", "bus", "topology", "--declare")
    assert failure.startswith("migrate ended with exit code 1")
    assert "406 PRECONDITION_FAILED" in failure


def start_and_fail(town: Town, place: Path, service: str, sign: str = "", file: Path | None = None) -> str:
    """What the start of this one service ends with; one that comes is a failure of the test."""
    try:
        stack = NativeStack(
            place / "project", place / f"mutant-{next(_numbers)}", file=file, standing=town.stack
        )
    except NotUnderstood as error:
        return str(error)
    try:
        with pytest.raises((StackFailed, NotUnderstood)) as caught:
            stack.start([service], sign)
        return str(caught.value)
    finally:
        stack.stop()
