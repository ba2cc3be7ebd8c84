"""Every machine against the design's tables: each state and trigger, allowed or refused."""

import re
from pathlib import Path

import pytest

from billing.invoices import INVOICE, SETTLED, InvoiceSums, allowed_actions
from billing.payments import ANSWERABLE, IN_FLIGHT, LIVE, PAYMENT
from billing.payments import TRIGGER_OF_OUTCOME as PAYMENT_OUTCOMES
from billing.refunds import REFUND, RESERVING, WITHDRAWABLE
from billing.refunds import TRIGGER_OF_OUTCOME as REFUND_OUTCOMES
from bus.messages import RecordPaymentOutcome, RecordRefundOutcome
from kit.errors import GuardRefused, TransitionRefused
from kit.machine import NOWHERE, Machine
from state_updater.machines import MACHINES

MIGRATIONS = sorted((Path(__file__).parents[3] / "models/migrations/versions").glob("*.sql"))

# (state, trigger) -> state that is reached. What is not here is refused.
DESIGNED: dict[str, dict[tuple[str, str], str]] = {
    "invoice": {
        ("", "draw"): "draft",
        ("draft", "open"): "open",
        ("draft", "void"): "void",
        ("open", "void"): "void",
        ("open", "expire"): "expired",
        ("open", "pay"): "paid",
        ("paid", "refund"): "partially_refunded",
        ("partially_refunded", "refund"): "partially_refunded",
    },
    "payment": {
        ("", "create"): "intent",
        ("intent", "send"): "sent",
        ("intent", "offer_page"): "requires_action",
        ("intent", "cancel"): "canceled",
        ("requires_action", "cancel"): "canceled",
        ("sent", "require_action"): "requires_action",
        ("sent", "wait"): "pending",
        ("sent", "succeed"): "succeeded",
        ("sent", "decline"): "declined",
        ("sent", "fail_to_send"): "not_sent",
        ("sent", "lose_answer"): "unknown",
        ("requires_action", "wait"): "pending",
        ("requires_action", "succeed"): "succeeded",
        ("requires_action", "decline"): "declined",
        ("requires_action", "fail_to_send"): "not_sent",
        ("requires_action", "lose_answer"): "unknown",
        ("pending", "require_action"): "requires_action",
        ("pending", "succeed"): "succeeded",
        ("pending", "decline"): "declined",
        ("pending", "fail_to_send"): "not_sent",
        ("pending", "lose_answer"): "unknown",
        ("unknown", "require_action"): "requires_action",
        ("unknown", "wait"): "pending",
        ("unknown", "succeed"): "succeeded",
        ("unknown", "decline"): "declined",
        ("unknown", "fail_to_send"): "not_sent",
        ("declined", "succeed"): "succeeded",
        ("canceled", "succeed"): "succeeded",
        ("not_sent", "succeed"): "succeeded",
    },
    "refund": {
        ("", "request"): "requested",
        ("", "record"): "succeeded",
        ("requested", "approve"): "approved",
        ("requested", "reject"): "rejected",
        ("requested", "withdraw"): "withdrawn",
        ("approved", "withdraw"): "withdrawn",
        ("approved", "send"): "sent",
        ("sent", "succeed"): "succeeded",
        ("sent", "decline"): "declined",
        ("sent", "lose_answer"): "unknown",
        ("unknown", "succeed"): "succeeded",
        ("unknown", "decline"): "declined",
        ("declined", "succeed"): "succeeded",
    },
    "subscription": {
        ("", "create"): "incomplete",
        ("incomplete", "activate"): "active",
        ("incomplete", "cancel"): "canceled",
        ("active", "change"): "active",
        ("active", "renew"): "active",
        ("active", "let_end"): "active",
        ("active", "cancel"): "canceled",
    },
    "booking": {
        ("", "hold"): "held",
        ("held", "check_out"): "awaiting_payment",
        ("held", "confirm"): "confirmed",
        ("held", "expire"): "expired",
        ("held", "cancel"): "canceled",
        ("awaiting_payment", "confirm"): "confirmed",
        ("awaiting_payment", "expire"): "expired",
        ("awaiting_payment", "cancel"): "canceled",
        ("expired", "reinstate"): "confirmed",
        ("confirmed", "reschedule"): "confirmed",
        ("confirmed", "complete"): "completed",
        ("confirmed", "mark_no_show"): "no_show",
        ("confirmed", "cancel"): "canceled",
    },
}
# Facts under which every guard of a first row holds; only invoices have guards.
OPENING = {"pay": InvoiceSums(100, 100, 0), "refund": InvoiceSums(100, 100, 40)}
CELLS = [
    (machine, state, trigger)
    for machine in MACHINES.values()
    for state in (NOWHERE, *machine.states)
    for trigger in sorted({trigger for trigger, _, _ in machine.edges()})
]


def _migrated_pairs(name: str) -> set[tuple[str, str]]:
    found = re.findall(r"\('(\w+)', '(\w*)', '(\w+)'\)", "".join(file.read_text() for file in MIGRATIONS))
    return {(source, dest) for machine, source, dest in found if machine == name}


@pytest.mark.parametrize(("machine", "state", "trigger"), CELLS)
def test_every_state_takes_exactly_the_triggers_of_the_design(
    machine: Machine, state: str, trigger: str
) -> None:
    reached = DESIGNED[machine.name].get((state, trigger))
    if reached is None:
        with pytest.raises(TransitionRefused):
            machine.step(state, trigger, OPENING.get(trigger))
    else:
        assert machine.step(state, trigger, OPENING.get(trigger)) == reached


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_the_migration_declares_what_the_table_declares(machine: Machine) -> None:
    assert _migrated_pairs(machine.name) == machine.pairs()


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_every_state_has_a_fate(machine: Machine) -> None:
    """It can be reached from nowhere, and it is left by some trigger or is named as an end."""
    ends = {
        "invoice": {"void", "expired", "refunded"},
        "payment": {"succeeded"},
        "refund": {"rejected", "withdrawn", "succeeded"},
        "subscription": {"canceled"},
        "booking": {"completed", "no_show", "canceled"},
    }[machine.name]
    reached, frontier = {NOWHERE}, [NOWHERE]
    while frontier:
        state = frontier.pop()
        following = {dest for source, dest in machine.pairs() if source == state} - reached
        reached |= following
        frontier.extend(following)
    assert reached == {NOWHERE, *machine.states}
    assert {state for state in machine.states if not machine.triggers_from(state)} == ends


def test_an_attempt_is_live_exactly_while_the_design_says_so() -> None:
    assert {"intent", "sent", "requires_action", "pending", "unknown"} == LIVE
    assert {"sent", "pending", "unknown"} == IN_FLIGHT
    assert set(ANSWERABLE) == LIVE - {"intent"}
    assert IN_FLIGHT < set(ANSWERABLE) < LIVE < set(PAYMENT.states)


def test_each_attempt_state_is_in_flight_or_may_be_canceled_or_is_over() -> None:
    cancelable = {state for state in PAYMENT.states if "cancel" in PAYMENT.triggers_from(state)}
    over = set(PAYMENT.states) - LIVE
    assert cancelable | IN_FLIGHT | over == set(PAYMENT.states)
    assert not cancelable & IN_FLIGHT
    assert cancelable | IN_FLIGHT == LIVE


def test_each_refund_state_reserves_or_is_over() -> None:
    assert {"requested", "approved", "sent", "unknown"} == RESERVING
    assert {state for state in REFUND.states if "withdraw" in REFUND.triggers_from(state)} == WITHDRAWABLE
    assert WITHDRAWABLE < RESERVING
    assert set(REFUND.states) - RESERVING == {"rejected", "withdrawn", "succeeded", "declined"}


def test_settled_invoices_are_those_that_money_has_reached() -> None:
    assert {
        state for state in INVOICE.states if state in {"paid", "partially_refunded", "refunded"}
    } == SETTLED


def test_the_unique_index_of_live_attempts_says_the_same() -> None:
    index = re.search(
        r"UNIQUE INDEX payment_attempt_live ON payment_attempt \(invoice_id\)\s+WHERE state IN \(([^)]*)\)",
        MIGRATIONS[0].read_text(),
    )
    assert index is not None
    assert set(re.findall(r"'(\w+)'", index[1])) == LIVE


@pytest.mark.parametrize(
    ("machine", "outcomes", "command"),
    [(PAYMENT, PAYMENT_OUTCOMES, RecordPaymentOutcome), (REFUND, REFUND_OUTCOMES, RecordRefundOutcome)],
)
def test_every_outcome_of_a_message_has_a_trigger(
    machine: Machine,
    outcomes: dict[str, str],
    command: type[RecordPaymentOutcome] | type[RecordRefundOutcome],
) -> None:
    assert set(outcomes) == set(command.model_fields["outcome"].annotation.__args__)  # type: ignore[union-attr]
    assert set(outcomes.values()) <= {trigger for trigger, _, _ in machine.edges()}


@pytest.mark.parametrize(
    ("state", "trigger", "sums", "reached"),
    [
        ("open", "pay", InvoiceSums(100, 99, 0), None),
        ("open", "pay", InvoiceSums(100, 101, 0), None),
        ("paid", "refund", InvoiceSums(100, 100, 0), None),
        ("paid", "refund", InvoiceSums(100, 100, 100), "refunded"),
        ("paid", "refund", InvoiceSums(100, 100, 101), None),
        ("paid", "refund", InvoiceSums(100, 100, 1), "partially_refunded"),
        ("partially_refunded", "refund", InvoiceSums(100, 100, 100), "refunded"),
    ],
)
def test_invoice_guards_look_at_the_sums(
    state: str, trigger: str, sums: InvoiceSums, reached: str | None
) -> None:
    if reached is None:
        with pytest.raises(GuardRefused):
            INVOICE.step(state, trigger, sums)
    else:
        assert INVOICE.step(state, trigger, sums) == reached


@pytest.mark.parametrize("state", INVOICE.states)
def test_a_customer_may_pay_an_open_invoice_and_ask_back_what_was_paid(state: str) -> None:
    both = allowed_actions(state, payment_in_flight=False, refundable_minor=1)
    assert both == (
        ["pay"] if state == "open" else ["request_refund"] if state in SETTLED - {"refunded"} else []
    )
    assert allowed_actions(state, payment_in_flight=True, refundable_minor=0) == []
