"""What is told of messages is true: examples can be read, and who is said to send them does."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from bus.documents.catalog import Described, described, type_text
from bus.documents.fields import EXAMPLES_OF, FIELDS
from bus.documents.words import EVENT_MEANINGS, PROCESSES, SENDERS
from bus.events import EVENTS, decode_event
from bus.messages import COMMANDS, CancellationTier, ExtraWanted, InvoiceLine, Offer, decode_command
from bus.port import SUBSCRIPTIONS

ROOT = Path(__file__).resolve().parents[4]
ROOMS = {
    # Its routes of bookings have a room of their own.
    "client_api": ("client_api", "booking"),
    "admin_api": ("admin_api",),
    "worker": ("state_updater/tasks",),
    "cron": ("cron",),
    "cli": ("cli",),
}


def made_in(rooms: Sequence[str]) -> Iterator[str]:
    """Names of the commands that the rooms' code makes."""
    for file in (file for room in rooms for file in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in COMMANDS:
                yield node.func.id


def test_every_message_is_described_once() -> None:
    assert [one.name for one in described()] == [*COMMANDS, *EVENTS]
    assert set(EVENT_MEANINGS) == set(EVENTS)
    assert all(one.meaning.endswith((".", ")")) for one in described())


@pytest.mark.parametrize("one", described(), ids=lambda one: one.name)
def test_its_example_can_be_read(one: Described) -> None:
    decode = decode_command if one.kind == "command" else decode_event
    message = decode(one.name, one.schema_version, orjson.dumps(one.example))
    assert set(one.example) == set(type(message).model_fields)


def test_every_field_has_a_meaning_and_no_meaning_is_of_nothing() -> None:
    models = (*COMMANDS.values(), *EVENTS.values(), InvoiceLine, Offer, ExtraWanted, CancellationTier)
    assert {name for model in models for name in model.model_fields} == set(FIELDS)
    assert all(name in {*COMMANDS, *EVENTS} for name in EXAMPLES_OF)


@pytest.mark.parametrize("process", SENDERS)
def test_a_process_sends_what_it_is_said_to_send(process: str) -> None:
    assert set(made_in(ROOMS[process])) == set(SENDERS[process])


def test_every_command_is_sent_by_somebody_and_every_process_has_its_purpose() -> None:
    assert {name for names in SENDERS.values() for name in names} == set(COMMANDS)
    named = {process for one in described() for process in (*one.senders, *one.receivers)}
    assert named == set(PROCESSES)
    assert {one.consumer for one in SUBSCRIPTIONS} <= named


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string", "format": "uuid"}, "uuid"),
        ({"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}, "uuid or null"),
        ({"type": "integer", "exclusiveMinimum": 0, "maximum": 10_000}, "integer, 1 to 10 000"),
        ({"type": "string", "maxLength": 200}, "string, up to 200 characters"),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 9}, "array of integer, up to 9 items"),
        ({"enum": ["widget", "link"], "type": "string"}, '"widget" | "link"'),
        ({}, "any JSON value"),
    ],
)  # fmt: skip
def test_a_type_reads_as_a_few_words(schema: dict[str, object], text: str) -> None:
    assert type_text(schema) == text  # type: ignore[arg-type]
