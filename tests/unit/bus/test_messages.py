"""Messages: what travels comes back the same, and what is wrong is named before anybody acts on it."""

from collections import Counter
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.events import EVENTS, decode_event
from bus.messages import (
    AMOUNT_LIMIT_MINOR,
    BODY_LIMIT_BYTES,
    COMMANDS,
    LINES_LIMIT,
    PARTITION_COUNT,
    Command,
    decode_command,
    encode,
)
from kit.errors import InvalidMessage
from kit.ids import new_id
from state_updater.handlers import HANDLERS

ID = UUID(int=7)
LINE = {"description": "Репетиция", "quantity": 2, "unit_amount_minor": 149_000}
# Values for fields that are not ids.
FIELDS: dict[str, Any] = {
    "metadata": {"note": ["a", None, {"b": 1}]},
    "lines": [LINE],
    "reason": "так вышло",
    "method": "widget",
    "return_url": "https://studio.example/done",
    "outcome": "succeeded",
    "transaction_id": "1",
    "payment_transaction_id": "1",
    "provider_refund_id": "2",
    "amount_minor": 149_000,
    "currency": "RUB",
    "redirect_url": "https://pay.example/1",
    "decline_code": "5051",
    "decline_category": "soft",
    "card_mask": "411111******1111",
    "origin": "customer",
    "at_period_end": True,
    "period_start": "2026-01-31T10:00:00Z",
    "offer": {
        "hall_id": str(ID),
        "starts_at": "2026-11-28T09:00:00Z",
        "ends_at": "2026-11-28T11:00:00Z",
        "people": 4,
        "extras": [{"extra_id": str(ID), "quantity": 2}],
        "lines": [LINE],
        "terms": [{"hours_before": 24, "refund_percent": 50}],
    },
    "payment": "online",
    "refund_percent": None,
    "starts_at": "2026-11-28T09:00:00Z",
    "ends_at": "2026-11-28T11:00:00Z",
}


# Commands for which a field cannot be what it is for the others.
EXCEPTIONS: dict[str, dict[str, Any]] = {
    "RetryLookUp": {"refund_id": None},
    "CompleteBooking": {"origin": "clock"},
}


def _body(name: str) -> dict[str, Any]:
    body = {field: FIELDS.get(field, str(ID)) for field in COMMANDS[name].model_fields}
    return body | EXCEPTIONS.get(name, {})


def _code(name: str, body: bytes, version: int = 1) -> str:
    with pytest.raises(InvalidMessage) as invalid:
        decode_command(name, version, body)
    assert invalid.value.facts["kind"] == name
    assert invalid.value.facts["schema_version"] == version
    return invalid.value.code


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_comes_back_as_it_was_sent(name: str) -> None:
    command = COMMANDS[name].model_validate_json(orjson.dumps(_body(name)))
    assert decode_command(name, 1, encode(command)) == command
    assert encode(decode_command(name, 1, encode(command))) == encode(command)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_field_is_refused(name: str) -> None:
    assert _code(name, orjson.dumps(_body(name) | {"surprise": 1})) == "unreadable_message"


@pytest.mark.parametrize("name", COMMANDS)
def test_another_version_is_not_guessed_at(name: str) -> None:
    assert _code(name, orjson.dumps(_body(name)), version=2) == "unknown_message"
    assert _code(name, orjson.dumps(_body(name)), version=0) == "unknown_message"


@pytest.mark.parametrize("name", ["", "Command", "createsubscription", "invoice.paid", "__class__"])
def test_an_unknown_name_is_refused(name: str) -> None:
    assert _code(name, b"{}") == "unknown_message"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"studio_id": 1}', b"[" * 5000])
def test_what_is_no_message_is_named_so(body: bytes) -> None:
    assert _code("VoidInvoice", body) == "unreadable_message"


def test_an_oversize_body_is_not_even_read() -> None:
    assert _code("VoidInvoice", b" " * (BODY_LIMIT_BYTES + 1)) == "oversize_message"


@pytest.mark.parametrize(
    "amount", [0, -1, AMOUNT_LIMIT_MINOR + 1, 10**30, 1.0, 1.5, "149000", True, None, [], 2**63]
)
def test_an_amount_is_a_positive_bounded_integer(amount: object) -> None:
    assert (
        _code("RequestRefund", orjson_big(_body("RequestRefund") | {"amount_minor": amount}))
        == "unreadable_message"
    )


def orjson_big(body: dict[str, Any]) -> bytes:
    """orjson writes no number beyond 64 bits."""
    amount = body["amount_minor"]
    if isinstance(amount, int) and amount > 2**63:
        return orjson.dumps(body | {"amount_minor": "@"}).replace(b'"@"', str(amount).encode())
    return orjson.dumps(body)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("IssueInvoice", "lines", []),
        ("IssueInvoice", "lines", [LINE] * (LINES_LIMIT + 1)),
        ("IssueInvoice", "lines", [LINE | {"quantity": 0}]),
        ("IssueInvoice", "lines", [LINE | {"tax": 1}]),
        ("StartPayment", "method", "cash"),
        ("StartPayment", "customer_id", None),
        ("StartPayment", "return_url", "x" * 2001),
        ("RecordPaymentOutcome", "outcome", "failed"),
        ("RecordPaymentOutcome", "currency", "rub"),
        ("RecordPaymentOutcome", "currency", "RUB "),
        ("RequestRefund", "reason", ""),
        ("RequestRefund", "origin", "provider"),
        ("RecordRefundOutcome", "outcome", "pending"),
        ("CreateSubscription", "metadata", {str(number): 1 for number in range(21)}),
        ("CreateSubscription", "studio_id", "not an id"),
        ("HoldBooking", "offer", FIELDS["offer"] | {"people": 0}),
        ("HoldBooking", "offer", FIELDS["offer"] | {"starts_at": "2026-11-28T09:00:00"}),
        ("HoldBooking", "offer", FIELDS["offer"] | {"ends_at": "2026-11-28T09:00:00Z"}),
        ("RescheduleBooking", "offer", FIELDS["offer"] | {"lines": []}),
        ("RescheduleBooking", "offer", FIELDS["offer"] | {"extras": [{"extra_id": str(ID), "quantity": 0}]}),
        ("CancelBooking", "refund_percent", 101),
        ("CompleteBooking", "origin", "customer"),
    ],
)
def test_a_field_out_of_its_range_is_refused_by_name(name: str, field: str, value: object) -> None:
    with pytest.raises(InvalidMessage) as invalid:
        decode_command(name, 1, orjson.dumps(_body(name) | {field: value}))
    assert any(str(path).startswith(field) for path in invalid.value.facts["fields"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("named", [{"attempt_id": None}, {"refund_id": str(ID)}])
def test_a_look_up_names_one_thing(named: dict[str, Any]) -> None:
    assert _code("RetryLookUp", orjson.dumps(_body("RetryLookUp") | named)) == "unreadable_message"


def test_only_staff_gives_back_what_the_terms_do_not() -> None:
    waived = _body("CancelBooking") | {"refund_percent": 100}
    assert _code("CancelBooking", orjson.dumps(waived)) == "unreadable_message"
    assert decode_command("CancelBooking", 1, orjson.dumps(waived | {"origin": "staff"}))


def test_a_hall_is_closed_for_a_time_that_lasts() -> None:
    at_once = _body("BlockHall") | {"ends_at": "2026-11-28T09:00:00Z"}
    assert _code("BlockHall", orjson.dumps(at_once)) == "unreadable_message"


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_instant_that_no_row_could_hold_is_refused(at: str) -> None:
    event = {"studio_id": str(ID), "customer_id": None, "subscription_id": str(ID), "occurred_at": at}
    with pytest.raises(InvalidMessage, match="occurred_at"):
        decode_event("subscription.ending", 1, orjson.dumps(event))
    assert _code("RenewSubscription", orjson.dumps(_body("RenewSubscription") | {"period_start": at})) != ""


def test_a_refused_message_does_not_repeat_what_it_held() -> None:
    with pytest.raises(InvalidMessage) as invalid:
        decode_command(
            "StartPayment", 1, orjson.dumps(_body("StartPayment") | {"return_url": 5, "secret": "s3cret"})
        )
    assert "s3cret" not in str(invalid.value)


@given(st.uuids(), st.uuids())
def test_all_commands_of_a_customer_are_in_one_partition(studio_id: UUID, customer_id: UUID) -> None:
    bodies = [
        _body(name) | {"studio_id": str(studio_id), "customer_id": str(customer_id)} for name in COMMANDS
    ]
    commands = [
        COMMANDS[name].model_validate_json(orjson.dumps(body))
        for name, body in zip(COMMANDS, bodies, strict=True)
    ]
    partitions = {command.partition for command in commands}
    assert len(partitions) == 1
    assert partitions < set(range(PARTITION_COUNT))


def test_customers_spread_over_all_partitions() -> None:
    studio_id = new_id()
    counts = Counter(Command(studio_id=studio_id, customer_id=new_id()).partition for _ in range(800))
    assert set(counts) == set(range(PARTITION_COUNT))
    assert max(counts.values()) < 200


def test_every_command_has_a_handler_and_every_handler_a_command() -> None:
    assert set(HANDLERS) == set(COMMANDS)


def test_every_message_names_its_studio() -> None:
    assert all("studio_id" in message.model_fields for message in [*COMMANDS.values(), *EVENTS.values()])
