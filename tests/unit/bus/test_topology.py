"""The topology keeps the rules that a broker would only break at the worst moment."""

import pytest

from bus.messages import PARTITION_COUNT
from bus.port import Subscription
from bus.topology import (
    COMMANDS_EXCHANGE,
    DEAD_EXCHANGE,
    EVENTS_EXCHANGE,
    billbus_topology,
    command_queue,
    dead_letter_queues,
    definitions,
    event_queue,
    partitions_of,
)

LETTERS = Subscription("letters", ("invoice.paid", "invoice.opened"))
TOPOLOGY = billbus_topology((LETTERS,))
QUEUES = {queue.name: queue.arguments for queue in TOPOLOGY.queues}
WORKING_QUEUES = [*(command_queue(p) for p in range(PARTITION_COUNT)), event_queue("letters")]


@pytest.mark.parametrize("name", WORKING_QUEUES)
def test_no_working_queue_can_lose_a_message(name: str) -> None:
    arguments = QUEUES[name]
    assert arguments["x-queue-type"] == "quorum"
    assert arguments["x-dead-letter-strategy"] == "at-least-once"
    assert arguments["x-overflow"] == "reject-publish"
    assert int(arguments["x-delivery-limit"]) >= 100
    dead_letter_queue = arguments["x-dead-letter-routing-key"]
    assert arguments["x-dead-letter-exchange"] == DEAD_EXCHANGE
    assert (DEAD_EXCHANGE, dead_letter_queue) in {(one.exchange, one.queue) for one in TOPOLOGY.bindings}


def test_every_partition_has_its_queue_and_one_consumer_at_a_time() -> None:
    bound = {one.routing_key: one.queue for one in TOPOLOGY.bindings if one.exchange == COMMANDS_EXCHANGE}
    assert bound == {str(p): command_queue(p) for p in range(PARTITION_COUNT)}
    assert all(QUEUES[name]["x-single-active-consumer"] for name in bound.values())


def test_a_subscription_is_bound_to_its_events_and_to_no_other() -> None:
    bound = {one.routing_key for one in TOPOLOGY.bindings if one.queue == event_queue("letters")}
    assert bound == set(LETTERS.events)
    assert "x-single-active-consumer" not in QUEUES[event_queue("letters")]


def test_only_events_may_go_unrouted() -> None:
    having = {one.name for one in TOPOLOGY.exchanges if "alternate-exchange" in one.arguments}
    assert having == {EVENTS_EXCHANGE}


def test_every_binding_names_what_is_declared() -> None:
    exchanges = {one.name for one in TOPOLOGY.exchanges}
    assert {one.exchange for one in TOPOLOGY.bindings} <= exchanges
    assert {one.queue for one in TOPOLOGY.bindings} == set(QUEUES)
    assert set(dead_letter_queues((LETTERS,))) <= set(QUEUES)


@pytest.mark.parametrize("count", range(1, PARTITION_COUNT + 1))
def test_every_partition_has_exactly_one_owner(count: int) -> None:
    owned = [partition for index in range(count) for partition in partitions_of(index, count)]
    assert sorted(owned) == list(range(PARTITION_COUNT))


def test_definitions_name_everything_in_the_virtual_host() -> None:
    written = definitions(TOPOLOGY, "billing")
    assert [one["name"] for one in written["queues"]] == list(QUEUES)
    assert len(written["bindings"]) == len(TOPOLOGY.bindings)
    assert {one["vhost"] for kind in written.values() for one in kind} == {"billing"}
    assert all(one["durable"] for one in [*written["exchanges"], *written["queues"]])
