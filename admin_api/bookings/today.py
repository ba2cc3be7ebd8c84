"""Today at the desk: who comes, who has not paid, whose visit was not marked, and what contradicts itself.

Called by the JSON API and the page. Each list is one statement over an index, and short.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, TextClause, text

from admin_api.bookings.days import Days
from admin_api.bookings.views import (
    Arrival,
    LateMoney,
    Misplaced,
    OpenSurcharge,
    OwedRefund,
    Paid,
    ParkedCommand,
    Today,
)
from admin_api.dashboards.periods import calendar_of
from admin_api.desk import Desk
from booking.queries import Hall, read_halls
from booking.rules.calendar import Span, open_spans
from booking.rules.machine import HELD, LIVE
from bus.messages import COMMANDS
from web.views import Money

TODAY_LIMIT: Final = 100
# How far ahead bookings are compared with the hours in force, and how many of them.
AHEAD: Final = timedelta(days=31)
AHEAD_LIMIT: Final = 20_000
# No visit is longer: what began and is not over ends within it.
VISIT_MAX: Final = timedelta(days=1)
CAME: Final = ("confirmed", "completed", "no_show")
# Commands that name a booking, or a hall's closed time.
BOOKING_KINDS: Final = tuple(
    kind for kind, command in COMMANDS.items() if {"booking_id", "blackout_id"} & command.model_fields.keys()
)

_BOOKINGS = text("""
    WITH wanted (list, id) AS (
        (SELECT 'arrivals', id FROM booking
            WHERE studio_id = :studio_id AND starts_at >= :starts_at AND starts_at < :ends_at
                AND state = ANY (:expected) ORDER BY starts_at, id LIMIT :limit)
        UNION ALL
        (SELECT 'waiting', id FROM booking
            WHERE studio_id = :studio_id AND state = ANY (:held) ORDER BY hold_expires_at, id LIMIT :limit)
        UNION ALL
        (SELECT 'unmarked', id FROM booking
            WHERE studio_id = :studio_id AND state = 'confirmed' AND ends_at < :begun_ends_before
                AND starts_at <= :now ORDER BY starts_at, id LIMIT :limit)
    )
    SELECT wanted.list, b.id, b.state, b.starts_at, b.ends_at, b.hall_id, h.name AS hall, b.customer_id,
        coalesce(nullif(c.name, ''), c.email) AS customer, b.people, b.payment, b.total_minor, b.currency,
        b.hold_expires_at, paid.minor AS paid_minor, lent.extras
    FROM wanted JOIN booking b USING (id) JOIN hall h ON h.id = b.hall_id
    JOIN customer c ON c.id = b.customer_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(paid_minor - refunded_minor), 0)::bigint AS minor FROM invoice
        WHERE booking_id = b.id) AS paid
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(u.quantity || ' × ' || e.name ORDER BY e.name), '{}') AS extras
        FROM extra_use u JOIN extra e ON e.id = u.extra_id
        WHERE u.booking_id = b.id AND u.released_at IS NULL) AS lent
    ORDER BY wanted.list, CASE wanted.list WHEN 'waiting' THEN b.hold_expires_at ELSE b.starts_at END, b.id
""")
_SURCHARGES = text("""
    SELECT i.id AS invoice_id, i.number, b.id AS booking_id,
        coalesce(nullif(c.name, ''), c.email) AS customer, h.name AS hall, b.starts_at,
        i.total_minor - i.paid_minor AS due_minor, i.currency, i.expires_at AS due_until
    FROM booking b JOIN invoice i ON i.booking_id = b.id AND i.state = 'open'
    JOIN hall h ON h.id = b.hall_id JOIN customer c ON c.id = b.customer_id
    WHERE b.studio_id = :studio_id AND b.state = 'confirmed' ORDER BY b.starts_at, i.id LIMIT :limit
""")
_LATE_MONEY = text("""
    SELECT p.id AS payment_id, b.id AS booking_id, b.state, coalesce(nullif(c.name, ''), c.email) AS customer,
        h.name AS hall, b.starts_at, p.received_at, p.amount_minor - p.refunded_minor - p.reserved_minor AS
        remaining_minor, p.currency
    FROM provider_payment p JOIN payment_attempt a ON a.id = p.attempt_id
    JOIN invoice i ON i.id = a.invoice_id JOIN booking b ON b.id = i.booking_id
    JOIN hall h ON h.id = b.hall_id JOIN customer c ON c.id = b.customer_id
    WHERE p.studio_id = :studio_id AND p.invoice_id IS NULL
        AND p.refunded_minor + p.reserved_minor < p.amount_minor
        AND NOT EXISTS (SELECT FROM refund_owed o WHERE o.payment_id = p.id)
    ORDER BY p.received_at, p.id LIMIT :limit
""")
_OWED = text("""
    SELECT o.payment_id, o.declined_at, b.id AS booking_id, b.state,
        coalesce(nullif(c.name, ''), c.email) AS customer, h.name AS hall, b.starts_at,
        o.amount_minor AS remaining_minor, o.currency
    FROM refund_owed o JOIN provider_payment p ON p.id = o.payment_id
    LEFT JOIN payment_attempt a ON a.id = p.attempt_id
    JOIN invoice i ON i.id = coalesce(p.invoice_id, a.invoice_id) JOIN booking b ON b.id = i.booking_id
    JOIN hall h ON h.id = b.hall_id JOIN customer c ON c.id = b.customer_id
    WHERE o.studio_id = :studio_id ORDER BY o.declined_at, o.payment_id LIMIT :limit
""")
_AHEAD = text("""
    SELECT b.id AS booking_id, coalesce(nullif(c.name, ''), c.email) AS customer, b.hall_id, b.starts_at,
        b.ends_at
    FROM booking b JOIN customer c ON c.id = b.customer_id
    WHERE b.studio_id = :studio_id AND b.state = ANY (:live) AND b.starts_at >= :now AND b.starts_at < :until
    ORDER BY b.starts_at, b.id LIMIT :limit
""")
_PARKED = text("""
    SELECT command_id, kind, answered_at AS parked_at FROM command_journal
    WHERE studio_id = :studio_id AND state = 'parked' AND kind = ANY (:kinds) ORDER BY sequence LIMIT :limit
""")


def read_today(desk: Desk) -> Today:
    """Raises Problem 403 without `bookings.read`."""
    desk.require("bookings.read")
    calendar = calendar_of(desk)
    today = Days(calendar.today, 1, calendar)
    with desk.transaction() as connection:
        rows = _Reading(connection, desk.studio_id, today)
        bookings = rows.bookings()
        return Today(
            on=calendar.today,
            timezone=calendar.timezone,
            as_of=calendar.now,
            arrivals=bookings["arrivals"],
            unmarked=bookings["unmarked"],
            waiting=bookings["waiting"],
            surcharges=[OpenSurcharge.model_validate(row) for row in rows.money(_SURCHARGES, "due")],
            late_money=[LateMoney.model_validate(row) for row in rows.money(_LATE_MONEY, "remaining")],
            owed_refunds=[OwedRefund.model_validate(row) for row in rows.money(_OWED, "remaining")],
            misplaced=rows.misplaced(),
            parked=rows.parked() if desk.person.may("parked.read") else [],
            limit=TODAY_LIMIT,
        )


class _Reading:
    """One transaction about one day of one studio."""

    def __init__(self, connection: Connection, studio_id: UUID, today: Days) -> None:
        self.connection = connection
        self.studio_id = studio_id
        self.window = today.window
        self.now = today.calendar.now

    def rows(self, statement: TextClause, **parameters: object) -> Sequence[Row[Any]]:
        bound = {"studio_id": self.studio_id, "limit": TODAY_LIMIT, **parameters}
        return self.connection.execute(statement, bound).all()

    def bookings(self) -> Mapping[str, list[Arrival]]:
        lists: dict[str, list[Arrival]] = {"arrivals": [], "waiting": [], "unmarked": []}
        found = self.rows(
            _BOOKINGS,
            starts_at=self.window.starts_at,
            ends_at=self.window.ends_at,
            now=self.now,
            begun_ends_before=self.now + VISIT_MAX,
            expected=[*CAME, *sorted(HELD)],
            held=sorted(HELD),
        )
        for row in found:
            lists[row.list].append(_arrival(row))
        return lists

    def money(self, statement: TextClause, name: str) -> list[dict[str, object]]:
        """Rows whose `<name>_minor` and currency are one sum."""
        return [
            {**row._mapping, name: Money(amount_minor=row._mapping[f"{name}_minor"], currency=row.currency)}
            for row in self.rows(statement)
        ]

    def misplaced(self) -> list[Misplaced]:
        """Bookings to come that the hours in force would not let in any more."""
        halls = {hall.id: hall for hall in read_halls(self.connection, only_active=False)}
        until = self.now + AHEAD
        ahead = self.rows(_AHEAD, live=sorted(LIVE), now=self.now, until=until, limit=AHEAD_LIMIT)
        window = Span(self.now, until + VISIT_MAX)
        is_open = {
            hall_id: open_spans(halls[hall_id].rules, window) for hall_id in {b.hall_id for b in ahead}
        }
        found = [
            Misplaced.model_validate(
                {**booking._mapping, "hall": halls[booking.hall_id].name, "reason": reason}
            )
            for booking in ahead
            if (reason := _why_misplaced(halls[booking.hall_id], is_open[booking.hall_id], booking))
        ]
        return found[:TODAY_LIMIT]

    def parked(self) -> list[ParkedCommand]:
        rows = self.rows(_PARKED, kinds=list(BOOKING_KINDS))
        return [ParkedCommand.model_validate(dict(row._mapping)) for row in rows]


def _arrival(row: Row[Any]) -> Arrival:
    due_minor = max(0, row.total_minor - row.paid_minor)
    paid: Paid = "paid" if due_minor == 0 else "on_site" if row.payment == "on_site" else "unpaid"
    return Arrival(
        booking_id=row.id,
        state=row.state,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        hall_id=row.hall_id,
        hall=row.hall,
        customer_id=row.customer_id,
        customer=row.customer,
        people=row.people,
        extras=row.extras,
        paid=paid,
        due=Money(amount_minor=due_minor, currency=row.currency),
        hold_expires_at=row.hold_expires_at if row.state in HELD else None,
    )


def _why_misplaced(
    hall: Hall, is_open: Sequence[Span], booking: Row[Any]
) -> Literal["outside_hours", "hall_inactive"] | None:
    if not hall.is_active:
        return "hall_inactive"
    is_inside = any(one.starts_at <= booking.starts_at and booking.ends_at <= one.ends_at for one in is_open)
    return None if is_inside else "outside_hours"
