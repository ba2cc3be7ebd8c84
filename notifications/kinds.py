"""Every kind of message in one table: which event plans it, what it is about, and when it is still true.

A message is planned when something happens and sent later, so what it would say is looked at again when it is
sent: `decide` compares it with things as they are then. So no two messages contradict each other. Pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, Literal

from notifications import booking_truth
from notifications.occasions import Occasion, Reason
from notifications.situations import About, Situation

# Longer than cron pauses between two looks for reminders.
REMINDER_WAIT: Final = timedelta(minutes=30)


class Verdict(StrEnum):
    """Send it; wait a little, for it may soon be untrue or told otherwise; or it is no longer so."""

    SEND = "send"
    WAIT = "wait"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Decision:
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """When a message about a visit is due: `after` (before, if negative) one of its ends."""

    end: Literal["starts_at", "ends_at"]
    after: timedelta


@dataclass(frozen=True, slots=True)
class Kind:
    """`events` plan it, each by the name of its occasion; it is due `delay` after them, or as `visit` says.

    `waits_for_money`: it is not said while money may be moving for its invoice. `waits_for_reminder`: of an
    invoice that renews, it is said only if cron plans no reminder that leads to the same invoice.
    `waits_for_check_out`: not while its customer may be choosing how to pay. `is_of_each`: every event is an
    occasion of its own, for the same may happen to one subject again. `wants_answer`: it asks for a reply.
    """

    name: str
    about: About
    why_superseded: Callable[[Situation, Occasion], Reason]
    events: Mapping[str, str]
    delay: timedelta = timedelta()
    waits_for_money: bool = False
    waits_for_reminder: bool = False
    waits_for_check_out: bool = False
    is_of_each: bool = False
    wants_answer: bool = False
    visit: Visit | None = None


def _renewal(now: Situation, occasion: Occasion) -> Reason:
    reason = _period(now, occasion)
    if reason is None and now.subscription and now.subscription.is_ending:
        return "subscription_ending"
    if reason is None and now.invoice is not None and now.invoice.state != "open":
        return f"invoice_{now.invoice.state}"
    return reason


def _period_end(now: Situation, occasion: Occasion) -> Reason:
    reason = _period(now, occasion)
    if reason is None and now.subscription and not now.subscription.is_ending:
        return "subscription_goes_on"
    return reason


def _period(now: Situation, occasion: Occasion) -> Reason:
    """Both reminders tell of the end of the period that runs."""
    subscription = now.subscription
    if subscription is None or subscription.state != "active":
        return "subscription_not_active"
    if subscription.period_end is None or subscription.period_end != occasion.period_end:
        return "period_moved"
    return "period_over" if subscription.period_end <= now.studio.now else None


def _invoice_issued(now: Situation, _occasion: Occasion) -> Reason:
    if now.booking is not None:
        return "told_with_booking"
    reason = _unpayable(now)
    if reason is None and now.invoice and now.invoice.is_told_by_reminder:
        return "told_by_reminder"
    return reason


def _unpayable(now: Situation) -> Reason:
    if now.invoice is None or now.invoice.state != "open":
        return f"invoice_{now.invoice.state}" if now.invoice else "no_invoice"
    return "invoice_too_late" if now.invoice.expires_at <= now.studio.now else None


def _payment_succeeded(now: Situation, _occasion: Occasion) -> Reason:
    if now.attempt is None or now.attempt.state != "succeeded" or now.payment is None:
        return "payment_not_received"
    is_told = now.booking is not None and not now.payment.is_applied
    return "told_with_booking" if is_told else None


def _payment_failed(now: Situation, _occasion: Occasion) -> Reason:
    if now.attempt is None or now.attempt.state != "declined":
        return f"payment_{now.attempt.state}" if now.attempt else "no_payment"
    return "tried_again" if now.attempt.has_newer else _unpayable(now)


def _refund(now: Situation, _occasion: Occasion) -> Reason:
    return None if now.refund is not None and now.refund.state == "succeeded" else "refund_not_made"


def _subscription_started(now: Situation, _occasion: Occasion) -> Reason:
    if now.subscription is None or now.subscription.state != "active":
        return "subscription_not_active"
    return "subscription_ending" if now.subscription.is_ending else None


def _subscription_ended(now: Situation, occasion: Occasion) -> Reason:
    subscription = now.subscription
    if subscription is None or subscription.period_start is None:
        return "never_began"
    if occasion.name == "ending":
        is_so = subscription.state == "active" and subscription.is_ending
        return None if is_so else "subscription_not_ending"
    return None if subscription.state == "canceled" else "subscription_not_canceled"


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("renewal", "subscription", _renewal, {}, waits_for_money=True),
        Kind("period_end", "subscription", _period_end, {}),
        Kind(
            "invoice_issued",
            "invoice",
            _invoice_issued,
            {"invoice.opened": "opened"},
            # Most first invoices are paid on the page where they were made: those need no letter.
            delay=timedelta(minutes=2),
            waits_for_money=True,
            waits_for_reminder=True,
        ),
        Kind("payment_succeeded", "attempt", _payment_succeeded, {"payment.succeeded": "succeeded"}),
        Kind(
            "payment_failed", "attempt", _payment_failed, {"payment.failed": "failed"}, waits_for_money=True
        ),
        Kind("refund", "refund", _refund, {"refund.succeeded": "succeeded"}),
        Kind(
            "subscription_started",
            "subscription",
            _subscription_started,
            {"subscription.activated": "started"},
        ),
        Kind(
            "subscription_ended",
            "subscription",
            _subscription_ended,
            {"subscription.ending": "ending", "subscription.canceled": "canceled"},
        ),
        Kind(
            "booking_created",
            "booking",
            booking_truth.created,
            {"booking.created": "created"},
            # As first invoices: most are paid on the page where they were made.
            delay=timedelta(minutes=2),
            waits_for_money=True,
            waits_for_check_out=True,
        ),
        Kind("booking_confirmed", "booking", booking_truth.stands, {"booking.confirmed": "confirmed"}),
        Kind(
            "booking_rescheduled",
            "booking",
            booking_truth.stands,
            {"booking.rescheduled": "rescheduled"},
            is_of_each=True,
        ),
        Kind("booking_cancelled", "booking", booking_truth.canceled, {"booking.cancelled": "cancelled"}),
        Kind(
            "booking_expired",
            "booking",
            booking_truth.expired,
            {"booking.expired": "expired"},
            waits_for_money=True,
        ),
        Kind("booking_money_late", "payment", booking_truth.money_late, {"payment.unapplied": "unapplied"}),
        Kind(
            "booking_reminder",
            "booking",
            booking_truth.is_ahead,
            {"booking.confirmed": "confirmed", "booking.rescheduled": "rescheduled"},
            is_of_each=True,
            visit=Visit("starts_at", timedelta(hours=-24)),
        ),
        Kind(
            "booking_rating",
            "booking",
            booking_truth.was_visited,
            {"booking.confirmed": "confirmed", "booking.rescheduled": "rescheduled"},
            is_of_each=True,
            wants_answer=True,
            visit=Visit("ends_at", timedelta(hours=2)),
        ),
    )
}
VISIT_KINDS: Final = tuple(kind.name for kind in KINDS.values() if kind.visit is not None)


def decide(kind: Kind, now: Situation, occasion: Occasion) -> Decision:
    """Whether a message of this kind may be sent as things are."""
    reason = "told_again_since" if now.has_newer_message else kind.why_superseded(now, occasion)
    if reason is not None:
        return Decision(Verdict.SUPERSEDED, reason)
    return Decision(Verdict.WAIT if _must_wait(kind, now) else Verdict.SEND)


def _must_wait(kind: Kind, now: Situation) -> bool:
    if kind.waits_for_check_out and now.booking and booking_truth.is_being_made(now.booking):
        return True
    if now.invoice is None:
        return False
    if kind.waits_for_money and now.invoice.money_in_flight:
        return True
    renews = now.invoice.period_start is not None
    return kind.waits_for_reminder and renews and now.waited < REMINDER_WAIT
