"""What the page behind a letter's link says of the thing that it is about. Called by `client_api.links`.

`instead` says why there is no button; None when there is one. Nothing is said of what is not the customer's.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from billing.invoices import SETTLED
from booking.bookings import get_booking, get_cancellation
from booking.queries import get_policy
from booking.rules.machine import LIVE
from client_api.queries.invoices import get_invoice
from client_api.queries.links import find_linked_subscription
from kit.errors import Refused
from notifications.links import Link, Purpose
from web.problems import Problem

About = Callable[[Connection, Link, datetime], dict[str, object] | None]


def _invoice(connection: Connection, link: Link, now: datetime) -> dict[str, object] | None:
    try:
        invoice = get_invoice(connection, link.customer_id, link.subject_id)
    except Problem:
        return None
    instead = None
    if invoice.state in SETTLED:
        instead = "link.paid"
    elif invoice.state != "open" or invoice.expires_at <= now:
        instead = "link.closed"
    elif "pay" not in invoice.allowed_actions:
        instead = "link.in_flight"
    return {
        "purpose": "pay",
        "name": invoice.number,
        "total": invoice.total,
        "until": invoice.expires_at if instead is None else None,
        "instead": instead,
    }


def _subscription(connection: Connection, link: Link, now: datetime) -> dict[str, object] | None:
    subscription = find_linked_subscription(connection, link.customer_id, link.subject_id)
    if subscription is None:
        return None
    has_ended = subscription.period_end is None or subscription.period_end <= now
    instead = "link.ending" if subscription.is_ending else None
    if subscription.state != "active" or has_ended:
        instead = "link.ended"
    return {
        "purpose": "cancel",
        "name": subscription.plan_name,
        "total": None,
        "until": subscription.period_end if instead != "link.ended" else None,
        "instead": instead,
    }


def _booking(connection: Connection, link: Link, now: datetime) -> dict[str, object] | None:
    """`back_minor` is what canceling it now gives back, `kept_minor` what it does not."""
    policy = get_policy(connection, link.studio_id)
    try:
        booking = get_booking(connection, policy, link.customer_id, link.subject_id, now)
    except Problem:
        return None
    facts: dict[str, object] = {
        "purpose": "cancel_booking",
        "name": booking.hall_name,
        "total": None,
        "until": None,
        "starts_at": booking.starts_at,
        "ends_at": booking.ends_at,
        "currency": booking.currency,
        "back_minor": 0,
        "kept_minor": 0,
    }
    try:
        money = get_cancellation(connection, link.customer_id, link.subject_id, now)
    except Refused:
        is_gone = booking.state not in LIVE | {"completed", "no_show"}
        return facts | {"instead": "link.booking_gone" if is_gone else "link.booking_begun"}
    instead = None if "cancel" in booking.allowed_actions else "link.booking_in_flight"
    return facts | {
        "instead": instead,
        "back_minor": money.refund_minor,
        "kept_minor": money.kept_minor,
    }


ABOUT: Final[Mapping[Purpose, About]] = {
    "pay": _invoice,
    "cancel": _subscription,
    "cancel_booking": _booking,
}
