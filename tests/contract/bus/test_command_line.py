"""What ops see and do from the command line, on both transports."""

from contextlib import closing
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner, Result

from bus.port import Consumer, Delivery
from bus.topology import command_queue
from cli.bus import group
from tests.contract.bus.test_contract import ids, receive_all
from tests.contract.bus.test_rabbit import settled_dead_letters
from tests.contract.bus.transports import EmbeddedTransport, RabbitTransport, command, event

pytestmark = pytest.mark.slow


def bus_command(*words: str, database_url: str, amqp_url: str | None = None) -> Result:
    return CliRunner().invoke(group, words, env={"DATABASE_URL": database_url, "AMQP_URL": amqp_url})


def rejected(consumer: Consumer) -> Delivery:
    [delivery] = receive_all(consumer, 1)
    consumer.reject(delivery, "cannot be read")
    return delivery


def test_topology_names_every_queue_and_declares_on_request(
    rabbit_transport: RabbitTransport, embedded_transport: EmbeddedTransport
) -> None:
    database_url = embedded_transport.database_url
    shown = bus_command("topology", database_url=database_url)
    assert shown.exit_code == 0
    assert all(command_queue(partition) in shown.output for partition in range(8))
    declared = bus_command(
        "topology", "--declare", database_url=database_url, amqp_url=rabbit_transport.amqp_url
    )
    assert declared.output.endswith("declared; every queue serves\n")


def test_declaring_without_a_broker_is_refused_with_a_sentence(embedded_transport: EmbeddedTransport) -> None:
    refused = bus_command("topology", "--declare", database_url=embedded_transport.database_url)
    assert refused.exit_code == 1
    assert "AMQP_URL is not set" in refused.output


def test_a_parked_command_is_listed_and_comes_again_under_its_id_when_replayed(
    embedded_transport: EmbeddedTransport, studio_id: UUID
) -> None:
    sent = command(3, studio_id)
    database_url = embedded_transport.database_url
    bus = embedded_transport.commands
    with closing(bus.command_publisher()) as publisher, closing(bus.command_consumer(0, 1)) as consumer:
        embedded_transport.send(publisher, [sent])
        rejected(consumer)
        listed = bus_command("parked", "list", database_url=database_url)
        assert str(sent.message_id) in listed.output
        assert "1 parked command, 0 dead letters" in listed.output
        replayed = bus_command("replay", str(sent.message_id), database_url=database_url)
        assert replayed.exit_code == 0, replayed.output
        assert ids(receive_all(consumer, 1)) == [sent.message_id]
    rows = embedded_transport.execute(
        "SELECT action, facts -> 'problem' ->> 'code' FROM audit WHERE subject_id = %s", sent.message_id
    )
    assert rows == [("command.replayed", "rejected")]


def test_a_dead_letter_is_listed_and_comes_again_under_its_id_when_replayed(
    rabbit_transport: RabbitTransport, embedded_transport: EmbeddedTransport, studio_id: UUID
) -> None:
    sent = command(3, studio_id)
    urls = {"database_url": embedded_transport.database_url, "amqp_url": rabbit_transport.amqp_url}
    bus = rabbit_transport.commands
    with closing(bus.command_publisher()) as publisher, closing(bus.command_consumer(0, 1)) as consumer:
        publisher.publish([sent])
        rejected(consumer)
        assert set(settled_dead_letters(rabbit_transport.amqp_url, 1)) == {str(sent.message_id)}
        assert str(sent.message_id) in bus_command("parked", "list", **urls).output
        replayed = bus_command("replay", "--dead-letter", str(sent.message_id), **urls)
        assert replayed.exit_code == 0, replayed.output
        assert ids(receive_all(consumer, 1)) == [sent.message_id]
    rows = embedded_transport.execute("SELECT action FROM audit WHERE subject_id = %s", sent.message_id)
    assert rows == [("dead_letter.replayed",)]


def test_a_parked_event_is_listed_and_comes_again_when_replayed_where_there_is_no_broker(
    embedded_transport: EmbeddedTransport, studio_id: UUID
) -> None:
    sent = event("invoice.paid", studio_id)
    sent_id, database_url = str(sent.message_id), embedded_transport.database_url
    bus = embedded_transport.events
    with (
        closing(bus.event_publisher()) as publisher,
        closing(bus.event_consumer("letters")) as consumer,
        closing(bus.event_consumer("bookkeeping")) as other,
    ):
        publisher.publish([sent])
        rejected(consumer)
        other.acknowledge(receive_all(other, 1))
        listed = bus_command("parked", "list", database_url=database_url)
        assert sent_id in listed.output
        assert "0 parked commands, 1 dead letter\n" in listed.output
        replayed = bus_command("replay", "--dead-letter", sent_id, database_url=database_url)
        assert replayed.output == f"{sent_id} is back with letters\n"
        assert ids(receive_all(consumer, 1)) == [sent.message_id]
        assert other.receive(1, 0.0) == []
    again = bus_command("replay", "--dead-letter", sent_id, database_url=database_url)
    assert (again.exit_code, again.output) == (1, f"There is no dead letter {sent_id}.\n")
    rows = embedded_transport.execute(
        "SELECT action, facts ->> 'kind' FROM audit WHERE subject_id = %s", sent.message_id
    )
    assert rows == [("dead_letter.replayed", "invoice.paid")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((str(uuid4()),), "There is no parked command"),
        (("--dead-letter", "nobody"), "There is no dead letter nobody"),
        ((), "Name one command"),
    ],
)
def test_what_is_not_there_is_refused_with_a_sentence(
    rabbit_transport: RabbitTransport,
    embedded_transport: EmbeddedTransport,
    words: tuple[str, ...],
    sentence: str,
) -> None:
    urls = {"database_url": embedded_transport.database_url, "amqp_url": rabbit_transport.amqp_url}
    refused = bus_command("replay", *words, **urls)
    assert refused.exit_code == 1
    assert sentence in refused.output


def test_the_password_of_the_broker_is_never_shown(embedded_transport: EmbeddedTransport) -> None:
    away = "amqp://billbus:very-secret-word@127.0.0.1:1/"
    refused = bus_command("parked", "list", database_url=embedded_transport.database_url, amqp_url=away)
    assert refused.exit_code == 1
    assert "very-secret-word" not in refused.output + repr(refused.exception)
