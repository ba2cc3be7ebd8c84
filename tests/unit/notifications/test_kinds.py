"""A message is sent only while what it says is so."""

from datetime import timedelta
from typing import Any

import pytest

from bus.events import EVENTS
from bus.port import SUBSCRIPTIONS
from notifications.kinds import KINDS, REMINDER_WAIT, VISIT_KINDS, Verdict, decide
from notifications.occasions import Occasion, Slot
from tests.unit.notifications.situations import (
    EXPIRES_AT,
    HALL_ID,
    HOLD_EXPIRES_AT,
    NOW,
    PERIOD_END,
    SLOT,
    TRUE,
    booking,
    occasion_of,
    situation,
    true_situation,
)

CHANGED_SINCE: list[tuple[str, str, dict[str, Any]]] = [
    ("renewal", "invoice_paid", {"invoice": {"state": "paid"}}),
    ("renewal", "invoice_expired", {"invoice": {"state": "expired"}}),
    ("renewal", "subscription_ending", {"subscription": {"is_ending": True}}),
    ("renewal", "subscription_not_active", {"subscription": {"state": "canceled"}}),
    ("renewal", "period_moved", {"subscription": {"period_end": PERIOD_END + timedelta(days=30)}}),
    ("renewal", "period_over", {"studio": {"now": PERIOD_END}}),
    ("renewal", "told_again_since", {"has_newer_message": True}),
    ("period_end", "subscription_goes_on", {"subscription": {"is_ending": False}}),
    ("period_end", "subscription_not_active", {"subscription": {"state": "canceled"}}),
    ("invoice_issued", "invoice_paid", {"invoice": {"state": "paid"}}),
    ("invoice_issued", "invoice_void", {"invoice": {"state": "void"}}),
    ("invoice_issued", "invoice_too_late", {"studio": {"now": EXPIRES_AT}}),
    ("invoice_issued", "told_by_reminder", {"invoice": {"is_told_by_reminder": True}}),
    ("payment_succeeded", "payment_not_received", {"payment": None}),
    ("payment_failed", "payment_succeeded", {"attempt": {"state": "succeeded"}}),
    ("payment_failed", "tried_again", {"attempt": {"state": "declined", "has_newer": True}}),
    ("payment_failed", "invoice_paid", {"invoice": {"state": "paid"}}),
    ("refund", "refund_not_made", {"refund": {"state": "declined"}}),
    ("subscription_started", "subscription_ending", {"subscription": {"is_ending": True}}),
    ("subscription_started", "subscription_not_active", {"subscription": {"state": "canceled"}}),
    ("subscription_ended", "never_began", {"subscription": {"state": "canceled", "period_start": None}}),
    ("subscription_ended", "subscription_not_canceled", {"subscription": {"state": "active"}}),
    ("invoice_issued", "told_with_booking", {"booking": booking()}),
    ("payment_succeeded", "told_with_booking", {"booking": booking(), "payment": {"is_applied": False}}),
    ("booking_created", "booking_confirmed", {"booking": {"state": "confirmed"}}),
    ("booking_created", "booking_canceled", {"booking": {"state": "canceled"}}),
    ("booking_created", "hold_nearly_over", {"studio": {"now": HOLD_EXPIRES_AT - timedelta(seconds=59)}}),
    ("booking_confirmed", "booking_canceled", {"booking": {"state": "canceled"}}),
    ("booking_confirmed", "rescheduled", {"booking": {"slot": Slot(HALL_ID, SLOT.starts_at, NOW)}}),
    ("booking_confirmed", "booking_over", {"studio": {"now": SLOT.ends_at}}),
    ("booking_rescheduled", "booking_no_show", {"booking": {"state": "no_show"}}),
    ("booking_rescheduled", "told_again_since", {"has_newer_message": True}),
    ("booking_cancelled", "booking_confirmed", {"booking": {"state": "confirmed"}}),
    ("booking_expired", "booking_canceled", {"booking": {"state": "canceled"}}),
    ("booking_expired", "booking_confirmed", {"booking": {"state": "confirmed"}}),
    ("booking_expired", "booked_again", {"booking": {"has_successor": True}}),
    ("booking_money_late", "payment_applied", {"payment": {"is_applied": True}}),
    ("booking_money_late", "not_of_a_booking", {"booking": None}),
    ("booking_reminder", "booking_begun", {"studio": {"now": SLOT.starts_at}}),
    ("booking_reminder", "booking_canceled", {"booking": {"state": "canceled"}}),
    ("booking_reminder", "rescheduled", {"booking": {"slot": Slot(HALL_ID, NOW, SLOT.ends_at)}}),
    ("booking_rating", "booking_no_show", {"booking": {"state": "no_show"}}),
    ("booking_rating", "rescheduled", {"booking": {"slot": Slot(HALL_ID, NOW, SLOT.ends_at)}}),
    ("booking_rating", "booking_not_over", {"studio": {"now": SLOT.starts_at}}),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_is_sent_while_it_is_true(kind: str) -> None:
    assert decide(KINDS[kind], situation(**TRUE[kind]), occasion_of(kind)).verdict is Verdict.SEND


@pytest.mark.parametrize(("kind", "reason", "changes"), CHANGED_SINCE)
def test_a_message_that_is_no_longer_so_is_superseded(
    kind: str, reason: str, changes: dict[str, Any]
) -> None:
    decision = decide(KINDS[kind], true_situation(kind, **changes), occasion_of(kind))
    assert (decision.verdict, decision.reason) == (Verdict.SUPERSEDED, reason)


@pytest.mark.parametrize(
    "kind", ["renewal", "invoice_issued", "payment_failed", "booking_created", "booking_expired"]
)
def test_nobody_is_asked_to_pay_while_money_may_be_moving(kind: str) -> None:
    now = true_situation(kind, invoice={"money_in_flight": True})
    assert decide(KINDS[kind], now, occasion_of(kind)).verdict is Verdict.WAIT


def test_a_renewals_bill_waits_for_the_reminder_and_other_bills_do_not() -> None:
    kind, occasion, early = KINDS["invoice_issued"], occasion_of("invoice_issued"), timedelta(minutes=2)
    assert decide(kind, situation(waited=early), occasion).verdict is Verdict.WAIT
    assert decide(kind, situation(waited=REMINDER_WAIT), occasion).verdict is Verdict.SEND
    first = situation(waited=early, invoice={"period_start": None})
    assert decide(kind, first, occasion).verdict is Verdict.SEND
    assert decide(KINDS["renewal"], situation(waited=early), occasion_of("renewal")).verdict is Verdict.SEND


def test_what_will_end_is_told_once_and_not_after_it_has_ended() -> None:
    kind, occasion = KINDS["subscription_ended"], Occasion("ending")
    ending = situation(subscription={"is_ending": True})
    over = situation(subscription={"is_ending": True, "state": "canceled"})
    assert decide(kind, ending, occasion).verdict is Verdict.SEND
    assert decide(kind, over, occasion).verdict is Verdict.SUPERSEDED


@pytest.mark.parametrize(
    ("origin", "verdict"), [("customer", Verdict.WAIT), ("staff", Verdict.SEND)], ids=["customer", "staff"]
)
def test_who_is_still_choosing_how_to_pay_is_not_written_to(origin: str, verdict: Verdict) -> None:
    held = true_situation("booking_created", booking={"state": "held", "origin": origin}, invoice=None)
    assert decide(KINDS["booking_created"], held, occasion_of("booking_created")).verdict is verdict


def test_the_same_instant_in_another_zone_is_the_same_time() -> None:
    moved = Slot(HALL_ID, SLOT.starts_at.astimezone(), SLOT.ends_at.astimezone())
    now = true_situation("booking_reminder", booking={"slot": moved})
    assert decide(KINDS["booking_reminder"], now, occasion_of("booking_reminder")).verdict is Verdict.SEND


def test_a_receipt_is_sent_for_money_that_a_booking_needed() -> None:
    now = true_situation("payment_succeeded", booking=booking())
    assert decide(KINDS["payment_succeeded"], now, occasion_of("payment_succeeded")).verdict is Verdict.SEND


def test_what_is_planned_ahead_of_a_visit_is_of_each_event() -> None:
    assert set(VISIT_KINDS) == {"booking_reminder", "booking_rating"}
    assert all(KINDS[name].is_of_each for name in VISIT_KINDS)


def test_the_bus_brings_every_event_that_plans_a_message() -> None:
    (heard,) = (each.events for each in SUBSCRIPTIONS if each.consumer == "notifications")
    planning = {event for kind in KINDS.values() for event in kind.events}
    assert planning <= set(heard) & set(EVENTS)


def test_a_reminder_of_the_same_instant_in_another_zone_is_of_the_same_period() -> None:
    assert NOW < PERIOD_END
    moscow = PERIOD_END.astimezone()
    now = situation(subscription={"period_end": moscow})
    assert decide(KINDS["renewal"], now, Occasion("7", PERIOD_END)).verdict is Verdict.SEND
