"""Every event that there is fits the index template: no field is guessed, none is left out."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from pydantic import BaseModel

from bus.events import ERRORS, EVENTS, Event
from integrations.search_index.documents import INDEX_PREFIX, document_of, fields_of, index_of
from integrations.search_index.indexer import TEMPLATE
from storage.event_log import LoggedEvent
from tests.unit.integrations.search_index.files import flat, mapping, template

AT = datetime(2026, 11, 30, 22, 15, 0, 250_000, tzinfo=UTC)
# In the document under other names, the same for every event.
SAID_ANYWAY = {"studio_id", "occurred_at"}
TYPES: dict[str, tuple[type, ...]] = {
    "keyword": (str,),
    "date": (str,),
    "long": (int,),
    "double": (float, int),
}


def sample(model: type[Event]) -> dict[str, object]:
    """A body with every field set, as JSON has it."""
    fields: dict[str, object] = {}
    for name, told in model.model_fields.items():
        if name.endswith("_id"):
            fields[name] = str(UUID(int=len(fields) + 1))
        elif name.endswith("_minor"):
            fields[name] = 450_000
        elif name.endswith("_at"):
            fields[name] = AT.isoformat()
        else:
            known = {"currency": "RUB", "channel": "email"}
            fields[name] = known.get(name, f"some {name}")
        assert told is not None
    return model.model_validate(fields).model_dump(mode="json")


def logged(kind: str, body: dict[str, object] | None = None, at: datetime = AT) -> LoggedEvent:
    return LoggedEvent(
        event_id=UUID(int=1),
        sequence=7,
        studio_id=UUID(int=2),
        kind=kind,
        is_error=kind in ERRORS,
        customer_id=UUID(int=3),
        subject_id=UUID(int=4),
        body=sample(EVENTS[kind]) if body is None else body,
        correlation_id="trace-1",
        occurred_at=at,
    )


@pytest.mark.parametrize("kind", EVENTS)
def test_every_field_of_every_event_is_in_the_template_with_its_type(kind: str) -> None:
    known = mapping(TEMPLATE)
    fields = dict(flat(document_of(logged(kind))))
    assert fields.keys() <= known.keys()
    for name, value in fields.items():
        assert isinstance(value, TYPES[known[name]]), name


@pytest.mark.parametrize("kind", EVENTS)
def test_no_field_of_an_event_is_left_out(kind: str) -> None:
    model: type[BaseModel] = EVENTS[kind]
    names = fields_of(kind)
    assert set(model.model_fields) <= names.keys() | SAID_ANYWAY
    fields = dict(flat(document_of(logged(kind))))
    body = sample(EVENTS[kind])
    assert {name: fields[names[name]] for name in body.keys() - SAID_ANYWAY} == {
        name: body[name] for name in body.keys() - SAID_ANYWAY
    }


def test_the_template_refuses_what_it_does_not_know_and_knows_nothing_unused() -> None:
    assert template(TEMPLATE)["template"]["mappings"]["dynamic"] == "strict"
    sent = {name for kind in EVENTS for name, _ in flat(document_of(logged(kind)))}
    assert mapping(TEMPLATE).keys() == sent
    assert template(TEMPLATE)["index_patterns"] == [f"{INDEX_PREFIX}*"]


def test_a_document_says_what_happened_to_whom_and_how_much() -> None:
    body: dict[str, object] = {
        "studio_id": str(UUID(int=2)),
        "customer_id": str(UUID(int=3)),
        "occurred_at": AT.isoformat(),
        "attempt_id": str(UUID(int=4)),
        "invoice_id": str(UUID(int=5)),
        "amount_minor": 450_050,
        "currency": "RUB",
    }
    assert document_of(logged("payment.succeeded", body)) == {
        "@timestamp": "2026-11-30T22:15:00.250000+00:00",
        "ecs": {"version": "9.0.0"},
        "event": {
            "id": str(UUID(int=1)),
            "kind": "event",
            "dataset": "billbus.events",
            "action": "payment.succeeded",
            "sequence": 7,
        },
        "trace": {"id": "trace-1"},
        "studio": {"id": str(UUID(int=2))},
        "customer": {"id": str(UUID(int=3))},
        "subject": {"id": str(UUID(int=4))},
        "attempt": {"id": str(UUID(int=4))},
        "invoice": {"id": str(UUID(int=5))},
        "amount_minor": 450_050,
        "amount": 4500.5,
        "currency": "RUB",
    }


def test_the_sum_of_a_booking_is_not_taken_for_an_invoice() -> None:
    document = dict(flat(document_of(logged("booking.confirmed"))))
    assert document["booking.total_minor"] == 450_000
    assert document["booking.starts_at"] == "2026-11-30T22:15:00.250000Z"
    assert "invoice.total_minor" not in document
    assert "booking.total_minor" not in dict(flat(document_of(logged("invoice.paid"))))


@pytest.mark.parametrize(("currency", "amount"), [("JPY", 450_050), ("RUB", 4500.5), ("KWD", 450.05)])
def test_an_amount_has_the_digits_of_its_currency(currency: str, amount: float) -> None:
    document = document_of(logged("payment.succeeded", {"amount_minor": 450_050, "currency": currency}))
    assert document["amount"] == amount


def test_errors_say_that_they_are() -> None:
    document = dict(flat(document_of(logged("command.parked"))))
    assert document["event.outcome"] == "failure"
    assert document["error.code"] == "some code"
    assert "event.outcome" not in dict(flat(document_of(logged("payment.failed"))))


def test_what_nobody_knows_and_what_is_new_is_left_out_and_breaks_nothing() -> None:
    document = document_of(
        logged("payment.unapplied", {"customer_id": None, "brand_new": {"a": 1}, "amount_minor": "x"})
    )
    assert {name for name, _ in flat(document)} <= mapping(TEMPLATE).keys()
    assert "customer" not in document


def test_the_month_is_that_of_the_event_in_utc() -> None:
    moscow = timezone(timedelta(hours=3))
    assert index_of(logged("invoice.paid", at=AT.astimezone(moscow))) == "billing-events-2026.11"
    assert (
        index_of(logged("invoice.paid", at=datetime(2026, 12, 1, 3, tzinfo=moscow)))
        == "billing-events-2026.12"
    )
