import json
import sys
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from urllib.request import HTTPBasicAuthHandler, HTTPPasswordMgrWithDefaultRealm, build_opener

import pika
import pytest

from runtime.processes import Child
from runtime.rabbitmq import RabbitServer
from tests.servers import TOOLS_DIR, open_directory, private_rabbit

pytestmark = pytest.mark.slow

PARENT = (
    "import sys, time, pathlib; from runtime.rabbitmq import RabbitServer, ensure_installation\n"
    "installation = ensure_installation(pathlib.Path(sys.argv[2]), print)\n"
    "one = RabbitServer(pathlib.Path(sys.argv[1]), installation=installation); one.start()\n"
    "print('processes', *one.process_ids, flush=True); time.sleep(60)"
)
PERSISTENT = pika.BasicProperties(delivery_mode=2)


@pytest.fixture
def node() -> Iterator[RabbitServer]:
    with private_rabbit() as one:
        yield one


def publish(url: str, body: bytes) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare("kept", durable=True)
    channel.basic_publish("", "kept", body, PERSISTENT, mandatory=True)
    connection.close()


def take(url: str) -> bytes | None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    _, _, body = connection.channel().basic_get("kept", auto_ack=True)
    connection.close()
    assert body is None or isinstance(body, bytes)
    return body


def processes_in(directory: Path) -> list[int]:
    """Every process that works in a directory or has it in its environment: daemons too."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if f"HOME={directory}/rabbitmq\0".encode() in environment:
                found.append(int(entry.name))
    return found


def wait_until_nothing_runs_in(directory: Path) -> None:
    deadline = time.monotonic() + 25
    while left := processes_in(directory):
        assert time.monotonic() < deadline, f"processes {left} are left running"
        time.sleep(0.05)


def test_kill_keeps_confirmed_messages_ports_and_users(node: RabbitServer) -> None:
    url = node.create_vhost("kill/and start")
    publish(url, b"confirmed")
    node.kill()
    assert processes_in(node.home.parent) == []
    node.start()
    assert take(url) == b"confirmed"


def test_later_object_on_the_same_directory_finds_its_messages() -> None:
    with open_directory() as directory:
        with RabbitServer(directory) as first:
            publish(first.amqp_url, b"confirmed")
        wait_until_nothing_runs_in(directory)
        with RabbitServer(directory) as second:
            assert take(second.amqp_url) == b"confirmed"
            publish(second.create_vhost("made without management"), b"one")


def test_guest_does_not_exist(rabbit: RabbitServer) -> None:
    url = rabbit.amqp_url.replace(rabbit.user, "guest").replace(rabbit.password, "guest")
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        pika.BlockingConnection(pika.URLParameters(url))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        read_users(rabbit, "guest", "guest")
    assert read_users(rabbit, rabbit.user, rabbit.password) == [rabbit.user]
    assert rabbit.password not in repr(rabbit)


def read_users(node: RabbitServer, user: str, password: str) -> list[str]:
    passwords = HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, node.management_url, user, password)
    with build_opener(HTTPBasicAuthHandler(passwords)).open(
        node.management_url + "api/users", timeout=10
    ) as answer:
        return [entry["name"] for entry in json.load(answer)]


def test_virtual_host_of_a_test_is_empty_and_its_own(amqp_url: str) -> None:
    publish(amqp_url, b"one")
    assert take(amqp_url) == b"one"
    assert take(amqp_url) is None


def test_nothing_is_left_running_after_the_parent_is_killed(tmp_path: Path) -> None:
    with open_directory() as directory:
        command = [sys.executable, "-c", PARENT, str(directory), str(TOOLS_DIR)]
        with Child("parent", command, log_file=tmp_path / "parent.log") as parent:
            parent.wait_for_log("processes", 90)
            assert processes_in(directory)
            parent.kill()
        wait_until_nothing_runs_in(directory)
