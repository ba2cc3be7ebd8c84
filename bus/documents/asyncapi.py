"""The bus as an AsyncAPI 3.0 document, for machines and for tools that integrators have."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from pydantic import JsonValue

from bus.documents.catalog import CONSUMER, RELAY, SCHEMA_PLACE, Described, JsonObject, described, schemas
from bus.documents.fields import INVOICE_ID, STUDIO_ID
from bus.documents.words import DESCRIPTION, HEADERS, PROCESSES, SENDERS, TITLE
from bus.events import EVENTS
from bus.messages import PARTITION_COUNT
from bus.port import SUBSCRIPTIONS, Subscription
from bus.topology import COMMANDS_EXCHANGE, DEAD_COMMANDS_QUEUE, EVENTS_EXCHANGE, command_queue, event_queue

VERSION: Final = "1.0.0"
VIRTUAL_HOST: Final = "billbus"
BINDING_VERSION: Final = "0.3.0"
PERSISTENT: Final = 2
COMMANDS: Final = "commands"
EVENTS_CHANNEL: Final = "events"


@cache
def document() -> JsonObject:
    """The whole document. The same for the same code: nothing of a place or a time is in it."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": TITLE, "version": VERSION, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {
            "rabbitmq": {
                "host": "rabbitmq:5672",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "pathname": f"/{VIRTUAL_HOST}",
                "description": "The broker of the installation. Quorum queues, publisher confirms.",
                "security": [
                    {"type": "userPassword", "description": "A user with the rights of its service."}
                ],
            }
        },
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": {one.name: _message(one) for one in described()},
            "schemas": {**schemas(), "Headers": _headers()},
            "correlationIds": {
                "request": {
                    "description": "One id for everything that came of one request: the AMQP property "
                    "`correlation-id`, beside `message-id` and `type`.",
                    "location": "$message.header#/correlation_id",
                }
            },
        },
    }


# ------------------------------------------------------------------ channels


def _channels() -> JsonObject:
    return {
        COMMANDS: {
            "address": command_queue(0).replace("0", "{partition}"),
            "title": "Command queues",
            "description": f"Published to `{COMMANDS_EXCHANGE}` (direct) with the partition as routing key. "
            "All commands of one customer are in one partition, which has one consumer at a time. What cannot"
            f" be applied is parked in the journal; what no journal knows goes to `{DEAD_COMMANDS_QUEUE}`.",
            "parameters": {
                "partition": {
                    "enum": [str(number) for number in range(PARTITION_COUNT)],
                    "description": f"crc32 of the ids of studio and customer, modulo {PARTITION_COUNT}.",
                }
            },
            "messages": _references(one.name for one in described() if one.kind == "command"),
            "bindings": _queue_binding(command_queue(0).replace("0", "{partition}")),
        },
        EVENTS_CHANNEL: {
            "address": "{event}",
            "title": "Events by name",
            "description": f"The exchange `{EVENTS_EXCHANGE}` (topic); the routing key is the event's name. "
            "Bind a queue of your own: `invoice.*` are all events of invoices, `#` is everything.",
            "parameters": {"event": {"enum": list(EVENTS), "description": "The event's name."}},
            "messages": _references(EVENTS),
            "bindings": {
                "amqp": {
                    "is": "routingKey",
                    "exchange": {
                        "name": EVENTS_EXCHANGE,
                        "type": "topic",
                        "durable": True,
                        "autoDelete": False,
                        "vhost": VIRTUAL_HOST,
                    },
                    "bindingVersion": BINDING_VERSION,
                }
            },
        },
        **{_channel_of(one): _subscription(one) for one in SUBSCRIPTIONS},
    }


def _channel_of(subscription: Subscription) -> str:
    return f"{EVENTS_CHANNEL}.{subscription.consumer}"


def _subscription(subscription: Subscription) -> JsonObject:
    queue = event_queue(subscription.consumer)
    purpose = PROCESSES[subscription.consumer].capitalize()
    return {
        "address": queue,
        "title": f"Queue of {subscription.consumer}",
        "description": f"{purpose}. Rejected events go to `{queue}.dead`.",
        "messages": _references(subscription.events),
        "bindings": _queue_binding(queue),
    }


def _queue_binding(name: str) -> JsonObject:
    queue: JsonObject = {
        "name": name,
        "durable": True,
        "exclusive": False,
        "autoDelete": False,
        "vhost": VIRTUAL_HOST,
    }
    return {"amqp": {"is": "queue", "queue": queue, "bindingVersion": BINDING_VERSION}}


def _references(names: Iterable[str]) -> JsonObject:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


# ------------------------------------------------------------------ operations


def _operations() -> JsonObject:
    commands = [one.name for one in described() if one.kind == "command"]
    sending = {
        f"{process}.send_commands": _operation("send", COMMANDS, process, names)
        for process, names in SENDERS.items()
    }
    receiving = {
        f"{one.consumer}.receive_events": _operation("receive", _channel_of(one), one.consumer, one.events)
        for one in SUBSCRIPTIONS
    }
    return {
        **sending,
        f"{CONSUMER}.receive_commands": _operation("receive", COMMANDS, CONSUMER, commands),
        f"{RELAY}.send_events": _operation("send", EVENTS_CHANNEL, RELAY, EVENTS),
        **receiving,
    }


def _operation(action: str, channel: str, process: str, names: Iterable[str]) -> JsonObject:
    """What is sent is persistent, and a command must reach a queue; what is received is acknowledged."""
    binding: JsonObject = (
        {"deliveryMode": PERSISTENT, "mandatory": channel == COMMANDS} if action == "send" else {"ack": True}
    )
    references: list[JsonValue] = [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "title": process,
        "summary": f"{PROCESSES[process].capitalize()}.",
        "messages": references,
        "bindings": {"amqp": {**binding, "bindingVersion": BINDING_VERSION}},
    }


# ------------------------------------------------------------------ messages


def _message(one: Described) -> JsonObject:
    tags: list[JsonValue] = [{"name": tag} for tag in (one.kind, *(["error"] if one.is_error else []))]
    return {
        "name": one.name,
        "title": one.name,
        "summary": one.meaning,
        "tags": tags,
        "headers": {"$ref": f"{SCHEMA_PLACE}Headers"},
        "correlationId": {"$ref": "#/components/correlationIds/request"},
        "payload": {"$ref": f"{SCHEMA_PLACE}{one.schema}"},
        "bindings": {"amqp": {"messageType": one.name, "bindingVersion": BINDING_VERSION}},
        "examples": [{"headers": example_headers(one), "payload": one.example}],
    }


def _headers() -> JsonObject:
    types: Mapping[str, JsonObject] = {"schema_version": {"type": "integer"}}
    text: JsonObject = {"type": "string", "format": "uuid"}
    return {
        "type": "object",
        "description": "Headers of every message.",
        "properties": {
            name: {**types.get(name, text), "description": meaning} for name, meaning in HEADERS.items()
        },
        "required": ["studio_id", "schema_version"],
    }


def example_headers(one: Described) -> JsonObject:
    """Headers as they come with `one.example`."""
    return {"studio_id": STUDIO_ID, "schema_version": one.schema_version, "causation_id": INVOICE_ID}
