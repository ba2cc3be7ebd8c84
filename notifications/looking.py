"""One look at storage for one message at the moment when it is to be sent.

Called by the worker's task in a short transaction. Names and addresses are read here and nowhere kept.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Row, text

from notifications.looking_at_bookings import get_booking
from notifications.money import Money
from notifications.situations import (
    About,
    AttemptNow,
    BookingNow,
    Customer,
    InvoiceNow,
    Line,
    PaymentNow,
    RefundNow,
    Situation,
    Studio,
    SubscriptionNow,
)
from storage.invoices import MOVING, money_may_move
from storage.notifications import Claimed

# Of an invoice outside any subscription; a letter is no place for a hundred lines.
LINES_LIMIT: Final = 10

# The things that a message is about, found from its subject. `period_end` is a reminder's: the invoice that
# renews the subscription then. Of a booking it is the invoice that can be paid, else its last one. Money that
# came late may have paid another invoice than the one it was sent for.
_NAMED: Final[Mapping[About, str]] = {
    "subscription": """
        SELECT s.id AS subscription_id, (SELECT i.id FROM invoice i WHERE i.subscription_id = s.id
                AND i.period_start = CAST(:period_end AS timestamptz) AND i.state <> 'void') AS invoice_id,
            CAST(NULL AS uuid) AS attempt_id, CAST(NULL AS uuid) AS refund_id,
            CAST(NULL AS uuid) AS payment_id
        FROM subscription s WHERE s.id = :subject_id
            AND (s.studio_id, s.customer_id) = (:studio_id, :customer_id)
    """,
    "invoice": """
        SELECT i.subscription_id, i.id AS invoice_id, CAST(NULL AS uuid) AS attempt_id,
            CAST(NULL AS uuid) AS refund_id, CAST(NULL AS uuid) AS payment_id
        FROM invoice i WHERE i.id = :subject_id
            AND (i.studio_id, i.customer_id) = (:studio_id, :customer_id)
    """,
    "attempt": """
        SELECT i.subscription_id, COALESCE(p.invoice_id, i.id) AS invoice_id, a.id AS attempt_id,
            CAST(NULL AS uuid) AS refund_id, p.id AS payment_id
        FROM payment_attempt a JOIN invoice i ON i.id = a.invoice_id
        LEFT JOIN LATERAL (SELECT * FROM provider_payment p WHERE p.attempt_id = a.id
            ORDER BY p.invoice_id IS NULL, p.received_at, p.id LIMIT 1) p ON true
        WHERE a.id = :subject_id AND (a.studio_id, a.customer_id) = (:studio_id, :customer_id)
    """,
    "refund": """
        SELECT i.subscription_id, i.id AS invoice_id, CAST(NULL AS uuid) AS attempt_id, r.id AS refund_id,
            r.provider_payment_id AS payment_id
        FROM refund r LEFT JOIN invoice i ON i.id = r.invoice_id WHERE r.id = :subject_id
            AND (r.studio_id, r.customer_id) = (:studio_id, :customer_id)
    """,
    "payment": """
        SELECT i.subscription_id, COALESCE(p.invoice_id, i.id) AS invoice_id, a.id AS attempt_id,
            CAST(NULL AS uuid) AS refund_id, p.id AS payment_id
        FROM provider_payment p JOIN payment_attempt a ON a.id = p.attempt_id
        JOIN invoice i ON i.id = a.invoice_id
        WHERE p.id = :subject_id AND (a.studio_id, a.customer_id) = (:studio_id, :customer_id)
    """,
    "booking": """
        SELECT CAST(NULL AS uuid) AS subscription_id, (SELECT i.id FROM invoice i WHERE i.booking_id = b.id
                ORDER BY i.state = 'open' DESC, i.id DESC LIMIT 1) AS invoice_id,
            CAST(NULL AS uuid) AS attempt_id, CAST(NULL AS uuid) AS refund_id,
            CAST(NULL AS uuid) AS payment_id
        FROM booking b WHERE b.id = :subject_id
            AND (b.studio_id, b.customer_id) = (:studio_id, :customer_id)
    """,
}
_LOOK: Final = """
    WITH named AS ({named})
    SELECT studio.name AS studio_name, studio.host, studio.timezone,
        customer.email, customer.name, customer.locale,
        COALESCE(clock_offset.offset_seconds, 0) AS offset_seconds,
        s.id AS subscription_id, s.state AS subscription_state, s.cancel_at_period_end,
        s.current_period_start, s.current_period_end, plan.name AS plan_name,
        i.id AS invoice_id, i.state AS invoice_state, i.number, i.total_minor,
        i.total_minor - i.paid_minor AS due_minor, i.currency AS invoice_currency, i.expires_at,
        i.period_start, i.booking_id,
        (SELECT jsonb_agg(jsonb_build_array(first.description, first.quantity, first.amount_minor)
                ORDER BY first.position)
            FROM (SELECT * FROM invoice_line line WHERE line.invoice_id = i.id AND i.subscription_id IS NULL
                ORDER BY line.position LIMIT :lines_limit) first) AS lines,
        (SELECT count(*) FROM invoice_line line WHERE line.invoice_id = i.id) AS line_count,
        {money_may_move} AS money_in_flight,
        EXISTS (SELECT FROM notification told WHERE told.studio_id = studio.id AND told.kind = 'renewal'
            AND told.subject_id = i.subscription_id
            AND CAST(told.facts ->> 'period_end' AS timestamptz) = i.period_start
            AND (told.state = 'planned' OR told.state = 'sent'
                AND (told.facts ->> 'invoice_id' = CAST(i.id AS text) OR told.finished_at > :planned_at))
        ) AS is_told_by_reminder,
        a.state AS attempt_state, a.amount_minor AS attempt_minor, a.currency AS attempt_currency,
        EXISTS (SELECT FROM payment_attempt newer WHERE newer.invoice_id = a.invoice_id
            AND newer.id > a.id) AS has_newer_attempt,
        p.id AS payment_id, p.amount_minor AS paid_minor, p.currency AS paid_currency, p.card_mask,
        p.received_at, p.invoice_id IS NOT NULL AS is_applied,
        p.refunded_minor + p.reserved_minor > 0 AS is_going_back,
        r.state AS refund_state, r.amount_minor AS refund_minor, r.currency AS refund_currency,
        EXISTS (SELECT FROM notification later WHERE later.studio_id = studio.id AND later.kind = :kind
            AND later.subject_id = :subject_id AND later.channel = :channel AND later.id <> :id
            AND (COALESCE(CAST(later.facts ->> 'occurred_at' AS timestamptz), later.planned_at),
                    later.planned_at)
                > (COALESCE(CAST(:occurred_at AS timestamptz), :planned_at), :planned_at))
            AS has_newer_message
    FROM named
    JOIN studio ON studio.id = :studio_id
    JOIN customer ON customer.id = :customer_id AND customer.studio_id = studio.id
    LEFT JOIN clock_offset ON clock_offset.studio_id = studio.id
    LEFT JOIN subscription s ON s.id = named.subscription_id
    LEFT JOIN price ON price.id = s.price_id
    LEFT JOIN plan ON plan.id = price.plan_id
    LEFT JOIN invoice i ON i.id = named.invoice_id
    LEFT JOIN payment_attempt a ON a.id = named.attempt_id
    LEFT JOIN provider_payment p ON p.id = named.payment_id
    LEFT JOIN refund r ON r.id = named.refund_id
"""
_NOW: Final = "CAST(:now AS timestamptz) + make_interval(secs => COALESCE(clock_offset.offset_seconds, 0))"
_MOVING: Final = money_may_move("i.id", _NOW)
_LOOKS: Final = {
    about: text(_LOOK.format(named=named, money_may_move=_MOVING)) for about, named in _NAMED.items()
}


def find_situation(
    connection: Connection, about: About, claimed: Claimed, period_end: datetime | None, now: datetime
) -> Situation | None:
    """None when there is no such thing, or it is not this customer's of this studio."""
    row = connection.execute(
        _LOOKS[about],
        {
            "id": claimed.id,
            "studio_id": claimed.studio_id,
            "customer_id": claimed.customer_id,
            "subject_id": claimed.subject_id,
            "kind": claimed.kind,
            "channel": claimed.channel,
            "planned_at": claimed.planned_at,
            "occurred_at": claimed.facts.get("occurred_at"),
            "period_end": period_end,
            "now": now,
            **MOVING,
            "lines_limit": LINES_LIMIT,
        },
    ).one_or_none()
    if row is None:
        return None
    booking_id = claimed.subject_id if about == "booking" else row.booking_id
    booking = get_booking(connection, booking_id) if booking_id is not None else None
    return _situation(row, claimed, booking, now)


def _situation(
    row: Row[tuple[object, ...]], claimed: Claimed, booking: BookingNow | None, now: datetime
) -> Situation:
    offset = timedelta(seconds=row.offset_seconds)
    return Situation(
        studio=Studio(claimed.studio_id, row.studio_name, row.host, row.timezone, now + offset, offset),
        customer=Customer(claimed.customer_id, row.email, row.name, row.locale),
        subscription=_subscription(row),
        invoice=_invoice(row),
        attempt=_attempt(row),
        payment=_payment(row),
        refund=RefundNow(row.refund_state, Money(row.refund_minor, row.refund_currency))
        if row.refund_state
        else None,
        booking=booking,
        has_newer_message=row.has_newer_message,
        waited=now - claimed.planned_at,
    )


def _subscription(row: Row[tuple[object, ...]]) -> SubscriptionNow | None:
    if row.subscription_id is None:
        return None
    return SubscriptionNow(
        id=row.subscription_id,
        state=row.subscription_state,
        plan_name=row.plan_name,
        is_ending=row.cancel_at_period_end,
        period_start=row.current_period_start,
        period_end=row.current_period_end,
    )


def _invoice(row: Row[tuple[object, ...]]) -> InvoiceNow | None:
    if row.invoice_id is None:
        return None
    return InvoiceNow(
        id=row.invoice_id,
        state=row.invoice_state,
        number=row.number,
        total=Money(row.total_minor, row.invoice_currency),
        due=Money(row.due_minor, row.invoice_currency),
        expires_at=row.expires_at,
        period_start=row.period_start,
        money_in_flight=row.money_in_flight,
        is_told_by_reminder=row.is_told_by_reminder,
        lines=tuple(
            Line(description, quantity, Money(amount_minor, row.invoice_currency))
            for description, quantity, amount_minor in row.lines or ()
        ),
        line_count=row.line_count,
    )


def _attempt(row: Row[tuple[object, ...]]) -> AttemptNow | None:
    if row.attempt_state is None:
        return None
    money = Money(row.attempt_minor, row.attempt_currency)
    return AttemptNow(row.attempt_state, money, row.has_newer_attempt)


def _payment(row: Row[tuple[object, ...]]) -> PaymentNow | None:
    if row.payment_id is None:
        return None
    money = Money(row.paid_minor, row.paid_currency)
    return PaymentNow(money, row.card_mask, row.received_at, row.is_applied, row.is_going_back)
