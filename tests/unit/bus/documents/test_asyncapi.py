"""The document is whole: what it refers to is there, and it says of the bus what the bus is."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from bus.documents.asyncapi import document
from bus.events import EVENTS
from bus.messages import COMMANDS, PARTITION_COUNT
from bus.port import SUBSCRIPTIONS
from bus.topology import EVENTS_EXCHANGE, billbus_topology

DOCUMENT: dict[str, Any] = document()


def references(node: object) -> Iterator[str]:
    """Every $ref below `node`."""
    match node:
        case {"$ref": str(target)}:
            yield target
        case dict():
            for value in node.values():
                yield from references(value)
        case list():
            for value in node:
                yield from references(value)


def found(reference: str) -> Any:
    """What a reference within the document leads to; raises KeyError."""
    node: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def addressed(channel: dict[str, Any]) -> set[str]:
    """The addresses that a channel's parameters make."""
    addresses = {channel["address"]}
    for name, parameter in channel.get("parameters", {}).items():
        addresses = {each.replace(f"{{{name}}}", value) for each in addresses for value in parameter["enum"]}
    return addresses


def messages_of(part: dict[str, Any]) -> set[str]:
    """The names of the messages of an operation."""
    return {reference.rpartition("/")[2] for reference in references(part["messages"])}


def test_it_is_an_asyncapi_3_document() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version", "description"} <= set(DOCUMENT["info"])
    assert set(DOCUMENT) == {
        "asyncapi", "info", "defaultContentType", "servers", "channels", "operations", "components",
    }  # fmt: skip


def test_every_reference_leads_somewhere_in_it() -> None:
    every = list(references(DOCUMENT))
    assert len(every) > 100
    assert all(reference.startswith("#/") and found(reference) is not None for reference in every)


def test_an_operation_names_messages_of_its_own_channel() -> None:
    for name, operation in DOCUMENT["operations"].items():
        channel = operation["channel"]["$ref"]
        assert all(
            reference.startswith(f"{channel}/messages/") for reference in references(operation["messages"])
        ), name


def test_names_of_messages_and_addresses_of_queues_are_unique() -> None:
    names = Counter(message["name"] for message in DOCUMENT["components"]["messages"].values())
    assert set(names) == {*COMMANDS, *EVENTS}
    assert set(names.values()) == {1}
    addresses = Counter(
        address for channel in DOCUMENT["channels"].values() for address in addressed(channel)
    )
    assert set(addresses.values()) == {1}


def test_its_channels_are_the_queues_of_the_topology_and_the_exchange_of_events() -> None:
    queues = {
        address
        for channel in DOCUMENT["channels"].values()
        if channel["bindings"]["amqp"]["is"] == "queue"
        for address in addressed(channel)
    }
    # What lies dead or unrouted is for nobody to consume.
    topology = billbus_topology()
    assert queues == {queue.name for queue in topology.queues if "x-dead-letter-exchange" in queue.arguments}
    events = DOCUMENT["channels"]["events"]
    exchange = events["bindings"]["amqp"]["exchange"]
    assert (exchange["name"], exchange["type"]) == (EVENTS_EXCHANGE, "topic")
    assert addressed(events) == set(EVENTS)
    assert len(addressed(DOCUMENT["channels"]["commands"])) == PARTITION_COUNT


def test_every_message_is_sent_and_received_by_somebody() -> None:
    operations = DOCUMENT["operations"].values()
    for action in ("send", "receive"):
        told = {name for one in operations if one["action"] == action for name in messages_of(one)}
        assert told == {*COMMANDS, *EVENTS}, action


@pytest.mark.parametrize("subscription", SUBSCRIPTIONS, ids=lambda one: one.consumer)
def test_a_subscription_receives_what_it_wants(subscription: Any) -> None:
    receives = DOCUMENT["operations"][f"{subscription.consumer}.receive_events"]
    assert messages_of(receives) == set(subscription.events)


def test_all_fields_of_a_payload_are_there_and_each_has_a_meaning() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if "properties" in schema and name != "Headers":
            assert schema["required"] == list(schema["properties"]), name
            assert all(field["description"] for field in schema["properties"].values()), name
