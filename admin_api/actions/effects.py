"""What a command would do, told with what people know things by: sums, numbers, plans, cards.

Called by the rooms of actions before a person confirms. The updater's preview says which steps there would
be; here each step gets the facts that its sentence needs, of the row it is about or, for what would be made,
of the command. Nothing is written.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection, TextClause, text

from admin_api.actions.action import Effect, EffectLine
from billing.ledger import ACCOUNTS, Posting
from bus.messages import (
    CancelBooking,
    ChangeSubscription,
    Command,
    CreateSubscription,
    HoldBooking,
    RenewSubscription,
    RequestRefund,
    RescheduleBooking,
)
from kit.errors import Refused
from state_updater.preview import Preview, PreviewStep, preview

NOTHING: Final = EffectLine("nothing")
_POSTING_OF: Final = {accounts: posting.value for posting, accounts in ACCOUNTS.items()}
_ROWS: Final[dict[str, TextClause]] = {
    "booking": text("""
        SELECT hall.name AS hall, starts_at, ends_at, total_minor AS amount_minor, currency
        FROM booking JOIN hall ON hall.id = booking.hall_id WHERE booking.id = :id
    """),
    "invoice": text("SELECT number, total_minor AS amount_minor, currency FROM invoice WHERE id = :id"),
    "payment": text("SELECT amount_minor, currency FROM payment_attempt WHERE id = :id"),
    "refund": text("""
        SELECT r.amount_minor, r.currency, '•• ' || right(p.card_mask, 4) AS card
        FROM refund r LEFT JOIN provider_payment p ON p.id = r.provider_payment_id WHERE r.id = :id
    """),
    "subscription": text("""
        SELECT plan.name AS plan, price.amount_minor, price.currency
        FROM subscription s JOIN price ON price.id = s.price_id JOIN plan ON plan.id = price.plan_id
        WHERE s.id = :id
    """),
}
_HALL: Final = text("""
    SELECT hall.name AS hall, studio.currency FROM hall JOIN studio ON studio.id = hall.studio_id
    WHERE hall.id = :id
""")
_PRICE: Final = text("""
    SELECT plan.name AS plan, price.amount_minor, price.currency
    FROM price JOIN plan ON plan.id = price.plan_id WHERE price.id = :id
""")
_RECEIVED: Final = text("""
    SELECT currency, '•• ' || right(card_mask, 4) AS card FROM provider_payment WHERE id = :id
""")


def refused(no: Refused) -> Effect:
    """The effect of what would be refused."""
    return Effect(refusal={"code": no.code, **_plain(no.facts)})


def effect_of(connection: Connection, command: Command) -> Effect:
    """What the updater would do with `command`: steps of machines, sums that move, calls and news."""
    foreseen = preview(connection, command)
    if foreseen.refusal is not None:
        return Effect(refusal={"code": foreseen.refusal.code, **_plain(foreseen.refusal.facts)})
    steps = [
        _step_line(connection, command, foreseen, step)
        for step in foreseen.steps
        if not _is_announced(command, step)
    ]
    postings = [
        EffectLine(
            f"posting.{_POSTING_OF[posting.debit, posting.credit]}",
            {"amount_minor": posting.amount_minor, "currency": posting.currency},
        )
        for posting in foreseen.postings
    ]
    tasks = [EffectLine(f"task.{task}") for task in foreseen.tasks]
    events = [EffectLine("event", {"kind": kind}) for kind in foreseen.events]
    lines = (*steps, *postings, *tasks, *events)
    return Effect(lines or (NOTHING,))


def _is_announced(command: Command, step: PreviewStep) -> bool:
    """What a booking gives back is told as one sum, however many payments it goes back to."""
    return step.machine == "refund" and isinstance(command, CancelBooking | RescheduleBooking)


def _step_line(connection: Connection, command: Command, foreseen: Preview, step: PreviewStep) -> EffectLine:
    moved: dict[str, JsonValue] = {
        "id": str(step.aggregate_id),
        "from_state": step.from_state,
        "to_state": step.to_state,
    }
    facts = _facts_of(connection, command, foreseen, step)
    return EffectLine(f"step.{step.machine}.{step.trigger}", moved | facts)


def _facts_of(
    connection: Connection, command: Command, foreseen: Preview, step: PreviewStep
) -> dict[str, JsonValue]:
    match command:
        case CreateSubscription() | ChangeSubscription() if step.machine == "subscription":
            return _read(connection, _PRICE, command.price_id)
        case RenewSubscription() if step.machine == "subscription":
            return {**_read(connection, _ROWS["subscription"], step.aggregate_id), **_owed(foreseen)}
        case HoldBooking() | RescheduleBooking() if step.machine == "booking":
            return _offered(connection, command)
        case RequestRefund():
            return {"amount_minor": command.amount_minor, **_read(connection, _RECEIVED, command.payment_id)}
        case _ if step.machine == "invoice" and not step.from_state:
            return _owed(foreseen)
        case _:
            return _read(connection, _ROWS[step.machine], step.aggregate_id) or _owed(foreseen)


def _offered(connection: Connection, command: HoldBooking | RescheduleBooking) -> dict[str, JsonValue]:
    offer = command.offer
    return {
        **_read(connection, _HALL, offer.hall_id),
        "starts_at": offer.starts_at.isoformat(),
        "ends_at": offer.ends_at.isoformat(),
        "amount_minor": offer.total_minor,
    }


def _owed(foreseen: Preview) -> dict[str, JsonValue]:
    """The sum of an invoice that is not there yet is what its customer would owe."""
    opened = ACCOUNTS[Posting.INVOICE_OPENED]
    return next(
        (
            {"amount_minor": posting.amount_minor, "currency": posting.currency}
            for posting in foreseen.postings
            if (posting.debit, posting.credit) == opened
        ),
        {},
    )


def _read(connection: Connection, statement: TextClause, row_id: UUID) -> dict[str, JsonValue]:
    row = connection.execute(statement, {"id": row_id}).mappings().one_or_none()
    return _plain({name: value for name, value in row.items() if value is not None}) if row else {}


def _plain(facts: Mapping[str, object]) -> dict[str, JsonValue]:
    return {name: _json(value) for name, value in facts.items()}


def _json(value: object) -> JsonValue:
    match value:
        case int() | str():
            return value
        case datetime():
            return value.isoformat()
        case list() | tuple():
            return [_json(each) for each in value]
        case dict():
            return _plain(value)
        case _:
            return str(value)
