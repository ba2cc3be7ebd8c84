"""On a broker that has loaded our definitions every service does its work as its own user, and no more."""

import json
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import UUID

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker, ProbableAccessDeniedError
from pydantic import SecretStr

from bus.definitions import BUS_HOST, TASKS_HOST, TASKS_QUEUE, USERS, broker_definitions
from bus.port import BusAway, BusRefused
from bus.rabbit.upkeep import declare, list_dead_letters, replay_dead_letter
from bus.topology import DEAD_COMMANDS_QUEUE, Queue, Topology, billbus_topology, command_queue
from bus.transports import RabbitBus
from runtime.ports import LOOPBACK
from runtime.rabbitmq import RabbitServer, ensure_installation
from runtime.settings import TaskSettings
from state_updater.tasks.sending import CelerySender
from tests.contract.bus.test_contract import ids, receive_all
from tests.contract.bus.transports import command, event
from tests.servers import TOOLS_DIR, open_directory

pytestmark = pytest.mark.slow

ANSWER_SECONDS_MAX = 20.0
PASSWORDS = {user: secrets.token_hex(8) for user in USERS}
SENDERS = ["client_api", "admin_api", "state_updater", "worker", "cron"]


class Broker:
    """A node that has loaded the definitions with users."""

    def __init__(self, server: RabbitServer) -> None:
        self.server = server

    def url(self, user: str, host: str = BUS_HOST, password: str | None = None) -> str:
        secret = PASSWORDS[user] if password is None else password
        return f"amqp://{user}:{secret}@{LOOPBACK}:{self.server.amqp_port}/{host}"

    def bus(self, user: str) -> RabbitBus:
        return RabbitBus(self.url(user), user)


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with open_directory() as directory:
        file = directory / "definitions.json"
        file.write_text(json.dumps(broker_definitions(PASSWORDS)))
        server = RabbitServer(
            directory,
            installation=ensure_installation(TOOLS_DIR, print),
            configuration=[f"load_definitions = {file}", "loopback_users = none"],
        )
        try:
            server.start()
            yield Broker(server)
        finally:
            server.erase()


def test_commands_travel_from_every_sender_to_the_consumer(broker: Broker, studio_id: UUID) -> None:
    sent = [command(number, studio_id) for number in range(len(SENDERS))]
    for user, one in zip(SENDERS, sent, strict=True):
        with closing(broker.bus(user).command_publisher()) as publisher:
            publisher.publish([one])
    with closing(broker.bus("billing_consumer").command_consumer(0, 1)) as consumer:
        arrived = receive_all(consumer, len(sent))
        assert set(ids(arrived)) == {one.message_id for one in sent}
        consumer.acknowledge(arrived)


def test_events_travel_from_the_relay_to_both_who_listen(broker: Broker, studio_id: UUID) -> None:
    paid = event("payment.succeeded", studio_id)
    with closing(broker.bus("state_updater").event_publisher()) as publisher:
        publisher.publish([paid])
    for name in ("integrations", "notifications"):
        with closing(broker.bus("events").event_consumer(name)) as consumer:
            arrived = receive_all(consumer, 1)
            assert ids(arrived) == [paid.message_id]
            consumer.acknowledge(arrived)


def test_relay_sees_how_long_the_queues_are(broker: Broker) -> None:
    assert len(broker.bus("state_updater").queue_depths()) == 8


def test_tasks_travel_from_relay_and_beat_to_the_worker(broker: Broker) -> None:
    for user in ("state_updater", "beat"):
        url = broker.url(user, TASKS_HOST)
        settings = TaskSettings(
            database_url=SecretStr("postgresql://nowhere/"), celery_broker_url=SecretStr(url)
        )
        CelerySender(settings).send("sweep", {})
    with _channel(broker.url("worker", TASKS_HOST)) as channel:
        found = [channel.basic_get(TASKS_QUEUE, auto_ack=True)[0] for _ in range(2)]
    assert all(found)


def test_migrate_finds_nothing_to_change_and_refuses_what_differs(broker: Broker) -> None:
    declare(broker.url("migrate"), billbus_topology())
    different = Topology((), (Queue(command_queue(0), {"x-queue-type": "quorum"}),), ())
    with pytest.raises(BusAway, match="406"):
        declare(broker.url("migrate"), different)


def test_operator_sends_a_dead_letter_back(broker: Broker, studio_id: UUID) -> None:
    dead = command(3, studio_id)
    with closing(broker.bus("cron").command_publisher()) as publisher:
        publisher.publish([dead])
    with closing(broker.bus("billing_consumer").command_consumer(0, 1)) as consumer:
        consumer.reject(receive_all(consumer, 1)[0], "test")
        while not list_dead_letters(broker.url("operator")):
            pass
        assert replay_dead_letter(broker.url("operator"), str(dead.message_id)) is not None
        consumer.acknowledge(receive_all(consumer, 1))


@pytest.mark.parametrize(
    ("user", "host", "queue"),
    [
        ("client_api", BUS_HOST, command_queue(0)),
        ("state_updater", BUS_HOST, command_queue(0)),
        ("events", BUS_HOST, command_queue(0)),
        ("billing_consumer", BUS_HOST, DEAD_COMMANDS_QUEUE),
        ("billing_consumer", BUS_HOST, "billbus.events.integrations"),
        ("operator", BUS_HOST, command_queue(0)),
        ("state_updater", TASKS_HOST, TASKS_QUEUE),
        ("beat", TASKS_HOST, TASKS_QUEUE),
    ],
)
def test_nobody_receives_what_is_not_for_him(broker: Broker, user: str, host: str, queue: str) -> None:
    with _channel(broker.url(user, host)) as channel, pytest.raises(ChannelClosedByBroker, match="403"):
        channel.basic_get(queue)


@pytest.mark.parametrize("user", ["client_api", "billing_consumer", "state_updater", "operator"])
def test_nobody_makes_or_removes_a_queue(broker: Broker, user: str) -> None:
    with _channel(broker.url(user)) as channel, pytest.raises(ChannelClosedByBroker, match="403"):
        channel.queue_declare("billbus.commands.9", durable=True)
    with _channel(broker.url(user)) as channel, pytest.raises(ChannelClosedByBroker, match="403"):
        channel.queue_delete(command_queue(0))


@pytest.mark.parametrize(("user", "host"), [("client_api", TASKS_HOST), ("beat", BUS_HOST)])
def test_nobody_enters_a_virtual_host_that_is_not_his(broker: Broker, user: str, host: str) -> None:
    with pytest.raises(ProbableAccessDeniedError, match="530"), _channel(broker.url(user, host)):
        pass


def refusal_of(bus: RabbitBus) -> str:
    """What a consumer of commands ends with."""
    with closing(bus.command_consumer(0, 1)) as consumer, pytest.raises(BusRefused) as caught:
        consumer.receive(1, ANSWER_SECONDS_MAX)
    return str(caught.value)


def test_consumer_without_the_right_to_its_queue_ends_with_a_sentence(broker: Broker) -> None:
    refusal = refusal_of(broker.bus("events"))
    assert refusal.startswith("RabbitMQ refuses events: 403 ACCESS_REFUSED - access to queue 'billbus.comm")


def test_consumer_with_a_wrong_password_or_host_ends_with_a_sentence(broker: Broker) -> None:
    wrong = RabbitBus(broker.url("billing_consumer", password="wrong"), "billing_consumer")
    assert "refuses billing_consumer: 403 ACCESS_REFUSED - Login was refused" in refusal_of(wrong)
    elsewhere = RabbitBus(broker.url("billing_consumer", TASKS_HOST), "billing_consumer")
    assert "530 NOT_ALLOWED - access to vhost" in refusal_of(elsewhere)


def test_consumer_that_finds_no_queue_and_may_not_make_it_ends_with_a_sentence(broker: Broker) -> None:
    lost = command_queue(6)
    with _channel(broker.url("migrate")) as channel:
        channel.queue_delete(lost)
    try:
        assert f"404 NOT_FOUND - no queue '{lost}'" in refusal_of(broker.bus("billing_consumer"))
    finally:
        declare(broker.url("migrate"), billbus_topology())


def test_consumer_whose_queue_goes_while_it_works_waits_until_people_make_it(
    broker: Broker, studio_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    late = command(2, studio_id)
    with (
        closing(broker.bus("billing_consumer").command_consumer(0, 1)) as consumer,
        closing(broker.bus("cron").command_publisher()) as publisher,
    ):
        publisher.publish([command(0, studio_id)])
        consumer.acknowledge(receive_all(consumer, 1))
        with _channel(broker.url("migrate")) as channel:
            channel.queue_delete(command_queue(2))
        assert consumer.receive(1, 3.0) == []
        tries = [one for one in caplog.records if "could not be made again" in one.getMessage()]
        assert 1 <= len(tries) <= 6, "it tries hotly, or not at all"
        declare(broker.url("migrate"), billbus_topology())
        publisher.publish([late])
        arrived = receive_all(consumer, 1)
        assert ids(arrived) == [late.message_id]
        consumer.acknowledge(arrived)


@contextmanager
def _channel(url: str) -> Iterator[BlockingChannel]:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        yield connection.channel()
