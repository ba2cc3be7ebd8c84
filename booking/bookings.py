"""A customer's own bookings, with the money of their invoices. Somebody else's are as good as absent.

Called by the routes. What may be done is told from the machine, the money and the studio's own time; the
command is asked again when it is applied.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, Row, text

from booking.queries import Policy
from booking.rules.machine import BOOKING, HELD, allowed_actions
from booking.rules.money import check_move_by_customer, to_charge, to_give_back
from booking.rules.terms import read_terms, refund_percent
from booking.views import BookingListView, BookingView, CancellationView
from kit.errors import Refused
from storage.bookings import get_booking_money
from storage.invoices import MOVING, money_may_move
from web.problems import not_found

# Extras of a booking that is over are those that it had last.
_COLUMNS = f"""
    SELECT booking.id, booking.hall_id, hall.name AS hall_name, booking.state, booking.starts_at,
        booking.ends_at, people, booking.lines, booking.total_minor, booking.currency, terms, payment,
        refund_percent_max, hold_expires_at, booking.created_at, money.*,
        (SELECT COALESCE(jsonb_agg(jsonb_build_object('extra_id', extra_id, 'quantity', quantity)
                ORDER BY extra_use.id), '[]')
            FROM extra_use WHERE extra_use.booking_id = booking.id AND extra_use.created_at >= (
                SELECT max(occupancy.created_at) FROM occupancy WHERE occupancy.booking_id = booking.id)
        ) AS extras,
        EXISTS (SELECT FROM invoice WHERE invoice.booking_id = booking.id
            AND {money_may_move("invoice.id", "CAST(:now AS timestamptz)")}) AS payment_in_flight
    FROM booking JOIN hall ON hall.id = booking.hall_id
    CROSS JOIN LATERAL (
        SELECT (array_agg(id ORDER BY invoice.state <> 'open', invoice.id DESC))[1] AS invoice_id,
            CAST(COALESCE(sum(paid_minor), 0) AS bigint) AS paid_minor,
            CAST(COALESCE(sum(refunded_minor), 0) AS bigint) AS refunded_minor,
            CAST(COALESCE(sum(invoice.total_minor - paid_minor) FILTER (WHERE invoice.state = 'open'), 0)
                AS bigint) AS due_minor
        FROM invoice WHERE invoice.booking_id = booking.id
    ) AS money
    WHERE booking.customer_id = :customer_id
"""  # noqa: S608
_LIST = text(f"""
    {_COLUMNS} AND (CAST(:cursor AS uuid) IS NULL OR booking.id < :cursor)
    ORDER BY booking.id DESC LIMIT :limit + 1
""")
_GET = text(f"{_COLUMNS} AND booking.id = :booking_id")
_IS_OWN = text("SELECT 1 FROM booking WHERE id = :booking_id AND customer_id = :customer_id")


def list_bookings(
    connection: Connection,
    policy: Policy,
    customer_id: UUID,
    cursor: UUID | None,
    limit: int,
    now: datetime,
) -> BookingListView:
    """Those made last first, those before `cursor`; `now` is the studio's own."""
    asked = {**_asked(customer_id, now), "cursor": cursor, "limit": limit}
    items = [_view(row, policy, now) for row in connection.execute(_LIST, asked)]
    return BookingListView(
        items=items[:limit], next_cursor=items[limit - 1].id if len(items) > limit else None
    )


def get_booking(
    connection: Connection, policy: Policy, customer_id: UUID, booking_id: UUID, now: datetime
) -> BookingView:
    """Raises Problem 404."""
    return _view(_get(connection, customer_id, booking_id, now), policy, now)


def require_own(connection: Connection, customer_id: UUID, booking_id: UUID) -> None:
    """Nothing, for one that is. Raises Problem 404."""
    if connection.scalar(_IS_OWN, {"booking_id": booking_id, "customer_id": customer_id}) is None:
        raise not_found()


def get_cancellation(
    connection: Connection, customer_id: UUID, booking_id: UUID, now: datetime
) -> CancellationView:
    """What canceling gives back at the studio's own `now`, by the functions that it is applied with.

    Raises Problem 404, Refused `transition_refused`, `booking_started`.
    """
    row = _get(connection, customer_id, booking_id, now)
    BOOKING.require(row.state, "cancel")
    if row.state not in HELD and now >= row.starts_at:
        raise Refused("booking_started")
    percent = _percent(row, now)
    money = get_booking_money(connection, booking_id)
    refund_minor = to_give_back(money, percent)
    return CancellationView(
        refund_percent=percent, refund_minor=refund_minor, kept_minor=money.left_minor - refund_minor
    )


def check_move(
    connection: Connection, customer_id: UUID, booking_id: UUID, total_minor: int, now: datetime
) -> None:
    """Nothing, if a booking may move to what costs so much, as far as its money is concerned.

    Raises Problem 404, Refused `too_late_to_pay_less`, `surcharge_too_large`.
    """
    row = _get(connection, customer_id, booking_id, now)
    if (row.state, row.payment) != ("confirmed", "online"):
        return
    money = get_booking_money(connection, booking_id)
    check_move_by_customer(money, to_charge(money, total_minor), _percent(row, now))


def _percent(row: Row[tuple[object, ...]], now: datetime) -> int:
    return refund_percent(read_terms(row.terms), row.starts_at, now, row.refund_percent_max)


def _asked(customer_id: UUID, now: datetime) -> dict[str, object]:
    return {"customer_id": customer_id, "now": now, **MOVING}


def _get(
    connection: Connection, customer_id: UUID, booking_id: UUID, now: datetime
) -> Row[tuple[object, ...]]:
    row = connection.execute(_GET, {**_asked(customer_id, now), "booking_id": booking_id}).one_or_none()
    if row is None:
        raise not_found()
    return row


def _view(row: Row[tuple[object, ...]], policy: Policy, now: datetime) -> BookingView:
    shown = row._asdict()
    return BookingView.model_validate(
        {
            **{name: shown[name] for name in BookingView.model_fields if name in shown},
            "allowed_actions": _actions(row, policy, now),
        }
    )


def _actions(row: Row[tuple[object, ...]], policy: Policy, now: datetime) -> list[str]:
    """What the machine allows, less what the clock or an unpaid surcharge forbids."""
    is_over = now >= (row.hold_expires_at if row.state in HELD else row.starts_at)
    is_late = row.starts_at - now < timedelta(hours=policy.reschedule_hours_before)
    forbidden: set[str] = set()
    if is_over and row.state in HELD:
        forbidden |= {"check_out_online", "check_out_on_site"}
    elif is_over:
        forbidden |= {"cancel", "reschedule"}
    if is_late or row.due_minor:
        forbidden.add("reschedule")
    actions = allowed_actions(
        row.state, payment_in_flight=row.payment_in_flight, pays_on_site=policy.pays_on_site
    )
    return [action for action in actions if action not in forbidden]
