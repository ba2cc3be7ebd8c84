"""The page of a booking: what was promised, its path, its money, who had the hall when, and its timeline."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, select, text

from admin_api.desk import Desk
from admin_api.listings.billing import INVOICES, InvoiceRow
from admin_api.listings.bookings import BOOKINGS, BookingRow
from admin_api.listings.details.invoices import InvoiceLineView
from admin_api.listings.details.parts import PARTS_LIMIT, parts_of
from admin_api.listings.halls import Rules
from admin_api.listings.payments import PAYMENTS, PaymentRow
from admin_api.listings.received import RECEIVED, ReceivedRow
from admin_api.listings.refunds import REFUNDS, RefundRow
from admin_api.queries.ids import among
from admin_api.queries.names import Named
from admin_api.queries.timeline import Moment, Step, calls_about, path_of, timeline_of
from admin_api.walls import GuardedSession
from booking.rules.machine import BOOKING
from models.tables import Booking, PaymentAttempt, ProviderPayment, Refund
from models.tables import Invoice as InvoiceTable
from web.views import Money, View


class BookedExtraView(View):
    """So many of one extra; with `released_at` not any more."""

    extra: Named
    quantity: int
    created_at: datetime
    released_at: datetime | None


class OccupancyView(View):
    """The hall was kept from `starts_at` to `ends_at`, buffers included, while the row stood."""

    hall: Named
    kind: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    released_at: datetime | None


class AdmissionView(View):
    """A provider asked leave to take the money. Without `closed_at` it has not said what became of it."""

    attempt_id: UUID
    transaction_id: str
    admitted_at: datetime
    closed_at: datetime | None


class BookingDetail(BookingRow):
    """`terms` are those of its quote. `due`: what is open of its invoices."""

    paid: Money
    refunded: Money
    due: Money
    refund_percent_max: int
    terms: Rules
    allowed_triggers: list[str]
    path: list[Step]
    lines: list[InvoiceLineView]
    booked_extras: list[BookedExtraView]
    invoices: Sequence[InvoiceRow]
    attempts: Sequence[PaymentRow]
    received: Sequence[ReceivedRow]
    refunds: Sequence[RefundRow]
    occupancies: list[OccupancyView]
    admissions: list[AdmissionView]
    timeline: list[Moment]


_EXTRAS: Final = text(f"""
    SELECT u.extra_id, extra.name, u.quantity, u.created_at, u.released_at
    FROM extra_use u JOIN extra ON extra.id = u.extra_id
    WHERE u.booking_id = :booking_id ORDER BY u.created_at, extra.name LIMIT {PARTS_LIMIT}
""")  # noqa: S608
_OCCUPANCIES: Final = text(f"""
    SELECT o.hall_id, hall.name, o.kind, o.starts_at, o.ends_at, o.created_at, o.released_at
    FROM occupancy o JOIN hall ON hall.id = o.hall_id
    WHERE o.booking_id = :booking_id ORDER BY o.created_at, o.id LIMIT {PARTS_LIMIT}
""")  # noqa: S608
_ADMISSIONS: Final = text(f"""
    SELECT attempt_id, transaction_id, admitted_at, closed_at FROM check_admission
    WHERE invoice_id = ANY (:invoice_ids) ORDER BY admitted_at, id LIMIT {PARTS_LIMIT}
""")  # noqa: S608


def booking_detail(desk: Desk, booking_id: UUID) -> BookingDetail:
    """Raises Problem 404."""
    with desk.session() as session:
        head = BOOKINGS.get(session, booking_id)
        assert isinstance(head, BookingRow)
        connection = session.connection()
        invoices = parts_of(desk, session, INVOICES, InvoiceRow, InvoiceTable.booking_id == booking_id)
        invoice_ids = [each.id for each in invoices]
        attempts = parts_of(
            desk, session, PAYMENTS, PaymentRow, among(PaymentAttempt.invoice_id, invoice_ids)
        )
        of_booking = among(ProviderPayment.invoice_id, invoice_ids)
        refunds = parts_of(desk, session, REFUNDS, RefundRow, among(Refund.invoice_id, invoice_ids))
        ids = [each.id for part in (attempts, refunds) for each in part]
        return BookingDetail(
            **dict(head),
            **_promised(session, head),
            **_sums(invoices, head.total.currency),
            allowed_triggers=list(BOOKING.triggers_from(head.state)),
            path=path_of(connection, booking_id),
            booked_extras=_extras(connection, booking_id),
            invoices=invoices,
            attempts=attempts,
            received=parts_of(desk, session, RECEIVED, ReceivedRow, of_booking),
            refunds=refunds,
            occupancies=_occupancies(connection, booking_id),
            admissions=_admissions(connection, invoice_ids),
            timeline=timeline_of(
                connection, [booking_id, *invoice_ids, *ids], calls=calls_about(connection, ids)
            ),
        )


def _promised(session: GuardedSession, head: BookingRow) -> dict[str, object]:
    """What its quote says: lines and terms."""
    found = select(Booking.lines, Booking.terms, Booking.refund_percent_max).where(Booking.id == head.id)
    row = session.execute(found).one()
    lines = [
        InvoiceLineView(
            description=line["description"],
            quantity=line["quantity"],
            unit_amount=_money(line["unit_amount_minor"], head.total.currency),
            amount=_money(line["quantity"] * line["unit_amount_minor"], head.total.currency),
        )
        for line in row.lines
    ]
    return {"lines": lines, "terms": row.terms, "refund_percent_max": row.refund_percent_max}


def _sums(invoices: Sequence[InvoiceRow], currency: str) -> dict[str, Money]:
    is_due = [each.due.amount_minor for each in invoices if each.state == "open"]
    return {
        "paid": _money(sum(each.paid.amount_minor for each in invoices), currency),
        "refunded": _money(sum(each.refunded.amount_minor for each in invoices), currency),
        "due": _money(sum(is_due), currency),
    }


def _money(amount_minor: int, currency: str) -> Money:
    return Money(amount_minor=amount_minor, currency=currency)


def _extras(connection: Connection, booking_id: UUID) -> list[BookedExtraView]:
    return [
        BookedExtraView(
            extra=Named(id=row.extra_id, name=row.name),
            quantity=row.quantity,
            created_at=row.created_at,
            released_at=row.released_at,
        )
        for row in connection.execute(_EXTRAS, {"booking_id": booking_id})
    ]


def _occupancies(connection: Connection, booking_id: UUID) -> list[OccupancyView]:
    return [
        OccupancyView(
            hall=Named(id=row.hall_id, name=row.name),
            kind=row.kind,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            created_at=row.created_at,
            released_at=row.released_at,
        )
        for row in connection.execute(_OCCUPANCIES, {"booking_id": booking_id})
    ]


def _admissions(connection: Connection, invoice_ids: Sequence[UUID]) -> list[AdmissionView]:
    rows = connection.execute(_ADMISSIONS, {"invoice_ids": list(invoice_ids)}).mappings()
    return [AdmissionView.model_validate(dict(row)) for row in rows]
